//! A tar header as Go's `archive/tar` writes it when Docker asks for `FormatPAX`: ustar as far
//! as it goes, PAX records only for what does not fit.

pub(crate) const BLOCK_BYTES: usize = 512;

const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;
/// A PAX record: a key and its value.
pub(crate) type Record = (&'static str, Vec<u8>);

pub(crate) const CAPABILITY: &str = "SCHILY.xattr.security.capability";

/// One entry's facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header<'a> {
    /// With a slash at its end when it is a directory.
    pub name: &'a [u8],
    pub kind: u8,
    pub link: &'a [u8],
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size_bytes: u64,
    pub mtime_s: i64,
    pub device: (u32, u32),
    /// PAX records for what headers do not know.
    pub extra: Vec<Record>,
}

impl Header<'_> {
    /// Append the header's blocks, PAX records before it where they are needed.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let records = self.records();
        let split = split_name(self.name);
        // A long name alone can be split over two fields; then no record is written for it.
        let only_name = records.len() == 1 && records[0].0 == "path" && split.is_some();
        if records.is_empty() || only_name {
            let (prefix, name) = split.unwrap_or((b"", self.name));
            self.encode_block(name, self.link, prefix, out);
            return;
        }
        let mut body = Vec::new();
        for (key, value) in &records {
            encode_record(key, value, &mut body);
        }
        encode_records_block(self.name, body.len(), out);
        let padding = body.len().next_multiple_of(BLOCK_BYTES) - body.len();
        out.extend_from_slice(&body);
        out.resize(out.len() + padding, 0);
        self.encode_block(&ascii(self.name), &ascii(self.link), b"", out);
    }

    /// What ustar cannot hold, sorted by key.
    fn records(&self) -> Vec<Record> {
        let mut records = self.extra.clone();
        let mut number = |key, value: i64, digits: u32| {
            if value < 0 || value >> (3 * digits) != 0 {
                records.push((key, value.to_string().into_bytes()));
            }
        };
        number("gid", i64::from(self.gid), 7);
        number("mtime", self.mtime_s, 11);
        number(
            "size",
            i64::try_from(self.size_bytes).unwrap_or(i64::MAX),
            11,
        );
        number("uid", i64::from(self.uid), 7);
        // A sparse file's name is told already; Python's tarfile would take a path behind it for it.
        let named = self.extra.iter().any(|(key, _)| *key == "GNU.sparse.name");
        for (key, value) in [("linkpath", self.link), ("path", self.name)] {
            let told = named && key == "path";
            if !told && (value.len() > NAME_BYTES || !value.is_ascii()) {
                records.push((key, value.to_vec()));
            }
        }
        records.sort_unstable_by_key(|(key, _)| *key);
        records
    }

    fn encode_block(&self, name: &[u8], link: &[u8], prefix: &[u8], out: &mut Vec<u8>) {
        let mut block = [0; BLOCK_BYTES];
        put_text(&mut block[..100], name);
        put_octal(&mut block[100..108], u64::from(self.mode));
        put_octal(&mut block[108..116], u64::from(self.uid));
        put_octal(&mut block[116..124], u64::from(self.gid));
        put_octal(&mut block[124..136], self.size_bytes);
        put_octal(
            &mut block[136..148],
            u64::try_from(self.mtime_s).unwrap_or(0),
        );
        block[156] = self.kind;
        put_text(&mut block[157..257], link);
        put_octal(&mut block[329..337], u64::from(self.device.0));
        put_octal(&mut block[337..345], u64::from(self.device.1));
        put_text(&mut block[345..500], prefix);
        seal(&mut block);
        out.extend_from_slice(&block);
    }
}

/// The block before the records: named after the entry, all else zero.
fn encode_records_block(entry: &[u8], body_bytes: usize, out: &mut Vec<u8>) {
    let slash = entry
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    let (directory, file) = entry.split_at(slash);
    // Go cleans the joined path; of what we write, only a leading `./` is not clean.
    let mut name = directory.strip_prefix(b"./").unwrap_or(directory).to_vec();
    name.extend_from_slice(b"PaxHeaders.0/");
    name.extend_from_slice(file);
    let mut name = ascii(&name);
    name.truncate(NAME_BYTES);
    while name.last() == Some(&b'/') {
        name.pop();
    }
    let mut block = [0; BLOCK_BYTES];
    put_text(&mut block[..100], &name);
    for field in [100..108, 108..116, 116..124, 136..148] {
        put_octal(&mut block[field], 0);
    }
    put_octal(&mut block[124..136], body_bytes as u64);
    block[156] = b'x';
    seal(&mut block);
    out.extend_from_slice(&block);
}

