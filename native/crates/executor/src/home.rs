//! Where a user is at home, by the container's own password file, which may be anything.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::paths::open_in_root;
use crate::sys;

/// The largest password file that is read: one that is larger is not one.
const PASSWD_BYTES_MAX: usize = 1 << 20;

/// Where the container's own password file says that `uid` is at home.
pub(crate) fn home_of(root: BorrowedFd, uid: u32) -> Option<Vec<u8>> {
    // A FIFO or a device in its place must not hold us up.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let kind = sys::status(open_passwd(root, libc::O_PATH)?.as_fd())
        .ok()?
        .st_mode
        & libc::S_IFMT;
    if kind != libc::S_IFREG {
        return None;
    }
    let file = open_passwd(root, flags)?;
    let mut text = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let length = sys::read_once(file.as_fd(), &mut buffer).ok()?;
        text.extend_from_slice(&buffer[..length]);
        if length == 0 || text.len() > PASSWD_BYTES_MAX {
            return find_home(&text, uid);
        }
    }
}

fn open_passwd(root: BorrowedFd, flags: i32) -> Option<OwnedFd> {
    open_in_root(root, b"/etc/passwd", flags).ok()
}

fn find_home(passwd: &[u8], uid: u32) -> Option<Vec<u8>> {
    let uid = uid.to_string();
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let is_it = fields.len() >= 6 && fields[2] == uid.as_bytes();
        (is_it && !fields[5].contains(&0)).then(|| fields[5].to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_found_by_number() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\n\ngarbage\nme:x:1000:1000::/home/me:\nbad:x:7:7::/a\0b:\n";
        assert_eq!(find_home(passwd, 0).unwrap(), b"/root");
        assert_eq!(find_home(passwd, 1000).unwrap(), b"/home/me");
        assert_eq!(find_home(passwd, 1), None);
        assert_eq!(find_home(passwd, 7), None);
        assert_eq!(find_home(b"", 0), None);
    }
}
