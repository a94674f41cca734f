//! Trees to tar: names, order, links, and files that are not what they were a moment ago.
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use drayman_archive::tar::{Kind, Reader};
use drayman_archive::{export, pack, Error, Packing, Sink};
use rustix::fs::{mkdirat, openat, Mode, OFlags};

use crate::support::{file, tar, Memory, Mounted, Root};

const PATH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Names, kinds, link targets and contents of an archive, in its order.
fn entries(archive: &[u8]) -> Vec<(String, Kind, String, Vec<u8>)> {
    let mut reader = Reader::new(archive);
    let mut found = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        loop {
            let piece = reader.content().unwrap();
            if piece.is_empty() {
                break;
            }
            content.extend_from_slice(piece);
            let length = piece.len();
            reader.consume(length);
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        found.push((text(entry.name), entry.kind, text(entry.link), content));
    }
    found
}

fn names(archive: &[u8]) -> Vec<String> {
    entries(archive).into_iter().map(|entry| entry.0).collect()
}

fn etc() -> Root {
    let root = Root::new();
    fs::create_dir_all(root.path("etc/deep")).unwrap();
    fs::write(root.path("etc/hosts"), "h").unwrap();
    fs::write(root.path("etc/deep/file"), "f").unwrap();
    symlink("/etc", root.path("link")).unwrap();
    root
}

#[test]
fn names_follow_dockers_table() {
    let root = etc();
    for (path, expected) in [
        (
            "/etc",
            &["etc/", "etc/deep/", "etc/deep/file", "etc/hosts"][..],
        ),
        (
            "/etc/",
            &["etc/", "etc/deep/", "etc/deep/file", "etc/hosts"],
        ),
        ("/etc/.", &["./", "./deep/", "./deep/file", "./hosts"]),
        ("/etc/hosts", &["hosts"]),
        ("/link", &["link"]),
        (
            "/link/",
            &["link/", "link/deep/", "link/deep/file", "link/hosts"],
        ),
        ("/link/.", &["./", "./deep/", "./deep/file", "./hosts"]),
        ("/link/hosts", &["hosts"]),
        (
            "/",
            &[
                "/",
                "/etc/",
                "/etc/deep/",
                "/etc/deep/file",
                "/etc/hosts",
                "/link",
            ],
        ),
    ] {
        assert_eq!(names(&root.pack(path)), expected, "{path}");
    }
    let mut sink = Memory(Vec::new());
    export(root.fd(), &Packing::default(), &mut sink).unwrap();
    let expected = ["etc/", "etc/deep/", "etc/deep/file", "etc/hosts", "link"];
    assert_eq!(names(&sink.0), expected);
    let missing = pack(root.fd(), b"/nope", &Packing::default(), &mut sink);
    assert!(matches!(missing, Err(Error::NotFound(path)) if path == "/nope"));
    let beyond = pack(root.fd(), b"/etc/hosts/", &Packing::default(), &mut sink).unwrap_err();
    assert_eq!(beyond.to_string(), "stat /etc/hosts/: not a directory");
}

#[test]
fn the_first_of_several_links_is_the_file() {
    let root = Root::new();
    fs::create_dir(root.path("d")).unwrap();
    fs::write(root.path("d/a"), "content").unwrap();
    fs::hard_link(root.path("d/a"), root.path("d/b")).unwrap();
    let packed = entries(&root.pack("/d/."));
    let expected = [
        ("./".into(), Kind::Directory, String::new(), vec![]),
        (
            "./a".into(),
            Kind::Regular,
            String::new(),
            b"content".to_vec(),
        ),
        ("./b".into(), Kind::HardLink, "./a".into(), vec![]),
    ];
    assert_eq!(packed, expected);
}

#[test]
fn sockets_are_left_out() {
    let root = Root::new();
    let _listener = UnixListener::bind(root.path("socket")).unwrap();
    fs::write(root.path("file"), "").unwrap();
    assert_eq!(names(&root.pack("/.")), ["./", "./file"]);
}

