//! An archive says the same however its stream is cut, and says it in no more than its bytes.
#![no_main]
use std::io::{self, Read};

use drayman_archive::tar::{Entry, Reader};
use drayman_fuzz::sealed;
use libfuzzer_sys::fuzz_target;

struct Cut<'b> {
    bytes: &'b [u8],
    piece_bytes: usize,
}

impl Read for Cut<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece_bytes = self.piece_bytes.min(into.len());
        self.bytes.read(&mut into[..piece_bytes])
    }
}

/// All that a reader says, with the complaint it ends in.
fn told(source: impl Read) -> (Vec<(Entry, usize)>, Option<String>) {
    let mut reader = Reader::new(source);
    let mut entries = Vec::new();
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        };
        let mut content_bytes = 0;
        loop {
            let length = match reader.content() {
                Ok([]) => break,
                Ok(piece) => piece.len(),
                Err(error) => return (entries, Some(error.to_string())),
            };
            reader.consume(length);
            content_bytes += length;
        }
        entries.push((entry, content_bytes));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, archive)) = input.split_first() else {
        return;
    };
    let archive = sealed(archive);
    let whole = told(archive.as_slice());
    let pieces = told(Cut {
        bytes: &archive,
        piece_bytes: usize::from(cut) + 1,
    });
    assert_eq!(whole, pieces);
    let content_bytes: usize = whole.0.iter().map(|(_, bytes)| bytes).sum();
    assert!(content_bytes <= archive.len());
});
