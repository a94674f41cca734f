//! The `linux` object: namespaces, devices, cgroup and what is hidden or read-only.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Resources;
use crate::Error;

/// What the plan asks of Linux alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Linux {
    pub namespaces: Vec<Namespace>,
    pub uid_mappings: Vec<IdMapping>,
    pub gid_mappings: Vec<IdMapping>,
    pub devices: Vec<Device>,
    /// Below each controller's mount point.
    pub cgroups_path: String,
    pub resources: Resources,
    pub masked_paths: Vec<String>,
    pub readonly_paths: Vec<String>,
    pub sysctl: BTreeMap<String, String>,
    pub rootfs_propagation: String,
    pub mount_label: String,
}

/// A namespace: a new one, or with `path` the one that is there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Namespace {
    #[serde(rename = "type")]
    pub kind: String,
    pub path: String,
}

/// `size` ids from `container_id` inside are those from `host_id` outside.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IdMapping {
    #[serde(rename = "containerID")]
    pub container_id: u32,
    #[serde(rename = "hostID")]
    pub host_id: u32,
    pub size: u32,
}

/// A device node to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Device {
    pub path: String,
    /// `c`, `u`, `b` or `p`.
    #[serde(rename = "type")]
    pub kind: String,
    pub major: u32,
    pub minor: u32,
    pub file_mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

impl Linux {
    /// Whether the plan names this kind of namespace, new or not.
    pub(crate) fn has_namespace(&self, kind: &str) -> bool {
        self.namespaces
            .iter()
            .any(|namespace| namespace.kind == kind)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.has_namespace("mount") {
            // Without one, the container's mounts would be the host's.
            return Err(Error::Unsupported(
                "config.json: a mount namespace is needed".into(),
            ));
        }
        // The cgroup is made and removed by this name; it must stay below the controllers' mount points.
        let path = &self.cgroups_path;
        if !path.starts_with('/') || path == "/" || path.split('/').any(|part| part == "..") {
            return Err(Error::Spec(format!(
                "config.json: bad linux.cgroupsPath {path:?}"
            )));
        }
        Ok(())
    }
}
