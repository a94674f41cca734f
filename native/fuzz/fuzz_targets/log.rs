//! Any files are a log to its reader, compressed or not: what is no record costs itself alone. A page
//! by a cursor goes on where another ended. The first bytes are how it is read.
#![no_main]
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use drayman_fuzz::place;
use drayman_stdio::{Cursor, Form, Grep, LogReader, Pumped, Selection};
use libfuzzer_sys::fuzz_target;

const RECORD: &[u8] =
    b"{\"log\":\"the last\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n";

fuzz_target!(|input: &[u8]| {
    let Some((&[how, more], text)) = input.split_first_chunk() else {
        return;
    };
    let place = place();
    let log = place.join("log");
    let older = if more & 1 == 0 { "log.1" } else { "log.1.gz" };
    let (first, second) = text.split_at(text.len() / 2);
    fs::write(place.join(older), first).unwrap();
    fs::write(&log, [second, b"\n", RECORD].concat()).unwrap();
    let selection = Selection {
        stdout: true,
        stderr: how & 1 == 0,
        since_ns: (how & 2 != 0).then_some(1),
        until_ns: None,
        tail: (how & 4 != 0).then_some(u64::from(how >> 3) + 1),
        limit: (more & 2 != 0).then_some(u64::from(more >> 4) + 1),
        grep: (more & 4 != 0).then(|| Grep::bytes(b"the")),
    };
    let form = Form {
        timestamps: how & 8 != 0,
        details: how & 16 != 0,
        framed: how & 32 != 0,
        json: more & 8 != 0,
        whole: more & 16 != 0,
        chunked: how & 64 != 0,
        messages: None,
    };
    let mut told = Vec::new();
    let mut cursor = None;
    loop {
        let reader = LogReader::resume(&log, selection.clone(), form, cursor.as_ref()).unwrap();
        let (page, next) = read(reader, &place);
        let next = Cursor::parse(&next, &log).unwrap();
        told.extend_from_slice(&page);
        if selection.limit.is_none() || page.is_empty() {
            break;
        }
        assert_ne!(Some(next), cursor, "a page that is not empty leads on");
        cursor = Some(next);
    }
    let last = b"the last";
    assert!(told.windows(last.len()).any(|window| window == last));
    fs::remove_dir_all(place).unwrap();
});

/// Everything that a reader gives, and where it ended.
fn read(mut reader: LogReader, place: &Path) -> (Vec<u8>, String) {
    let to = fs::File::create(place.join("told")).unwrap();
    reader.complete();
    while reader.pump(to.as_fd(), u64::MAX).unwrap() == Pumped::Budget {}
    let (_, cursor) = reader.fields().unwrap().remove(0);
    (fs::read(place.join("told")).unwrap(), cursor)
}
