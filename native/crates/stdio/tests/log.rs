//! A log's two ends together: what a process wrote is what a client reads, whatever happened to the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use drayman_stdio::{Form, JsonFile, LogReader, Pumped, Rotation, Selection, Stream};
use proptest::prelude::*;

mod world;

use world::{pump, read, Place, ALL, RAW};

const ENDLESS: Rotation = Rotation {
    max_size_bytes: None,
    max_files: 1,
};

fn writer(path: &Path, rotation: Rotation) -> JsonFile {
    JsonFile::open(path, rotation, &BTreeMap::new()).unwrap()
}

fn say(log: &mut JsonFile, text: &str, now_ns: i64) {
    log.push(Stream::Stdout, text.as_bytes(), now_ns);
    log.flush().unwrap();
}

#[test]
fn the_file_is_what_docker_writes() {
    let place = Place::new("docker");
    let attrs = BTreeMap::from([("tag".to_owned(), "a&b".to_owned())]);
    let mut log = JsonFile::open(&place.log(), ENDLESS, &attrs).unwrap();
    log.push(
        Stream::Stdout,
        b"hello <w\xff>\n",
        1_700_000_000_120_000_000,
    );
    log.push(Stream::Stderr, b"last", 1_700_000_001_000_000_000);
    log.finish(1_700_000_002_000_000_000).unwrap();
    let expected = concat!(
        r#"{"log":"hello \u003cw\ufffd\u003e\n","stream":"stdout","attrs":{"tag":"a\u0026b"},"time":"2023-11-14T22:13:20.12Z"}"#,
        "\n",
        r#"{"log":"last","stream":"stderr","attrs":{"tag":"a\u0026b"},"time":"2023-11-14T22:13:22Z"}"#,
        "\n",
    );
    assert_eq!(fs::read_to_string(place.log()).unwrap(), expected);
    let form = Form {
        timestamps: true,
        details: true,
        ..RAW
    };
    assert_eq!(
        read(&place.log(), ALL, form),
        "2023-11-14T22:13:20.120000000Z tag=a%26b hello <w\u{fffd}>\n2023-11-14T22:13:22.000000000Z tag=a%26b last"
    );
    assert_eq!(
        read(
            &place.log(),
            Selection {
                stdout: false,
                ..ALL
            },
            RAW
        ),
        "last"
    );
}

#[test]
fn frames_and_chunks() {
    let place = Place::new("frames");
    say(&mut writer(&place.log(), ENDLESS), "ab\nc\n", 1);
    let form = Form {
        framed: true,
        chunked: true,
        ..RAW
    };
    assert_eq!(
        read(&place.log(), ALL, form).as_bytes(),
        b"15\r\n\x01\0\0\0\0\0\0\x03ab\n\x01\0\0\0\0\0\0\x02c\n\r\n"
    );
}

#[test]
fn tail_since_and_until() {
    let place = Place::new("tail");
    let mut log = writer(
        &place.log(),
        Rotation {
            max_size_bytes: Some(200),
            max_files: 4,
        },
    );
    for number in 1..=9 {
        say(&mut log, &format!("{number}\n"), number * 1_000_000_000);
    }
    assert!(place.0.join("c-json.log.2").exists());
    let lines = |selection| read(&place.log(), selection, RAW).replace('\n', "");
    assert_eq!(lines(ALL), "123456789");
    for (tail, expected) in [
        (0, ""),
        (1, "9"),
        (5, "56789"),
        (9, "123456789"),
        (99, "123456789"),
    ] {
        assert_eq!(
            lines(Selection {
                tail: Some(tail),
                ..ALL
            }),
            expected,
            "{tail}"
        );
    }
    assert_eq!(
        lines(Selection {
            since_ns: Some(8_000_000_000),
            ..ALL
        }),
        "89"
    );
    assert_eq!(
        lines(Selection {
            tail: Some(2),
            since_ns: Some(1),
            ..ALL
        }),
        "89"
    );
    let until = Selection {
        until_ns: Some(2_000_000_000),
        ..ALL
    };
    let (text, stop) = pump(&mut LogReader::open(&place.log(), until, RAW).unwrap());
    assert_eq!((&text[..], stop), (&b"1\n2\n"[..], Pumped::End));
}

