//! The container's cgroup: made before the process, joined by it, removed after it.

mod device_filter;
mod device_rules;
mod files;
mod removal;
mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::spec::Resources;
use crate::{sys, Error};

/// Which cgroup trees this host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupMode {
    V1,
    /// v1 controllers, and a v2 tree that has none or few of them.
    Hybrid,
    V2,
}

/// The host's cgroup mount points, as the daemon found them.
#[derive(Debug, Clone, Deserialize)]
pub struct CgroupLayout {
    pub mode: CgroupMode,
    /// v1: controller (or `name=systemd`) to the directory where its tree is mounted.
    #[serde(default)]
    pub controllers: BTreeMap<String, PathBuf>,
    /// Where the v2 tree is mounted.
    #[serde(default)]
    pub unified: Option<PathBuf>,
}

/// One tree of cgroups, and the container's place in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// What the tree's directory is called below `/sys/fs/cgroup`, such as `cpu,cpuacct`.
    pub name: String,
    /// The controllers mounted together there; none for the v2 tree.
    pub controllers: Vec<String>,
    /// The container's directory on the host.
    pub directory: PathBuf,
}

/// The container's place in every tree of the host that counts.
#[derive(Debug)]
pub struct Cgroup {
    pub(crate) hierarchies: Vec<Hierarchy>,
    pub(crate) mode: CgroupMode,
    /// v1: the `tasks` file of each hierarchy. Joining through `cgroup.procs` takes a lock that waits for every
    /// processor (12 ms); `tasks` does not, and a process of one thread is the same through either.
    tasks: Vec<OwnedFd>,
    /// v2: the directory that processes are born into.
    birthplace: Option<OwnedFd>,
    /// The mount point of the tree that `birthplace` lies in.
    unified: Option<PathBuf>,
}

impl Cgroup {
    /// The cgroup at `path`, which somebody else makes.
    pub fn find(layout: &CgroupLayout, path: &str) -> Result<Self, Error> {
        Ok(Self {
            hierarchies: layout.hierarchies(path)?,
            mode: layout.mode,
            tasks: Vec::new(),
            birthplace: None,
            unified: layout.unified.clone(),
        })
    }

    /// Makes the cgroup at `path` in every tree, and sets its limits. What was made is removed again on failure.
    pub(crate) fn create(
        layout: &CgroupLayout,
        path: &str,
        resources: &Resources,
    ) -> Result<Self, Error> {
        let mut cgroup = Self::find(layout, path)?;
        if let Err(error) = cgroup.fill(layout, path, resources) {
            // The first failure is the one worth telling.
            let _ = cgroup.remove();
            return Err(error);
        }
        Ok(cgroup)
    }

    fn fill(
        &mut self,
        layout: &CgroupLayout,
        path: &str,
        resources: &Resources,
    ) -> Result<(), Error> {
        if let (CgroupMode::V2, Some(root)) = (layout.mode, &layout.unified) {
            let directory = v2::create(root, path)?;
            v2::limit(&directory, resources)?;
            let open = files::open_directory(&directory)?;
            if !resources.devices.is_empty() {
                let filter = device_filter::compile(&device_rules::complete(&resources.devices))?;
                sys::attach_device_filter(open.as_fd(), &filter)
                    .map_err(Error::system("load the device rules"))?;
            }
            self.birthplace = Some(open);
            return Ok(());
        }
        for hierarchy in &self.hierarchies {
            v1::create(hierarchy, path)?;
            v1::limit(hierarchy, resources)?;
            self.tasks
                .push(files::open_for_writing(&hierarchy.directory.join("tasks"))?);
        }
        v1::check_controllers(&self.hierarchies, resources)
    }

    /// Moves the calling process, which must have one thread, into the v1 trees.
    pub(crate) fn join(&self) -> Result<(), Error> {
        for (tasks, hierarchy) in self.tasks.iter().zip(&self.hierarchies) {
            // "0" is the writer itself.
            sys::write_once(tasks.as_fd(), b"0").map_err(|error| {
                Error::System(
                    format!("join cgroup {}", hierarchy.directory.display()),
                    error,
                )
            })?;
        }
        Ok(())
    }

