//! Files of any kind and state, and what each form makes of them.

use std::collections::BTreeMap;
use std::fs::{self, File};

use drayman_stdio::{
    compress, Cursor, Form, JsonFile, LogReader, Rotation, Selection, Stream, WHOLE_BYTES,
};

mod world;

use world::{complete, gzip, pump, read, records, Ending, Log, Place, ALL, RAW};

#[test]
fn compressed_files_are_read_like_others() {
    let place = Place::new("gz");
    let record = |number: usize| {
        format!("{{\"log\":\"{number}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:0{number}Z\"}}\n")
    };
    let at = |number: usize| place.0.join(format!("c-json.log.{number}"));
    fs::write(place.log(), record(5)).unwrap();
    fs::write(at(1), record(4)).unwrap();
    let text = [record(2), record(3)].concat();
    let told = "{\"lastTime\":\"2026-01-01T00:00:03Z\"}";
    fs::write(at(2).with_added("gz"), gzip(text.as_bytes(), Some(told))).unwrap();
    // An older one that lies of its end, to tell that it is not read.
    let told = "{\"lastTime\":\"2026-01-01T00:00:01Z\"}";
    fs::write(
        at(3).with_added("gz"),
        gzip(record(9).as_bytes(), Some(told)),
    )
    .unwrap();
    let second_ns = |second: i64| (1_767_225_600 + second) * 1_000_000_000;
    let lines = |selection| read(&place.log(), selection, RAW).replace('\n', "");
    assert_eq!(lines(ALL), "92345");
    for (second, expected) in [(2, "2345"), (3, "345"), (4, "45"), (5, "5"), (6, "")] {
        let since_ns = Some(second_ns(second));
        assert_eq!(
            lines(Selection { since_ns, ..ALL }),
            expected,
            "since {second}"
        );
    }
    let until_ns = Some(second_ns(3));
    let since_ns = Some(second_ns(2));
    assert_eq!(
        lines(Selection {
            since_ns,
            until_ns,
            ..ALL
        }),
        "23"
    );
    for (tail, expected) in [(1, "5"), (3, "345"), (4, "2345"), (99, "92345")] {
        assert_eq!(
            lines(Selection {
                tail: Some(tail),
                ..ALL
            }),
            expected,
            "tail {tail}"
        );
    }
    let names = fs::read_dir(&place.0).unwrap().count();
    assert_eq!(names, 4, "what was inflated left no file");
}

