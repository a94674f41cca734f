//! The container's first process, from its birth to its program.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cgroup::Cgroup;
use crate::devices::Devices;
use crate::mounts::{self, Mounts};
use crate::namespaces::Namespaces;
use crate::report::Report;
use crate::spec::Spec;
use crate::stdio::Stdio;
use crate::{hidden, identity, paths, settings, sys, Error};

/// All that the first process needs, made before it is born.
pub(crate) struct Init<'a> {
    pub spec: &'a Spec,
    pub namespaces: &'a Namespaces,
    pub cgroup: &'a Cgroup,
    pub mounts: Mounts<'a>,
    pub devices: Devices,
    pub root: BorrowedFd<'a>,
    pub read_only: bool,
    pub seccomp: Option<&'a [u8]>,
    pub stdio: Stdio,
    /// Closed by the parent when ids are mapped; only for a user namespace.
    pub mapped: Option<(OwnedFd, OwnedFd)>,
}

impl Init<'_> {
    /// Runs in the child, and ends in the planned program.
    pub(crate) fn run(&self, report: &Report) -> Result<Infallible, Error> {
        // Nobody in the namespaces that are joined now may look into this process.
        sys::set_process_switch(libc::PR_SET_DUMPABLE, 0).map_err(Error::system("set dumpable"))?;
        sys::reset_signals();
        sys::set_umask(0);
        sys::new_session().map_err(Error::system("setsid"))?;
        new_keyring()?;
        self.cgroup.join()?;
        self.enter_user_namespace()?;
        if self.namespaces.new_cgroup {
            sys::leave_namespaces(libc::CLONE_NEWCGROUP)
                .map_err(Error::system("unshare the cgroup namespace"))?;
        }
        self.set_up_kernel()?;
        self.stdio.install_pipes()?;
        self.set_up_root()?;
        if self.mapped.is_none() {
            settings::set_oom_score("self", self.spec.process.oom_score_adj)?;
        }
        let root = self.change_root()?;
        // Our parent may have had more files open than the program is to have.
        sys::close_all_but(&[root.as_fd(), report.writing.as_fd()])
            .map_err(Error::system("close descriptors"))?;
        // From inside a user namespace the parent has to set them.
        if self.mapped.is_none() {
            settings::set_resource_limits(0, &self.spec.process.rlimits)?;
        }
        identity::become_program(
            &self.spec.process,
            self.seccomp,
            root,
            report.writing.as_fd(),
        )
    }

    /// Waits until the parent has said what our ids mean, then becomes root there.
    fn enter_user_namespace(&self) -> Result<(), Error> {
        let Some((reading, _)) = &self.mapped else {
            return Ok(());
        };
        let mut word = [0u8; 1];
        let length =
            sys::read_once(reading.as_fd(), &mut word).map_err(Error::system("wait for ids"))?;
        if length == 0 {
            return Err(Error::Spec("the engine went away".into()));
        }
        sys::become_group(0)
            .and_then(|()| sys::become_user(0))
            .map_err(Error::system("become root"))
    }

    /// What belongs to the other namespaces.
    fn set_up_kernel(&self) -> Result<(), Error> {
        if self.namespaces.has_new(libc::CLONE_NEWNET) {
            sys::loopback_up().map_err(Error::system("bring the loopback interface up"))?;
        }
        if !self.spec.hostname.is_empty() {
            sys::set_hostname(&self.spec.hostname).map_err(Error::system("sethostname"))?;
        }
        if !self.spec.domainname.is_empty() {
            sys::set_domainname(&self.spec.domainname).map_err(Error::system("setdomainname"))?;
        }
        settings::set_sysctls(&self.spec.linux.sysctl)?;
        settings::set_labels(&self.spec.process)
    }

    /// Builds the whole tree below the root's mount, from descriptors of it, while our own root is still the host's.
    fn set_up_root(&self) -> Result<(), Error> {
        let linux = &self.spec.linux;
        let host =
            sys::open(b"/", libc::O_PATH | libc::O_DIRECTORY).map_err(Error::system("open /"))?;
        mounts::set_propagation(host.as_fd(), libc::MS_SLAVE, true)
            .map_err(Error::system("cut the host's mounts off"))?;
        // Over the host's root, where it hides nothing: a path begins at our root itself, which lies below.
        sys::attach(&self.root, host.as_fd()).map_err(Error::system("attach the root"))?;
        let read_only_later = self.mounts.make(self.root)?;
        if !self.mounts.binds_dev() {
            self.devices.make(self.root)?;
        }
        let console = match &self.stdio {
            Stdio::Pipes(_) => None,
            Stdio::Terminal { .. } => self.stdio.install(self.root, self.spec.process.user.uid)?,
        };
        if let Some(console) = console {
            console.show_as_dev_console(self.root)?;
        }
        // Where it cannot be made, changing to it fails next, with the words that clients know.
        let _ = paths::make_directories_in_root(self.root, self.spec.process.cwd.as_bytes());
        hidden::make_paths_read_only(self.root, &linux.readonly_paths)?;
        hidden::mask_paths(self.root, &linux.masked_paths)?;
        mounts::make_read_only(&read_only_later)?;
        if self.read_only {
            mounts::set_read_only(self.root).map_err(Error::system("make the root read-only"))?;
        }
        Ok(())
    }

    /// Leaves the host's tree for good; gives the new root.
    fn change_root(&self) -> Result<OwnedFd, Error> {
        sys::change_directory(self.root)
            .and_then(|()| sys::pivot_to_working_directory())
            .map_err(Error::system("pivot_root"))?;
        let root =
            sys::open(b"/", libc::O_PATH | libc::O_DIRECTORY).map_err(Error::system("open /"))?;
        let wanted = self.spec.linux.rootfs_propagation.as_str();
        if !wanted.is_empty() {
            let unknown = || Error::Spec(format!("bad linux.rootfsPropagation {wanted:?}"));
            let (flag, recursive) =
                mounts::options::parse_propagation(wanted).ok_or_else(unknown)?;
            mounts::set_propagation(root.as_fd(), flag, recursive)
                .map_err(Error::system(format!("make the root {wanted}")))?;
        }
        Ok(root)
    }
}

/// Leaves the engine's keyring behind. Kernels without keyrings have nothing to leave.
pub(crate) fn new_keyring() -> Result<(), Error> {
    match sys::new_session_keyring() {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        answer => answer.map_err(Error::system("join a new session keyring")),
    }
}
