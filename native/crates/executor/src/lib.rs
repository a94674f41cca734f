//! An OCI plan becomes a running process: namespaces, mounts, cgroups, capabilities, seccomp.
//!
//! [`Container::prepare`] makes what must exist before a process can (the root's mount, the cgroup),
//! [`Container::start`] and [`Container::exec`] make processes, [`Container::destroy`] takes all of it away.
//! The caller must be single-threaded: children are made by `clone3` and go on running this code until they exec.
#![deny(unsafe_code)]

pub mod overlay;
pub mod paths;
pub mod protect;
pub mod spec;

mod capabilities;
mod cgroup;
mod console;
mod container;
mod devices;
mod error;
mod hidden;
mod home;
mod identity;
mod init;
mod join;
mod mounts;
mod namespaces;
mod program;
mod reaper;
mod report;
mod root;
mod settings;
mod stdio;
#[allow(unsafe_code)]
mod sys;

pub use cgroup::{Cgroup, CgroupLayout, CgroupMode};
pub use container::{Container, Inside, Started};
pub use error::{Error, StartError};
pub use root::RootSource;
pub use stdio::StdioPlan;

/// Whether this machine lets a unit test mount: as root, without namespaces of our own, nothing else is worth telling.
#[cfg(test)]
fn tests_may_mount() -> bool {
    sys::capabilities().is_ok_and(|sets| sets.effective & 1 << 21 != 0)
}