#[test]
fn an_archive_ends_in_two_blocks_without_more() {
    let root = Root::new();
    let archive = root.pack("/.");
    assert_eq!(archive.len(), 512 + 1024);
    assert!(archive[512..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_tree_of_any_depth_needs_few_descriptors() {
    let root = Root::new();
    let (depth, name) = (1000, "d".repeat(20));
    let below = |parent: &OwnedFd| openat(parent, &name, PATH, Mode::empty()).unwrap();
    let mut here = OwnedFd::from(fs::File::open(root.path("")).unwrap());
    for _ in 0..depth {
        mkdirat(&here, &name, Mode::RWXU).unwrap();
        here = below(&here);
    }
    let packed = names(&root.pack("/."));
    assert_eq!(packed.len(), depth + 1);
    assert_eq!(packed[depth].len(), 2 + depth * (name.len() + 1));
    // No path of the kernel's is that long; what was asked for fails, and says where.
    let other = Root::new();
    let error = other.unpack("/", &root.pack("/.")).unwrap_err();
    assert!(error.to_string().ends_with(": file name too long"));
    // It makes way for a file all the same.
    root.unpack("/", &tar(&[file(&name, "f")])).unwrap();
    assert_eq!(root.text(&name), "f");
}

/// A sink that does something to the tree when the first large file is sent.
struct Meddling<F> {
    memory: Memory,
    meddle: Option<F>,
}

impl<F: FnOnce()> io::Write for Meddling<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: FnOnce()> Sink for Meddling<F> {
    fn send_file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
        if let Some(meddle) = self.meddle.take() {
            meddle();
        }
        self.memory.send_file(file, offset, length)
    }
}

#[test]
fn a_file_that_shrinks_keeps_the_size_it_promised() {
    let root = Root::new();
    let size = 300 << 10;
    fs::write(root.path("big"), vec![b'x'; size]).unwrap();
    // More than is looked at ahead.
    let between: Vec<_> = (100..999).map(|number| format!("f{number}")).collect();
    for name in &between {
        fs::write(root.path(name), "").unwrap();
    }
    fs::write(root.path("gone"), "later").unwrap();
    fs::write(root.path("next"), "n").unwrap();
    let meddle = || {
        let shrinking = fs::File::options()
            .write(true)
            .open(root.path("big"))
            .unwrap();
        shrinking.set_len(5).unwrap();
        fs::remove_file(root.path("gone")).unwrap();
    };
    let mut sink = Meddling {
        memory: Memory(Vec::new()),
        meddle: Some(meddle),
    };
    let told = pack(root.fd(), b"/.", &Packing::default(), &mut sink).unwrap();
    assert_eq!(told.left_out, 1);
    assert_eq!(
        told.left_out_first,
        ["\"./gone\": no such file or directory"]
    );
    let packed = entries(&sink.memory.0);
    assert_eq!(packed[1].3.len(), size);
    assert_eq!(&packed[1].3[..7], b"xxxxx\0\0");
    // What vanished is left out, what follows is right.
    let rest = packed[2 + between.len()..].iter();
    let rest: Vec<_> = rest.map(|entry| entry.0.as_str()).collect();
    assert_eq!(rest, ["./next"]);
}

/// What a broken disk does: the file can be opened, and every read fails.
#[test]
fn a_file_that_cannot_be_read_is_left_out_whole() {
    let root = Root::new();
    for name in ["a", "b", "c"] {
        fs::write(root.path(name), name).unwrap();
    }
    // The loopback device has no speed: reading it is EINVAL.
    let unreadable = Mounted::bind("/sys/class/net/lo/speed".as_ref(), &root.path("b"));
    assert!(fs::read(root.path("b")).is_err());
    let packed = names(&root.pack("/."));
    drop(unreadable);
    assert_eq!(packed, ["./", "./a", "./c"]);
}

/// Files are opened outright where no device can be; a name mounted on is looked at first.
#[test]
fn a_tree_without_devices_is_packed_as_any_other() {
    let root = Root::new();
    for number in 0..500 {
        let directory = root.path(&format!("t/d{}", number / 7));
        fs::create_dir_all(&directory).unwrap();
        fs::write(
            directory.join(format!("f{number}")),
            vec![b'x'; number * 300],
        )
        .unwrap();
    }
    fs::write(root.path("t/hosts"), "").unwrap();
    fs::write(root.path("t/null"), "").unwrap();
    let packed = root.pack("/t/.");
    let nodev = Mounted::nodev(&root.path("t"));
    let again = root.pack("/t/.");
    let file = Mounted::bind(&root.path("t/d0/f5"), &root.path("t/hosts"));
    let device = Mounted::bind("/dev/null".as_ref(), &root.path("t/null"));
    let mounted = entries(&root.pack("/t/."));
    drop((device, file, nodev));
    assert!(packed == again);
    let kind = |name: &str| mounted.iter().find(|entry| entry.0 == name).unwrap();
    assert_eq!(kind("./hosts").3, vec![b'x'; 1500]);
    assert_eq!(kind("./null").1, Kind::CharacterDevice);
}

#[test]
fn a_file_system_of_the_kernels_own_is_not_gone_into() {
    let root = Root::new();
    fs::create_dir_all(root.path("d/proc")).unwrap();
    let proc = Mounted::bind("/proc".as_ref(), &root.path("d/proc"));
    let packed = names(&root.pack("/d/."));
    drop(proc);
    assert_eq!(packed, ["./", "./proc/"]);
}
