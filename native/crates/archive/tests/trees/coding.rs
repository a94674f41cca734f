//! Tars through a compressor: what comes out of it again is what went in.
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;

use crate::support::{Memory, Root};
use drayman_archive::{compressed, pack, Coding, Error, Sink};
use flate2::read::{DeflateDecoder, GzDecoder};

/// More than is gathered, so that it goes the way of large files.
const LARGE_BYTES: usize = 300_000;

fn through(
    coding: Coding,
    write: impl FnOnce(&mut dyn Sink) -> Result<u64, Error>,
) -> (u64, Vec<u8>) {
    let mut sink = Memory(Vec::new());
    let packed = compressed(coding, &mut sink, write).unwrap();
    let mut plain = Vec::new();
    match coding {
        Coding::Gzip => GzDecoder::new(&sink.0[..]).read_to_end(&mut plain),
        Coding::Deflate => DeflateDecoder::new(&sink.0[..]).read_to_end(&mut plain),
    }
    .unwrap();
    assert!(sink.0.len() < plain.len());
    (packed, plain)
}

#[test]
fn a_tree_is_the_same() {
    let root = Root::new();
    fs::create_dir(root.path("tree")).unwrap();
    fs::write(root.path("tree/large"), vec![b'x'; LARGE_BYTES]).unwrap();
    fs::write(root.path("tree/small"), "small").unwrap();
    let mut plain = Memory(Vec::new());
    let size_bytes = pack(root.fd(), b"/tree", &mut plain).unwrap();
    for coding in [Coding::Gzip, Coding::Deflate] {
        let (packed, came) = through(coding, |sink| pack(root.fd(), b"/tree", sink));
        assert_eq!(packed, size_bytes);
        assert!(came == plain.0);
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