#[test]
fn old_files_go_and_sizes_hold() {
    let place = Place::new("rotate");
    let mut log = writer(
        &place.log(),
        Rotation {
            max_size_bytes: Some(1000),
            max_files: 3,
        },
    );
    for number in 0..1000 {
        log.push(Stream::Stdout, format!("{number}\n").as_bytes(), number);
    }
    log.flush().unwrap();
    let mut names: Vec<_> = fs::read_dir(&place.0)
        .unwrap()
        .map(|e| e.unwrap())
        .collect();
    names.sort_by_key(fs::DirEntry::file_name);
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|e| e.metadata().unwrap().len() < 1200));
    assert!(read(&place.log(), ALL, RAW).ends_with("998\n999\n"));
}

#[test]
fn a_follower_loses_nothing_to_rotation() {
    for (max_files, looks_every) in [(1, 1), (2, 3), (5, 15)] {
        let place = Place::new(&format!("follow{max_files}"));
        let mut reader = LogReader::open(&place.log(), ALL, RAW).unwrap();
        assert_eq!(pump(&mut reader), (vec![], Pumped::Idle));
        // Five records a file: a reader sees each as long as the file they are in is kept.
        let rotation = Rotation {
            max_size_bytes: Some(300),
            max_files,
        };
        let mut log = writer(&place.log(), rotation);
        let mut got = Vec::new();
        let mut expected = String::new();
        for number in 0..100 {
            say(&mut log, &format!("{number}\n"), number);
            writeln!(expected, "{number}").unwrap();
            if number % looks_every == 0 {
                got.extend(pump(&mut reader).0);
            }
        }
        got.extend(pump(&mut reader).0);
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }
}

#[test]
fn a_follower_starts_anew_when_the_file_is_cut() {
    let place = Place::new("cut");
    let mut log = writer(&place.log(), ENDLESS);
    say(&mut log, "one\n", 1);
    let mut reader = LogReader::open(&place.log(), ALL, RAW).unwrap();
    assert_eq!(pump(&mut reader).0, b"one\n");
    OpenOptions::new()
        .write(true)
        .open(place.log())
        .unwrap()
        .set_len(0)
        .unwrap();
    assert_eq!(pump(&mut reader).0, b"");
    say(&mut log, "two\n", 2);
    assert_eq!(pump(&mut reader).0, b"two\n");
}

#[test]
fn a_torn_record_costs_itself_only() {
    let place = Place::new("torn");
    say(&mut writer(&place.log(), ENDLESS), "one\ntwo\n", 1);
    let whole = fs::read(place.log()).unwrap();
    fs::write(place.log(), &whole[..whole.len() - 10]).unwrap();
    say(&mut writer(&place.log(), ENDLESS), "three\n", 2);
    assert_eq!(read(&place.log(), ALL, RAW), "one\nthree\n");
    let mut file = OpenOptions::new().append(true).open(place.log()).unwrap();
    file.write_all("x".repeat(3_000_000).as_bytes()).unwrap();
    file.write_all(
        b"\n{\"log\":\"four\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00Z\"}\n{\"log",
    )
    .unwrap();
    assert_eq!(read(&place.log(), ALL, RAW), "one\nthree\nfour\n");
}

