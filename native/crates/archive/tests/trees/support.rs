//! A directory of its own for each test, tars by hand, and a sink in memory.
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, FileExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use drayman_archive::{pack, unpack, Error, Options, Packing, Sink, Summary};
use rustix::mount::{mount_bind, mount_remount, unmount, MountFlags, UnmountFlags};

/// What lies in a file beside the root.
pub const SECRET: &str = "told to no one inside";

/// A container's root with the world beside it, removed at the end.
pub struct Root {
    outer: PathBuf,
    fd: File,
    /// The world as it was made.
    beside: Vec<String>,
}

impl Root {
    pub fn new() -> Root {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("drayman-archive-{}-{number}", std::process::id());
        let outer = std::env::temp_dir().join(name);
        fs::create_dir_all(outer.join("root")).unwrap();
        fs::write(outer.join("secret"), SECRET).unwrap();
        fs::create_dir_all(outer.join("world/b")).unwrap();
        fs::write(outer.join("world/file"), "x").unwrap();
        symlink("../secret", outer.join("world/l")).unwrap();
        let fd = File::open(outer.join("root")).unwrap();
        let beside = beside(&outer);
        Root { outer, fd, beside }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.outer.join("root").join(inside)
    }

    pub fn outer(&self, name: &str) -> PathBuf {
        self.outer.join(name)
    }

    pub fn text(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap()
    }

    /// What lies beside the root is as it was made.
    pub fn assert_untouched(&self) {
        assert_eq!(beside(&self.outer), self.beside);
    }

    /// What lies in the root, for comparing with another's.
    pub fn listing(&self) -> Vec<String> {
        listing(&self.path(""))
    }

    pub fn unpack(&self, path: &str, tar: &[u8]) -> Result<Summary, Error> {
        self.unpack_with(path, tar, Options::default())
    }

    pub fn unpack_with(
        &self,
        path: &str,
        tar: &[u8],
        options: Options<'_>,
    ) -> Result<Summary, Error> {
        unpack(self.fd(), path.as_bytes(), tar, options)
    }

    pub fn pack(&self, path: &str) -> Vec<u8> {
        self.pack_with(path, &Packing::default())
    }

    pub fn pack_with(&self, path: &str, packing: &Packing) -> Vec<u8> {
        let mut sink = Memory(Vec::new());
        let packed = pack(self.fd(), path.as_bytes(), packing, &mut sink).unwrap();
        assert_eq!(packed.bytes, sink.0.len() as u64);
        sink.0
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outer);
    }
}

/// A bind mount, gone with its owner.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn bind(source: &Path, target: &Path) -> Mounted {
        mount_bind(source, target).unwrap();
        Mounted(target.to_path_buf())
    }

    /// A directory mounted on itself so that no device can be opened in it.
    pub fn nodev(target: &Path) -> Mounted {
        let mounted = Mounted::bind(target, target);
        mount_remount(target, MountFlags::BIND | MountFlags::NODEV, "").unwrap();
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

pub struct Memory(pub Vec<u8>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {
    fn send_file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
        let mut content = vec![0; usize::try_from(length).unwrap()];
        let file = File::from(file.try_clone_to_owned()?);
        let mut filled = 0;
        while filled < content.len() {
            let read = file.read_at(&mut content[filled..], offset + filled as u64)?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        self.0.extend(content);
        Ok(())
    }
}

/// One entry of a tar written by hand.
pub struct Made<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub link: &'a [u8],
    pub content: &'a [u8],
    pub mode: u32,
    pub device: (u32, u32),
}

impl Default for Made<'_> {
    fn default() -> Self {
        Made {
            name: b"",
            kind: b'0',
            link: b"",
            content: b"",
            mode: 0o644,
            device: (0, 0),
        }
    }
}

pub fn file<'a>(name: &'a str, content: &'a str) -> Made<'a> {
    Made {
        name: name.as_bytes(),
        content: content.as_bytes(),
        ..Made::default()
    }
}

