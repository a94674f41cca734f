//! Bodies over real sockets: what one side frames, the other reads, whatever the sizes.
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use drayman_wire::{BodyReader, BodyWriter, ChunkParser, Framing, Stop};
use proptest::prelude::*;

fn read_body(raw: &[u8], framing: Framing, early: &[u8]) -> (std::io::Result<Vec<u8>>, Vec<u8>) {
    let (mut near, far) = UnixStream::pair().unwrap();
    let raw = raw.to_vec();
    let sender = thread::spawn(move || {
        near.write_all(&raw).unwrap();
    });
    let mut reader = BodyReader::new(far.as_fd(), None, framing, early.to_vec());
    let mut body = Vec::new();
    let result = reader.read_to_end(&mut body).map(|_| body);
    sender.join().unwrap();
    (result, reader.into_surplus())
}

fn chunked() -> Framing {
    Framing::Chunked(ChunkParser::default())
}

#[test]
fn extensions_trailers_and_surplus() {
    let raw = b"5;a=b\r\nhello\r\n6 \r\n world\r\n000;x\r\nDigest: x\r\nA: b\r\n\r\nGET /";
    let (body, surplus) = read_body(raw, chunked(), b"");
    assert_eq!(body.unwrap(), b"hello world");
    assert_eq!(surplus, b"GET /");
}

#[test]
fn early_bytes_may_hold_everything() {
    let (body, surplus) = read_body(b"", chunked(), b"1\r\nx\r\n0\r\n\r\nrest");
    assert_eq!((body.unwrap(), surplus), (b"x".to_vec(), b"rest".to_vec()));
    let (body, surplus) = read_body(b"lo!", Framing::Length(5), b"hel");
    assert_eq!((body.unwrap(), surplus), (b"hello".to_vec(), b"!".to_vec()));
    let (body, _) = read_body(b"lo", Framing::ToEnd, b"hel");
    assert_eq!(body.unwrap(), b"hello");
}

#[test]
fn bad_chunks_are_told() {
    let long = [b"1;".as_slice(), &[b'e'; 5000], b"\r\nx\r\n0\r\n\r\n"].concat();
    let trailers = [b"0\r\n".as_slice(), &vec![b't'; 20_000], b"\r\n\r\n"].concat();
    let cases: [&[u8]; 11] = [
        b"\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"fffffffffffffffff\r\n",
        b"1;a\nb\r\n",
        b"5\rhello",
        &long,
        &trailers,
    ];
    for raw in cases {
        let error = read_body(raw, chunked(), b"").0.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{raw:?}");
    }
}

