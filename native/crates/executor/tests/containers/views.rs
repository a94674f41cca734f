//! What a process sees around it: files, names, devices, its terminal.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::Case;

pub const CASES: &[Case] = &[
    ("hostname, domain name and pid 1", names),
    ("masked paths are empty", masked),
    ("read-only paths", read_only_paths),
    ("a read-only root", read_only_root),
    ("a plain directory as the root", plain_root),
    ("devices and links", devices),
    ("cgroup trees begin at the container", cgroups),
    ("cgroup trees without a namespace", cgroups_of_host),
    ("a terminal", terminal),
    ("loopback is up", loopback),
    ("sysctls", sysctls),
    ("namespaces joined by path", joined),
    ("a user namespace", user_namespace),
    ("propagation of the root", propagation),
];

fn names() {
    let mut sandbox = Sandbox::shell("hostname; cat /proc/sys/kernel/domainname; echo $$");
    sandbox.spec["domainname"] = json!("example");
    assert_eq!(sandbox.run().unwrap().stdout, "box\nexample\n1\n");
}

fn masked() {
    let outcome = Sandbox::shell("cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware /proc/acpi 2>/dev/null; touch /sys/firmware/x");
    let outcome = outcome.run().unwrap();
    assert!(outcome.stdout.starts_with("0\n"), "{}", outcome.stdout);
    assert!(
        outcome.stderr.contains("Read-only file system"),
        "{}",
        outcome.stderr
    );
}

fn read_only_paths() {
    let outcome =
        Sandbox::shell("echo x > /proc/sys/kernel/hostname; echo y > /proc/sys/kernel/domainname")
            .run()
            .unwrap();
    assert_eq!(
        outcome.stderr.matches("Read-only file system").count(),
        2,
        "{}",
        outcome.stderr
    );
}

fn read_only_root() {
    let mut sandbox = Sandbox::shell("touch /x; touch /dev/x && touch /new/place/x && echo made");
    sandbox.spec["root"]["readonly"] = json!(true);
    sandbox.mount("/new/place", "tmpfs", Path::new("tmpfs"), &[]);
    let outcome = sandbox.run().unwrap();
    assert_eq!(outcome.stdout, "made\n");
    assert!(
        outcome.stderr.contains("/x: Read-only file system"),
        "{}",
        outcome.stderr
    );
}

fn plain_root() {
    use drayman_executor::{spec::Spec, Container, RootSource, StdioPlan};
    use std::os::fd::AsFd;
    let sandbox = Sandbox::shell("echo hello > /written; mount | grep -c ' / '");
    let spec = Spec::parse(sandbox.spec.to_string().as_bytes()).unwrap();
    let root = RootSource::Path {
        path: sandbox.image(""),
    };
    let mut container = Container::prepare(spec, &root, &crate::sandbox::layout(), None).unwrap();
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    let stdio = StdioPlan::Pipes {
        stdin: null.as_fd(),
        stdout: null.as_fd(),
        stderr: null.as_fd(),
    };
    let started = container.start(&stdio).unwrap();
    assert_eq!(crate::sandbox::wait(started.pid), 0);
    container.destroy().unwrap();
    assert_eq!(
        fs::read_to_string(sandbox.image("written")).unwrap(),
        "hello\n"
    );
}

