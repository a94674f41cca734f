//! Paths as text: Go's `path.Clean`, and what an asked path means.

/// `path` made absolute and free of `.`, `..` and doubled slashes, as words alone: what Docker
/// does to a path before it looks at any file.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 1);
    for part in parts(path) {
        if part == b".." {
            let keep = out.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            out.truncate(keep);
        } else {
            out.push(b'/');
            out.extend_from_slice(part);
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// An entry's name relative to the place of extraction; empty for the place itself.
/// None when it climbs out of it.
pub(crate) fn entry_name(name: &[u8]) -> Option<Vec<u8>> {
    let absolute = name.first() == Some(&b'/');
    if !absolute {
        let mut depth = 0_usize;
        for part in parts(name) {
            depth = if part == b".." {
                depth.checked_sub(1)?
            } else {
                depth + 1
            };
        }
    }
    Some(clean(name).split_off(1))
}

/// The last component and what lies before it (without the slash).
pub(crate) fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// The components, `.` left out.
pub(crate) fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

/// A path as a client asks for it: `/etc`, `/etc/` and `/etc/.` differ in what they name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What the kernel is given: it ends in a slash when the last component is to be followed.
    pub resolve: Vec<u8>,
    /// The last element as asked: a name, `.` or `/`.
    pub base: Vec<u8>,
}

impl Asked {
    pub(crate) fn new(path: &[u8]) -> Asked {
        let mut resolve = clean(path);
        let last = path
            .rsplit(|&byte| byte == b'/')
            .find(|part| !part.is_empty());
        let names_here = path.is_empty() || last == Some(b".");
        let base = if names_here {
            b".".to_vec()
        } else if resolve == b"/" {
            b"/".to_vec()
        } else {
            split_last(&resolve).1.to_vec()
        };
        let follow = names_here || path.ends_with(b"/");
        if follow && resolve != b"/" {
            resolve.push(b'/');
        }
        Asked { resolve, base }
    }

    /// What the names below a directory begin with, and the directory's own name.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        let mut prefix = self.base.clone();
        if prefix != b"/" {
            prefix.push(b'/');
        }
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_dockers_table() {
        for (path, resolve, base, prefix) in [
            ("/etc", "/etc", "etc", "etc/"),
            ("/etc/", "/etc/", "etc", "etc/"),
            ("/etc/.", "/etc/", ".", "./"),
            ("/etc/./", "/etc/", ".", "./"),
            ("/", "/", "/", "/"),
            ("//", "/", "/", "/"),
            ("/etc/..", "/", "/", "/"),
            (".", "/", ".", "./"),
            ("./", "/", ".", "./"),
            ("/.", "/", ".", "./"),
            ("/./", "/", ".", "./"),
            ("etc/hosts", "/etc/hosts", "hosts", "hosts/"),
            ("a/../../b//c/", "/b/c/", "c", "c/"),
        ] {
            let asked = Asked::new(path.as_bytes());
            assert_eq!(asked.resolve, resolve.as_bytes(), "{path}");
            assert_eq!(asked.base, base.as_bytes(), "{path}");
            assert_eq!(asked.prefix(), prefix.as_bytes(), "{path}");
        }
    }

    #[test]
    fn entry_names_stay_inside() {
        for (name, clean) in [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("/a/../../b", Some("b")),
            ("a/../b", Some("b")),
            ("./", Some("")),
            ("/", Some("")),
            ("..", None),
            ("a/../../b", None),
        ] {
            let expected = clean.map(|clean| clean.as_bytes().to_vec());
            assert_eq!(entry_name(name.as_bytes()), expected, "{name}");
        }
    }
}
