//! `drayman-shim BUNDLE`: owns one container, whatever becomes of the daemon.
//!
//! It holds the container's pipes or terminal, writes its log, serves attached clients, runs execs,
//! reaps, and records how it all ended. Daemons speak to it over a socket (`messages.json`).

mod adoption;
mod checks;
mod client;
mod compressor;
mod config;
mod console;
mod control;
mod daemons;
mod delivery;
mod durable;
mod execs;
mod followers;
mod form;
mod health;
mod journal;
mod kernel;
mod logging;
mod loss;
mod messages;
mod oci;
mod open_files;
mod output;
mod pipes;
mod poll;
mod process;
mod requests;
mod runtime;
mod session;
mod shim;
mod stdin;
mod waits;

use std::path::Path;
use std::process::ExitCode;

/// Buffers of this size and above are mapped on their own.
const LARGE_BUFFER_BYTES: i32 = 32 * 1024;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("drayman-shim: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    drayman_executor::protect::seal_self().map_err(|error| error.to_string())?;
    kernel::take_name(c"drayman-shim");
    let control = kernel::take_control();
    kernel::map_large_buffers(LARGE_BUFFER_BYTES);
    kernel::restrict_new_files();
    let bundle = std::env::args_os()
        .nth(1)
        .ok_or("usage: drayman-shim BUNDLE")?;
    let config = config::Config::read(Path::new(&bundle))?;
    let _ = std::env::set_current_dir("/");
    let mut shim = shim::Shim::new(config, control)?;
    shim.run().map_err(|error| error.to_string())
}
