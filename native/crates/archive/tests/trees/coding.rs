//! Tars through a compressor: what comes out of it again is what went in.
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use drayman_archive::{compressed, pack, Coding, Error, Hashed, Packing, Sink, Skipping};
use flate2::read::{DeflateDecoder, GzDecoder};
use proptest::prelude::*;

use crate::support::{Memory, Root};

const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Deflate, Coding::Zstd];
/// More than is gathered, so that it goes the way of large files.
const LARGE_BYTES: usize = 300_000;

fn through<T>(
    coding: Coding,
    write: impl FnOnce(&mut dyn Sink) -> Result<T, Error>,
) -> (T, Vec<u8>) {
    let mut sink = Memory(Vec::new());
    let packed = compressed(coding, &mut sink, write).unwrap();
    let mut plain = Vec::new();
    match coding {
        // One member, and nothing behind it.
        Coding::Gzip => GzDecoder::new(&sink.0[..]).read_to_end(&mut plain),
        Coding::Deflate => DeflateDecoder::new(&sink.0[..]).read_to_end(&mut plain),
        Coding::Zstd => zstd::Decoder::new(&sink.0[..])
            .unwrap()
            .single_frame()
            .read_to_end(&mut plain),
    }
    .unwrap();
    (packed, plain)
}

#[test]
fn a_tree_is_the_same() {
    let root = Root::new();
    fs::create_dir(root.path("tree")).unwrap();
    fs::write(root.path("tree/large"), vec![b'x'; LARGE_BYTES]).unwrap();
    fs::write(root.path("tree/small"), "small").unwrap();
    let expected = root.pack("/tree");
    for coding in CODINGS {
        let (packed, came) = through(coding, |sink| {
            pack(root.fd(), b"/tree", &Packing::default(), sink)
        });
        assert_eq!(packed.bytes, expected.len() as u64);
        assert!(came == expected);
    }
}

/// Words in no order: worth compressing, and never the same piece twice.
fn text(bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "barrel ",
        "cask ",
        "dray ",
        "firkin ",
        "hogshead ",
        "keg ",
        "stillage ",
        "tun\n",
    ];
    let mut state = 1_u64;
    let mut text = Vec::with_capacity(bytes + 10);
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.extend_from_slice(WORDS[usize::try_from(state >> 61).unwrap()].as_bytes());
    }
    text.truncate(bytes);
    text
}

#[test]
fn gzip_can_read_what_every_core_wrote() {
    let plain = text(9_000_000);
    let mut sink = Memory(Vec::new());
    compressed(Coding::Gzip, &mut sink, |sink| {
        sink.write_all(&plain).map_err(Error::Stream)
    })
    .unwrap();
    assert!(sink.0.len() < plain.len() / 2, "{}", sink.0.len());
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&sink.0).unwrap());
    let done = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(done.status.success());
    assert!(done.stdout == plain);
}

/// A client that is gone after so many bytes.
struct Leaving(usize);

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for Leaving {
    fn send_file(&mut self, _: std::os::fd::BorrowedFd<'_>, _: u64, _: u64) -> std::io::Result<()> {
        unreachable!("a compressor sends no files")
    }
}

#[test]
fn a_client_that_leaves_ends_it() {
    let plain = text(9_000_000);
    for coding in CODINGS {
        let left = compressed(coding, &mut Leaving(1_000_000), |sink| {
            sink.write_all(&plain).map_err(Error::Stream)
        });
        assert!(
            matches!(left, Err(Error::Stream(error)) if error.kind() == std::io::ErrorKind::BrokenPipe)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_comes_out(sizes in proptest::collection::vec(0..600_000_usize, 0..6)) {
        let plain = text(sizes.iter().sum());
        for coding in CODINGS {
            let ((), came) = through(coding, |sink| {
                let mut rest = &plain[..];
                for size in &sizes {
                    let (now, later) = rest.split_at(*size);
                    sink.write_all(now).map_err(Error::Stream)?;
                    rest = later;
                }
                Ok(())
            });
            prop_assert!(came == plain);
        }
    }

    #[test]
    fn what_is_skipped_is_the_beginning(share in 0..=1000_usize) {
        let root = Root::new();
        fs::write(root.path("large"), text(LARGE_BYTES)).unwrap();
        fs::write(root.path("small"), "small").unwrap();
        let whole = root.pack("/.");
        let skipped = whole.len() * share / 1000;
        let mut sink = Memory(Vec::new());
        let mut skipping = Skipping::new(&mut sink, skipped as u64);
        pack(root.fd(), b"/.", &Packing::default(), &mut skipping).unwrap();
        prop_assert!(sink.0 == whole[skipped..]);
    }
}

#[test]
fn the_sum_is_that_of_what_passed() {
    let root = Root::new();
    fs::write(root.path("large"), text(LARGE_BYTES)).unwrap();
    let mut sink = Memory(Vec::new());
    let mut hashed = Hashed::new(&mut sink);
    pack(root.fd(), b"/.", &Packing::default(), &mut hashed).unwrap();
    let sum = hashed.finish();
    fs::write(root.path("tar"), &sink.0).unwrap();
    let done = Command::new("sha256sum")
        .arg(root.path("tar"))
        .output()
        .unwrap();
    let digits = String::from_utf8(done.stdout[..64].to_vec()).unwrap();
    for (byte, pair) in sum.iter().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap();
        assert_eq!(*byte, u8::from_str_radix(pair, 16).unwrap());
    }
}

#[test]
fn what_a_file_lacks_is_zeros() {
    let root = Root::new();
    fs::write(root.path("file"), vec![b'x'; LARGE_BYTES]).unwrap();
    let file = File::open(root.path("file")).unwrap();
    let (_, came) = through(Coding::Gzip, |sink| {
        sink.send_file(file.as_fd(), 5, LARGE_BYTES as u64)
            .map_err(Error::Stream)?;
        Ok(0)
    });
    let mut wanted = vec![b'x'; LARGE_BYTES - 5];
    wanted.extend([0; 5]);
    assert!(came == wanted);
}
