//! A chunked body says the same however its bytes arrive. The first byte is how they are cut.
#![no_main]
use drayman_wire::ChunkParser;
use libfuzzer_sys::fuzz_target;

/// The data of a body, and whether it is whole, cut or wrong.
fn parse(mut input: &[u8], piece_bytes: usize) -> (Vec<u8>, Result<bool, String>) {
    let mut parser = ChunkParser::default();
    let mut data = Vec::new();
    while !input.is_empty() && !parser.is_done() {
        let piece = &input[..input.len().min(piece_bytes)];
        let mut used = match parser.advance(piece) {
            Ok(framing) => framing,
            Err(bad) => return (data, Err(bad.to_string())),
        };
        let due = usize::try_from(parser.due()).unwrap_or(usize::MAX);
        let taken = due.min(piece.len() - used);
        data.extend_from_slice(&piece[used..used + taken]);
        parser.take(taken as u64);
        used += taken;
        assert!(used > 0, "no progress");
        input = &input[used..];
    }
    (data, Ok(parser.is_done()))
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, body)) = input.split_first() else {
        return;
    };
    let piece_bytes = usize::from(cut) + 1;
    assert_eq!(parse(body, usize::MAX), parse(body, piece_bytes));
});
