//! The fields of a 512-byte header block.
use std::io;

use super::malformed;
use super::sparse::Segment;

pub(super) const BLOCK_BYTES: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V7,
    Ustar,
    /// Schilling's: ustar with a shorter prefix.
    Star,
    Gnu,
}

/// A header block whose checksum was right.
pub(super) struct Block<'b> {
    bytes: &'b [u8; BLOCK_BYTES],
    dialect: Dialect,
}

impl<'b> Block<'b> {
    /// Check the sum (as unsigned bytes or, as Sun's tar did, signed ones) and the magic.
    pub(super) fn parse(bytes: &'b [u8; BLOCK_BYTES]) -> io::Result<Block<'b>> {
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (index, &byte) in bytes.iter().enumerate() {
            let byte = if (148..156).contains(&index) {
                b' '
            } else {
                byte
            };
            unsigned += i64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        let sum = number(&bytes[148..156]).ok_or_else(|| malformed("checksum"))?;
        if sum != unsigned && sum != signed {
            return Err(malformed("checksum"));
        }
        let dialect = match &bytes[257..265] {
            magic if magic == b"ustar  \0" => Dialect::Gnu,
            magic if magic.starts_with(b"ustar\0") && &bytes[508..] == b"tar\0" => Dialect::Star,
            magic if magic.starts_with(b"ustar\0") => Dialect::Ustar,
            _ => Dialect::V7,
        };
        Ok(Block { bytes, dialect })
    }

    /// The name, its prefix put before it.
    pub(super) fn name(&self) -> Vec<u8> {
        let prefix = match self.dialect {
            Dialect::Ustar => text(&self.bytes[345..500]),
            Dialect::Star => text(&self.bytes[345..476]),
            Dialect::V7 | Dialect::Gnu => b"",
        };
        let name = text(&self.bytes[..100]);
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(super) fn kind(&self) -> u8 {
        self.bytes[156]
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.bytes[157..257]).to_vec()
    }

    pub(super) fn mode(&self) -> io::Result<i64> {
        number(&self.bytes[100..108]).ok_or_else(|| malformed("mode"))
    }

    pub(super) fn uid(&self) -> io::Result<i64> {
        number(&self.bytes[108..116]).ok_or_else(|| malformed("uid"))
    }

    pub(super) fn gid(&self) -> io::Result<i64> {
        number(&self.bytes[116..124]).ok_or_else(|| malformed("gid"))
    }

    pub(super) fn size_bytes(&self) -> io::Result<u64> {
        size(&self.bytes[124..136]).ok_or_else(|| malformed("size"))
    }

    pub(super) fn mtime_s(&self) -> io::Result<i64> {
        number(&self.bytes[136..148]).ok_or_else(|| malformed("mtime"))
    }

    /// Major and minor; only asked of devices, others may have anything there.
    pub(super) fn device(&self) -> io::Result<(u32, u32)> {
        let part = |field: &[u8]| number(field).and_then(|value| u32::try_from(value).ok());
        part(&self.bytes[329..337])
            .zip(part(&self.bytes[337..345]))
            .ok_or_else(|| malformed("device"))
    }

    /// An old GNU sparse entry's first segments, whether a block with more follows, and the
    /// file's real size.
    pub(super) fn sparse(&self) -> io::Result<(Vec<Segment>, bool, u64)> {
        if self.dialect != Dialect::Gnu {
            return Err(malformed("sparse entry of an unknown kind"));
        }
        let real_bytes = size(&self.bytes[483..495]).ok_or_else(|| malformed("real size"))?;
        let segments = segments(&self.bytes[386..482])?;
        Ok((segments, self.bytes[482] != 0, real_bytes))
    }
}

/// The segments of a block that goes on with an old GNU sparse map, and whether one more follows.
pub(super) fn more_sparse(block: &[u8; BLOCK_BYTES]) -> io::Result<(Vec<Segment>, bool)> {
    Ok((segments(&block[..504])?, block[504] != 0))
}

fn segments(table: &[u8]) -> io::Result<Vec<Segment>> {
    table
        .chunks_exact(24)
        .take_while(|entry| entry[0] != 0 && entry[12] != 0)
        .map(|entry| {
            let offset = size(&entry[..12]);
            let length_bytes = size(&entry[12..]);
            offset
                .zip(length_bytes)
                .map(|(offset, length_bytes)| Segment {
                    offset,
                    length_bytes,
                })
                .ok_or_else(|| malformed("sparse map"))
        })
        .collect()
}

/// A text field: up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

fn size(field: &[u8]) -> Option<u64> {
    number(field).and_then(|value| u64::try_from(value).ok())
}

/// A number: octal with blanks around it, or GNU's base 256, which may be negative.
fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        return base_256(field);
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !blank(byte)) else {
        return Some(0);
    };
    let digits = &field[start..];
    let length = digits
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(digits.len());
    let mut value = 0_i64;
    let digits = digits[..length].trim_ascii_end();
    for &digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

/// Two's complement, big-endian, the topmost bit being the mark.
fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let invert = if negative { 0xff } else { 0 };
    let mut value = 0_u64;
    for (index, &byte) in field.iter().enumerate() {
        let mask = if index == 0 { 0x7f } else { 0xff };
        if value >> 56 != 0 {
            return None;
        }
        value = value << 8 | u64::from((byte ^ invert) & mask);
    }
    let value = i64::try_from(value).ok()?;
    Some(if negative { !value } else { value })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_all_writers() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000644", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"644 junk", None),
            (b"0000648\0", None),
            (b"-000001\0", None),
            (b"\x80\0\0\0\0\x20\0\0", Some(1 << 21)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                Some(i64::MAX),
            ),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\x80\x01\0\0\0\0\0\0\0\0\0\0", None),
            (b"777777777777", Some(0o777_777_777_777)),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }
}
