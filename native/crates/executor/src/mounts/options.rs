//! A mount's options, sorted: what the mount has, what its file system is told, how it passes mounts on.

use crate::sys::{self, MountAttributes};
use crate::Error;

/// The options of one mount.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MountOptions {
    /// Changes to the mount itself.
    pub attributes: MountAttributes,
    /// Changes to it and to all that is mounted below (`rro` and the like).
    pub recursive_attributes: MountAttributes,
    /// `MS_PRIVATE` and the like, and whether for all below too.
    pub propagation: Vec<(u64, bool)>,
    pub is_bind: bool,
    /// Whether a bind shows what is mounted below its source.
    pub is_recursive: bool,
    /// Fill a tmpfs with what its mount point held.
    pub copies_up: bool,
    /// The rest, for the file system: `name` or `name=value`.
    pub data: Vec<(String, Option<String>)>,
}

/// Name without an `r` before it, bits, whether they are set or cleared.
const ATTRIBUTES: &[(&str, u64, bool)] = &[
    ("ro", sys::MOUNT_ATTR_RDONLY, true),
    ("rw", sys::MOUNT_ATTR_RDONLY, false),
    ("nosuid", sys::MOUNT_ATTR_NOSUID, true),
    ("suid", sys::MOUNT_ATTR_NOSUID, false),
    ("nodev", sys::MOUNT_ATTR_NODEV, true),
    ("dev", sys::MOUNT_ATTR_NODEV, false),
    ("noexec", sys::MOUNT_ATTR_NOEXEC, true),
    ("exec", sys::MOUNT_ATTR_NOEXEC, false),
    ("nodiratime", sys::MOUNT_ATTR_NODIRATIME, true),
    ("diratime", sys::MOUNT_ATTR_NODIRATIME, false),
    ("nosymfollow", sys::MOUNT_ATTR_NOSYMFOLLOW, true),
    ("symfollow", sys::MOUNT_ATTR_NOSYMFOLLOW, false),
];

/// How access times are kept is a number, not a bit.
const ACCESS_TIMES: &[(&str, u64)] = &[
    ("relatime", 0),
    ("atime", 0),
    ("nostrictatime", 0),
    ("noatime", sys::MOUNT_ATTR_NOATIME),
    ("norelatime", sys::MOUNT_ATTR_STRICTATIME),
    ("strictatime", sys::MOUNT_ATTR_STRICTATIME),
];

const PROPAGATIONS: &[(&str, u64)] = &[
    ("private", libc::MS_PRIVATE),
    ("slave", libc::MS_SLAVE),
    ("shared", libc::MS_SHARED),
    ("unbindable", libc::MS_UNBINDABLE),
];

impl MountOptions {
    /// Sorts the options of a mount of this type; an id-mapped mount is refused, since it would be an ordinary one.
    pub(crate) fn parse(kind: &str, options: &[String]) -> Result<Self, Error> {
        let mut sorted = Self {
            is_bind: kind == "bind",
            ..Self::default()
        };
        for option in options {
            match option.as_str() {
                "bind" => sorted.is_bind = true,
                "rbind" => (sorted.is_bind, sorted.is_recursive) = (true, true),
                "tmpcopyup" => sorted.copies_up = true,
                "defaults" | "async" | "nomand" | "nolazytime" | "remount" => {}
                "idmap" | "ridmap" => {
                    return Err(Error::Unsupported(format!(
                        "mount option {option:?} is not supported"
                    )));
                }
                _ if sorted.take_attribute(option) => {}
                _ => match parse_propagation(option) {
                    Some(propagation) => sorted.propagation.push(propagation),
                    None => sorted.data.push(match option.split_once('=') {
                        Some((name, value)) => (name.into(), Some(value.into())),
                        None => (option.clone(), None),
                    }),
                },
            }
        }
        Ok(sorted)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.attributes.set & sys::MOUNT_ATTR_RDONLY != 0
    }

    fn take_attribute(&mut self, option: &str) -> bool {
        if let Some((set, clear)) = parse_attribute(option) {
            apply(&mut self.attributes, set, clear);
            return true;
        }
        let recursive = option.strip_prefix('r').and_then(parse_attribute);
        if let Some((set, clear)) = recursive {
            apply(&mut self.recursive_attributes, set, clear);
        }
        recursive.is_some()
    }
}

/// The later option wins.
fn apply(attributes: &mut MountAttributes, set: u64, clear: u64) {
    attributes.set = attributes.set & !clear | set;
    attributes.clear = attributes.clear & !set | clear;
}

/// Bits to set and to clear.
fn parse_attribute(option: &str) -> Option<(u64, u64)> {
    if let Some((_, value)) = ACCESS_TIMES.iter().find(|(name, _)| *name == option) {
        return Some((*value, sys::MOUNT_ATTR_ATIME));
    }
    let (_, bits, is_set) = ATTRIBUTES.iter().find(|(name, ..)| *name == option)?;
    Some(if *is_set { (*bits, 0) } else { (0, *bits) })
}

/// `private`, `rslave` and so on: the flag, and whether it goes for all mounts below too.
pub(crate) fn parse_propagation(option: &str) -> Option<(u64, bool)> {
    let find = |word: &str| {
        PROPAGATIONS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, flag)| *flag)
    };
    find(option)
        .map(|flag| (flag, false))
        .or_else(|| Some((find(option.strip_prefix('r')?)?, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> MountOptions {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        MountOptions::parse("tmpfs", &options).unwrap()
    }

    #[test]
    fn attributes_and_data_are_kept_apart() {
        let sorted = parse(&["nosuid", "strictatime", "mode=755", "size=65536k", "noswap"]);
        assert_eq!(
            sorted.attributes.set,
            sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_STRICTATIME
        );
        let data = [
            ("mode", Some("755")),
            ("size", Some("65536k")),
            ("noswap", None),
        ];
        let data: Vec<_> = data
            .iter()
            .map(|(name, value)| ((*name).into(), value.map(Into::into)))
            .collect();
        assert_eq!(sorted.data, data);
    }

    #[test]
    fn the_later_option_wins() {
        let sorted = parse(&["ro", "rw"]);
        assert_eq!(
            (sorted.attributes.set, sorted.attributes.clear),
            (0, sys::MOUNT_ATTR_RDONLY)
        );
        assert!(parse(&["rw", "ro"]).is_read_only());
    }

    #[test]
    fn recursive_forms() {
        let sorted = parse(&["rbind", "rro", "rprivate", "rnosuid"]);
        assert!(sorted.is_bind && sorted.is_recursive && !sorted.is_read_only());
        assert_eq!(
            sorted.recursive_attributes.set,
            sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID
        );
        assert_eq!(sorted.propagation, [(libc::MS_PRIVATE, true)]);
        assert_eq!(parse(&["slave"]).propagation, [(libc::MS_SLAVE, false)]);
        assert_eq!(parse(&["relatime"]).attributes.clear, sys::MOUNT_ATTR_ATIME);
    }

    #[test]
    fn id_mapped_mounts_are_refused() {
        assert!(MountOptions::parse("bind", &["ridmap".into()]).is_err());
    }
}
