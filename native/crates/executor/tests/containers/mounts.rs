//! What is mounted in a container: places of the host, and file systems of its own.

use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;
use crate::Case;

pub const CASES: &[Case] = &[
    ("binds of files and directories", binds),
    (
        "binds below binds, read-only to the bottom",
        recursive_binds,
    ),
    ("tmpfs and its options", tmpfs),
    ("tmpfs has the mode of what it covers", tmpfs_mode),
    ("tmpfs begins as what it covers", copy_up),
];

fn binds() {
    let mut sandbox = Sandbox::shell(
        "cat /a/file /b; echo 2 > /a/file; echo 3 > /b; cat /a/file; grep -c ' /b ' /proc/mounts",
    );
    fs::create_dir(sandbox.outside("volume")).unwrap();
    fs::write(sandbox.outside("volume/file"), "1\n").unwrap();
    let volume = sandbox.outside("volume");
    sandbox.mount("/a", "bind", &volume, &["rbind", "rprivate"]);
    sandbox.mount(
        "/b",
        "bind",
        &volume.join("file"),
        &["rbind", "rprivate", "ro"],
    );
    let outcome = sandbox.run().unwrap();
    assert_eq!(outcome.stdout, "1\n1\n2\n1\n");
    assert!(
        outcome.stderr.contains("/b: Read-only file system"),
        "{}",
        outcome.stderr
    );
    sandbox.mount("/etc/passwd", "bind", &volume, &["rbind"]);
    let error = sandbox.run().unwrap_err();
    assert!(
        error
            .message
            .contains("not a directory: Are you trying to mount a directory onto a file"),
        "{error}"
    );
    assert_eq!(error.exit_code, 126);
    sandbox.mount("/c", "bind", Path::new("/no/such/place"), &["rbind"]);
    assert_eq!(sandbox.run().unwrap_err().exit_code, 127);
}

fn recursive_binds() {
    let script = "touch /v/x; touch /v/below/x; touch /v/once/below/y && echo wrote";
    for (option, writes) in [("ro", true), ("rro", false)] {
        let mut sandbox = Sandbox::shell(script);
        fs::create_dir(sandbox.outside("source")).unwrap();
        // A mount inside the source, made by the host's namespace of this test.
        fs::create_dir(sandbox.outside("source/once")).unwrap();
        fs::create_dir(sandbox.outside("source/below")).unwrap();
        let source = sandbox.outside("source");
        sandbox.mount("/outer", "tmpfs", Path::new("tmpfs"), &[]);
        sandbox.mount("/v", "bind", &source, &["rbind", "rprivate", option]);
        let inner =
            std::ffi::CString::new(sandbox.outside("source/once").to_str().unwrap()).unwrap();
        let tmpfs = c"tmpfs".as_ptr();
        // SAFETY: the strings are C strings.
        let mounted = unsafe { libc::mount(tmpfs, inner.as_ptr(), tmpfs, 0, std::ptr::null()) };
        assert_eq!(mounted, 0);
        fs::create_dir(sandbox.outside("source/once/below")).unwrap();
        let outcome = sandbox.run();
        assert_eq!(
            // SAFETY: the path is a C string.
            unsafe { libc::umount2(inner.as_ptr(), libc::MNT_DETACH) },
            0
        );
        assert_eq!(
            outcome.unwrap().stdout.contains("wrote"),
            writes,
            "{option}"
        );
    }
}

fn tmpfs() {
    let mut sandbox = Sandbox::shell("stat -c %a /t; grep ' /t ' /proc/mounts; touch /r/x");
    sandbox.mount(
        "/t",
        "tmpfs",
        Path::new("tmpfs"),
        &["nosuid", "noexec", "mode=1700", "size=1m"],
    );
    sandbox.mount("/r", "tmpfs", Path::new("tmpfs"), &["ro"]);
    let outcome = sandbox.run().unwrap();
    assert_eq!(
        outcome.stdout,
        "1700\ntmpfs /t tmpfs rw,nosuid,noexec,relatime,size=1024k,mode=1700 0 0\n"
    );
    assert!(outcome.stderr.contains("Read-only file system"));
    sandbox.mount("/bad", "tmpfs", Path::new("tmpfs"), &["sise=1"]);
    assert!(sandbox
        .run()
        .unwrap_err()
        .message
        .contains("error mounting \"tmpfs\" to rootfs at \"/bad\": invalid argument"));
}

fn tmpfs_mode() {
    use std::os::unix::fs::PermissionsExt;
    let mut sandbox = Sandbox::shell("stat -c %a /covered /told /new");
    for place in ["covered", "told"] {
        fs::create_dir(sandbox.image(place)).unwrap();
        let mode = fs::Permissions::from_mode(0o3750);
        fs::set_permissions(sandbox.image(place), mode).unwrap();
    }
    sandbox.mount("/covered", "tmpfs", Path::new("tmpfs"), &[]);
    sandbox.mount("/told", "tmpfs", Path::new("tmpfs"), &["mode=700"]);
    sandbox.mount("/new", "tmpfs", Path::new("tmpfs"), &[]);
    for start in ["first", "second"] {
        let seen = sandbox.run().unwrap().stdout;
        assert_eq!(seen, "3750\n700\n1777\n", "{start} start");
    }
}

fn copy_up() {
    let mut sandbox = Sandbox::shell("cat /etc/passwd | head -n 1; readlink /etc/link; stat -c %a:%u /etc/deep/file; touch /etc/new");
    fs::create_dir(sandbox.image("etc/deep")).unwrap();
    fs::write(sandbox.image("etc/deep/file"), "x").unwrap();
    std::os::unix::fs::chown(sandbox.image("etc/deep/file"), Some(7), None).unwrap();
    std::os::unix::fs::symlink("/etc/deep", sandbox.image("etc/link")).unwrap();
    sandbox.mount("/etc", "tmpfs", Path::new("tmpfs"), &["tmpcopyup"]);
    let outcome = sandbox.run().unwrap();
    assert_eq!(
        outcome.stdout, "root:x:0:0::/root:/bin/sh\n/etc/deep\n644:7\n",
        "{}",
        outcome.stderr
    );
    assert!(!sandbox.upper("etc/new").exists());
}
