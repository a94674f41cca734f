//! `shim.json`: what the daemon tells a shim about its container, beside the OCI plan.

use std::path::PathBuf;

use drayman_executor::{CgroupLayout, RootSource};
use drayman_stdio::LogFile;
use serde::de::IgnoredAny;
use serde::Deserialize;

use crate::health::plan::Plan as HealthPlan;

/// The version of the file and of the messages that this shim speaks.
pub const VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
pub struct Config {
    pub version: u32,
    pub id: String,
    pub bundle: PathBuf,
    pub socket: PathBuf,
    pub exit_file: PathBuf,
    pub exec_dir: PathBuf,
    /// The program `drayman-logger`.
    pub logger: PathBuf,
    pub root: RootSource,
    /// A program that takes the OCI command line; our own executor where there is none.
    pub runtime: Option<PathBuf>,
    /// A compiled filter, as `_native.seccomp_compile` makes it.
    pub seccomp: Option<PathBuf>,
    pub stdio: Stdio,
    pub log: Log,
    pub cgroup: CgroupLayout,
    pub health: Option<HealthPlan>,
}

#[derive(Debug, Deserialize)]
pub struct Stdio {
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    /// Rows and columns.
    pub console_size: Option<(u16, u16)>,
    /// For clients that bring no keys of their own.
    pub detach_keys: String,
}

#[derive(Debug, Deserialize)]
pub struct Log {
    /// What `docker logs` reads: of some drivers a copy of what they send away, of some nothing.
    pub file: Option<LogFile>,
    /// Where it is sent; only who sends it reads more of this.
    pub delivery: Option<IgnoredAny>,
}

impl Config {
    /// Read the bundle's `shim.json`.
    pub fn read(bundle: &std::path::Path) -> Result<Self, String> {
        let path = bundle.join("shim.json");
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let config: Self = serde_json::from_slice(&text)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if config.version != VERSION {
            return Err(format!(
                "{}: version {} where this shim speaks {VERSION}",
                path.display(),
                config.version
            ));
        }
        Ok(config)
    }
}