    /// Where the kernel is to put a new process; v2 only.
    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.birthplace.as_ref().map(AsFd::as_fd)
    }

    /// The v2 directory where a process of the container now is: one that manages its own cgroups (systemd does) may
    /// have left `birthplace`, which then takes no processes.
    pub(crate) fn birthplace_of(&self, pid: i32) -> Result<OwnedFd, Error> {
        let text = files::read(Path::new(&format!("/proc/{pid}/cgroup")))?;
        let path = text
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .unwrap_or_default();
        let own = self
            .hierarchies
            .first()
            .map(|hierarchy| hierarchy.directory.as_path());
        let directory = self.unified.as_deref().unwrap_or(Path::new("/")).join(path);
        if own.is_none_or(|own| !directory.starts_with(own)) {
            return Err(Error::Spec(format!(
                "process {pid} has left the container's cgroup"
            )));
        }
        files::open_directory(&directory)
    }

    /// Whether the kernel killed a process here for lack of memory.
    pub fn oom_killed(&self) -> bool {
        let file = match self.mode {
            CgroupMode::V2 => self
                .hierarchies
                .first()
                .map(|h| h.directory.join("memory.events")),
            CgroupMode::V1 | CgroupMode::Hybrid => self
                .hierarchies
                .iter()
                .find(|hierarchy| hierarchy.controllers.iter().any(|name| name == "memory"))
                .map(|hierarchy| hierarchy.directory.join("memory.oom_control")),
        };
        let Some(text) = file.and_then(|file| fs::read_to_string(file).ok()) else {
            return false;
        };
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count
            .and_then(|count| count.trim().parse::<u64>().ok())
            .is_some_and(|count| count > 0)
    }
}

impl CgroupLayout {
    /// The trees that the container takes part in, controllers that are mounted together as one.
    fn hierarchies(&self, path: &str) -> Result<Vec<Hierarchy>, Error> {
        let below = |root: &Path| root.join(path.trim_start_matches('/'));
        if self.mode == CgroupMode::V2 {
            let root = self.unified.as_deref();
            let root =
                root.ok_or_else(|| Error::Spec("cgroup mode v2 without a v2 mount point".into()))?;
            let directory = below(root);
            return Ok(vec![Hierarchy {
                name: String::new(),
                controllers: Vec::new(),
                directory,
            }]);
        }
        let mut trees: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
        for (controller, root) in &self.controllers {
            trees.entry(root).or_default().push(controller.clone());
        }
        let named = |root: &Path| {
            root.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let hierarchies = trees.into_iter().map(|(root, controllers)| Hierarchy {
            name: named(root),
            controllers,
            directory: below(root),
        });
        Ok(hierarchies.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_mounted_together_are_one_hierarchy() {
        let layout: CgroupLayout = serde_json::from_str(
            r#"{"mode":"v1","unified":null,"controllers":{"cpu":"/sys/fs/cgroup/cpu,cpuacct",
            "cpuacct":"/sys/fs/cgroup/cpu,cpuacct","memory":"/sys/fs/cgroup/memory","name=systemd":"/sys/fs/cgroup/systemd"}}"#,
        )
        .unwrap();
        let hierarchies = layout.hierarchies("/docker/x").unwrap();
        let names: Vec<&str> = hierarchies
            .iter()
            .map(|hierarchy| hierarchy.name.as_str())
            .collect();
        assert_eq!(names, ["cpu,cpuacct", "memory", "systemd"]);
        assert_eq!(hierarchies[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(
            hierarchies[1].directory,
            Path::new("/sys/fs/cgroup/memory/docker/x")
        );
    }

    #[test]
    fn v2_needs_a_mount_point() {
        let layout = CgroupLayout {
            mode: CgroupMode::V2,
            controllers: BTreeMap::new(),
            unified: None,
        };
        assert!(layout.hierarchies("/x").is_err());
    }
}
