//! The messages between daemon and shim. `messages.json` beside this file shows one of each; the
//! Python side is tested against the same file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde::{Deserialize, Deserializer, Serialize};

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
}

/// What a client attaches to, and what it brings.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub framed: bool,
    /// None: the container's own.
    #[serde(default)]
    pub detach_keys: Option<String>,
    /// What the client sent behind its request, read already.
    #[serde(default, deserialize_with = "from_base64")]
    pub early: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Exec {
    pub exec: String,
    /// A file with an OCI process object.
    pub process: PathBuf,
    pub tty: bool,
    pub console_size: Option<(u16, u16)>,
    #[serde(flatten)]
    pub attachment: Attachment,
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
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden(part: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("messages.json")).unwrap();
        all[part].as_array().unwrap().clone()
    }

    fn attachment() -> Attachment {
        Attachment {
            stdin: true,
            stdout: true,
            stderr: false,
            framed: true,
            detach_keys: Some("ctrl-p,ctrl-q".into()),
            early: b"early\n".into(),
        }
    }

    #[test]
    fn requests_are_read() {
        let expected = [
            Ask::Hello {},
            Ask::Attach(attachment()),
            Ask::Attach(Attachment {
                stdout: true,
                stderr: true,
                ..Attachment::default()
            }),
            Ask::Start {},
            Ask::Signal {
                signal: 15,
                all: false,
            },
            Ask::Resize {
                exec: None,
                height: 24,
                width: 80,
            },
            Ask::Resize {
                exec: Some("e1".into()),
                height: 24,
                width: 80,
            },
            Ask::Exec(Exec {
                exec: "e1".into(),
                process: "/run/drayman/c/0a/exec/e1.json".into(),
                tty: true,
                console_size: Some((24, 80)),
                attachment: attachment(),
            }),
            Ask::Status {},
            Ask::ExecSignal {
                exec: "e1".into(),
                signal: 9,
            },
        ];
        let golden = golden("requests");
        assert_eq!(golden.len(), expected.len());
        for (number, (message, expected)) in golden.iter().zip(expected).enumerate() {
            let request = Request::parse(message.to_string().as_bytes()).unwrap();
            assert_eq!((request.id, request.ask), (number as u64 + 1, expected));
        }
    }

    #[test]
    fn replies_are_written() {
        let execs = BTreeMap::from([
            (
                "e1".to_owned(),
                ExecStatus {
                    pid: 78,
                    running: true,
                    exit_code: None,
                },
            ),
            (
                "e2".to_owned(),
                ExecStatus {
                    pid: 79,
                    running: false,
                    exit_code: Some(3),
                },
            ),
        ]);
        let start = drayman_executor::StartError {
            message: "exec: \"x\": executable file not found in $PATH: unknown".into(),
            exit_code: 127,
        };
        let replies = [
            Ok(Answer::Hello {
                version: 1,
                pid: 76,
                state: State::Created,
                init_pid: None,
            }),
            Ok(Answer::Done {}),
            Ok(Answer::Started {
                pid: 77,
                started_at_ns: 1_700_000_000_000_000_000,
            }),
            Ok(Answer::ExecStarted { pid: 78 }),
            Ok(Answer::Status {
                state: State::Running,
                init_pid: Some(77),
                execs,
            }),
            Err(Refusal::not_found("no such exec: e9")),
            Err(Refusal::from(start)),
        ];
        let written: Vec<Value> = (1..)
            .zip(&replies)
            .map(|(id, answer)| serde_json::from_slice(&reply(Some(id), answer)).unwrap())
            .collect();
        assert_eq!(written, golden("replies"));
    }

    #[test]
    fn events_are_written() {
        let events = [
            Event::Exit {
                exit_code: 137,
                oom: true,
                finished_at_ns: 1_700_000_000_000_000_001,
            },
            Event::ExecExit {
                exec: "e1".into(),
                exit_code: 0,
            },
            Event::Detached { exec: None },
            Event::Detached {
                exec: Some("e1".into()),
            },
        ];
        let written: Vec<Value> = events
            .iter()
            .map(|event| serde_json::from_slice(&event.encode()).unwrap())
            .collect();
        assert_eq!(written, golden("events"));
    }

    #[test]
    fn an_exit_record_is_written() {
        let record = ExitRecord {
            exit_code: 137,
            signal: Some(9),
            oom: true,
            started_at_ns: 1_700_000_000_000_000_000,
            finished_at_ns: 1_700_000_000_000_000_001,
        };
        let written: Value = serde_json::from_slice(&encode(&record)).unwrap();
        assert_eq!([written][..], golden("exit_records")[..]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (message, id) in [
            ("", None),
            ("[]", None),
            (r#"{"do":"hello"}"#, None),
            (r#"{"id":1}"#, Some(1)),
            (r#"{"id":2,"do":"dance"}"#, Some(2)),
            (r#"{"id":3,"do":"signal","signal":"KILL"}"#, Some(3)),
            (
                r#"{"id":4,"do":"resize","exec":null,"height":70000,"width":1}"#,
                Some(4),
            ),
            (
                r#"{"id":5,"do":"attach","stdin":true,"stdout":true,"stderr":true,"framed":true,"early":"%"}"#,
                Some(5),
            ),
            (r#"{"id":-1,"do":"hello"}"#, None),
        ] {
            let (number, refusal) = Request::parse(message.as_bytes()).unwrap_err();
            assert_eq!((number, refusal.kind), (id, Kind::Invalid), "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(bytes: Vec<u8>) {
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn no_damage_to_a_request_upsets_it(which in 0usize..10, at in 0usize..200, byte: u8) {
            let mut message = golden("requests")[which].to_string().into_bytes();
            let length = message.len();
            message[at % length] = byte;
            let _ = Request::parse(&message);
            let _ = Request::parse(&message[..at % length]);
        }
    }
}
