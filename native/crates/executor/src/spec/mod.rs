//! The part of the OCI runtime specification's `config.json` that this executor carries out.
//!
//! Names are the specification's own (<https://github.com/opencontainers/runtime-spec>); what is not listed is ignored,
//! except where ignoring it would run something else than was asked for ([`Spec::parse`]).

mod linux;
mod process;
mod resources;

pub use linux::{Device, IdMapping, Linux, Namespace};
pub use process::{Capabilities, Process, Rlimit, User};
pub use resources::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, Memory, Pids, Resources, ThrottleDevice, WeightDevice,
};

use serde::Deserialize;

use crate::Error;

/// A container's plan.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    pub process: Process,
    pub root: Root,
    pub hostname: String,
    pub domainname: String,
    pub mounts: Vec<Mount>,
    pub linux: Linux,
    hooks: Option<Hooks>,
}

/// What the plan says of `/`; where it comes from is [`crate::RootSource`]'s to say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Root {
    pub path: String,
    pub readonly: bool,
}

/// One mount, in the order they are to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mount {
    pub destination: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub options: Vec<String>,
}

/// Programs of the host to run around the start. Known only to be refused.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Hooks {
    prestart: Vec<serde::de::IgnoredAny>,
    create_runtime: Vec<serde::de::IgnoredAny>,
    create_container: Vec<serde::de::IgnoredAny>,
    start_container: Vec<serde::de::IgnoredAny>,
    poststart: Vec<serde::de::IgnoredAny>,
    poststop: Vec<serde::de::IgnoredAny>,
}

impl Spec {
    /// Reads `config.json`, and refuses what would not be carried out as written.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let spec: Self = serde_json::from_slice(json)
            .map_err(|error| Error::Spec(format!("config.json: {error}")))?;
        if spec
            .hooks
            .as_ref()
            .is_some_and(|hooks| *hooks != Hooks::default())
        {
            return Err(Error::Unsupported(
                "config.json: hooks are not supported".into(),
            ));
        }
        for mount in &spec.mounts {
            if !mount.destination.starts_with('/') {
                let text = format!(
                    "config.json: mount destination {:?} is not absolute",
                    mount.destination
                );
                return Err(Error::Spec(text));
            }
        }
        spec.process.check()?;
        spec.linux.check()?;
        Ok(spec)
    }
}
