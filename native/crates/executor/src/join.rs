//! A further process in a running container: one helper enters the namespaces and gives birth to it as our own child.
//!
//! The helper is what keeps it safe. Whoever is visible in the container's process namespace is in all its other
//! namespaces already, with no descriptor of the host's: `/proc/PID/root` and `/proc/PID/fd` of it lead nowhere else.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cgroup::Cgroup;
use crate::init::new_keyring;
use crate::namespaces::Namespaces;
use crate::report::Report;
use crate::spec::Process;
use crate::stdio::Stdio;
use crate::{identity, settings, sys, Error};

/// All that a further process needs.
pub(crate) struct Join<'a> {
    pub process: &'a Process,
    pub namespaces: &'a Namespaces,
    pub cgroup: &'a Cgroup,
    /// The container's first process.
    pub init: BorrowedFd<'a>,
    pub seccomp: Option<&'a [u8]>,
    pub stdio: Stdio,
    /// Where the helper tells the pid: the reading end and the writing one.
    pub pid: (OwnedFd, OwnedFd),
}

impl Join<'_> {
    /// In the helper: ends with it, or in the planned program.
    pub(crate) fn run(&self, report: &Report) -> Result<Infallible, Error> {
        sys::set_process_switch(libc::PR_SET_DUMPABLE, 0).map_err(Error::system("set dumpable"))?;
        sys::reset_signals();
        self.set_up_from_outside()?;
        let kinds = self.namespaces.all();
        sys::enter_namespaces(self.init, kinds)
            .map_err(Error::system("join the container's namespaces"))?;
        if self.in_user_namespace() {
            sys::become_group(0)
                .and_then(|()| sys::become_user(0))
                .map_err(Error::system("become root"))?;
        }
        self.stdio.install_pipes()?;
        let needed = [
            Some(report.writing.as_fd()),
            Some(self.pid.1.as_fd()),
            self.stdio.socket(),
        ];
        let needed: Vec<BorrowedFd> = needed.into_iter().flatten().collect();
        sys::close_all_but(&needed).map_err(Error::system("close descriptors"))?;
        match sys::clone_sibling().map_err(Error::system("clone"))? {
            None => self.become_program(report),
            Some(pid) => {
                sys::write_once(self.pid.1.as_fd(), &pid.to_ne_bytes())
                    .map_err(Error::system("tell the pid"))?;
                sys::exit_now(0)
            }
        }
    }

    fn in_user_namespace(&self) -> bool {
        self.namespaces.has_new(libc::CLONE_NEWUSER)
    }

    /// What takes the host's `/proc` or the host's rights.
    fn set_up_from_outside(&self) -> Result<(), Error> {
        settings::set_labels(self.process)?;
        settings::set_oom_score("self", self.process.oom_score_adj)?;
        self.cgroup.join()?;
        // Last, for files may be open beyond the limit until they are closed.
        settings::set_resource_limits(0, &self.process.rlimits)
    }

    fn become_program(&self, report: &Report) -> Result<Infallible, Error> {
        sys::new_session().map_err(Error::system("setsid"))?;
        new_keyring()?;
        let root =
            sys::open(b"/", libc::O_PATH | libc::O_DIRECTORY).map_err(Error::system("open /"))?;
        if let Stdio::Terminal { .. } = &self.stdio {
            self.stdio.install(root.as_fd(), self.process.user.uid)?;
        }
        identity::become_program(self.process, self.seccomp, root, report.writing.as_fd())
    }
}