#[test]
fn a_damaged_file_costs_its_own_rest() {
    let mut log = Log::new("damaged");
    let lines: Vec<_> = (0..100_000)
        .map(|number| (Stream::Stdout, format!("{number}\n").into_bytes()))
        .collect();
    let records = records(&lines);
    log.append(&records[..99_999].concat());
    log.rotate();
    log.compress(1);
    log.append(&records[99_999]);
    let packed = log.rotated(1).with_added("gz");
    let whole = fs::read(&packed).unwrap();
    for damaged in [
        &whole[..0],
        &whole[..5],
        &whole[..whole.len() / 2],
        b"no gzip",
    ] {
        fs::write(&packed, damaged).unwrap();
        let text = read(&log.path(), ALL, RAW);
        assert!(text.ends_with("99999\n"), "{}", damaged.len());
        assert_eq!(text.lines().count() > 10_000, damaged.len() > 1000);
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x55;
    fs::write(&packed, damaged).unwrap();
    assert!(read(&log.path(), ALL, RAW).ends_with("99999\n"));
}

#[test]
fn a_cursor_tells_when_what_followed_is_gone() {
    for way in ["deleted", "cut", "cut and longer than before"] {
        let mut log = Log::new(&format!("gap-{}", way.len()));
        let lines: Vec<_> = (0..5)
            .map(|number| (Stream::Stdout, format!("{number}\n").into_bytes()))
            .collect();
        let records = records(&lines);
        log.append(&records[..2].concat());
        let (_, cursor) = log.page(ALL, RAW, "", false);
        if way == "deleted" {
            log.rotate();
            log.rotate();
            fs::remove_file(log.rotated(2)).unwrap();
            log.append(&records[3]);
        } else {
            File::create(log.path()).unwrap();
            let count = if way == "cut" { 4 } else { 5 };
            log.append(&records[3..count].concat());
        }
        let (text, fields) = log.fields(ALL, RAW, &cursor, false);
        assert!(text.starts_with(b"3\n"), "{way}: the oldest there is");
        assert_eq!(fields[1], ("X-Drayman-Log-Gap", "1".to_owned()));
        let json = Form { json: true, ..RAW };
        let (text, fields) = log.fields(ALL, json, &cursor, false);
        assert!(
            text.starts_with(b"{\"Error\":\"what followed the cursor is gone"),
            "{way}"
        );
        let (text, fields) = log.fields(ALL, RAW, &fields[0].1, false);
        assert_eq!((text.len(), fields.len()), (0, 1), "told once");
    }
}

#[test]
fn an_empty_log_has_a_position_too() {
    let place = Place::new("empty");
    let told = |cursor: Option<&Cursor>| {
        let mut reader = LogReader::resume(&place.log(), ALL, RAW, cursor).unwrap();
        let (text, _) = pump(&mut reader);
        let text_of = &reader.fields().unwrap()[0].1;
        (text, Cursor::parse(text_of, &place.log()).unwrap())
    };
    let (_, nowhere) = told(None);
    fs::write(place.log(), "").unwrap();
    let (_, empty) = told(Some(&nowhere));
    fs::write(
        place.log(),
        records(&[(Stream::Stdout, b"one\n".to_vec())]).concat(),
    )
    .unwrap();
    for cursor in [nowhere, empty] {
        assert_eq!(told(Some(&cursor)).0, b"one\n");
    }
}

#[test]
fn a_line_that_is_too_long_is_passed_on_in_pieces() {
    let log = Log::new("long");
    let line = [vec![b'x'; 3 * WHOLE_BYTES + 5], b"\n".to_vec()].concat();
    log.append(
        &records(&[
            (Stream::Stdout, line.clone()),
            (Stream::Stdout, b"z\n".to_vec()),
        ])
        .concat(),
    );
    let json = Form {
        json: true,
        whole: true,
        ..RAW
    };
    let text = complete(&log.path(), ALL, json);
    let lengths: Vec<_> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .map(|document| document["Line"].as_str().unwrap().len())
        .collect();
    assert_eq!(lengths, [WHOLE_BYTES, WHOLE_BYTES, WHOLE_BYTES, 6, 2]);
    assert_eq!(
        complete(&log.path(), ALL, Form { whole: true, ..RAW }),
        [&line[..], b"z\n"].concat()
    );
}

#[test]
fn documents_are_dockers() {
    let place = Place::new("json");
    let attrs = BTreeMap::from([
        ("b".to_owned(), "<1>".to_owned()),
        ("a".to_owned(), String::new()),
    ]);
    let endless = Rotation {
        max_size_bytes: None,
        max_files: 1,
    };
    let mut log = JsonFile::open(&place.log(), endless, &attrs).unwrap();
    log.push(Stream::Stderr, b"\xffa<b\x1b\n", 1_700_000_000_120_000_000);
    log.flush().unwrap();
    let form = Form {
        json: true,
        framed: true,
        timestamps: true,
        ..RAW
    };
    let plain = "{\"Line\":\"\u{fffd}a\\u003cb\\u001b\\n\",\"Source\":\"stderr\",\"Timestamp\":\"2023-11-14T22:13:20.12Z\"";
    assert_eq!(read(&place.log(), ALL, form), format!("{plain}}}\n"));
    let form = Form {
        details: true,
        ..form
    };
    let attrs =
        "\"Attrs\":[{\"Key\":\"a\",\"Value\":\"\"},{\"Key\":\"b\",\"Value\":\"\\u003c1\\u003e\"}]";
    assert_eq!(
        read(&place.log(), ALL, form),
        format!("{plain},{attrs}}}\n")
    );
}

#[test]
fn files_that_begin_alike_are_told_apart() {
    let place = Place::new("alike");
    let each = Rotation {
        max_size_bytes: Some(1),
        max_files: 9,
    };
    let mut log = JsonFile::open(&place.log(), each, &BTreeMap::new())
        .unwrap()
        .compressing();
    for _ in 0..5 {
        // One text at one time: the files are the same to the last byte.
        log.push(Stream::Stdout, b"y\n", 1);
        log.flush().unwrap();
        if let Some((path, last_time)) = log.take_rotated() {
            compress(&path, &last_time).unwrap();
            log.compressed();
        }
    }
    assert_eq!(complete(&place.log(), ALL, RAW), b"y\n".repeat(5));
    let tail = Selection {
        tail: Some(3),
        ..ALL
    };
    assert_eq!(complete(&place.log(), tail, RAW), b"y\n".repeat(3));
}