#[test]
fn a_full_socket_blocks_and_a_closed_one_is_gone() {
    let place = Place::new("blocked");
    let mut log = writer(&place.log(), ENDLESS);
    let text = "0123456789abcdef\n".repeat(200_000);
    say(&mut log, &text, 1);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut reader = LogReader::open(&place.log(), ALL, RAW).unwrap();
    let mut got = vec![0; text.len()];
    let mut filled = 0;
    assert_eq!(
        reader.pump(ours.as_fd(), u64::MAX).unwrap(),
        Pumped::Blocked
    );
    while filled < got.len() {
        filled += theirs.read(&mut got[filled..]).unwrap();
        reader.pump(ours.as_fd(), 1).unwrap();
    }
    assert!(got == text.as_bytes());
    drop(theirs);
    say(&mut log, "more\n", 2);
    assert_eq!(reader.pump(ours.as_fd(), u64::MAX).unwrap(), Pumped::Gone);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(
        pieces in prop::collection::vec((any::<bool>(), "[a-z\\n\"\\\\<\u{80}-\u{2030}\u{0}-\u{1f}]{0,400}", 0usize..20_000), 0..12),
        max_size_bytes in prop::option::of(1_000u64..50_000),
    ) {
        let place = Place::new(&format!("prop{:?}", std::thread::current().id()));
        let mut log = writer(&place.log(), Rotation { max_size_bytes, max_files: 900 });
        let (mut stdout, mut stderr) = (String::new(), String::new());
        for (number, (is_error, text, length)) in pieces.iter().enumerate() {
            let (stream, whole) = if *is_error { (Stream::Stderr, &mut stderr) } else { (Stream::Stdout, &mut stdout) };
            // ASCII in bulk, so that no letter lies across the cut of a long line.
            let text = format!("{text}\n{}", "x".repeat(*length));
            log.push(stream, text.as_bytes(), i64::try_from(number).unwrap());
            log.push(stream, b"\n", 0);
            whole.push_str(&text);
            whole.push('\n');
        }
        log.finish(1).unwrap();
        prop_assert_eq!(read(&place.log(), Selection { stderr: false, ..ALL }, RAW), stdout);
        prop_assert_eq!(read(&place.log(), Selection { stdout: false, ..ALL }, RAW), stderr);
        for line in fs::read_to_string(place.log()).unwrap_or_default().lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    /// However the clock went, whoever restarted, and whatever was rotated away.
    #[test]
    fn since_shows_all_from_the_first_record_that_is_not_earlier(
        steps in prop::collection::vec((prop_oneof![20 => 0i64..50, 1 => -3_000i64..0, 1 => 0i64..3_000], 0usize..400), 1..900),
        max_size_bytes in prop::option::of(20_000u64..200_000),
        restarts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        since in any::<prop::sample::Index>(),
        forgotten in any::<bool>(),
    ) {
        let place = Place::new(&format!("since{:?}", std::thread::current().id()));
        let rotation = Rotation { max_size_bytes, max_files: 900 };
        let restarts: Vec<_> = restarts.iter().map(|one| one.index(steps.len())).collect();
        let mut log = writer(&place.log(), rotation);
        let mut now_ns = 1_000_000_000_000;
        let mut times = Vec::new();
        for (number, (step, length)) in steps.iter().enumerate() {
            if restarts.contains(&number) {
                log.flush().unwrap();
                log = writer(&place.log(), rotation);
            }
            now_ns += step * 1_000_000;
            times.push(now_ns);
            log.push(Stream::Stdout, format!("{number} {}\n", "x".repeat(*length)).as_bytes(), now_ns);
        }
        log.flush().unwrap();
        let since_ns = times[since.index(times.len())] + 1;
        let first = times.iter().position(|time| *time >= since_ns).unwrap_or(times.len());
        let expected: Vec<_> = (first..times.len()).map(|number| number.to_string()).collect();
        if forgotten {
            rustix::fs::removexattr(place.log(), "user.drayman.late_ns").unwrap();
        }
        let text = read(&place.log(), Selection { since_ns: Some(since_ns), ..ALL }, RAW);
        let shown: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        prop_assert_eq!(shown, expected);
    }
}
