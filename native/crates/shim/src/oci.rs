//! A runtime of the host's (runc, crun and their like) that makes containers by the OCI command line.
//!
//! It comes and goes with each question; what it starts is left to us, who reap it as we do what we start.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drayman_executor::spec::Process;
use drayman_executor::{Cgroup, Error, Inside, StartError, Started, StdioPlan};
use rustix::fs::Mode;
use rustix::process::{pidfd_open, umask, Pid, PidfdFlags};
use serde::Deserialize;

use crate::adoption::Adoption;
use crate::config::Config;
use crate::console::ConsoleSocket;
use crate::requests::HOST_FAILED;
use crate::runtime::Runtime;

const CREATE_FAILED: &str =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: ";
const EXEC_FAILED: &str = "OCI runtime exec failed: ";
/// What runtimes make in a container is for its users to read, unlike what we make on the host.
const UMASK: Mode = Mode::from_raw_mode(0o022);
/// Where, beside the shim's socket, a runtime keeps its own records of the container.
const PLACE: &str = "oci";

#[derive(Debug)]
pub struct Oci {
    program: PathBuf,
    id: String,
    bundle: PathBuf,
    place: PathBuf,
    cgroup: Cgroup,
    init: Option<(i32, OwnedFd)>,
}

/// A line of a runtime's log.
#[derive(Deserialize)]
struct Line {
    level: String,
    msg: String,
}

/// Why a runtime did not do it.
enum Failure {
    /// In its own words.
    Told(String),
    /// It could not be asked, or was not understood.
    Host(String),
}

impl Oci {
    /// Mount the container's root at the bundle's `rootfs`, where only we and the runtime see it.
    pub fn prepare(config: &Config, program: &Path, cgroup: &str) -> Result<Self, Error> {
        let failed = |what: &Path| {
            let what = what.display().to_string();
            move |error| Error::System(what, error)
        };
        let place = config.socket.with_file_name(PLACE);
        let root = config.bundle.join("rootfs");
        for directory in [&place, &root] {
            fs::create_dir_all(directory).map_err(failed(directory))?;
        }
        config.root.mount_at(&root)?;
        Ok(Self {
            program: program.to_owned(),
            id: config.id.clone(),
            bundle: config.bundle.clone(),
            place,
            cgroup: Cgroup::find(&config.cgroup, cgroup)?,
            init: None,
        })
    }

    /// Have it make a process, which becomes our child when it has gone.
    fn launch(&self, verb: &[&OsStr], stdio: &StdioPlan) -> Result<Started, Failure> {
        let pid_file = self.place.join("pid");
        let mut arguments = [verb, &["--pid-file".as_ref(), pid_file.as_ref()]].concat();
        let (streams, console) = match stdio {
            StdioPlan::Pipes {
                stdin,
                stdout,
                stderr,
            } => {
                let copy = |one: &BorrowedFd| one.try_clone_to_owned().map(Stdio::from);
                ([copy(stdin)?, copy(stdout)?, copy(stderr)?], None)
            }
            StdioPlan::Terminal { size } => (
                nowhere(),
                Some((ConsoleSocket::listen(&self.place)?, *size)),
            ),
        };
        let address = console.as_ref().map(|(socket, _)| socket.address());
        if let Some(address) = &address {
            arguments.extend(["--console-socket".as_ref(), address.as_os_str()]);
        }
        let adoption = Adoption::begin()?;
        let launched = self
            .run(&arguments, streams)
            .and_then(|()| pid_in(&pid_file));
        adoption.end(launched.as_ref().ok().copied())?;
        let pid = launched?;
        Ok(Started {
            pid: pid.as_raw_nonzero().get(),
            // It is our child and not reaped, so the number is still its own.
            pidfd: pidfd_open(pid, PidfdFlags::empty())?,
            console: console
                .map(|(socket, size)| socket.receive(size))
                .transpose()?,
        })
    }

