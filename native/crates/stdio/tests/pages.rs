//! A log read in pages is the log, whatever becomes of its files: nothing twice, nothing left out.

use std::fs;

use drayman_stdio::{Form, Grep, Selection, Stream};
use proptest::prelude::*;

mod world;

use world::{complete, records, Log, Place, ALL, RAW};

const FRAMED: Form = Form {
    framed: true,
    ..RAW
};
const WHOLE: Form = Form {
    whole: true,
    ..FRAMED
};

fn outputs() -> impl Strategy<Value = Vec<(Stream, Vec<u8>)>> {
    let text = prop_oneof![
        4 => ("[a<]{0,20}\n?[a<]{0,20}", Just(1usize)),
        1 => ("[a<]", 2_000usize..12_000),
    ];
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    let output = (stream, text, any::<bool>()).prop_map(|(stream, (text, times), ends)| {
        // No piece of a long line is like another: see `Place`.
        let text = (0..times).fold(String::new(), |all, time| all + &text + &time.to_string());
        let text = text + if ends { "b\n" } else { "b" };
        (stream, text.into_bytes())
    });
    prop::collection::vec(output, 1..30)
}

#[derive(Clone, Debug)]
enum Event {
    Grow(usize),
    Rotate,
    Compress(usize),
    Page(Option<u64>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0usize..20).prop_map(Event::Grow),
        1 => Just(Event::Rotate),
        1 => (1usize..4).prop_map(Event::Compress),
        3 => prop::option::of(1u64..6).prop_map(Event::Page),
    ];
    prop::collection::vec(event, 0..40)
}

fn name(test: &str) -> String {
    format!("{test}{:?}", std::thread::current().id())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn pages_make_the_whole(
        outputs in outputs(),
        events in events(),
        whole: bool,
        grep: bool,
    ) {
        let records = records(&outputs);
        let form = if whole { WHOLE } else { FRAMED };
        let selection = || Selection { grep: grep.then(|| Grep::bytes(b"<")), ..ALL };
        let reference = Place::new(&name("reference"));
        fs::write(reference.log(), records.concat()).unwrap();
        let mut log = Log::new(&name("pages"));
        let mut left = &records[..];
        let mut pages = Vec::new();
        let mut cursor = String::new();
        for event in events {
            match event {
                Event::Grow(count) => {
                    let (now, later) = left.split_at(count.min(left.len()));
                    log.append(&now.concat());
                    left = later;
                }
                Event::Rotate => log.rotate(),
                Event::Compress(number) => log.compress(number),
                // An empty log has nothing to be known by: once its file was compressed, a gap
                // is told though there is none.
                Event::Page(_) if left.len() == records.len() => {}
                Event::Page(limit) => {
                    let (text, next) = log.page(Selection { limit, ..selection() }, form, &cursor, false);
                    pages.extend(text);
                    cursor = next;
                }
            }
        }
        log.append(&left.concat());
        pages.extend(log.page(selection(), form, &cursor, true).0);
        prop_assert_eq!(pages, complete(&reference.log(), selection(), form));
    }

    #[test]
    fn any_record_can_be_gone_on_from(outputs in outputs(), rotate_at in any::<prop::sample::Index>(), whole: bool) {
        let records = records(&outputs);
        let mut log = Log::new(&name("gone-on"));
        let (first, second) = records.split_at(rotate_at.index(records.len()));
        log.append(&first.concat());
        log.rotate();
        log.compress(1);
        log.append(&second.concat());
        let form = Form { json: true, whole, ..RAW };
        let (text, _) = log.page(ALL, form, "", true);
        let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for (number, line) in lines.iter().enumerate() {
            let document: serde_json::Value = serde_json::from_slice(line).unwrap();
            let (rest, _) = log.page(ALL, form, document["Cursor"].as_str().unwrap(), true);
            prop_assert_eq!(rest, lines[number + 1..].concat());
        }
    }

    #[test]
    fn the_last_lines_are_the_end_of_all_lines(
        outputs in outputs(),
        rotate_at in any::<prop::sample::Index>(),
        is_compressed: bool,
        whole: bool,
        tail in 0usize..12,
    ) {
        let records = records(&outputs);
        let mut log = Log::new(&name("tail"));
        let (first, second) = records.split_at(rotate_at.index(records.len()));
        log.append(&first.concat());
        log.rotate();
        if is_compressed {
            log.compress(1);
        }
        log.append(&second.concat());
        let form = Form { json: true, whole, ..RAW };
        let all = complete(&log.path(), ALL, form);
        let mut lines: Vec<_> = all.split_inclusive(|byte| *byte == b'\n').collect();
        let wanted = Selection { tail: Some(tail as u64), ..ALL };
        let told = complete(&log.path(), wanted, form);
        let mut last: Vec<_> = told.split_inclusive(|byte| *byte == b'\n').collect();
        if whole {
            // Lines whose pieces lie among each other may be shown in another order.
            prop_assert_eq!(last.len(), tail.min(lines.len()));
            lines.sort_unstable();
            last.retain(|line| lines.binary_search(line).is_err());
            prop_assert!(last.is_empty());
        } else {
            prop_assert_eq!(last, lines.split_off(lines.len().saturating_sub(tail)));
        }
    }
}
