//! Decompression, told by who sends or by the first bytes, and done in this process: nothing of
//! a container is ever run for it.
use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Stream, CONCATENATED};

use crate::coding::Coding;
use crate::limits::{Limits, Refused};

/// As much as the longest magic.
const MAGIC_BYTES: usize = 10;
const INPUT_BUFFER_BYTES: usize = 256 << 10;
/// What one stream may make us allocate: `xz -9` wants 65 MiB, `zstd --ultra -22` 128 MiB.
const XZ_MEMORY_LIMIT_BYTES: u64 = 128 << 20;
const ZSTD_WINDOW_LOG_LIMIT: u32 = 27;

/// What a stream can be compressed as.
#[derive(Clone, Copy)]
enum Form {
    Gzip,
    /// HTTP's deflate (RFC 1950).
    Zlib,
    /// What Go's servers, and so ours, send under that name (RFC 1951).
    Deflate,
    Bzip2,
    Xz,
    Zstd,
}

/// The plain bytes of a body: out of the `codings` that its sender tells of, in the order in
/// which they were applied, and then out of what its first bytes tell. None when it is empty.
pub(crate) fn decompress<'r>(
    body: impl Read + 'r,
    codings: &[Coding],
    limits: Limits,
) -> io::Result<Option<Box<dyn Read + 'r>>> {
    let received = Rc::new(Cell::new(0));
    let mut source: Box<dyn Read + 'r> = Box::new(Counted {
        source: body,
        bytes: Rc::clone(&received),
    });
    let bounded = |form, whole| -> io::Result<Box<dyn Read + 'r>> {
        Ok(Box::new(Bounded {
            decoder: decoder(form, whole)?,
            decoded: 0,
            received: Rc::clone(&received),
            limits,
        }))
    };
    let mut magic = first_of(&mut source)?;
    for &coding in codings.iter().rev() {
        if magic.is_empty() {
            return Ok(None);
        }
        let form = form_told(coding, &magic).ok_or_else(|| mistold(coding))?;
        source = bounded(form, Box::new(Cursor::new(magic).chain(source)))?;
        // Without a magic of its own, deflate shows here what it is not.
        magic = first_of(&mut source).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => mistold(coding),
            _ => error,
        })?;
    }
    let form = form_seen(&magic);
    let is_empty = magic.is_empty();
    let whole = Box::new(Cursor::new(magic).chain(source));
    match form {
        Some(form) => bounded(form, whole).map(Some),
        None if is_empty => Ok(None),
        None => Ok(Some(whole)),
    }
}

fn first_of(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    source.take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
    Ok(magic)
}

fn mistold(coding: Coding) -> io::Error {
    io::Error::other(Refused::Coding(match coding {
        Coding::Gzip => "gzip",
        Coding::Deflate => "deflate",
        Coding::Zstd => "zstd",
    }))
}

/// What a stream is whose sender tells of a coding; None when it cannot be.
fn form_told(coding: Coding, magic: &[u8]) -> Option<Form> {
    match (coding, form_seen(magic), magic) {
        (Coding::Gzip, Some(Form::Gzip), _) => Some(Form::Gzip),
        (Coding::Zstd, Some(Form::Zstd), _) => Some(Form::Zstd),
        // No compressor begins a bare stream in this way: it would be stored bytes, with junk in
        // the padding before them.
        (Coding::Deflate, _, &[method, flags, ..])
            if method & 0x8f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0 =>
        {
            Some(Form::Zlib)
        }
        (Coding::Deflate, ..) => Some(Form::Deflate),
        _ => None,
    }
}

fn form_seen(magic: &[u8]) -> Option<Form> {
    match magic {
        [0x1f, 0x8b, 0x08, ..] => Some(Form::Gzip),
        // With what begins its first block, or its end: a name may begin with BZh, too.
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y']
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90] => Some(Form::Bzip2),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Form::Xz),
        // A frame, or one that is to be skipped before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Form::Zstd),
        _ => None,
    }
}

fn decoder<'r>(form: Form, whole: Box<dyn Read + 'r>) -> io::Result<Box<dyn Read + 'r>> {
    let whole = BufReader::with_capacity(INPUT_BUFFER_BYTES, whole);
    Ok(match form {
        Form::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Form::Zlib => Box::new(ZlibDecoder::new(whole)),
        Form::Deflate => Box::new(DeflateDecoder::new(whole)),
        Form::Bzip2 => Box::new(MultiBzDecoder::new(whole)),
        Form::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_LIMIT_BYTES, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(whole, stream))
        }
        Form::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_LIMIT)?;
            Box::new(decoder)
        }
    })
}

/// A body, and how much of it was read.
struct Counted<R> {
    source: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(into)?;
        self.bytes.set(self.bytes.get() + bytes as u64);
        Ok(bytes)
    }
}

/// What a decoder gives, held against what was received for it. Each of several is: a bomb need
/// not reach the last of them.
struct Bounded<'r> {
    decoder: Box<dyn Read + 'r>,
    decoded: u64,
    received: Rc<Cell<u64>>,
    limits: Limits,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.decoder.read(into)?;
        self.decoded += bytes as u64;
        self.limits
            .hold_ratio(self.decoded, self.received.get())
            .map_err(io::Error::other)?;
        Ok(bytes)
    }
}
