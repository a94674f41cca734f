//! The messages between daemon and shim. `messages.json` beside this file shows one of each; the
//! Python side is tested against the same file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use drayman_stdio::Slow;
use serde::{Deserialize, Deserializer, Serialize};

use crate::health::record::{Record, Status};

/// One datagram is one message; a larger one is refused.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
pub struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub ask: Ask,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Ask {
    Hello {},
    Attach(Attachment),
    Start {},
    Signal {
        signal: i32,
        #[serde(default)]
        all: bool,
    },
    Resize {
        exec: Option<String>,
        height: u16,
        width: u16,
    },
    Exec(Exec),
    Status {},
    ExecSignal {
        exec: String,
        signal: i32,
    },
    /// Two descriptors come along: a client's connection, and the lifeline's reading end.
    Keep {
        until: Until,
        /// How the body of the answer is framed.
        chunked: bool,
        /// The answer's head, unless the client has it.
        #[serde(default, deserialize_with = "from_base64")]
        head: Vec<u8>,
    },
    /// A client's connection comes along.
    Follow(Follow),
    /// The reading end of a lifeline comes along.
    Adopt {
        until: Until,
    },
    /// Probe the container's health no more, for it is about to be frozen.
    Suspend {},
    Resume {},
    Health {},
}

/// What a client attaches to, and what it brings.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub framed: bool,
    /// The client speaks WebSocket, and gets the output in messages of this kind.
    #[serde(default)]
    pub messages: Option<Messages>,
    /// It is told what the log has before it is told what comes.
    #[serde(default)]
    pub past: Option<Past>,
    #[serde(default)]
    pub slow: Slow,
    /// None: the container's own.
    #[serde(default)]
    pub detach_keys: Option<String>,
    /// What the client is told before any output: a response's head. Nobody has told it yet.
    #[serde(default, deserialize_with = "from_base64")]
    pub head: Vec<u8>,
    /// What the client sent behind its request, read already.
    #[serde(default, deserialize_with = "from_base64")]
    pub early: Vec<u8>,
}

/// Kinds of WebSocket messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Messages {
    Text,
    Binary,
}

/// What of the log a client is told.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Past {
    /// None: everything.
    pub since_ns: Option<i64>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Exec {
    #[serde(rename = "exec")]
    pub name: String,
    /// A file with an OCI process object.
    pub process: PathBuf,
    pub tty: bool,
    pub console_size: Option<(u16, u16)>,
    /// Its process is killed when its client leaves without detaching.
    #[serde(default)]
    pub kill_on_disconnect: bool,
    #[serde(flatten)]
    pub attachment: Attachment,
}

/// What a client reads of the log, and how.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Follow {
    pub stdout: bool,
    pub stderr: bool,
    pub since_ns: Option<i64>,
    pub until_ns: Option<i64>,
    pub tail: Option<u64>,
    pub timestamps: bool,
    pub details: bool,
    pub framed: bool,
    #[serde(default)]
    pub json: bool,
    #[serde(default)]
    pub whole: bool,
    pub limit: Option<u64>,
    pub grep: Option<String>,
    /// Where to go on, and that positions are wanted; empty when there is none yet.
    pub cursor: Option<String>,
    #[serde(default)]
    pub slow: Slow,
    /// How the body of the answer is framed.
    pub chunked: bool,
    /// The answer's head, which nobody has sent yet.
    #[serde(default, deserialize_with = "from_base64")]
    pub head: Vec<u8>,
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    STANDARD
        .decode(text.as_bytes())
        .map_err(serde::de::Error::custom)
}

impl Request {
    /// The error tells the number of the request, where that much could be read.
    pub fn parse(message: &[u8]) -> Result<Self, (Option<u64>, Refusal)> {
        #[derive(Deserialize)]
        struct Numbered {
            id: Option<u64>,
        }
        serde_json::from_slice(message).map_err(|error| {
            let id = serde_json::from_slice(message)
                .ok()
                .and_then(|n: Numbered| n.id);
            (id, Refusal::invalid(error))
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    NotFound,
    Invalid,
    Conflict,
    System,
    Start,
}

/// Why a request was not done.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub kind: Kind,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl Refusal {
    // By value, for the sake of `map_err(Refusal::system)`.
    #[allow(clippy::needless_pass_by_value)]
    fn new(kind: Kind, message: impl ToString) -> Self {
        Self {
            kind,
            message: message.to_string(),
            exit_code: None,
        }
    }

    pub fn not_found(message: impl ToString) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn invalid(message: impl ToString) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn conflict(message: impl ToString) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub fn system(message: impl ToString) -> Self {
        Self::new(Kind::System, message)
    }
}

impl From<drayman_executor::StartError> for Refusal {
    fn from(error: drayman_executor::StartError) -> Self {
        Self {
            kind: Kind::Start,
            message: error.message,
            exit_code: Some(error.exit_code),
        }
    }
}

/// What kind of end a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    Exit,
    Removal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Created,
    Running,
    Stopped,
}

#[derive(Debug, Serialize)]
pub struct ExecStatus {
    pub pid: i32,
    pub running: bool,
    pub exit_code: Option<i32>,
}

/// Clients whose daemon is gone, by what they wait for.
#[derive(Debug, Serialize)]
pub struct Orphans {
    pub exit: usize,
    pub removal: usize,
}

/// What is answered when a request was done.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Done {},
    Hello {
        version: u32,
        pid: u32,
        state: State,
        init_pid: Option<i32>,
    },
    Started {
        pid: i32,
        started_at_ns: i64,
    },
    ExecStarted {
        pid: i32,
    },
    Status {
        state: State,
        init_pid: Option<i32>,
        execs: BTreeMap<String, ExecStatus>,
        orphans: Orphans,
    },
    Health {
        /// None: it is not probed.
        health: Option<Record>,
    },
}

#[derive(Serialize)]
struct Reply<'a> {
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<&'a Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Refusal>,
}

/// The datagram that answers request `id`; without a number when none could be read.
pub fn reply(id: Option<u64>, answer: &Result<Answer, Refusal>) -> Vec<u8> {
    encode(&Reply {
        id,
        ok: answer.as_ref().ok(),
        error: answer.as_ref().err(),
    })
}

/// What every daemon connection is told unasked.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Exit {
        exit_code: i32,
        oom: bool,
        finished_at_ns: i64,
    },
    ExecExit {
        exec: String,
        exit_code: i32,
    },
    Detached {
        exec: Option<String>,
    },
    /// A probe of the container's health that runs a command begins.
    Probe {},
    Health {
        status: Status,
        failing_streak: u32,
        /// A result changed the status.
        changed: bool,
        /// How a probe's command ended.
        process_code: Option<i32>,
    },
}

impl Event {
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }
}

/// `exit.json`: what remains of a container that ended.
#[derive(Debug, Serialize)]
pub struct ExitRecord {
    pub exit_code: i32,
    pub signal: Option<i32>,
    pub oom: bool,
    pub started_at_ns: i64,
    pub finished_at_ns: i64,
}

/// JSON of one of our own types, none of which can fail to be encoded.
pub fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
