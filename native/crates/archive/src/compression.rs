//! Decompression, told by the first bytes and done in this process: nothing of a container is
//! ever run for it.
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Stream, CONCATENATED};

/// As much as the longest magic.
const MAGIC_BYTES: usize = 10;
const INPUT_BUFFER_BYTES: usize = 256 << 10;
/// What one stream may make us allocate: `xz -9` wants 65 MiB, `zstd --ultra -22` 128 MiB.
const XZ_MEMORY_LIMIT_BYTES: u64 = 128 << 20;
const ZSTD_WINDOW_LOG_LIMIT: u32 = 27;

/// The plain bytes of a stream; None when there is not a single byte in it.
pub(crate) fn decompress<'r>(mut source: impl Read + 'r) -> io::Result<Option<Box<dyn Read + 'r>>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    source
        .by_ref()
        .take(MAGIC_BYTES as u64)
        .read_to_end(&mut magic)?;
    if magic.is_empty() {
        return Ok(None);
    }
    let kind = magic.clone();
    let whole = Cursor::new(magic).chain(source);
    Ok(Some(match kind.as_slice() {
        [0x1f, 0x8b, 0x08, ..] => Box::new(MultiGzDecoder::new(buffered(whole))),
        // With what begins its first block, or its end: a name may begin with BZh, too.
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y']
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90] => {
            Box::new(MultiBzDecoder::new(buffered(whole)))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_LIMIT_BYTES, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(buffered(whole), stream))
        }
        // A frame, or one that is to be skipped before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let mut decoder = zstd::Decoder::with_buffer(buffered(whole))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_LIMIT)?;
            Box::new(decoder)
        }
        _ => Box::new(whole),
    }))
}

fn buffered<R: Read>(whole: Chain<Cursor<Vec<u8>>, R>) -> impl BufRead {
    BufReader::with_capacity(INPUT_BUFFER_BYTES, whole)
}
