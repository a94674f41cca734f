//! Each message as the golden file shows it, and what is no message.

use super::*;
use crate::health::record::Outcome;
use serde_json::Value;

fn golden(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../messages.json")).unwrap();
    all[part].as_array().unwrap().clone()
}

fn attachment() -> Attachment {
    Attachment {
        stdin: true,
        stdout: true,
        stderr: false,
        framed: true,
        messages: None,
        past: Some(Past {
            since_ns: Some(1_700_000_000_000_000_000),
        }),
        slow: Slow::Drop,
        detach_keys: Some("ctrl-p,ctrl-q".into()),
        head: b"101\r\n\r\n".into(),
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
            messages: Some(Messages::Binary),
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
            name: "e1".into(),
            process: "/run/drayman/c/0a/exec/e1.json".into(),
            tty: true,
            console_size: Some((24, 80)),
            kill_on_disconnect: true,
            attachment: Attachment {
                past: None,
                slow: Slow::Disconnect,
                ..attachment()
            },
        }),
        Ask::Status {},
        Ask::ExecSignal {
            exec: "e1".into(),
            signal: 9,
        },
        Ask::Keep {
            until: Until::Removal,
            chunked: true,
            head: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        },
        Ask::Adopt { until: Until::Exit },
        Ask::Follow(Follow {
            stdout: true,
            stderr: false,
            since_ns: Some(1_700_000_000_000_000_000),
            until_ns: None,
            tail: Some(10),
            timestamps: true,
            details: false,
            framed: true,
            json: false,
            whole: true,
            limit: Some(100),
            grep: Some("error".into()),
            cursor: Some(String::new()),
            slow: Slow::Drop,
            chunked: true,
            head: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        }),
        Ask::Suspend {},
        Ask::Resume {},
        Ask::Health {},
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
    let mut record = Record::new();
    let outcome = Outcome {
        started_at_ns: 1_700_000_000_000_000_001,
        ended_at_ns: 1_700_000_000_000_000_002,
        exit_code: -1,
        output: "no".into(),
    };
    record.take(outcome, false, 1);
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
            orphans: Orphans {
                exit: 1,
                removal: 0,
            },
        }),
        Ok(Answer::Health {
            health: Some(record),
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
        Event::Probe {},
        Event::Health {
            status: Status::Unhealthy,
            failing_streak: 3,
            changed: true,
            process_code: Some(137),
        },
        Event::Health {
            status: Status::Starting,
            failing_streak: 0,
            changed: false,
            process_code: None,
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
