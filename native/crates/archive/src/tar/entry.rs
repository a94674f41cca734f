//! One file of an archive, and what extended headers have to say about it.
use std::io;

use super::malformed;
use super::records;
use super::sparse::{self, Segment};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Regular,
    HardLink,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
    /// Of a type no one can make a file of.
    Other(u8),
}

/// A time: seconds since 1970 and the nanoseconds to add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
    pub link: Vec<u8>,
    /// Permissions, setuid, setgid and sticky.
    pub mode: u32,
    pub uid: i64,
    pub gid: i64,
    /// The file's size, holes included.
    pub size_bytes: u64,
    pub mtime: Time,
    pub atime: Option<Time>,
    pub device: (u32, u32),
    /// Extended attributes by their name on Linux.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the stored bytes belong, when there are holes.
    pub sparse: Option<Vec<Segment>>,
}

/// What extended headers and long names say about the entry that follows.
#[derive(Default)]
pub(super) struct Overrides {
    records: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) long_name: Option<Vec<u8>>,
    pub(super) long_link: Option<Vec<u8>>,
}

impl Overrides {
    /// A second extended header takes the place of the first.
    pub(super) fn set_records(&mut self, records: &[(&[u8], &[u8])]) {
        let owned = records
            .iter()
            .map(|(key, value)| (key.to_vec(), value.to_vec()));
        self.records = owned.collect();
    }

    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let found = self
            .records
            .iter()
            .rev()
            .find(|(found, _)| found == key.as_bytes());
        // An empty value takes a record back.
        found
            .map(|(_, value)| value.as_slice())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn number<T>(
        &self,
        key: &str,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        self.get(key)
            .map(|value| parse(value).ok_or_else(|| malformed(key)))
            .transpose()
    }

    pub(super) fn time(&self, key: &str) -> io::Result<Option<Time>> {
        let time = self.number(key, records::time)?;
        Ok(time.map(|(seconds, nanoseconds)| Time {
            seconds,
            nanoseconds,
        }))
    }

    pub(super) fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let named = self.records.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(b"SCHILY.xattr.")?;
            (!name.is_empty() && !name.contains(&0)).then(|| (name.to_vec(), value.clone()))
        });
        named.collect()
    }

    /// The map of PAX 0.0, which repeats two keys, or 0.1, which has one.
    pub(super) fn sparse_map(&self) -> io::Result<Option<Vec<Segment>>> {
        if let Some(map) = self.get("GNU.sparse.map") {
            return sparse::parse_map(map).map(Some);
        }
        let mut numbers = Vec::new();
        for (key, value) in &self.records {
            let offset_due = numbers.len() % 2 == 0;
            match key.as_slice() {
                b"GNU.sparse.offset" if offset_due => numbers.push(value.as_slice()),
                b"GNU.sparse.numbytes" if !offset_due => numbers.push(value.as_slice()),
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                    return Err(malformed("sparse map"))
                }
                _ => {}
            }
        }
        if numbers.is_empty() && self.get("GNU.sparse.size").is_none() {
            return Ok(None);
        }
        sparse::parse_map(&numbers.join(&b',')).map(Some)
    }
}
