//! Which namespaces a container has: new ones, and ones that are there already.

use std::os::fd::{AsFd, OwnedFd};

use crate::spec::Linux;
use crate::{sys, Error};

/// The specification's names, the kernel's flags and names.
const KINDS: &[(&str, i32, &str)] = &[
    ("mount", libc::CLONE_NEWNS, "mnt"),
    ("pid", libc::CLONE_NEWPID, "pid"),
    ("network", libc::CLONE_NEWNET, "net"),
    ("ipc", libc::CLONE_NEWIPC, "ipc"),
    ("uts", libc::CLONE_NEWUTS, "uts"),
    ("user", libc::CLONE_NEWUSER, "user"),
    ("cgroup", libc::CLONE_NEWCGROUP, "cgroup"),
];

/// A container's namespaces, from its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespaces {
    /// `CLONE_NEW*` of those the first process is born into.
    pub new: i32,
    /// Whether the cgroup namespace is new; it begins where the process is, so it is made once the cgroup is joined.
    pub new_cgroup: bool,
    /// Flag, kernel's name and path of those that others made.
    pub joined: Vec<(i32, &'static str, String)>,
}

impl Namespaces {
    pub(crate) fn of(linux: &Linux) -> Result<Self, Error> {
        let mut namespaces = Self {
            new: 0,
            new_cgroup: false,
            joined: Vec::new(),
        };
        for namespace in &linux.namespaces {
            let kind = namespace.kind.as_str();
            let known = KINDS.iter().find(|(name, ..)| *name == kind);
            let Some((_, flag, kernel_name)) = known else {
                return Err(Error::Unsupported(format!(
                    "namespace {kind:?} is not supported"
                )));
            };
            if namespace.path.is_empty() {
                match *flag {
                    libc::CLONE_NEWCGROUP => namespaces.new_cgroup = true,
                    flag => namespaces.new |= flag,
                }
            } else if matches!(kind, "mount" | "user") {
                // The root is made for a new mount namespace; a user namespace would have to own the new ones.
                return Err(Error::Unsupported(format!(
                    "joining a {kind} namespace is not supported"
                )));
            } else {
                namespaces
                    .joined
                    .push((*flag, kernel_name, namespace.path.clone()));
            }
        }
        Ok(namespaces)
    }

    /// Every kind that the container does not share with the host, for those who come later.
    pub(crate) fn all(&self) -> i32 {
        let cgroup = if self.new_cgroup {
            libc::CLONE_NEWCGROUP
        } else {
            0
        };
        self.joined
            .iter()
            .fold(self.new | cgroup, |all, (flag, ..)| all | flag)
    }

    pub(crate) fn has_new(&self, kind: i32) -> bool {
        self.new & kind != 0
    }

    /// Enters those that others made, so that the next child is born there; the result leads back.
    ///
    /// The host's root does it, before the child gives its rights up to a user namespace of its own.
    pub(crate) fn enter_joined(&self) -> Result<WayBack, Error> {
        let mut way_back = WayBack(Vec::new());
        for (flag, name, path) in &self.joined {
            let failed = |error| Error::System(format!("join namespace {path}"), error);
            let home = format!("/proc/self/ns/{name}");
            let home = sys::open(home.as_bytes(), libc::O_RDONLY).map_err(failed)?;
            let there = sys::open(path.as_bytes(), libc::O_RDONLY).map_err(failed)?;
            if let Err(error) = sys::enter_namespaces(there.as_fd(), *flag) {
                way_back.take()?;
                return Err(failed(error));
            }
            way_back.0.push((*flag, home));
        }
        Ok(way_back)
    }
}

/// Our own namespaces, to return to.
#[must_use = "the process stays in the container's namespaces until it is taken"]
#[derive(Debug)]
pub(crate) struct WayBack(Vec<(i32, OwnedFd)>);

impl WayBack {
    pub(crate) fn take(self) -> Result<(), Error> {
        for (flag, home) in self.0 {
            sys::enter_namespaces(home.as_fd(), flag)
                .map_err(Error::system("return to the host's namespaces"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Namespace;

    fn of(kinds: &[(&str, &str)]) -> Result<Namespaces, Error> {
        let namespaces = kinds.iter().map(|(kind, path)| Namespace {
            kind: (*kind).into(),
            path: (*path).into(),
        });
        Namespaces::of(&Linux {
            namespaces: namespaces.collect(),
            ..Linux::default()
        })
    }

    #[test]
    fn new_and_joined_are_told_apart() {
        let namespaces = of(&[
            ("mount", ""),
            ("pid", ""),
            ("cgroup", ""),
            ("network", "/run/n"),
        ])
        .unwrap();
        assert_eq!(namespaces.new, libc::CLONE_NEWNS | libc::CLONE_NEWPID);
        assert!(namespaces.new_cgroup);
        assert_eq!(
            namespaces.joined,
            [(libc::CLONE_NEWNET, "net", "/run/n".to_owned())]
        );
        let all =
            libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
        assert_eq!(namespaces.all(), all);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        assert!(of(&[("time", "")]).is_err());
        assert!(of(&[("user", "/proc/1/ns/user")]).is_err());
    }
}
