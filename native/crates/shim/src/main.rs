//! `drayman-shim BUNDLE`: owns one container, whatever becomes of the daemon.
//!
//! It runs itself for two tasks that may take their time: `drayman-shim deliver BUNDLE` sends the
//! log away, `drayman-shim compress FILE TIME` makes a rotated file of it small.
//!
//! It holds the container's pipes or terminal, writes its log, serves attached clients, runs execs,
//! reaps, and records how it all ended. Daemons speak to it over a socket (`messages.json`).

mod client;
mod compressor;
mod config;
mod control;
mod daemons;
mod deliver;
mod delivery;
mod durable;
mod execs;
mod followers;
mod form;
mod journal;
mod kernel;
mod logging;
mod loss;
mod messages;
mod open_files;
mod output;
mod pipes;
mod poll;
mod process;
mod requests;
mod session;
mod shim;
mod stdin;
mod waits;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

/// Buffers of this size and above are mapped on their own.
const LARGE_BUFFER_BYTES: i32 = 32 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match &arguments[..] {
        [task, bundle] if task == "deliver" => deliver::run(Path::new(bundle)),
        [task, file, last_time] if task == "compress" => compress(file, last_time),
        [bundle] => serve(Path::new(bundle)),
        _ => Err("usage: drayman-shim BUNDLE".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("drayman-shim: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compress(file: &OsStr, last_time: &OsStr) -> Result<(), String> {
    let file = Path::new(file);
    drayman_stdio::compress(file, &last_time.to_string_lossy())
        .map_err(|error| format!("compress {}: {error}", file.display()))
}

fn serve(bundle: &Path) -> Result<(), String> {
    drayman_executor::protect::seal_self().map_err(|error| error.to_string())?;
    let control = kernel::take_control();
    kernel::map_large_buffers(LARGE_BUFFER_BYTES);
    kernel::restrict_new_files();
    let config = config::Config::read(bundle)?;
    let _ = std::env::set_current_dir("/");
    let mut shim = shim::Shim::new(config, control)?;
    shim.run().map_err(|error| error.to_string())
}
