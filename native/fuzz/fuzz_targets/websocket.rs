//! What a WebSocket client says means the same however its bytes arrive. The first byte is how they are cut.
#![no_main]
use drayman_stdio::websocket::{Control, Frames};
use libfuzzer_sys::fuzz_target;

fn hear(said: &[u8], piece_bytes: usize) -> (Vec<u8>, Vec<Control>) {
    let mut frames = Frames::default();
    let (mut payload, mut controls) = (Vec::new(), Vec::new());
    for piece in said.chunks(piece_bytes) {
        let mut piece = piece.to_vec();
        let count = frames.push(&mut piece, &mut controls);
        payload.extend_from_slice(&piece[..count]);
    }
    (payload, controls)
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, said)) = input.split_first() else {
        return;
    };
    let (payload, controls) = hear(said, usize::from(cut) + 1);
    assert!(payload.len() <= said.len());
    assert_eq!((payload, controls), hear(said, said.len().max(1)));
});
