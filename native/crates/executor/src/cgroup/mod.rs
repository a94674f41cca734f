//! The container's cgroup: made before the process, joined by it, removed after it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

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
