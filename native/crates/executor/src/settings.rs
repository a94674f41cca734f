//! What is set through the host's `/proc` before the root changes: no file of the container's is ever mistaken for it.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::spec::{Process, Rlimit};
use crate::{sys, Error};

const PROC_MAGIC: u64 = 0x9fa0;

/// The specification's names and the kernel's numbers.
#[allow(clippy::unnecessary_cast)] // The type of the constants is the C library's choice.
const LIMITS: &[(&str, u32)] = &[
    ("RLIMIT_AS", libc::RLIMIT_AS as u32),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as u32),
    ("RLIMIT_CPU", libc::RLIMIT_CPU as u32),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as u32),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as u32),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS as u32),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as u32),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as u32),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as u32),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE as u32),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC as u32),
    ("RLIMIT_RSS", libc::RLIMIT_RSS as u32),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as u32),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as u32),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as u32),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as u32),
];

/// Writes one of the host's `/proc` files, and nothing but such a one.
fn write_proc(path: &str, value: &str) -> io::Result<()> {
    let file = sys::open(path.as_bytes(), libc::O_WRONLY | libc::O_NOFOLLOW)?;
    if sys::file_system(file.as_fd())? != PROC_MAGIC {
        return Err(io::Error::other("not on procfs"));
    }
    sys::write_once(file.as_fd(), value.as_bytes())
}

/// Sets kernel parameters; the namespaces that they belong to are the calling process's.
pub(crate) fn set_sysctls<'a>(
    sysctls: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<(), Error> {
    for (name, value) in sysctls {
        if name.split(['.', '/']).any(str::is_empty) {
            return Err(Error::Spec(format!("bad sysctl name {name:?}")));
        }
        // Interfaces may have dots in their names; then the plan writes slashes throughout.
        let path = if name.contains('/') {
            name.clone()
        } else {
            name.replace('.', "/")
        };
        write_proc(&format!("/proc/sys/{path}"), value)
            .map_err(|error| Error::System(format!("open /proc/sys/{path}"), error))?;
    }
    Ok(())
}

/// How readily the kernel kills `process` (a pid or `self`) when memory is short.
pub(crate) fn set_oom_score(process: &str, score: Option<i32>) -> Result<(), Error> {
    let Some(score) = score else { return Ok(()) };
    match write_proc(
        &format!("/proc/{process}/oom_score_adj"),
        &score.to_string(),
    ) {
        // Below where the engine itself stands takes CAP_SYS_RESOURCE: the container keeps the engine's own score.
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => Ok(()),
        answer => answer.map_err(Error::system("write oom_score_adj")),
    }
}

/// Sets the limits of process `pid`, 0 for our own. What we may not raise stays as high as we may.
pub(crate) fn set_resource_limits(pid: i32, limits: &[Rlimit]) -> Result<(), Error> {
    for limit in limits {
        let known = LIMITS.iter().find(|(name, _)| *name == limit.kind);
        let (_, resource) =
            known.ok_or_else(|| Error::Spec(format!("invalid rlimit type {:?}", limit.kind)))?;
        set_resource_limit(pid, *resource, limit).map_err(|error| {
            Error::System(format!("error setting rlimit type {}", limit.kind), error)
        })?;
    }
    Ok(())
}

fn set_resource_limit(pid: i32, resource: u32, limit: &Rlimit) -> io::Result<()> {
    let wanted = libc::rlimit64 {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    match sys::set_resource_limit(pid, resource, wanted) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let most = sys::resource_limit(pid, resource)?.rlim_max;
            let clamped = libc::rlimit64 {
                rlim_cur: limit.soft.min(most),
                rlim_max: limit.hard.min(most),
            };
            sys::set_resource_limit(pid, resource, clamped)
        }
        answer => answer,
    }
}

/// Names the security labels that the next program gets.
pub(crate) fn set_labels(process: &Process) -> Result<(), Error> {
    if !process.apparmor_profile.is_empty() {
        let own = "/proc/self/attr/apparmor/exec";
        // Kernels before 5.8 have no directory of AppArmor's own.
        let file = if Path::new(own).exists() {
            own
        } else {
            "/proc/self/attr/exec"
        };
        write_proc(file, &format!("exec {}", process.apparmor_profile)).map_err(Error::system(
            format!(
                "unable to apply apparmor profile {:?}",
                process.apparmor_profile
            ),
        ))?;
    }
    if !process.selinux_label.is_empty() {
        write_proc("/proc/self/attr/exec", &process.selinux_label).map_err(Error::system(
            format!("unable to apply selinux label {:?}", process.selinux_label),
        ))?;
    }
    Ok(())
}

/// Gives the ids of a new user namespace their meaning; `pid` is its first process.
pub(crate) fn map_ids(pid: i32, linux: &crate::spec::Linux) -> Result<(), Error> {
    for (file, mappings) in [
        ("uid_map", &linux.uid_mappings),
        ("gid_map", &linux.gid_mappings),
    ] {
        let lines = mappings
            .iter()
            .map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size));
        let text: String = lines.collect();
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, text).map_err(Error::system(format!("write {path}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_procfs_is_written_to() {
        assert_eq!(
            write_proc("/dev/null", "x").unwrap_err().to_string(),
            "not on procfs"
        );
    }

    #[test]
    fn sysctl_names_cannot_climb() {
        let (name, value) = ("net..x".to_owned(), "1".to_owned());
        assert!(set_sysctls([(&name, &value)]).is_err());
        let name = "net/../../self/oom_score_adj".to_owned();
        assert!(set_sysctls([(&name, &value)]).is_err());
    }
}
