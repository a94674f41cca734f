//! Frames as clients write them, whole, cut and broken.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const MASK: [u8; 4] = [0x5a, 0x00, 0xff, 0x13];

/// A client's frame; its length in as few bytes as hold it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_head(Opcode::Binary, payload.len(), &mut out);
    out[0] = first;
    out[1] |= MASKED;
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, k)| b ^ k));
    out
}

/// The payload and the rest of what was said, in reads of these lengths, then in one.
fn hear(said: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<Control>) {
    let mut frames = Frames::default();
    let (mut payload, mut controls) = (Vec::new(), Vec::new());
    let mut rest = said;
    for cut in cuts.iter().copied().chain([said.len()]) {
        let (part, tail) = rest.split_at(cut.min(rest.len()));
        rest = tail;
        let mut part = part.to_vec();
        let count = frames.push(&mut part, &mut controls);
        payload.extend_from_slice(&part[..count]);
    }
    (payload, controls)
}

#[test]
fn a_message_in_pieces_with_a_ping_between() {
    let said = [
        frame(TEXT, b"Hel"),
        frame(FINAL | PING, b"there?"),
        frame(CONTINUATION, b""),
        frame(FINAL | CONTINUATION, b"lo"),
        frame(FINAL | PONG, b"unasked"),
        frame(FINAL | BINARY, b"!"),
        frame(FINAL | CLOSE, &[0x03, 0xe8, b'b', b'y', b'e']),
        frame(FINAL | BINARY, b"void"),
    ];
    let controls = vec![
        Control::Ping(b"there?".into()),
        Control::Close(Some(NORMAL_CLOSURE)),
    ];
    assert_eq!(hear(&said.concat(), &[]), (b"Hello!".to_vec(), controls));
}

#[test]
fn what_no_client_may_send() {
    let long_ping = [frame(FINAL | PING, &[0; 126])].concat();
    let mut unmasked = frame(FINAL | BINARY, b"x");
    unmasked[1] &= !MASKED;
    let endless = [FINAL | BINARY, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    for said in [
        &long_ping[..],
        &unmasked,
        &endless,
        &frame(FINAL | CONTINUATION, b"of nothing"),
        &[frame(TEXT, b"a"), frame(FINAL | TEXT, b"b")].concat(),
        &frame(PING, b"in pieces"),
        &frame(FINAL | 0x40 | BINARY, b"compressed"),
        &frame(FINAL | 3, b"of a kind to come"),
        &frame(FINAL | CLOSE, &[3]),
        &frame(FINAL | CLOSE, &1005_u16.to_be_bytes()),
        &frame(FINAL | CLOSE, &5000_u16.to_be_bytes()),
    ] {
        let (_, controls) = hear(said, &[]);
        assert_eq!(controls, [Control::Close(Some(PROTOCOL_ERROR))], "{said:?}");
    }
}

#[test]
fn the_longest_frame_there_is() {
    let mut said = vec![FINAL | BINARY, 0xff, 0x7f];
    said.extend([0xff; 7]);
    said.extend([0; 4]);
    said.extend(b"its beginning");
    assert_eq!(hear(&said, &[]), (b"its beginning".to_vec(), vec![]));
}

#[test]
fn heads_and_closing_frames() {
    let mut heads = Vec::new();
    for bytes in [0, 125, 126, 0xffff, 0x1_0000] {
        push_head(Opcode::Text, bytes, &mut heads);
    }
    let lengths = [
        0u8, 125, 126, 0, 126, 126, 255, 255, 127, 0, 0, 0, 0, 0, 1, 0, 0,
    ];
    let mut expected = Vec::new();
    for part in [
        &lengths[..1],
        &lengths[1..2],
        &lengths[2..5],
        &lengths[5..8],
        &lengths[8..],
    ] {
        expected.push(0x81);
        expected.extend_from_slice(part);
    }
    assert_eq!(heads, expected);
    assert_eq!(close(Some(NORMAL_CLOSURE)), [0x88, 2, 3, 0xe8]);
    assert_eq!(close(None), [0x88, 0]);
    assert_eq!(
        hear(&frame(FINAL | CLOSE, b""), &[]).1,
        [Control::Close(None)]
    );
}

proptest! {
    #[test]
    fn where_reads_end_changes_nothing(
        frames in vec((0u8..=255, vec(any::<u8>(), 0..300)), 0..8),
        cuts in vec(0usize..40, 0..60),
    ) {
        let said: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        prop_assert_eq!(hear(&said, &cuts), hear(&said, &[]));
    }

    #[test]
    fn nothing_that_is_said_upsets_it(
        said in vec(any::<u8>(), 0..2000),
        cuts in vec(0usize..200, 0..20),
    ) {
        let (payload, controls) = hear(&said, &cuts);
        prop_assert!(payload.len() <= said.len());
        let closes = controls.iter().filter(|control| matches!(control, Control::Close(_)));
        prop_assert!(closes.count() <= 1);
    }

    #[test]
    fn payloads_arrive(messages in vec(vec(any::<u8>(), 0..70_000), 0..4)) {
        let said: Vec<u8> = messages.iter().flat_map(|m| frame(FINAL | BINARY, m)).collect();
        prop_assert_eq!(hear(&said, &[7, 4096, 3]), (messages.concat(), vec![]));
    }
}
