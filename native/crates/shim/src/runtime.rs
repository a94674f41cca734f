//! Who turns the bundle into a process: our own executor, or a runtime of the host's.

use std::fs;
use std::path::Path;

use drayman_executor::spec::{Process, Spec};
use drayman_executor::{Container, Error, Inside, StartError, Started, StdioPlan};

use crate::config::Config;
use crate::oci::Oci;
use crate::open_files::OpenFiles;

/// A container that is made, started, and taken away. Its processes are this one's children.
pub trait Runtime {
    /// Start the container's first process, and return once it runs its program.
    fn start(&mut self, stdio: &StdioPlan) -> Result<Started, StartError>;

    /// Start a further process in the running container.
    fn exec(&self, process: &Process, stdio: &StdioPlan) -> Result<Started, StartError>;

    /// Where to look into the running container; None before the start.
    fn inside(&self) -> Option<Inside<'_>>;

    /// Send a signal to every process of the container.
    fn signal_all(&self, signal: i32) -> Result<(), Error>;

    /// Whether the kernel killed a process of the container for lack of memory.
    fn oom_killed(&self) -> bool;

    /// Take away whatever was made, with what still runs in it.
    fn destroy(self: Box<Self>) -> Result<(), Error>;
}

impl Runtime for Container {
    fn start(&mut self, stdio: &StdioPlan) -> Result<Started, StartError> {
        self.start(stdio)
    }

    fn exec(&self, process: &Process, stdio: &StdioPlan) -> Result<Started, StartError> {
        self.exec(process, stdio)
    }

    fn inside(&self) -> Option<Inside<'_>> {
        self.inside()
    }

    fn signal_all(&self, signal: i32) -> Result<(), Error> {
        self.signal_all(signal)
    }

    fn oom_killed(&self) -> bool {
        self.oom_killed()
    }

    fn destroy(self: Box<Self>) -> Result<(), Error> {
        (*self).destroy()
    }
}

/// Make what the container needs before its first process.
pub fn prepare(config: &Config, open_files: OpenFiles) -> Result<Box<dyn Runtime>, String> {
    let mut spec = Spec::parse(&read(&config.bundle.join("config.json"))?)
        .map_err(|error| error.to_string())?;
    if let Some(program) = &config.runtime {
        let oci = Oci::prepare(config, program, &spec.linux.cgroups_path);
        return Ok(Box::new(oci.map_err(|error| error.to_string())?));
    }
    open_files.limit(&mut spec.process);
    let filter = config.seccomp.as_deref().map(read).transpose()?;
    let container = Container::prepare(spec, &config.root, &config.cgroup, filter);
    Ok(Box::new(container.map_err(|error| error.to_string())?))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
