//! The `process` object: what runs, as whom, with which rights. An exec's plan is this object alone.

use serde::{Deserialize, Serialize};

use crate::Error;

/// A process to be made.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Process {
    pub terminal: bool,
    pub user: User,
    pub args: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    pub cwd: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    pub rlimits: Vec<Rlimit>,
    pub no_new_privileges: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub apparmor_profile: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub selinux_label: String,
    /// Not the specification's: the process is the child of one that passes signals on and reaps.
    pub init: bool,
}

/// Numbers only: names were resolved in the container's own files before.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
}

/// The five sets, by names such as `CAP_CHOWN`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Capabilities {
    pub bounding: Vec<String>,
    pub effective: Vec<String>,
    pub inheritable: Vec<String>,
    pub permitted: Vec<String>,
    pub ambient: Vec<String>,
}

/// One resource limit, by names such as `RLIMIT_NOFILE`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Rlimit {
    #[serde(rename = "type")]
    pub kind: String,
    pub hard: u64,
    pub soft: u64,
}

impl Process {
    /// Reads a `process` object by itself, as an exec's plan is.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let process: Self = serde_json::from_slice(json)
            .map_err(|error| Error::Spec(format!("process: {error}")))?;
        process.check()?;
        Ok(process)
    }

    /// What the kernel could not be told faithfully: no program, a relative directory, text with a NUL inside.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.args.is_empty() {
            return Err(Error::Spec("process: args must not be empty".into()));
        }
        if !self.cwd.starts_with('/') {
            return Err(Error::Spec(format!(
                "process: cwd {:?} is not absolute",
                self.cwd
            )));
        }
        let texts = self.args.iter().chain(&self.env).chain([&self.cwd]);
        if let Some(text) = texts.into_iter().find(|text| text.contains('\0')) {
            return Err(Error::Spec(format!(
                "process: {text:?} contains a NUL byte"
            )));
        }
        Ok(())
    }
}
