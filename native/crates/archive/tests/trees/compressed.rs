//! Compressed archives, told by their first bytes, and those that would have us fill the memory.
use std::io::Write;

use bzip2::write::BzEncoder;
use drayman_archive::{Coding, Error, Options};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use liblzma::write::XzEncoder;

use crate::support::{file, tar, Root};

type Encode = fn(&[u8]) -> Vec<u8>;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(plain: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn xz(plain: &[u8]) -> Vec<u8> {
    let mut encoder = XzEncoder::new(Vec::new(), 1);
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 0).unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

const ENCODERS: [Encode; 4] = [gzip, bzip2, xz, zstd];

/// In one stream, or in several one behind the other, as parallel compressors write them.
#[test]
fn each_compression_is_told_by_its_magic() {
    let plain = tar(&[file("f", &"content ".repeat(9999))]);
    let (one, other) = plain.split_at(700);
    for encode in ENCODERS {
        let whole = encode(&plain);
        let pieces = [encode(one), encode(other)].concat();
        for bytes in [whole, pieces] {
            let root = Root::new();
            root.unpack("/", &bytes).unwrap();
            assert_eq!(root.text("f").len(), 8 * 9999);
        }
    }
}

#[test]
fn a_name_that_looks_like_a_magic_is_a_name() {
    for name in ["BZhang", "BZh91AXX", "7z", "\x28odd"] {
        let root = Root::new();
        root.unpack("/", &tar(&[file(name, "1")])).unwrap();
        assert_eq!(root.text(name), "1");
    }
}

#[test]
fn a_stream_cut_short_or_spoilt_is_an_error() {
    let plain = tar(&[file("f", &"content ".repeat(9999))]);
    for encode in ENCODERS {
        let bytes = encode(&plain);
        assert!(Root::new().unpack("/", &bytes[..bytes.len() / 2]).is_err());
        let mut spoilt = bytes.clone();
        let middle = spoilt.len() / 2;
        spoilt[middle..middle + 8].fill(0x55);
        assert!(Root::new().unpack("/", &spoilt).is_err());
    }
}

fn refused(bytes: &[u8]) -> String {
    Root::new().unpack("/", bytes).unwrap_err().to_string()
}

#[test]
fn a_window_of_256_mib_is_refused() {
    // A frame without content, dictionary or sum, its window 2^(10 + 18); one empty block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3, 1, 0, 0];
    let text = refused(&frame);
    assert!(text.contains("too much memory"), "{text}");
}

#[test]
fn a_dictionary_of_4_gib_is_refused() {
    let summed = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        [bytes, &crc.sum().to_le_bytes()].concat()
    };
    let magic = [0xfd, b'7', b'z', b'X', b'Z', 0];
    // Flags: no check. A block of one filter, LZMA2 (0x21), with the largest dictionary (40).
    let head = summed(&[0, 0]);
    let block = summed(&[2, 0, 0x21, 1, 40, 0, 0, 0]);
    let text = refused(&[magic.as_slice(), &head, &block, &[0; 64]].concat());
    assert!(text.contains("memory"), "{text}");
}

fn coded(root: &Root, codings: &[Coding], body: &[u8]) -> Result<(), Error> {
    let options = Options {
        codings,
        ..Options::default()
    };
    root.unpack_with("/", body, options).map(drop)
}

/// Codings are of the transfer: below them the archive may be compressed as ever.
#[test]
fn what_the_sender_tells_is_undone_before_the_magic_is_looked_at() {
    use Coding::{Deflate, Gzip, Zstd};
    let told: [(&[Coding], &[Encode]); 7] = [
        (&[Gzip], &[gzip]),
        (&[Deflate], &[zlib]),
        (&[Deflate], &[deflate]),
        (&[Zstd], &[zstd]),
        (&[Gzip, Zstd], &[gzip, zstd]),
        (&[Zstd, Gzip], &[zstd, gzip]),
        (&[Deflate, Deflate], &[zlib, deflate]),
    ];
    for (codings, encoders) in told {
        for below in [<[u8]>::to_vec as Encode, gzip, xz] {
            let archive = below(&tar(&[file("f", "content")]));
            let body = encoders.iter().fold(archive, |body, encode| encode(&body));
            let root = Root::new();
            coded(&root, codings, &body).unwrap();
            assert_eq!(root.text("f"), "content");
        }
        // No body at all is no archive, and a body of nothing neither.
        coded(&Root::new(), codings, b"").unwrap();
        let nothing = encoders
            .iter()
            .fold(Vec::new(), |body, encode| encode(&body));
        coded(&Root::new(), codings, &nothing).unwrap();
    }
}

#[test]
fn a_body_that_is_not_what_its_sender_tells_is_refused() {
    let plain = tar(&[file("f", "content")]);
    for (codings, body, named) in [
        (&[Coding::Gzip][..], plain.clone(), "gzip"),
        (&[Coding::Gzip], zstd(&plain), "gzip"),
        (&[Coding::Zstd], plain.clone(), "zstd"),
        (&[Coding::Zstd], gzip(&plain), "zstd"),
        (&[Coding::Deflate], plain.clone(), "deflate"),
        (&[Coding::Deflate], gzip(&plain), "deflate"),
        (&[Coding::Zstd, Coding::Gzip], gzip(&plain), "zstd"),
    ] {
        let root = Root::new();
        let refused = coded(&root, codings, &body);
        let expected = format!("the body is not {named}, as its Content-Encoding says");
        assert!(
            matches!(&refused, Err(Error::Invalid(text)) if *text == expected),
            "{refused:?}: {codings:?}"
        );
        assert!(!root.path("f").exists());
    }
}
