//! Finding the program that a process is to run, and running it, with the words that Docker's clients look for.

use std::io;

use crate::error::errno_text;
use crate::spec::Process;
use crate::sys::{self, StringList};
use crate::Error;

/// A command with its environment, ready for the kernel.
pub(crate) struct Program<'a> {
    name: &'a str,
    search_path: &'a str,
    arguments: StringList,
    environment: StringList,
}

impl<'a> Program<'a> {
    /// `home` is for a plan that gives no `HOME`.
    pub(crate) fn new(process: &'a Process, home: Option<Vec<u8>>) -> Result<Self, Error> {
        let value = |name: &str| {
            let values = process.env.iter().filter_map(|entry| entry.split_once('='));
            values
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
                .next_back()
        };
        let mut environment: Vec<Vec<u8>> = process
            .env
            .iter()
            .map(|entry| entry.clone().into_bytes())
            .collect();
        if value("HOME").unwrap_or_default().is_empty() {
            environment.retain(|entry| !entry.starts_with(b"HOME="));
            environment.push([b"HOME=".to_vec(), home.unwrap_or_else(|| b"/".to_vec())].concat());
        }
        let failed = Error::system("pass arguments");
        let lists = StringList::new(&process.args)
            .and_then(|list| Ok((list, StringList::new(environment)?)));
        let (arguments, environment) = lists.map_err(failed)?;
        let name = process.args.first().map_or("", String::as_str);
        Ok(Self {
            name,
            search_path: value("PATH").unwrap_or_default(),
            arguments,
            environment,
        })
    }

    /// The path of the program, as the process may see and execute it now.
    pub(crate) fn find(&self) -> Result<String, Error> {
        let name = self.name;
        if name.contains('/') {
            return match check_executable(name) {
                Ok(()) => Ok(name.to_owned()),
                Err(Refusal::Missing(error)) => Err(Error::Command(format!(
                    "exec: {name:?}: stat {name}: {}",
                    errno_text(&error)
                ))),
                Err(Refusal::Unfit(error)) => Err(Error::Command(format!(
                    "exec: {name:?}: {}",
                    errno_text(&error)
                ))),
            };
        }
        let directories = self
            .search_path
            .split(':')
            .filter(|directory| directory.starts_with('/'));
        let mut candidates =
            directories.map(|directory| format!("{}/{name}", directory.trim_end_matches('/')));
        let found = candidates
            .find(|path| check_executable(path).is_ok())
            .filter(|_| !name.is_empty());
        found.ok_or_else(|| {
            Error::Command(format!(
                "exec: {name:?}: executable file not found in $PATH"
            ))
        })
    }

    /// Becomes the program, or says why not.
    pub(crate) fn run(&self, path: &str) -> Error {
        let error: io::Error = sys::execute(path.as_bytes(), &self.arguments, &self.environment);
        Error::Command(format!("exec {path}: {}", errno_text(&error)))
    }
}

/// Why a path is not a program to run.
enum Refusal {
    /// It could not even be looked at.
    Missing(io::Error),
    Unfit(io::Error),
}

fn check_executable(path: &str) -> Result<(), Refusal> {
    let file = std::fs::metadata(path).map_err(Refusal::Missing)?;
    if file.is_dir() {
        return Err(Refusal::Unfit(io::Error::from_raw_os_error(libc::EISDIR)));
    }
    sys::may_execute(path.as_bytes()).map_err(Refusal::Unfit)
}
