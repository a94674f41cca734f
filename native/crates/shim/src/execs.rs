//! What is known of the further processes that were started in the container.

use std::collections::{BTreeMap, VecDeque};

use crate::messages::ExecStatus;

/// Ended ones that are still told of; all others have their `.exit` file. A health check must not
/// make the shim grow.
const ENDED_MAX: usize = 64;

#[derive(Debug, Default)]
pub struct Execs {
    by_name: BTreeMap<String, Exec>,
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Exec {
    session: u32,
    pid: i32,
    exit_code: Option<i32>,
}

impl Execs {
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub fn add(&mut self, name: String, session: u32, pid: i32) {
        self.by_name.insert(
            name,
            Exec {
                session,
                pid,
                exit_code: None,
            },
        );
    }

    /// The session of one that runs.
    pub fn session(&self, name: &str) -> Option<u32> {
        self.by_name
            .get(name)
            .filter(|exec| exec.exit_code.is_none())
            .map(|exec| exec.session)
    }

    /// The name of the one that runs in a session.
    pub fn name(&self, session: u32) -> Option<String> {
        let mut running = self
            .by_name
            .iter()
            .filter(|(_, exec)| exec.exit_code.is_none());
        running
            .find(|(_, exec)| exec.session == session)
            .map(|(name, _)| name.clone())
    }

    pub fn end(&mut self, name: &str, exit_code: i32) {
        if let Some(exec) = self.by_name.get_mut(name) {
            exec.exit_code = Some(exit_code);
            self.ended.push_back(name.to_owned());
        }
        if self.ended.len() > ENDED_MAX {
            if let Some(oldest) = self.ended.pop_front() {
                self.by_name.remove(&oldest);
            }
        }
    }

    pub fn any_running(&self) -> bool {
        self.by_name.values().any(|exec| exec.exit_code.is_none())
    }

    pub fn statuses(&self) -> BTreeMap<String, ExecStatus> {
        let status = |exec: &Exec| ExecStatus {
            pid: exec.pid,
            running: exec.exit_code.is_none(),
            exit_code: exec.exit_code,
        };
        self.by_name
            .iter()
            .map(|(name, exec)| (name.clone(), status(exec)))
            .collect()
    }
}