fn devices() {
    let script = "ls /dev; echo x > /dev/null; head -c 3 /dev/zero | wc -c; readlink /dev/ptmx; readlink /dev/stdin; \
                  stat -c %t:%T:%a /dev/mine; cat /dev/mine 2>&1 | head -c 1 | wc -c; head -c 1 /dev/other";
    let mut sandbox = Sandbox::shell(script);
    sandbox.spec["linux"]["devices"] = json!([
        {"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 0, "gid": 0},
        {"path": "/dev/other", "type": "b", "major": 7, "minor": 0, "fileMode": 0o666, "uid": 0, "gid": 0},
    ]);
    let outcome = sandbox.run().unwrap();
    let (list, rest) = outcome.stdout.split_once("zero\n").unwrap();
    assert_eq!(rest, "3\npts/ptmx\n/proc/self/fd/0\n1:5:640\n1\n");
    for name in [
        "fd", "full", "mine", "mqueue", "null", "pts", "random", "shm", "stderr", "stdout", "tty",
        "urandom",
    ] {
        assert!(
            list.lines().any(|line| line == name),
            "{name} is missing: {list}"
        );
    }
    // The device exists, and the cgroup forbids it.
    assert!(
        outcome
            .stderr
            .contains("/dev/other: Operation not permitted"),
        "{}",
        outcome.stderr
    );
}

fn cgroups() {
    let script =
        "cat /proc/self/cgroup | grep memory; cat /sys/fs/cgroup/memory/memory.limit_in_bytes; \
                  mkdir /sys/fs/cgroup/memory/x; ls /sys/fs/cgroup | wc -l";
    let mut sandbox = Sandbox::shell(script);
    sandbox.spec["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
    sandbox.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    // SAFETY: no memory is involved.
    let umask = unsafe { libc::umask(0o077) };
    let outcome = sandbox.run();
    // SAFETY: as above.
    unsafe { libc::umask(umask) };
    let outcome = outcome.unwrap();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(lines[0].ends_with(":memory:/"), "{lines:?}");
    assert_eq!(
        (lines[1], lines[2]),
        ("67108864", "9"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("Read-only file system"));
}

fn cgroups_of_host() {
    let mut sandbox =
        Sandbox::shell("cat /sys/fs/cgroup/pids/pids.max; cat /proc/self/cgroup | grep pids");
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|kind| kind["type"] != "cgroup");
    sandbox.spec["linux"]["resources"]["pids"] = json!({"limit": 50});
    let outcome = sandbox.run().unwrap();
    let path = sandbox.cgroup_path();
    assert!(
        outcome.stdout.starts_with("50\n") && outcome.stdout.trim_end().ends_with(path),
        "{}",
        outcome.stdout
    );
}

fn terminal() {
    let mut sandbox = Sandbox::shell("tty; stty size; echo hi > /dev/console; echo there > /dev/tty; stat -c %u /dev/pts/0; exit 3");
    sandbox.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let (code, shown) = sandbox.run_on_terminal(Some((33, 101)));
    assert_eq!(
        (code, shown.as_str()),
        (3, "/dev/pts/0\n33 101\nhi\nthere\n1000\n")
    );
    sandbox.spec["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| mount["destination"] != "/dev/pts");
    let mut container = sandbox.prepare();
    let answer = container.start(&drayman_executor::StdioPlan::Terminal { size: None });
    container.destroy().unwrap();
    let error = answer.unwrap_err();
    assert!(
        error
            .message
            .contains("open a terminal in the container's /dev/pts"),
        "{error}"
    );
}

fn loopback() {
    let outcome = Sandbox::shell("ip addr show lo; ip link | grep -c ': <'")
        .run()
        .unwrap();
    assert!(
        outcome.stdout.contains("127.0.0.1/8") && outcome.stdout.contains("LOOPBACK,UP"),
        "{}",
        outcome.stdout
    );
}

fn sysctls() {
    let mut sandbox =
        Sandbox::shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax");
    sandbox.spec["linux"]["sysctl"] =
        json!({"net.ipv4.ip_unprivileged_port_start": "12", "kernel.msgmax": "9000"});
    assert_eq!(sandbox.run().unwrap().stdout, "12\n9000\n");
    sandbox.spec["linux"]["sysctl"] = json!({"net.no.such": "1"});
    assert!(sandbox.run().is_err());
}

fn joined() {
    let first = Sandbox::new(&["sleep", "60"]);
    first.run_with(|_, started| {
        let mut second = Sandbox::shell(
            "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; ps | grep -c 'sleep 6[0]'",
        );
        let path = |kind: &str| format!("/proc/{}/ns/{kind}", started.pid);
        for namespace in second.spec["linux"]["namespaces"].as_array_mut().unwrap() {
            match namespace["type"].as_str().unwrap() {
                "network" => namespace["path"] = json!(path("net")),
                "ipc" => namespace["path"] = json!(path("ipc")),
                "pid" => namespace["path"] = json!(path("pid")),
                _ => {}
            }
        }
        let read = |kind: &str| fs::read_link(path(kind)).unwrap().display().to_string();
        let home = fs::read_link("/proc/self/ns/net").unwrap();
        assert_eq!(
            second.run().unwrap().stdout,
            format!("{}\n{}\n1\n", read("net"), read("ipc"))
        );
        assert_eq!(fs::read_link("/proc/self/ns/net").unwrap(), home);
    });
}

fn user_namespace() {
    let script = "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo null; ls -l /dev/zero | head -c 1; \
                  echo; cat /proc/self/oom_score_adj; ulimit -n; touch /tmp/mine && echo wrote; cat /proc/keys | wc -c";
    let mut sandbox = Sandbox::shell(script);
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    sandbox.spec["linux"]["uidMappings"] = map.clone();
    sandbox.spec["linux"]["gidMappings"] = map;
    sandbox.spec["process"]["oomScoreAdj"] = json!(55);
    sandbox.spec["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 99}]);
    // The daemon gives the layers to the mapped users.
    for path in ["tmp", "etc", "bin", ""] {
        std::os::unix::fs::chown(sandbox.image(path), Some(100_000), Some(100_000)).unwrap();
    }
    std::os::unix::fs::chown(sandbox.upper(""), Some(100_000), Some(100_000)).unwrap();
    let outcome = sandbox.run().unwrap();
    let words: Vec<&str> = outcome.stdout.split_whitespace().collect();
    let wanted = [
        "0", "0", "100000", "65536", "null", "c", "55", "99", "wrote", "0",
    ];
    assert_eq!(words, wanted, "{}", outcome.stderr);
}

fn propagation() {
    let mut sandbox = Sandbox::shell("grep ' / / ' /proc/self/mountinfo");
    assert!(!sandbox.run().unwrap().stdout.contains("shared:"));
    sandbox.spec["linux"]["rootfsPropagation"] = json!("rshared");
    assert!(sandbox.run().unwrap().stdout.contains("shared:"));
}
