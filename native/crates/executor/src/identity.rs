//! The last steps before a program runs: who it is, where it stands, what it may do, in runc's order.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::capabilities::Rights;
use crate::error::errno_text;
use crate::paths::open_in_root;
use crate::program::Program;
use crate::spec::Process;
use crate::{home, reaper, sys, Error};

/// runc's, where the plan says nothing.
const UMASK_DEFAULT: u32 = 0o022;

/// Becomes the planned program. `root` is the container's root, which must be the process's own by now. Descriptors
/// but 0, 1, 2 and `report` are closed. Returns only what went wrong.
pub(crate) fn become_program(
    process: &Process,
    seccomp: Option<&[u8]>,
    root: OwnedFd,
    report: BorrowedFd,
) -> Result<Infallible, Error> {
    let rights = Rights::of(process.capabilities.as_ref());
    let program = Program::new(process, home::home_of(root.as_fd(), process.user.uid))?;
    let stands = stand(root.as_fd(), &process.cwd)?;
    drop(root);
    keep_only_stdio_and(report)?;
    sys::set_umask(process.user.umask.unwrap_or(UMASK_DEFAULT));
    if process.no_new_privileges {
        sys::set_process_switch(libc::PR_SET_NO_NEW_PRIVS, 1)
            .map_err(Error::system("set no_new_privs"))?;
    } else {
        // Without no_new_privs it takes CAP_SYS_ADMIN, so it has to come before the rights are given up.
        filter_calls(seccomp)?;
    }
    rights.bound()?;
    become_user(process)?;
    if !stands {
        stand_as_user(&process.cwd)?;
    }
    rights.apply()?;
    let path = program.find()?;
    if process.no_new_privileges {
        // As late as can be: the filter need not allow what was called above.
        filter_calls(seccomp)?;
    }
    if process.init {
        reaper::stay_behind(&process.args)?;
    }
    Err(program.run(&path))
}

/// Closes what the program is not to have, for good: a path such as `/proc/self/fd/7` must lead nowhere from here on
/// (CVE-2024-21626).
fn keep_only_stdio_and(report: BorrowedFd) -> Result<(), Error> {
    sys::close_all_but(&[report]).map_err(Error::system("close descriptors"))
}

fn filter_calls(seccomp: Option<&[u8]>) -> Result<(), Error> {
    seccomp.map_or(Ok(()), |filter| {
        sys::install_seccomp(filter).map_err(Error::system("unable to init seccomp"))
    })
}

fn become_user(process: &Process) -> Result<(), Error> {
    let failed = |what| Error::system(format!("unable to {what}"));
    let keep_capabilities = |keep| sys::set_process_switch(libc::PR_SET_KEEPCAPS, keep);
    keep_capabilities(1).map_err(failed("set keep caps"))?;
    sys::set_groups(&process.user.additional_gids).map_err(failed("set supplementary groups"))?;
    sys::become_group(process.user.gid).map_err(failed("setgid"))?;
    sys::become_user(process.user.uid).map_err(failed("setuid"))?;
    keep_capabilities(0).map_err(failed("clear keep caps"))
}

/// Goes to the working directory; false where root may not, but the user perhaps (a network file system).
fn stand(root: BorrowedFd, cwd: &str) -> Result<bool, Error> {
    let directory = match open_in_root(root, cwd.as_bytes(), libc::O_PATH | libc::O_DIRECTORY) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => return Ok(false),
        answer => answer.map_err(|error| cwd_error(cwd, &error))?,
    };
    match sys::change_directory(directory.as_fd()) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => return Ok(false),
        answer => answer.map_err(|error| cwd_error(cwd, &error))?,
    }
    check_inside()?;
    Ok(true)
}

fn stand_as_user(cwd: &str) -> Result<(), Error> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    sys::open_how(
        sys::working_directory(),
        cwd.as_bytes(),
        flags,
        0,
        sys::RESOLVE_NO_MAGICLINKS,
    )
    .and_then(|directory| sys::change_directory(directory.as_fd()))
    .map_err(|error| cwd_error(cwd, &error))?;
    check_inside()
}

fn check_inside() -> Result<(), Error> {
    if sys::is_inside_root().map_err(Error::system("getcwd"))? {
        return Ok(());
    }
    let text = "current working directory is outside of container mount namespace root";
    Err(Error::Spec(text.into()))
}

fn cwd_error(cwd: &str, error: &io::Error) -> Error {
    let text = format!(
        "chdir to cwd ({cwd:?}) set in config.json failed: {}",
        errno_text(error)
    );
    Error::Command(text)
}
