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
    let trailers = [b"0\r\n".as_slice(), &[b't'; 20_000], b"\r\n\r\n"].concat();
    let cases: [&[u8]; 10] = [
        b"\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5\nhello\r\n",
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
    let waker = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        wake.write_all(b"x").unwrap();
        wake
    });
    let mut writer = BodyWriter::new(far.as_fd(), Some(cancel.as_fd()), true);
    let error = loop {
        if let Err(error) = writer.write_all(&[0; 1 << 20]) {
            break error;
        }
    };
    assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    let mut reader = BodyReader::new(near.as_fd(), Some(cancel.as_fd()), chunked(), vec![]);
    let error = reader.read(&mut [0; 8]).unwrap_err();
    assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    waker.join().unwrap();
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_body_round_trips(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..2000), 0..50_usize), 0..6)
    ) {
        round_trip(&pieces, true, true);
    }

    #[test]
    fn the_parser_takes_anything(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut parser = ChunkParser::default();
        let mut rest = &input[..];
        while let Ok(taken) = parser.advance(rest) {
            rest = &rest[taken..];
            let data = rest.len().min(usize::try_from(parser.due()).unwrap_or(usize::MAX));
            parser.take(data as u64);
            rest = &rest[data..];
            if rest.is_empty() || parser.is_done() { break; }
        }
    }
}
