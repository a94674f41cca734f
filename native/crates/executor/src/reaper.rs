//! `--init`: a container's first process that is none of its own. It passes signals on to the command, which is its child,
//! buries whatever else ends in the container, and ends as the command does.

use crate::{sys, Error};

/// As Docker's is called, by name and as a path that tools look for.
const NAME: &std::ffi::CStr = c"docker-init";
const SHOWN: [&[u8]; 2] = [b"/sbin/docker-init", b"--"];

/// Returns in the child, which is to become the command. The process itself stays behind, and ends with it.
pub(crate) fn stay_behind(command: &[String]) -> Result<(), Error> {
    // In a process namespace of others' it is not the one to whom orphans come by nature.
    sys::set_process_switch(libc::PR_SET_CHILD_SUBREAPER, 1)
        .and_then(|()| sys::hold_signals())
        .map_err(Error::system("set up the init"))?;
    let command = command.iter().map(String::as_bytes);
    let shown: Vec<&[u8]> = SHOWN.into_iter().chain(command).collect();
    let Some(child) = sys::fork().map_err(Error::system("fork"))? else {
        sys::lead_foreground().map_err(Error::system("take the terminal"))?;
        sys::reset_signals();
        return Ok(());
    };
    sys::rename_self(NAME, &shown);
    // Above all the one over which the child tells whether it became the command.
    sys::close_all_but(&[]).map_err(Error::system("close descriptors"))?;
    watch_over(child)
}

fn watch_over(child: i32) -> ! {
    loop {
        let signal = sys::next_signal();
        if signal != libc::SIGCHLD {
            sys::forward(child, signal);
            continue;
        }
        while let Some((pid, status)) = sys::bury() {
            if pid == child {
                sys::exit_now(exit_code(status));
            }
        }
    }
}

/// As a shell tells it.
fn exit_code(status: i32) -> i32 {
    if libc::WIFSIGNALED(status) {
        128 + libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    }
}
