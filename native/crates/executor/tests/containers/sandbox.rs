//! A container to test with: busybox in an overlay, Docker's usual plan, everything removed in the end.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use drayman_executor::spec::{Process, Spec};
use drayman_executor::{
    CgroupLayout, CgroupMode, Container, RootSource, StartError, Started, StdioPlan,
};
use serde_json::{json, Value};

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: &[&str] = &[
    "sh", "true", "cat", "ls", "id", "tty", "mount", "sleep", "env", "hostname", "grep", "stat",
    "touch", "ip", "head", "tail", "wc", "stty", "pwd", "umask", "mkdir", "rm", "dd", "readlink",
    "kill", "ps", "chmod", "sysctl",
];
/// Below each controller, so that what is left can be found.
const CGROUPS: &str = "/drayman-test-a";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// What a process did.
#[derive(Debug)]
pub struct Outcome {
    /// 128 and the signal, for a process that was killed.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub oom: bool,
}

pub struct Sandbox {
    base: PathBuf,
    pub spec: Value,
    /// What the next process reads.
    pub stdin: String,
    pub seccomp: Option<Vec<u8>>,
    pub layout: CgroupLayout,
}

pub fn is_possible() -> bool {
    let root = fs::read_to_string("/proc/self/status")
        .unwrap()
        .contains("\nUid:\t0\t");
    root && Path::new(BUSYBOX).exists() && layout().controllers.contains_key("memory")
}

/// The host's v1 trees.
pub fn layout() -> CgroupLayout {
    let mut controllers = BTreeMap::new();
    for line in fs::read_to_string("/proc/self/mounts").unwrap().lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if fields[2] == "cgroup" {
            let known = [
                "cpu",
                "cpuacct",
                "cpuset",
                "memory",
                "devices",
                "freezer",
                "blkio",
                "pids",
                "name=systemd",
            ];
            for option in fields[3].split(',').filter(|option| known.contains(option)) {
                controllers.insert(option.to_owned(), PathBuf::from(fields[1]));
            }
        }
    }
    CgroupLayout {
        mode: CgroupMode::Hybrid,
        controllers,
        unified: None,
    }
}

/// The host's v2 tree, which on a hybrid host has no controllers but takes processes and device rules.
pub fn unified_layout() -> Option<CgroupLayout> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let unified = fields
        .filter(|fields| fields[2] == "cgroup2")
        .map(|fields| PathBuf::from(fields[1]))
        .next()?;
    Some(CgroupLayout {
        mode: CgroupMode::V2,
        controllers: BTreeMap::new(),
        unified: Some(unified),
    })
}

/// What the cases should have removed and did not.
pub fn leftovers() -> Option<String> {
    let mut left = Vec::new();
    let own = format!("{}-", std::process::id());
    let is_ours = |name: &OsStr| name.as_bytes().starts_with(own.as_bytes());
    let unified = unified_layout().and_then(|layout| layout.unified);
    for root in layout().controllers.values().chain(&unified) {
        let directory = root.join(CGROUPS.trim_start_matches('/'));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        left.extend(
            entries
                .filter(|entry| entry.path().is_dir() && is_ours(&entry.file_name()))
                .map(|entry| entry.path().display().to_string()),
        );
        let _ = fs::remove_dir(&directory);
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&format!("drayman-containers-{own}")))
            .map(str::to_owned),
    );
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    left.extend(
        targets
            .map(|path| path.display().to_string())
            .filter(|path| path.contains("pidfd")),
    );
    (!left.is_empty()).then(|| left.join("; "))
}

impl Sandbox {
    /// A container that runs `script` in a shell.
    pub fn shell(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    pub fn new(args: &[&str]) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let base = std::env::temp_dir().join(format!("drayman-containers-{name}"));
        for directory in ["lower/bin", "lower/etc", "lower/tmp", "upper", "work"] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        fs::copy(BUSYBOX, base.join("lower/bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", base.join("lower/bin").join(applet)).unwrap();
        }
        let passwd = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";
        fs::write(base.join("lower/etc/passwd"), passwd).unwrap();
        Self {
            base,
            spec: plan(args, &format!("{CGROUPS}/{name}")),
            stdin: String::new(),
            seccomp: None,
            layout: layout(),
        }
    }

    /// A path inside the container's image.
    pub fn image(&self, path: &str) -> PathBuf {
        self.base.join("lower").join(path)
    }

