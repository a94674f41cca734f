//! Any file is a log to its reader: what is no record costs itself alone. The first byte is how
//! it is read.
#![no_main]
use std::fs;
use std::os::fd::AsFd;

use drayman_fuzz::place;
use drayman_stdio::{Form, LogReader, Pumped, Selection};
use libfuzzer_sys::fuzz_target;

const RECORD: &[u8] =
    b"{\"log\":\"the last\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n";

fuzz_target!(|input: &[u8]| {
    let Some((&how, text)) = input.split_first() else {
        return;
    };
    let place = place();
    let log = place.join("log");
    fs::write(&log, [text, b"\n", RECORD].concat()).unwrap();
    let selection = Selection {
        stdout: true,
        stderr: how & 1 == 0,
        since_ns: (how & 2 != 0).then_some(1),
        until_ns: None,
        tail: (how & 4 != 0).then_some(u64::from(how >> 3) + 1),
    };
    let form = Form {
        timestamps: how & 8 != 0,
        details: how & 16 != 0,
        framed: how & 32 != 0,
        chunked: how & 64 != 0,
        messages: None,
    };
    let mut reader = LogReader::open(&log, selection, form).unwrap();
    let to = fs::File::create(place.join("told")).unwrap();
    while reader.pump(to.as_fd(), u64::MAX).unwrap() == Pumped::Budget {}
    let told = fs::read(place.join("told")).unwrap();
    let last = b"the last\n";
    assert!(told.windows(last.len()).any(|window| window == last));
    fs::remove_dir_all(place).unwrap();
});
