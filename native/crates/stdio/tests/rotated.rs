//! What becomes of a log's older files: their names, their being compressed, and what a full disk leaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use drayman_stdio::{compress, JsonFile, Rotation, Stream};
use flate2::read::GzDecoder;

const SECOND_NS: i64 = 1_000_000_000;
/// Each record begins a new file.
const TINY: Rotation = Rotation {
    max_size_bytes: Some(1),
    max_files: 4,
};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("drayman-rot-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> JsonFile {
    JsonFile::open(path, TINY, &BTreeMap::new()).unwrap()
}

fn say(log: &mut JsonFile, text: &str, now_ns: i64) {
    log.push(Stream::Stdout, text.as_bytes(), now_ns);
    log.flush().unwrap();
}

fn unpacked(path: &Path) -> (String, String) {
    let mut decoder = GzDecoder::new(fs::File::open(path).unwrap());
    let mut text = String::new();
    decoder.read_to_string(&mut text).unwrap();
    let extra = decoder.header().unwrap().extra().unwrap().to_vec();
    (text, String::from_utf8(extra).unwrap())
}

#[test]
fn the_next_rotation_waits_until_the_last_file_is_compressed() {
    let place = Place::new("waits");
    let mut log = open(&place.log()).compressing();
    say(&mut log, "a\n", SECOND_NS);
    assert_eq!(log.take_rotated(), None);
    say(&mut log, "b\n", 2 * SECOND_NS);
    say(&mut log, "c\n", 3 * SECOND_NS);
    assert_eq!(place.names(), ["log", "log.1"]);
    let (path, last_time) = log.take_rotated().unwrap();
    assert_eq!(log.take_rotated(), None);
    compress(&path, &last_time).unwrap();
    assert_eq!(place.names(), ["log", "log.1.gz"]);
    let (text, extra) = unpacked(&place.0.join("log.1.gz"));
    assert!(text.contains("\"a\\n\"") && text.lines().count() == 1);
    assert_eq!(extra, r#"{"lastTime":"1970-01-01T00:00:01Z"}"#);
    say(&mut log, "d\n", 4 * SECOND_NS);
    assert_eq!(fs::read_to_string(place.log()).unwrap().lines().count(), 3);
    log.compressed();
    say(&mut log, "e\n", 5 * SECOND_NS);
    assert_eq!(place.names(), ["log", "log.1", "log.2.gz"]);
    let (_, last_time) = log.take_rotated().unwrap();
    assert_eq!(last_time, "1970-01-01T00:00:04Z");
}

#[test]
fn whichever_form_a_file_has_it_keeps_its_place() {
    let place = Place::new("mixed");
    for (name, text) in [("log.1.gz", "1"), ("log.2", "2"), ("log.3", "3")] {
        fs::write(place.0.join(name), text).unwrap();
    }
    let mut log = open(&place.log());
    say(&mut log, "a\n", 1);
    say(&mut log, "b\n", 2);
    assert_eq!(place.names(), ["log", "log.1", "log.2.gz", "log.3"]);
    assert_eq!(fs::read_to_string(place.0.join("log.2.gz")).unwrap(), "1");
    assert_eq!(fs::read_to_string(place.0.join("log.3")).unwrap(), "2");
    say(&mut log, "c\n", 3);
    assert_eq!(place.names(), ["log", "log.1", "log.2", "log.3.gz"]);
}

#[test]
fn the_time_of_a_log_gone_on_with_is_known() {
    let place = Place::new("resumed");
    say(&mut open(&place.log()), "a\n", 7 * SECOND_NS);
    let mut log = open(&place.log()).compressing();
    say(&mut log, "b\n", 8 * SECOND_NS);
    let (_, last_time) = log.take_rotated().unwrap();
    assert_eq!(last_time, "1970-01-01T00:00:07Z");
}

#[test]
fn what_cannot_be_compressed_stays() {
    let place = Place::new("stays");
    fs::write(place.log(), "text").unwrap();
    // No file can be made where a directory is.
    fs::create_dir(place.0.join("log.gz.new")).unwrap();
    compress(&place.log(), "").unwrap_err();
    assert_eq!(fs::read_to_string(place.log()).unwrap(), "text");
}

#[test]
fn a_rotation_that_finds_no_room_moves_nothing() {
    let place = Place::new("room");
    fs::write(place.0.join("log.1"), "older").unwrap();
    let mut log = open(&place.log());
    say(&mut log, "a\n", 1);
    // In the way of the new file, as a full disk is.
    fs::create_dir(place.0.join("log.new")).unwrap();
    log.push(Stream::Stdout, b"b\n", 2);
    log.flush().unwrap_err();
    assert_eq!(log.lost_bytes(), 0);
    assert_eq!(fs::read_to_string(place.log()).unwrap().lines().count(), 2);
    assert_eq!(fs::read_to_string(place.0.join("log.1")).unwrap(), "older");
    fs::remove_dir(place.0.join("log.new")).unwrap();
    say(&mut log, "c\n", 3);
    assert_eq!(place.names(), ["log", "log.1", "log.2"]);
}