pub fn directory(name: &str) -> Made<'_> {
    Made {
        name: name.as_bytes(),
        kind: b'5',
        mode: 0o755,
        ..Made::default()
    }
}

pub fn link<'a>(kind: u8, name: &'a str, target: &'a str) -> Made<'a> {
    Made {
        name: name.as_bytes(),
        kind,
        link: target.as_bytes(),
        ..Made::default()
    }
}

/// A ustar archive, with the owner of whoever runs the test.
pub fn tar(entries: &[Made<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(block(entry, |_| {}));
        out.extend_from_slice(entry.content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A header block; `change` may spoil it before its sum is made.
pub fn block(entry: &Made<'_>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut block = vec![0; 512];
    let owner = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    put(&mut block, 0, entry.name);
    put(&mut block, 100, format!("{:07o}", entry.mode).as_bytes());
    put(&mut block, 108, format!("{owner:07o}").as_bytes());
    put(&mut block, 116, format!("{group:07o}").as_bytes());
    put(
        &mut block,
        124,
        format!("{:011o}", entry.content.len()).as_bytes(),
    );
    put(&mut block, 136, b"14000000000");
    block[156] = entry.kind;
    put(&mut block, 157, entry.link);
    put(&mut block, 257, b"ustar\x0000");
    put(
        &mut block,
        329,
        format!("{:07o}", entry.device.0).as_bytes(),
    );
    put(
        &mut block,
        337,
        format!("{:07o}", entry.device.1).as_bytes(),
    );
    change(&mut block);
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An entry that describes the next: PAX records, a long name.
pub fn special(kind: u8, body: &[u8]) -> Vec<u8> {
    let entry = Made {
        name: b"described",
        kind,
        content: body,
        ..Made::default()
    };
    let mut out = block(&entry, |_| {});
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// PAX records for the next entry.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let body: Vec<u8> = records
        .iter()
        .flat_map(|(key, value)| record(key, value))
        .collect();
    special(b'x', &body)
}

pub fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length.to_string().len() + rest != length {
        length += 1;
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// All that lies beside a root, the directory itself included. Whoever changes anything of a file,
/// or gives it another name, changes the time at the end, which nobody can set.
fn beside(outer: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut lines = Vec::new();
    let mut todo = vec![outer.to_path_buf()];
    while let Some(path) = todo.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        let (seconds, nanoseconds) = (stat.ctime(), stat.ctime_nsec());
        let content = fs::read(&path).unwrap_or_default();
        let content = content.escape_ascii();
        let name = path.display();
        lines.push(format!("{name} {content} {seconds}.{nanoseconds}"));
        if stat.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            let below = entries.map(|entry| entry.unwrap().path());
            todo.extend(below.filter(|path| *path != outer.join("root")));
        }
    }
    lines.sort();
    lines
}

/// Names, metadata and contents of a tree.
fn listing(top: &Path) -> Vec<String> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let mut lines = Vec::new();
    let mut todo = vec![top.to_path_buf()];
    while let Some(path) = todo.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        let kind = stat.file_type();
        let content = if kind.is_file() {
            fs::read(&path).unwrap().escape_ascii().to_string()
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            target.as_os_str().as_bytes().escape_ascii().to_string()
        } else if kind.is_char_device() || kind.is_block_device() {
            format!("{}", stat.rdev())
        } else {
            String::new()
        };
        let (mode, uid, gid, mtime) = (stat.mode(), stat.uid(), stat.gid(), stat.mtime());
        let name = path.strip_prefix(top).unwrap().as_os_str();
        let name = name.as_bytes().escape_ascii();
        let link_count = if kind.is_dir() { 0 } else { stat.nlink() };
        lines.push(format!(
            "{name} {mode:o} {uid}:{gid} {mtime} {link_count} {content}"
        ));
        if kind.is_dir() {
            todo.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    lines.sort();
    lines
}
