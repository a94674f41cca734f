//! Detach keys are found wherever reads cut them, and nothing else that is typed is lost. The first two
//! bytes are the cut and the length of the sequence, which comes next.
#![no_main]
use drayman_stdio::{DetachKeys, Typed};
use libfuzzer_sys::fuzz_target;

/// Letters of which sequences are made: so few that beginnings repeat.
const NAMES: [&str; 4] = ["a", "ctrl-a", "ctrl-@", "DEL"];
const CODES: [u8; 4] = [b'a', 1, 0, 0x7f];

fuzz_target!(|input: &[u8]| {
    let [cut, length, rest @ ..] = input else {
        return;
    };
    let (sequence, typed) = rest.split_at(rest.len().min(usize::from(length % 8) + 1));
    let picked: Vec<usize> = sequence.iter().map(|byte| usize::from(byte % 4)).collect();
    let names: Vec<&str> = picked.iter().map(|&one| NAMES[one]).collect();
    let codes: Vec<u8> = picked.iter().map(|&one| CODES[one]).collect();
    if codes.is_empty() {
        return;
    }
    // What strangers type is mapped onto the same letters, now and then.
    let typed: Vec<u8> = typed
        .iter()
        .map(|&byte| {
            if byte < 200 {
                CODES[usize::from(byte % 4)]
            } else {
                byte
            }
        })
        .collect();
    let mut keys = DetachKeys::parse(&names.join(",")).unwrap();
    let (mut sent, mut detached) = (Vec::new(), false);
    for piece in typed.chunks(usize::from(*cut) + 1) {
        match keys.push(piece) {
            Typed::Send(bytes) => sent.extend(bytes),
            Typed::Detach(bytes) => {
                sent.extend(bytes);
                detached = true;
                break;
            }
        }
    }
    if !detached {
        sent.extend(keys.finish());
    }
    let found = typed
        .windows(codes.len())
        .position(|window| window == codes);
    assert_eq!(detached, found.is_some());
    assert_eq!(sent, typed[..found.unwrap_or(typed.len())]);
    // Any text is a sequence or an error.
    let _ = DetachKeys::parse(&String::from_utf8_lossy(rest));
});