    /// A path of the host, for binds and the like.
    pub fn outside(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Where the container's writes land.
    pub fn upper(&self, path: &str) -> PathBuf {
        self.base.join("upper").join(path)
    }

    pub fn cgroup_path(&self) -> &str {
        self.spec["linux"]["cgroupsPath"].as_str().unwrap()
    }

    pub fn mount(&mut self, destination: &str, kind: &str, source: &Path, options: &[&str]) {
        let mount =
            json!({"destination": destination, "type": kind, "source": source, "options": options});
        self.spec["mounts"].as_array_mut().unwrap().push(mount);
    }

    pub fn prepare(&self) -> Container {
        let spec = Spec::parse(self.spec.to_string().as_bytes()).unwrap();
        let source = RootSource::Overlay {
            lower: vec![self.base.join("lower")],
            upper: self.base.join("upper"),
            work: self.base.join("work"),
            read_only: false,
        };
        Container::prepare(spec, &source, &self.layout, self.seccomp.clone()).unwrap()
    }

    /// Runs the container to its end.
    pub fn run(&self) -> Result<Outcome, StartError> {
        let mut container = self.prepare();
        let answer = with_pipes(&self.stdin, |stdio| container.start(stdio));
        let oom = container.oom_killed();
        container.destroy().unwrap();
        answer.map(|outcome| Outcome { oom, ..outcome })
    }

    /// Runs the container while `with` does something to it, then kills it.
    pub fn run_with<T>(&self, with: impl FnOnce(&Container, &Started) -> T) -> T {
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .unwrap();
        let stdio = StdioPlan::Pipes {
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: null.as_fd(),
        };
        let mut container = self.prepare();
        let started = container.start(&stdio).unwrap();
        let answer =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| with(&container, &started)));
        // SAFETY: no memory is involved, and the process is our child, not reaped yet.
        unsafe { libc::kill(started.pid, libc::SIGKILL) };
        wait(started.pid);
        container.destroy().unwrap();
        answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs the container on a terminal to its end; gives what it showed.
    pub fn run_on_terminal(&self, size: Option<(u16, u16)>) -> (i32, String) {
        let mut container = self.prepare();
        let answer = container.start(&StdioPlan::Terminal { size });
        let answer = answer.map(|started| (started.pid, read_terminal(&started.console.unwrap())));
        let answer = answer.map(|(pid, shown)| (wait(pid), shown));
        container.destroy().unwrap();
        answer.unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Runs a further process to its end.
pub fn exec(container: &Container, process: &Value) -> Result<Outcome, StartError> {
    let process = Process::parse(process.to_string().as_bytes()).unwrap();
    with_pipes("", |stdio| container.exec(&process, stdio))
}

/// A `process` object with the rights of the usual plan.
pub fn process(args: &[&str]) -> Value {
    plan(args, "/unused")["process"].clone()
}

/// What a terminal shows until nobody has it open any more.
pub fn read_terminal(console: &OwnedFd) -> String {
    let mut shown = Vec::new();
    let mut buffer = [0u8; 1024];
    // The kernel answers EIO, not the end, when the last slave is closed.
    while let Ok(length @ 1..) = File::from(console.try_clone().unwrap()).read(&mut buffer) {
        shown.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&shown).replace("\r\n", "\n")
}

pub fn wait(pid: i32) -> i32 {
    let mut status = 0;
    assert_eq!(
        // SAFETY: the kernel writes one int.
        unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) },
        pid
    );
    if libc::WIFSIGNALED(status) {
        128 + libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    assert_eq!(
        // SAFETY: the kernel writes two descriptors.
        unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) },
        0
    );
    // SAFETY: the descriptors are new, and nobody else's.
    unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) }
}

fn with_pipes(
    stdin: &str,
    start: impl FnOnce(&StdioPlan) -> Result<Started, StartError>,
) -> Result<Outcome, StartError> {
    let ((in_read, in_write), (out_read, out_write), (err_read, err_write)) =
        (pipe(), pipe(), pipe());
    assert!(stdin.len() < 4096);
    // SAFETY: the kernel reads the text's own length.
    let written = unsafe { libc::write(in_write.as_raw_fd(), stdin.as_ptr().cast(), stdin.len()) };
    assert_eq!(written.unsigned_abs(), stdin.len());
    drop(in_write);
    let plan = StdioPlan::Pipes {
        stdin: in_read.as_fd(),
        stdout: out_write.as_fd(),
        stderr: err_write.as_fd(),
    };
    let started = start(&plan)?;
    drop((in_read, out_write, err_write));
    let (mut stdout, mut stderr) = (String::new(), String::new());
    File::from(out_read).read_to_string(&mut stdout).unwrap();
    File::from(err_read).read_to_string(&mut stderr).unwrap();
    Ok(Outcome {
        code: wait(started.pid),
        stdout,
        stderr,
        oom: false,
    })
}

/// What Docker plans when nothing is asked for.
fn plan(args: &[&str], cgroup: &str) -> Value {
    let capabilities: Vec<String> = [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
    .iter()
    .map(|name| format!("CAP_{name}"))
    .collect();
    let namespaces =
        ["mount", "network", "uts", "pid", "ipc", "cgroup"].map(|kind| json!({"type": kind}));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "args": args, "cwd": "/", "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0}, "oomScoreAdj": 0,
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
        },
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["ro", "nosuid", "noexec", "nodev"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": namespaces,
            "resources": {"devices": [
                {"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "access": "m"},
                {"allow": true, "type": "b", "access": "m"},
                {"allow": true, "type": "c", "major": 1, "access": "rwm"},
                {"allow": true, "type": "c", "major": 5, "access": "rwm"},
                {"allow": true, "type": "c", "major": 136, "access": "rwm"},
            ]},
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}
