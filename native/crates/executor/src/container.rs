//! One container, from its plan to its removal.

use std::os::fd::{AsFd, OwnedFd};

use crate::cgroup::{Cgroup, CgroupMode};
use crate::devices::Devices;
use crate::init::Init;
use crate::join::Join;
use crate::mounts::Mounts;
use crate::namespaces::Namespaces;
use crate::report::Report;
use crate::spec::{IdMapping, Process, Spec};
use crate::stdio::Stdio;
use crate::{protect, settings, sys, CgroupLayout, Error, RootSource, StartError, StdioPlan};

mod inside;

pub use inside::Inside;

const START_FAILED: &str =
    "failed to create task for container: unable to start container process: ";
const EXEC_FAILED: &str =
    "OCI runtime exec failed: exec failed: unable to start container process: ";

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
    namespaces: Namespaces,
    cgroup: Cgroup,
    /// Unmounting an overlay takes a millisecond or two: it is left to [`Container::destroy`], off the answer's path.
    root: OwnedFd,
    read_only: bool,
    seccomp: Option<Vec<u8>>,
    init: Option<(i32, OwnedFd)>,
}

impl Container {
    /// Makes the root's mount and the cgroup with its limits. `seccomp_blob` is a compiled filter, an array of the
    /// kernel's `sock_filter`.
    pub fn prepare(
        spec: Spec,
        root: &RootSource,
        layout: &CgroupLayout,
        seccomp_blob: Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        let namespaces = Namespaces::of(&spec.linux)?;
        let read_only = spec.root.readonly || root.is_read_only();
        let root = root.mount()?;
        let cgroup = Cgroup::create(layout, &spec.linux.cgroups_path, &spec.linux.resources)?;
        Ok(Self {
            spec,
            namespaces,
            cgroup,
            root,
            read_only,
            seccomp: seccomp_blob,
            init: None,
        })
    }

    /// Starts the container's first process, and returns once it runs its program.
    pub fn start(&mut self, stdio: &StdioPlan) -> Result<Started, StartError> {
        let started = self
            .start_init(stdio)
            .map_err(|error| start_error(START_FAILED, &error))?;
        let pidfd = sys::duplicate_above_stdio(started.pidfd.as_fd()).map_err(|error| {
            start_error(
                START_FAILED,
                &Error::System("duplicate the pidfd".into(), error),
            )
        })?;
        self.init = Some((started.pid, pidfd));
        Ok(started)
    }

    /// Starts a further process in the running container.
    pub fn exec(&self, process: &Process, stdio: &StdioPlan) -> Result<Started, StartError> {
        self.start_further(process, stdio)
            .map_err(|error| start_error(EXEC_FAILED, &error))
    }

