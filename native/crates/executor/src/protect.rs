//! Keeps the host's binary out of a container's reach.
//!
//! A process that has not become its program yet shows our own binary as `/proc/PID/exe`. Whoever can open that for
//! writing, once nobody runs it, owns the host (CVE-2019-5736). So the binary that runs is one that cannot be written.

use std::env;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sys::{self, StringList};
use crate::{overlay, Error};

/// Tells the program that it runs sealed. Only who starts it, the engine, can set it.
pub const SEALED: &str = "_DRAYMAN_SEALED";

/// To be called first thing in `main`, by a process of one thread: unless it was started sealed, runs this program
/// again, once, from the file that [`sealed`] makes.
pub fn seal_self() -> Result<(), Error> {
    hide_self()?;
    if env::var_os(SEALED).is_some() {
        env::remove_var(SEALED);
        return Ok(());
    }
    let binary = env::current_exe().map_err(Error::system("find the program's own file"))?;
    let file = sealed(&binary)?;
    let failed = || format!("seal {}", binary.display());
    let environment = env::vars_os().map(|(key, value)| join(key, &value));
    let environment = environment.chain([join(SEALED.into(), &"1".into())]);
    let arguments = StringList::new(env::args_os().map(|item| item.as_bytes().to_vec()));
    let lists = arguments.and_then(|arguments| Ok((arguments, StringList::new(environment)?)));
    let (arguments, environment) = lists.map_err(Error::system(failed()))?;
    Err(Error::System(
        failed(),
        sys::execute_descriptor(file.as_fd(), &arguments, &environment),
    ))
}

/// A program's file, to be executed, in an overlay mount that has no upper directory and so cannot be written by
/// anyone, nor made writable. The mount is attached nowhere, and its pages are those of the file itself, so they are
/// shared by all who run it (those of a sealed memfd each would not be).
///
/// Where there is no overlayfs, a sealed copy in memory.
pub fn sealed(binary: &Path) -> Result<OwnedFd, Error> {
    let failed = || format!("seal {}", binary.display());
    let (directory, name) = (binary.parent(), binary.file_name());
    let (Some(directory), Some(name)) = (directory, name) else {
        return Err(Error::Spec(failed()));
    };
    // An overlay without an upper directory wants two lower ones. The second may be any that every host has, on a file
    // system that overlayfs takes; only the first is looked into.
    let lower: [PathBuf; 2] = [directory.into(), "/dev".into()];
    let file = match overlay::mount_sealed(&lower) {
        Ok(view) => sys::open_how(
            view.as_fd(),
            name.as_bytes(),
            libc::O_PATH | libc::O_NOFOLLOW,
            0,
            0,
        ),
        Err(_) => sys::sealed_copy(binary),
    };
    file.map_err(Error::system(failed()))
}

/// Takes the process out of the reach of others' eyes: its memory, descriptors and root, by `/proc` or by ptrace.
pub(crate) fn hide_self() -> Result<(), Error> {
    sys::set_process_switch(libc::PR_SET_DUMPABLE, 0).map_err(Error::system("set dumpable"))
}

fn join(mut key: OsString, value: &OsString) -> Vec<u8> {
    key.push("=");
    key.push(value);
    key.as_bytes().to_vec()
}