#[test]
fn a_short_body_is_unexpected_eof() {
    for (raw, framing) in [
        (&b"5\r\nhel"[..], chunked()),
        (b"5\r\nhello\r\n", chunked()),
        (b"0\r\n", chunked()),
        (b"hel", Framing::Length(5)),
    ] {
        let error = read_body(raw, framing, b"").0.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn drain_stops_at_its_limit() {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.write_all(b"4\r\n0123\r\n4\r\n4567\r\n0\r\n\r\n")
        .unwrap();
    let mut reader = BodyReader::new(far.as_fd(), None, chunked(), Vec::new());
    assert!(!reader.drain(4).unwrap());
    assert!(reader.drain(4).unwrap());
}

#[test]
fn the_peer_that_leaves_is_gone() {
    let (near, far) = UnixStream::pair().unwrap();
    drop(near);
    let mut writer = BodyWriter::new(far.as_fd(), None, true);
    writer.write_all(b"x").unwrap();
    assert_eq!(Stop::of(&writer.flush().unwrap_err()), Some(Stop::Gone));
}

#[test]
fn the_cancel_descriptor_wakes_a_writer_and_a_reader() {
    let (near, far) = UnixStream::pair().unwrap();
    let (mut wake, cancel) = UnixStream::pair().unwrap();
    let mut seen = near.try_clone().unwrap();
    let waker = thread::spawn(move || {
        // Nobody reads on, so the writer stands still or will.
        seen.read_exact(&mut [0]).unwrap();
        wake.write_all(b"x").unwrap();
        wake
    });
    let mut writer = BodyWriter::new(far.as_fd(), Some(cancel.as_fd()), true);
    let zeros = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = writer.write_all(&zeros) {
            break error;
        }
    };
    assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    let mut reader = BodyReader::new(near.as_fd(), Some(cancel.as_fd()), chunked(), vec![]);
    let error = reader.read(&mut [0; 8]).unwrap_err();
    assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    waker.join().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_no_file_of_zeros() {
    let (near, _far) = UnixStream::pair().unwrap();
    let closed_to_readers = std::fs::File::options()
        .write(true)
        .open("/dev/null")
        .unwrap();
    let mut writer = BodyWriter::new(near.as_fd(), None, false);
    let error = writer
        .send_file(closed_to_readers.as_fd(), 0, 10)
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(9), "{error}");
    assert_eq!(Stop::of(&error), None);
}

/// A body of gathered writes and files (one shorter than was promised) comes out whole.
fn round_trip(pieces: &[(Vec<u8>, usize)], chunked_body: bool, non_blocking: bool) {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(non_blocking).unwrap();
    let mut expected = Vec::new();
    for (written, padding) in pieces {
        expected.extend_from_slice(written);
        expected.extend_from_slice(written);
        expected.resize(expected.len() + padding, 0);
    }
    let pieces = pieces.to_vec();
    let sender = thread::spawn(move || {
        let mut writer = BodyWriter::new(near.as_fd(), None, chunked_body);
        for (bytes, padding) in pieces {
            writer.write_all(&bytes).unwrap();
            let mut file = std::fs::File::from(
                rustix::fs::memfd_create("piece", rustix::fs::MemfdFlags::CLOEXEC).unwrap(),
            );
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let sent = writer.send_file(file.as_fd(), 0, (bytes.len() + padding) as u64);
            assert_eq!(sent.unwrap(), bytes.len() as u64);
        }
        writer.finish().unwrap();
        if chunked_body {
            near.write_all(b"0\r\n\r\n").unwrap();
        }
        near.flush().unwrap();
    });
    let framing = if chunked_body {
        chunked()
    } else {
        Framing::ToEnd
    };
    let mut reader = BodyReader::new(far.as_fd(), None, framing, Vec::new());
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    sender.join().unwrap();
    assert!(body == expected, "{} {}", body.len(), expected.len());
    assert!(reader.into_surplus().is_empty());
}

#[test]
fn large_bodies_round_trip() {
    let pieces = vec![
        (vec![7; 3 << 20], 5),
        (vec![], 0),
        (vec![1; 600 << 10], 40_000),
    ];
    for (chunked_body, non_blocking) in [(true, true), (true, false), (false, true)] {
        round_trip(&pieces, chunked_body, non_blocking);
    }
}

/// The data of a chunked body, and how it ended: whole, or with which complaint.
fn parse(
    mut input: &[u8],
    lengths: &mut dyn Iterator<Item = usize>,
) -> (Vec<u8>, Result<bool, String>) {
    let mut parser = ChunkParser::default();
    let mut data = Vec::new();
    while !input.is_empty() && !parser.is_done() {
        let piece = &input[..input.len().min(lengths.next().unwrap_or(1))];
        let mut used = match parser.advance(piece) {
            Ok(framing) => framing,
            Err(bad) => return (data, Err(bad.to_string())),
        };
        let due = usize::try_from(parser.due()).unwrap_or(usize::MAX);
        let taken = due.min(piece.len() - used);
        data.extend_from_slice(&piece[used..used + taken]);
        parser.take(taken as u64);
        used += taken;
        input = &input[used..];
    }
    (data, Ok(parser.is_done()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_body_round_trips(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..2000), 0..50_usize), 0..6)
    ) {
        round_trip(&pieces, true, true);
    }

    /// What came with the request's head and what the socket brings are one stream.
    #[test]
    fn early_bytes_may_end_anywhere(
        data in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
        at in any::<prop::sample::Index>(),
    ) {
        let mut raw = Vec::new();
        for piece in &data {
            raw.extend_from_slice(format!("{:x};e\r\n", piece.len()).as_bytes());
            raw.extend_from_slice(piece);
            raw.extend_from_slice(b"\r\n");
        }
        raw.extend_from_slice(b"0\r\nA: b\r\n\r\nGET /");
        let (early, later) = raw.split_at(at.index(raw.len() + 1));
        let (body, surplus) = read_body(later, chunked(), early);
        prop_assert_eq!(body.unwrap(), data.concat());
        prop_assert!(b"GET /".starts_with(&surplus));
    }

    /// However the bytes arrive, they say the same.
    #[test]
    fn the_parser_does_not_mind_where_input_is_cut(
        input in "(([0-3]|[ \t;xf])(\r\n)?[a-c]{0,3}(\r\n)?|\r\n){0,20}",
        cuts in prop::collection::vec(1..9_usize, 1..9),
    ) {
        let whole = parse(input.as_bytes(), &mut std::iter::repeat(usize::MAX));
        let pieces = parse(input.as_bytes(), &mut cuts.into_iter().cycle());
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn the_parser_takes_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let (data, _) = parse(&input, &mut std::iter::repeat(usize::MAX));
        prop_assert!(data.len() <= input.len());
    }
}