    /// Run it, and wait until it has done what it was asked.
    fn run(&self, verb: &[&OsStr], streams: [Stdio; 3]) -> Result<(), Failure> {
        let log = self.place.join("log");
        File::create(&log)?;
        let [stdin, stdout, stderr] = streams;
        let mut command = Command::new(&self.program);
        command
            .arg("--root")
            .arg(self.place.join("state"))
            .arg("--log")
            .arg(&log)
            .args(["--log-format", "json"])
            .args(verb)
            .arg(&self.id)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        let ours = umask(UMASK);
        let status = command.status();
        umask(ours);
        let status = status
            .map_err(|error| Failure::Host(format!("{}: {error}", self.program.display())))?;
        if status.success() {
            return Ok(());
        }
        let told = fs::read_to_string(&log)?;
        let mut errors = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
            .filter(|line| line.level == "error");
        let last = errors
            .next_back()
            .map(|line| Failure::Told(as_go_says(&line.msg)));
        Err(last.unwrap_or_else(|| Failure::Host(format!("{}: {status}", self.program.display()))))
    }
}

impl Runtime for Oci {
    fn start(&mut self, stdio: &StdioPlan) -> Result<Started, StartError> {
        let create = ["create", "--bundle"].map(OsStr::new);
        let create = [create.as_slice(), &[self.bundle.as_os_str()]].concat();
        let failed = |failure: Failure| failure.of(CREATE_FAILED);
        let started = self.launch(&create, stdio).map_err(failed)?;
        self.run(&["start".as_ref()], nowhere()).map_err(failed)?;
        let copy = started.pidfd.try_clone().map_err(Failure::from);
        self.init = Some((started.pid, copy.map_err(failed)?));
        Ok(started)
    }

    fn exec(&self, process: &Process, stdio: &StdioPlan) -> Result<Started, StartError> {
        let plan = self.place.join("process.json");
        let written = serde_json::to_vec(process).map_err(io::Error::from);
        written
            .and_then(|text| fs::write(&plan, text))
            .map_err(Failure::from)
            .and_then(|()| {
                let exec = ["exec", "--detach", "--process"].map(OsStr::new);
                self.launch(&[exec.as_slice(), &[plan.as_os_str()]].concat(), stdio)
            })
            .map_err(|failure| failure.of(EXEC_FAILED))
    }

    fn inside(&self) -> Option<Inside<'_>> {
        self.init.as_ref().map(|(pid, pidfd)| Inside {
            pid: *pid,
            pidfd: pidfd.as_fd(),
        })
    }

    fn signal_all(&self, signal: i32) -> Result<(), Error> {
        self.cgroup.signal_all(signal)
    }

    fn oom_killed(&self) -> bool {
        self.cgroup.oom_killed()
    }

    fn destroy(self: Box<Self>) -> Result<(), Error> {
        // Where it has not made the container, it has nothing to delete, and says so.
        let delete = ["delete", "--force"].map(OsStr::new);
        if let Err(Failure::Host(why)) = self.run(&delete, nowhere()) {
            eprintln!("drayman-shim: {why}");
        }
        self.cgroup.remove()?;
        let failed = |error| Error::System(self.place.display().to_string(), error);
        fs::remove_dir_all(&self.place).map_err(failed)
    }
}

impl Failure {
    fn of(self, prefix: &str) -> StartError {
        match self {
            Self::Told(text) => StartError::new(format!("{prefix}{text}: unknown")),
            Self::Host(text) => StartError {
                message: format!("{prefix}{text}: unknown"),
                exit_code: HOST_FAILED,
            },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Host(error.to_string())
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Host(io::Error::from(error).to_string())
    }
}

fn pid_in(file: &Path) -> Result<Pid, Failure> {
    let text = fs::read_to_string(file)?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| Failure::Host(format!("{}: {text:?}", file.display())))
}

/// The kernel's words at the end begin with a small letter in Go, by which clients know them.
fn as_go_says(message: &str) -> String {
    let Some((what, why)) = message.rsplit_once(": ") else {
        return message.to_owned();
    };
    let mut letters = why.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    format!("{what}: {}", first.chain(letters).collect::<String>())
}

fn nowhere() -> [Stdio; 3] {
    [Stdio::null(), Stdio::null(), Stdio::null()]
}
