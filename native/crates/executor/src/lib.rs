//! An OCI plan becomes a running process: namespaces, mounts, cgroups, capabilities, seccomp.
//!
//! [`Container::prepare`] makes what must exist before a process can (the root's mount, the cgroup),
//! [`Container::start`] and [`Container::exec`] make processes, [`Container::destroy`] takes all of it away.
//! The caller must be single-threaded: children are made by `clone3` and go on running this code until they exec.

pub mod overlay;
pub mod paths;
pub mod protect;
pub mod spec;

mod cgroup;
mod container;
mod error;
mod root;
mod stdio;

pub use cgroup::{CgroupLayout, CgroupMode};
pub use container::{Container, Started};
pub use error::{Error, StartError};
pub use root::RootSource;
pub use stdio::StdioPlan;
