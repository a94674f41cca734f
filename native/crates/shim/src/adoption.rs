//! Becoming the parent of processes that others made.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use rustix::process::{
    getpid, kill_process, set_child_subreaper, waitid, Pid, Signal, WaitId, WaitIdOptions,
};

/// A while in which processes whose parents end become our children. Not for longer: in the host's
/// pid namespace whatever a container's processes leave behind would be ours to reap.
pub struct Adoption {
    before: BTreeSet<i32>,
}

impl Adoption {
    pub fn begin() -> io::Result<Self> {
        let before = children()?;
        set_child_subreaper(Some(getpid()))?;
        Ok(Self { before })
    }

    /// Keep the one that was to be made. Of the others those that have ended are reaped, for the
    /// end of a container's first process waits for them; all are ended where none was made.
    pub fn end(self, made: Option<Pid>) -> io::Result<()> {
        set_child_subreaper(None)?;
        let options = if made.is_some() {
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG
        } else {
            WaitIdOptions::EXITED
        };
        let strays = children()?;
        let strays = strays.difference(&self.before).copied();
        for stray in strays.filter_map(Pid::from_raw) {
            if made == Some(stray) {
                continue;
            }
            if made.is_none() {
                kill_process(stray, Signal::KILL)?;
            }
            waitid(WaitId::Pid(stray), options)?;
        }
        Ok(())
    }
}

/// This process has one thread.
fn children() -> io::Result<BTreeSet<i32>> {
    let text = fs::read_to_string("/proc/thread-self/children")?;
    Ok(text
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect())
}
