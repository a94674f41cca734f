//! `drayman-logger`: what a shim has done beside itself, since it may take long.
//!
//! `deliver BUNDLE` sends a container's log away, or writes its file where no disk may hold the
//! container up; `compress FILE TIME` makes a rotated file small. A process, not a thread: a shim makes processes by cloning itself, which takes that it
//! has one thread. A program of its own, for every page that a shim maps counts once a container.

mod deliver;
mod file;
mod input;
mod memory;
mod pieces;
mod queue;
mod sender;
mod settings;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match &arguments[..] {
        [task, bundle] if task == "deliver" => deliver::run(Path::new(bundle)),
        [task, file, last_time] if task == "compress" => compress(file, last_time),
        _ => Err("usage: drayman-logger deliver BUNDLE | compress FILE TIME".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("drayman-logger: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compress(file: &OsStr, last_time: &OsStr) -> Result<(), String> {
    let file = Path::new(file);
    drayman_stdio::compress(file, &last_time.to_string_lossy())
        .map_err(|error| format!("compress {}: {error}", file.display()))
}
