//! What a client is told of a path before anything is packed or unpacked.
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};

use drayman_archive::{check, stat, Error, Stat};

use crate::support::{Mounted, Root};

fn told(root: &Root, path: &str) -> Stat {
    stat(root.fd(), path.as_bytes()).unwrap()
}

fn target(root: &Root, path: &str) -> String {
    String::from_utf8(told(root, path).link_target).unwrap()
}

fn etc() -> Root {
    let root = Root::new();
    fs::create_dir(root.path("etc")).unwrap();
    fs::write(root.path("etc/hosts"), "hosts").unwrap();
    root
}

#[test]
fn a_file_is_told_in_gos_words() {
    let root = etc();
    let file = told(&root, "/etc/hosts");
    assert_eq!(
        (file.name.as_slice(), file.size_bytes),
        (b"hosts".as_slice(), 5)
    );
    assert!(!file.is_dir && file.link_target.is_empty());
    for (mode, told_mode) in [
        (0o644, 0o644),
        (0o7755, 1 << 23 | 1 << 22 | 1 << 20 | 0o755),
    ] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.path("etc/hosts"), permissions).unwrap();
        assert_eq!(told(&root, "/etc/hosts").mode, told_mode, "{mode:o}");
    }
    let directory = told(&root, "/etc");
    assert!(directory.is_dir && directory.mode >> 31 == 1);
    fs::write(root.path("null"), "").unwrap();
    let null = Mounted::bind("/dev/null".as_ref(), &root.path("null"));
    assert_eq!(told(&root, "/null").mode >> 21, 1 << 5 | 1);
    drop(null);
}

#[test]
fn a_link_is_told_with_where_it_leads_inside() {
    let root = etc();
    for (link, to, leads) in [
        ("absolute", "/etc/hosts", "/etc/hosts"),
        ("relative", "etc/../etc/hosts", "/etc/hosts"),
        ("climbing", "../../../../etc", "/etc"),
        ("outside", "../secret", "/secret"),
        ("chained", "absolute", "/etc/hosts"),
        ("broken", "/no/../where/file", "/where/file"),
    ] {
        symlink(to, root.path(link)).unwrap();
        assert_eq!(target(&root, &format!("/{link}")), leads, "{link}");
        assert_eq!(told(&root, &format!("/{link}")).mode >> 27, 1, "{link}");
    }
    // With a slash behind it, it is what it leads to.
    assert!(told(&root, "/climbing/").is_dir);
    symlink("loop", root.path("loop")).unwrap();
    assert_eq!(target(&root, "/loop"), "/loop");
    let error = stat(root.fd(), b"/loop/").unwrap_err().to_string();
    assert_eq!(error, "stat /loop/: too many levels of symbolic links");
}

#[test]
fn a_place_to_unpack_into_is_a_directory() {
    let root = etc();
    symlink("/etc", root.path("link")).unwrap();
    for path in ["/", "/etc", "/etc/", "/link", "/no/../etc"] {
        check(root.fd(), path.as_bytes()).unwrap();
    }
    let missing = check(root.fd(), b"/etc/no");
    assert!(matches!(missing, Err(Error::NotFound(path)) if path == "/etc/no"));
    let file = check(root.fd(), b"/etc/hosts");
    assert!(matches!(file, Err(Error::Invalid(text)) if text.contains("not a directory")));
}
