//! What tests of logs share: a place for the files, and everything that a reader gives.
// Not each of them uses all of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use drayman_stdio::{Cursor, Form, JsonFile, LogReader, Pumped, Rotation, Selection, Stream};

pub const RAW: Form = Form {
    timestamps: false,
    details: false,
    framed: false,
    json: false,
    whole: false,
    chunked: false,
    messages: None,
};
pub const ALL: Selection = Selection {
    stdout: true,
    stderr: true,
    since_ns: None,
    until_ns: None,
    tail: None,
    limit: None,
    grep: None,
};
/// A directory of its own for a test, gone afterwards.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("drayman-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("c-json.log")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything a reader gives into a file, and why it stopped.
pub fn pump(reader: &mut LogReader) -> (Vec<u8>, Pumped) {
    let mut out = tempfile();
    let stop = reader.pump(out.as_fd(), u64::MAX).unwrap();
    let mut text = Vec::new();
    std::io::Seek::rewind(&mut out).unwrap();
    out.read_to_end(&mut text).unwrap();
    (text, stop)
}

pub fn tempfile() -> File {
    let path = std::env::temp_dir().join(format!(
        "drayman-out-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    fs::remove_file(path).unwrap();
    file
}

pub fn read(path: &Path, selection: Selection, form: Form) -> String {
    let (text, _) = pump(&mut LogReader::open(path, selection, form).unwrap());
    String::from_utf8(text).unwrap()
}

/// A log whose files are moved about as a writer, or an administrator, does it.
pub struct Log {
    pub place: Place,
    files: usize,
}

impl Log {
    pub fn new(name: &str) -> Self {
        let place = Place::new(name);
        fs::write(place.log(), "").unwrap();
        Self { place, files: 1 }
    }

    pub fn path(&self) -> PathBuf {
        self.place.log()
    }

    pub fn rotated(&self, number: usize) -> PathBuf {
        self.place.0.join(format!("c-json.log.{number}"))
    }

    pub fn append(&self, text: &[u8]) {
        let mut file = OpenOptions::new().append(true).open(self.path()).unwrap();
        file.write_all(text).unwrap();
    }

    pub fn rotate(&mut self) {
        for number in (1..self.files).rev() {
            let (from, to) = (self.rotated(number), self.rotated(number + 1));
            for ending in ["", "gz"] {
                // Not every file is compressed.
                let _ = fs::rename(from.with_added(ending), to.with_added(ending));
            }
        }
        fs::rename(self.path(), self.rotated(1)).unwrap();
        fs::write(self.path(), "").unwrap();
        self.files += 1;
    }

    pub fn compress(&self, number: usize) {
        let plain = self.rotated(number);
        let Ok(text) = fs::read(&plain) else { return };
        fs::write(plain.with_added("gz"), gzip(&text, None)).unwrap();
        fs::remove_file(plain).unwrap();
    }

    /// What follows a cursor: the text, and the next one.
    pub fn page(
        &self,
        selection: Selection,
        form: Form,
        cursor: &str,
        is_last: bool,
    ) -> (Vec<u8>, String) {
        let (text, fields) = self.fields(selection, form, cursor, is_last);
        assert_eq!(fields.len(), 1, "{fields:?}");
        (text, fields[0].1.clone())
    }

    pub fn fields(
        &self,
        selection: Selection,
        form: Form,
        cursor: &str,
        is_last: bool,
    ) -> (Vec<u8>, Vec<(&'static str, String)>) {
        let cursor = (!cursor.is_empty()).then(|| Cursor::parse(cursor, &self.path()).unwrap());
        let mut reader = LogReader::resume(&self.path(), selection, form, cursor.as_ref()).unwrap();
        if is_last {
            reader.complete();
        }
        let (text, _) = pump(&mut reader);
        (text, reader.fields().unwrap())
    }
}

pub trait Ending {
    fn with_added(&self, ending: &str) -> PathBuf;
}

impl Ending for PathBuf {
    fn with_added(&self, ending: &str) -> PathBuf {
        if ending.is_empty() {
            return self.clone();
        }
        PathBuf::from(format!("{}.{ending}", self.display()))
    }
}

pub fn gzip(text: &[u8], extra: Option<&str>) -> Vec<u8> {
    let mut builder = flate2::GzBuilder::new();
    if let Some(extra) = extra {
        builder = builder.extra(extra);
    }
    let mut writer = builder.write(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

/// The records that a process's output becomes, as lines of a file; each output has a time of its own.
pub fn records(outputs: &[(Stream, Vec<u8>)]) -> Vec<Vec<u8>> {
    let place = Place::new(&format!("records{:?}", std::thread::current().id()));
    let endless = Rotation {
        max_size_bytes: None,
        max_files: 1,
    };
    let mut log = JsonFile::open(&place.log(), endless, &BTreeMap::new()).unwrap();
    for (number, (stream, text)) in outputs.iter().enumerate() {
        log.push(*stream, text, i64::try_from(number).unwrap() + 1);
    }
    log.finish(i64::MAX).unwrap();
    let text = fs::read(place.log()).unwrap();
    text.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

pub fn complete(path: &Path, selection: Selection, form: Form) -> Vec<u8> {
    let mut reader = LogReader::open(path, selection, form).unwrap();
    reader.complete();
    let (text, stop) = pump(&mut reader);
    assert_eq!(stop, Pumped::End);
    text
}
