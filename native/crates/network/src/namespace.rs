//! Network namespaces kept alive by a file they are bound to.
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use rustix::mount::{mount_bind, unmount, UnmountFlags};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType, UnshareFlags};

use crate::netlink::{Mode, Netlink};
use crate::{messages, Error};

/// Loopback is the first interface of every namespace.
const LOOPBACK_INDEX: u32 = 1;

/// Make a namespace with loopback up, bound to a file made here.
///
/// [`Error::Conflict`] when the file is there.
pub fn create_namespace(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::Conflict(format!("network namespace {shown} is there already"))
        }
        _ => Error::system(format!("make {shown}"))(source),
    })?;
    let bound = on_own_thread(|| {
        leave_namespace().map_err(Error::system("make a network namespace"))?;
        let up = messages::link_up(LOOPBACK_INDEX, None);
        Netlink::open()
            .and_then(|mut netlink| netlink.ask(Mode::Change, up))
            .map_err(Error::system(format!("bring up lo in {shown}")))?;
        mount_bind("/proc/thread-self/ns/net", path).map_err(|errno| {
            Error::system(format!("bind a network namespace to {shown}"))(errno.into())
        })
    });
    if bound.is_err() {
        // It was made above, and nothing is bound to it.
        let _ = std::fs::remove_file(path);
    }
    bound
}

/// Unbind a namespace and remove its file; harmless when either is gone. What still runs in
/// the namespace keeps it.
pub fn remove_namespace(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
        Err(errno) => return Err(Error::system(format!("unbind {shown}"))(errno.into())),
    }
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::system(format!("remove {shown}"))(source))
        }
        _ => Ok(()),
    }
}

/// Run a task inside a namespace, on a thread that ends with it.
pub(crate) fn inside<T: Send>(
    namespace: &std::fs::File,
    task: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    on_own_thread(|| {
        let fd = std::os::fd::AsFd::as_fd(namespace);
        move_into_link_name_space(fd, Some(LinkNameSpaceType::Network))
            .map_err(|errno| Error::system("enter the network namespace")(errno.into()))?;
        task()
    })
}

fn on_own_thread<T: Send>(task: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("drayman-netns".into())
            .spawn_scoped(scope, task)
            .map_err(Error::system("start a thread"))?
            .join()
            .unwrap_or_else(|_| Err(Error::Invalid("a namespace's thread panicked".into())))
    })
}

fn leave_namespace() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET changes where new sockets of this thread live and nothing that
    // another thread uses; the thread is ours and ends soon.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
}