/// `25 path=…\n`, where 25 counts itself.
fn encode_record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() + rest != length {
        length += 1;
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Split a long name at a slash so that both halves fit (Go's `splitUSTARPath`).
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_BYTES || !name.is_ascii() {
        return None;
    }
    let mut length = name.len();
    if length > PREFIX_BYTES + 1 {
        length = PREFIX_BYTES + 1;
    } else if name[length - 1] == b'/' {
        length -= 1;
    }
    let slash = name[..length].iter().rposition(|&byte| byte == b'/')?;
    let rest = name.len() - slash - 1;
    if slash == 0 || rest == 0 || rest > NAME_BYTES || slash > PREFIX_BYTES {
        return None;
    }
    Some((&name[..slash], &name[slash + 1..]))
}

fn ascii(name: &[u8]) -> Vec<u8> {
    name.iter().copied().filter(u8::is_ascii).collect()
}

fn put_text(field: &mut [u8], text: &[u8]) {
    let bytes = text.len().min(field.len());
    field[..bytes].copy_from_slice(&text[..bytes]);
    // A cut name that ends in a slash would make some readers see a directory.
    if text.len() > field.len() && field.last() == Some(&b'/') {
        let trimmed = field
            .iter()
            .rposition(|&byte| byte != b'/')
            .map_or(0, |last| last + 1);
        field[trimmed] = 0;
    }
}

/// Zero-led octal with a NUL behind it; 0 when it does not fit (a record has the value then).
fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let mut left = if value >> (3 * digits) == 0 { value } else { 0 };
    for digit in field[..digits].iter_mut().rev() {
        *digit = b'0' + (left & 7) as u8;
        left >>= 3;
    }
    field[digits] = 0;
}

fn seal(block: &mut [u8; BLOCK_BYTES]) {
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    put_octal(&mut block[148..155], u64::from(sum));
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Every choice Go makes, in the bytes Go made (`golden/headers.go` wrote them).
    #[test]
    fn headers_are_gos_byte_for_byte() {
        let golden = include_bytes!("golden/headers.tar.gz").as_slice();
        let mut expected = Vec::new();
        flate2::read::GzDecoder::new(golden)
            .read_to_end(&mut expected)
            .unwrap();
        let long = ["d".repeat(60), "e".repeat(60)].join("/");
        let long_directory = format!("{long}/");
        let unsplit = "n".repeat(120);
        let slash = format!("{}/{}/u", "s".repeat(99), "t".repeat(101));
        let slash_directory = format!("{slash}/");
        let (full, deep) = ("x".repeat(100), "/q".repeat(140));
        let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let simple = |kind, name, mode| Header {
            kind,
            name,
            mode,
            mtime_s: 1_700_000_000,
            ..Header::default()
        };
        let file = |name, mode| simple(b'0', name, mode);
        let headers = [
            file(b"hosts", 0o644),
            Header {
                uid: 33,
                gid: 34,
                ..simple(b'5', b"etc/", 0o1777)
            },
            simple(b'5', b"/", 0o755),
            file(long.as_bytes(), 0o4755),
            simple(b'5', long_directory.as_bytes(), 0o755),
            Header {
                uid: 3_000_000,
                gid: 2_097_152,
                ..file(long.as_bytes(), 0o644)
            },
            file(unsplit.as_bytes(), 0o644),
            file(slash.as_bytes(), 0o644),
            simple(b'5', slash_directory.as_bytes(), 0o755),
            file(full.as_bytes(), 0o644),
            file("./grün/ä".as_bytes(), 0o644),
            file(b"bad\xff", 0o644),
            Header {
                link: unsplit.as_bytes(),
                ..simple(b'2', b"l", 0o777)
            },
            Header {
                link: "etc/é".as_bytes(),
                ..simple(b'1', b"h", 0o600)
            },
            Header {
                device: (1, 3),
                ..simple(b'3', b"dev/null", 0o666)
            },
            Header {
                device: (8, 1_048_575),
                ..simple(b'4', b"dev/sda", 0o660)
            },
            simple(b'6', b"./p", 0o600),
            Header {
                extra: vec![(CAPABILITY, capability.to_vec())],
                ..file(b"cap", 0o755)
            },
            Header {
                extra: vec![(CAPABILITY, capability.to_vec())],
                ..file(long.as_bytes(), 0o755)
            },
            Header {
                mtime_s: -5,
                ..file(b"old", 0o644)
            },
            Header {
                mtime_s: 1 << 33,
                ..file(b"late", 0o644)
            },
            Header {
                uid: 3_000_000,
                ..simple(b'5', b"./", 0o755)
            },
            file(deep.as_bytes(), 0o644),
            Header {
                size_bytes: 1 << 33,
                ..file(b"huge", 0o644)
            },
        ];
        let mut offset = 0;
        for header in &headers {
            let mut encoded = Vec::new();
            header.encode(&mut encoded);
            let name = String::from_utf8_lossy(header.name);
            assert!(
                expected[offset..].starts_with(&encoded),
                "{name} at {offset}"
            );
            offset += encoded.len();
        }
        assert_eq!(offset, expected.len());
    }
}
