//! Further processes in a running container.

use std::fs;

use drayman_executor::spec::Process;
use drayman_executor::StdioPlan;
use serde_json::json;

use crate::sandbox::{exec, process, read_terminal, wait, Sandbox};
use crate::Case;

pub const CASES: &[Case] = &[
    ("an exec is inside in every way", inside),
    ("an exec's user, directory and exit code", identity),
    ("an exec on a terminal", terminal),
    ("an exec that cannot be run", refused),
    ("an exec shares the container's filter", seccomp),
    ("an exec into a user namespace", user_namespace),
    ("an exec into a container that has ended", ended),
    ("no helper is left", no_zombies),
];

fn sleeper() -> Sandbox {
    Sandbox::new(&["sleep", "60"])
}

fn inside() {
    sleeper().run_with(|container, started| {
        let script = "for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; \
                      cat /proc/1/cgroup /proc/self/cgroup; grep CapEff /proc/self/status; ls /proc/self/fd";
        let outcome = exec(container, &process(&["sh", "-c", script])).unwrap();
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        for (line, kind) in lines.iter().zip(["mnt", "pid", "net", "ipc", "uts", "cgroup"]) {
            let namespace = fs::read_link(format!("/proc/{}/ns/{kind}", started.pid)).unwrap();
            assert_eq!(*line, namespace.to_str().unwrap());
        }
        let own: Vec<&&str> = lines.iter().filter(|line| line.contains(":memory:")).collect();
        assert_eq!((own.len(), own[0]), (2, own[1]));
        assert!(outcome.stdout.contains("CapEff:\t00000000a80425fb"));
        assert_eq!(lines[lines.len() - 4..], ["0", "1", "2", "3"]);
    });
}

fn identity() {
    sleeper().run_with(|container, _| {
        let mut planned = process(&["sh", "-c", "id -u; pwd; echo $HOME; exit 9"]);
        planned["user"] = json!({"uid": 1000, "gid": 1000});
        planned["cwd"] = json!("/etc");
        let outcome = exec(container, &planned).unwrap();
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (9, "1000\n/etc\n/home/me\n")
        );
    });
}

fn terminal() {
    sleeper().run_with(|container, _| {
        let planned = process(&["sh", "-c", "tty; stty size; echo x > /dev/tty"]);
        let planned = Process::parse(planned.to_string().as_bytes()).unwrap();
        let started = container
            .exec(
                &planned,
                &StdioPlan::Terminal {
                    size: Some((10, 20)),
                },
            )
            .unwrap();
        assert_eq!(
            read_terminal(&started.console.unwrap()),
            "/dev/pts/0\n10 20\nx\n"
        );
        assert_eq!(wait(started.pid), 0);
    });
}

fn refused() {
    sleeper().run_with(|container, _| {
        let start = "OCI runtime exec failed: exec failed: unable to start container process: ";
        let error = exec(container, &process(&["nope"])).unwrap_err();
        let wanted = format!("{start}exec: \"nope\": executable file not found in $PATH: unknown");
        assert_eq!((error.message, error.exit_code), (wanted, 127));
        let mut planned = process(&["pwd"]);
        planned["cwd"] = json!("/nowhere");
        let error = exec(container, &planned).unwrap_err();
        let tail = "chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory: unknown";
        assert_eq!((error.message, error.exit_code), (format!("{start}{tail}"), 127));
    });
}

fn seccomp() {
    let mut sandbox = sleeper();
    // Everything is allowed; that there is a filter shows.
    sandbox.seccomp = Some(
        [
            &6u16.to_ne_bytes()[..],
            &[0, 0],
            &0x7fff_0000u32.to_ne_bytes(),
        ]
        .concat(),
    );
    sandbox.run_with(|container, _| {
        let outcome = exec(
            container,
            &process(&["grep", "Seccomp:", "/proc/self/status"]),
        )
        .unwrap();
        assert_eq!(outcome.stdout, "Seccomp:\t2\n");
    });
}

fn user_namespace() {
    let mut sandbox = sleeper();
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    sandbox.spec["linux"]["uidMappings"] = map.clone();
    sandbox.spec["linux"]["gidMappings"] = map;
    for directory in [sandbox.image(""), sandbox.upper("")] {
        std::os::unix::fs::chown(directory, Some(100_000), Some(100_000)).unwrap();
    }
    sandbox.run_with(|container, _| {
        let outcome = exec(container, &process(&["cat", "/proc/self/uid_map"])).unwrap();
        let words: Vec<&str> = outcome.stdout.split_whitespace().collect();
        assert_eq!(words, ["0", "100000", "65536"]);
    });
}

fn ended() {
    sleeper().run_with(|container, started| {
        container.signal_all(libc::SIGKILL).unwrap();
        // It is a zombie from here on, and is buried by the sandbox.
        // SAFETY: zeros are a valid siginfo.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let id = started.pid.unsigned_abs();
        // SAFETY: the kernel fills the structure.
        unsafe {
            libc::waitid(
                libc::P_PID,
                id,
                &raw mut info,
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        let error = exec(container, &process(&["true"])).unwrap_err();
        assert!(
            error
                .message
                .contains("join the container's namespaces: no such process"),
            "{error}"
        );
        assert_eq!(error.exit_code, 128);
    });
}

fn no_zombies() {
    sleeper().run_with(|container, started| {
        exec(container, &process(&["true"])).unwrap();
        exec(container, &process(&["nope"])).unwrap_err();
        let me = std::process::id();
        let children = fs::read_to_string(format!("/proc/{me}/task/{me}/children")).unwrap();
        assert_eq!(children.trim(), started.pid.to_string());
    });
}
