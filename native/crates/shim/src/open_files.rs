//! How many files may be open: as many here as the host allows, for each client is one; in the
//! container as many as ever, for programs mind (some close every number up to the limit).

use drayman_executor::spec::{Process, Rlimit};
use rustix::process::{getrlimit, setrlimit, Resource};

const NAME: &str = "RLIMIT_NOFILE";
/// As the kernel writes it.
const UNLIMITED: u64 = u64::MAX;

/// The limit that was inherited.
#[derive(Clone, Copy, Debug)]
pub struct OpenFiles {
    soft: u64,
    hard: u64,
}

impl OpenFiles {
    /// Raise our own limit; what it was is remembered.
    pub fn raise() -> Self {
        let inherited = getrlimit(Resource::Nofile);
        let raised = rustix::process::Rlimit {
            current: inherited.maximum,
            ..inherited
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            eprintln!("drayman-shim: {NAME}: {error}");
        }
        Self {
            soft: inherited.current.unwrap_or(UNLIMITED),
            hard: inherited.maximum.unwrap_or(UNLIMITED),
        }
    }

    /// Give a process the inherited limit, unless its plan has one.
    pub fn limit(self, process: &mut Process) {
        if process.rlimits.iter().all(|limit| limit.kind != NAME) {
            process.rlimits.push(Rlimit {
                kind: NAME.to_owned(),
                hard: self.hard,
                soft: self.soft,
            });
        }
    }
}