    /// Where to look into it, once it was started.
    pub fn inside(&self) -> Option<Inside<'_>> {
        self.init.as_ref().map(|(pid, pidfd)| Inside {
            pid: *pid,
            pidfd: pidfd.as_fd(),
        })
    }

    /// Sends a signal to every process of the container's cgroup.
    pub fn signal_all(&self, signal: i32) -> Result<(), Error> {
        self.cgroup.signal_all(signal)
    }

    /// Whether the kernel killed a process of this container for lack of memory.
    pub fn oom_killed(&self) -> bool {
        self.cgroup.oom_killed()
    }

    /// Removes the cgroup, with whatever runs or was made inside it, then lets go of the root.
    pub fn destroy(self) -> Result<(), Error> {
        self.cgroup.remove()
    }

    fn start_init(&self, stdio: &StdioPlan) -> Result<Started, Error> {
        protect::hide_self()?;
        let spec = &self.spec;
        let in_user_namespace = self.namespaces.has_new(libc::CLONE_NEWUSER);
        let init = Init {
            spec,
            namespaces: &self.namespaces,
            cgroup: &self.cgroup,
            mounts: Mounts::prepare(spec, &self.cgroup)?,
            devices: Devices::prepare(&spec.linux.devices, in_user_namespace)?,
            root: self.root.as_fd(),
            read_only: self.read_only,
            seccomp: self.seccomp.as_deref(),
            stdio: Stdio::prepare(stdio, self.host_uid(spec.process.user.uid))?,
            mapped: in_user_namespace
                .then(sys::pipe)
                .transpose()
                .map_err(Error::system("pipe"))?,
        };
        let report = Report::new().map_err(Error::system("pipe"))?;
        let way_back = self.namespaces.enter_joined()?;
        let born = sys::clone(self.namespaces.new, self.cgroup.birthplace())
            .map_err(Error::system("clone"));
        if let Ok(None) = born {
            report.run(|report| init.run(report));
        }
        let returned = way_back.take();
        let Some(child) = born? else {
            return Err(Error::Spec("clone: no child".into()));
        };
        let mapped = returned.and_then(|()| self.map_ids(child.pid, &init));
        if let Err(error) = mapped {
            sys::send_signal(child.pidfd.as_fd(), libc::SIGKILL).map_err(Error::system("kill"))?;
            sys::reap(child.pidfd.as_fd()).map_err(Error::system("waitid"))?;
            return Err(error);
        }
        finish(child, report, init.stdio)
    }

    /// What the first process of a user namespace waits for.
    fn map_ids(&self, pid: i32, init: &Init) -> Result<(), Error> {
        let Some((_, writing)) = &init.mapped else {
            return Ok(());
        };
        settings::map_ids(pid, &self.spec.linux)?;
        settings::set_oom_score(&pid.to_string(), self.spec.process.oom_score_adj)?;
        settings::set_resource_limits(pid, &self.spec.process.rlimits)?;
        sys::write_once(writing.as_fd(), b"1").map_err(Error::system("tell the child"))
    }

    fn start_further(&self, process: &Process, stdio: &StdioPlan) -> Result<Started, Error> {
        let Some((init_pid, init)) = &self.init else {
            return Err(Error::Command("the container is not running".into()));
        };
        protect::hide_self()?;
        let join = Join {
            process,
            namespaces: &self.namespaces,
            cgroup: &self.cgroup,
            init: init.as_fd(),
            seccomp: self.seccomp.as_deref(),
            stdio: Stdio::prepare(stdio, self.host_uid(process.user.uid))?,
            pid: sys::pipe().map_err(Error::system("pipe"))?,
        };
        let report = Report::new().map_err(Error::system("pipe"))?;
        let Some(helper) = self.clone_helper(*init_pid)? else {
            report.run(|report| join.run(report));
        };
        let Join {
            stdio,
            pid: (reading, writing),
            ..
        } = join;
        drop(writing);
        let mut pid = [0u8; 4];
        let length =
            sys::read_once(reading.as_fd(), &mut pid).map_err(Error::system("read the pid"))?;
        sys::reap(helper.pidfd.as_fd()).map_err(Error::system("waitid"))?;
        if length != pid.len() {
            let message = report.wait().map_err(Error::system("read the report"))?;
            return Err(Error::Command(
                message.unwrap_or_else(|| "the helper was killed".into()),
            ));
        }
        let pid = i32::from_ne_bytes(pid);
        // It is our child and not reaped, so the number is still its own.
        let pidfd = sys::open_process(pid).map_err(Error::system("pidfd_open"))?;
        finish(sys::Child { pid, pidfd }, report, stdio)
    }

    /// The helper is born in the container's cgroup where the kernel can do that.
    fn clone_helper(&self, init_pid: i32) -> Result<Option<sys::Child>, Error> {
        match sys::clone(0, self.cgroup.birthplace()) {
            Err(error)
                if self.cgroup.mode == CgroupMode::V2
                    && error.raw_os_error() == Some(libc::EBUSY) =>
            {
                let elsewhere = self.cgroup.birthplace_of(init_pid)?;
                sys::clone(0, Some(elsewhere.as_fd()))
            }
            answer => answer,
        }
        .map_err(Error::system("clone"))
    }

    /// The host's number of a user of the container.
    fn host_uid(&self, uid: u32) -> u32 {
        let inside = |map: &&IdMapping| {
            uid.checked_sub(map.container_id)
                .is_some_and(|offset| offset < map.size)
        };
        let mapping = self.spec.linux.uid_mappings.iter().find(inside);
        mapping.map_or(uid, |map| map.host_id.wrapping_add(uid - map.container_id))
    }
}

/// Waits for a child to become its program.
fn finish(child: sys::Child, report: Report, stdio: Stdio) -> Result<Started, Error> {
    match report.wait().map_err(Error::system("read the report"))? {
        None => {
            let console = stdio
                .receive_console()
                .map_err(Error::system("receive the terminal"))?;
            Ok(Started {
                pid: child.pid,
                pidfd: child.pidfd,
                console,
            })
        }
        Some(message) => {
            sys::reap(child.pidfd.as_fd()).map_err(Error::system("waitid"))?;
            Err(Error::Command(message))
        }
    }
}

fn start_error(prefix: &str, error: &Error) -> StartError {
    StartError::new(format!("{prefix}{error}: unknown"))
}
