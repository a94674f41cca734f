//! Archives that are unpacked under another name than they were packed with.
use crate::error::{quoted, Error};
use crate::tar::{Entry, Kind};

/// Raise `Invalid` for what is not the name of one file.
pub(super) fn check(name: &[u8]) -> Result<(), Error> {
    let is_one = !name.contains(&b'/') && !name.contains(&0);
    if is_one && !matches!(name, b"" | b"." | b"..") {
        return Ok(());
    }
    let name = quoted(name);
    Err(Error::Invalid(format!("{name} is not the name of a file")))
}

/// Let an entry's name begin otherwise: as `docker cp` does it on its side, in links that the
/// archive has to itself, too. `./x` and `/x` come below the new name.
pub(super) fn rename(entry: &mut Entry, name: &[u8]) {
    entry.name = renamed(&entry.name, name);
    if entry.kind == Kind::HardLink {
        entry.link = renamed(&entry.link, name);
    }
}

fn renamed(old: &[u8], name: &[u8]) -> Vec<u8> {
    let end = old.iter().position(|&byte| byte == b'/');
    [name, &old[end.unwrap_or(old.len())..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_component_is_another() {
        for (old, new) in [
            ("a", "b"),
            ("a/", "b/"),
            ("a/a/a", "b/a/a"),
            ("./", "b/"),
            ("./x", "b/x"),
            ("/", "b/"),
            ("/bin/x", "b/bin/x"),
        ] {
            assert_eq!(renamed(old.as_bytes(), b"b"), new.as_bytes(), "{old}");
        }
    }

    #[test]
    fn a_name_is_of_one_file() {
        for name in ["", ".", "..", "a/b", "/", "a\0"] {
            assert!(check(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(check(b"..a").is_ok());
    }
}
