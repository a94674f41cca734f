//! The walk through two whole trees that the fast one must agree with: moby's algorithm
//! (go-archive `changes.go`), as plainly as it can be put.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use drayman_changes::{Change, Kind};
use rustix::fs::lgetxattr;

pub fn changes(old: &Path, new: &Path) -> Vec<Change> {
    let mut found = Vec::new();
    compare(Some(old), new, b"", true, &mut found);
    found.sort();
    found
}

fn compare(old: Option<&Path>, new: &Path, path: &[u8], added: bool, found: &mut Vec<Change>) {
    let before = found.len();
    let old_names = old.map(names).unwrap_or_default();
    let new_names = names(new);
    for name in new_names.keys() {
        let path = [path, name.as_bytes()].join(&b'/');
        let (child, was) = (new.join(name), old.map(|old| old.join(name)));
        let was = was.filter(|_| old_names.contains_key(name));
        let kind = match &was {
            None => Some(Kind::Added),
            Some(was) => differ(was, &child).then_some(Kind::Modified),
        };
        if let Some(kind) = kind {
            let path = path.clone();
            found.push(change(path, kind));
        }
        if new_names[name] {
            let was = was.filter(|_| old_names[name]);
            compare(was.as_deref(), &child, &path, kind.is_some(), found);
        }
    }
    for name in old_names
        .keys()
        .filter(|name| !new_names.contains_key(*name))
    {
        let path = [path, name.as_bytes()].join(&b'/');
        let kind = Kind::Deleted;
        found.push(change(path, kind));
    }
    if found.len() > before && !added && !path.is_empty() {
        let (path, kind) = (path.to_vec(), Kind::Modified);
        found.push(change(path, kind));
    }
}

pub fn change(path: Vec<u8>, kind: Kind) -> Change {
    Change {
        path,
        kind,
        facts: None,
    }
}

/// The names in a directory, and whether each is one.
fn names(directory: &Path) -> BTreeMap<OsString, bool> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name(), entry.file_type().unwrap().is_dir()))
        .collect()
}

fn differ(old: &Path, new: &Path) -> bool {
    let (was, is) = (
        old.symlink_metadata().unwrap(),
        new.symlink_metadata().unwrap(),
    );
    let same_time = was.mtime() == is.mtime()
        && (was.mtime_nsec() == is.mtime_nsec() || was.mtime_nsec() == 0 || is.mtime_nsec() == 0);
    (was.mode(), was.uid(), was.gid(), was.rdev()) != (is.mode(), is.uid(), is.gid(), is.rdev())
        || (!is.is_dir() && (was.size() != is.size() || !same_time))
        || capability(old) != capability(new)
}

fn capability(path: &Path) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    let length = lgetxattr(path, "security.capability", &mut value).ok()?;
    Some(value[..length].to_vec())
}
