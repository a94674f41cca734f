//! What a container may not use, and how it ends.

use std::fs;

use serde_json::json;

use crate::sandbox::{exec, layout, process, Sandbox};
use crate::Case;

pub const CASES: &[Case] = &[
    ("memory is limited, and the end is told", memory),
    ("an exec counts against the limit", memory_of_exec),
    ("processes are limited", pids),
    ("every process is signalled", signal_all),
    ("cgroups made inside are removed", nested),
    ("processes left in the cgroup are killed", left_behind),
    ("a bad limit leaves nothing", bad_limit),
];

fn memory() {
    let mut sandbox = Sandbox::new(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    sandbox.spec["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    let outcome = sandbox.run().unwrap();
    assert_eq!((outcome.code, outcome.oom), (137, true));
    sandbox.spec["process"]["args"] = json!(["true"]);
    let outcome = sandbox.run().unwrap();
    assert_eq!((outcome.code, outcome.oom), (0, false));
}

fn memory_of_exec() {
    let mut sandbox = Sandbox::new(&["sleep", "60"]);
    sandbox.spec["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    sandbox.run_with(|container, _| {
        let outcome = exec(
            container,
            &process(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]),
        );
        assert_eq!(outcome.unwrap().code, 137);
        assert!(container.oom_killed());
    });
}

fn pids() {
    let mut sandbox = Sandbox::shell("for i in 1 2 3 4 5 6; do sleep 1 & done; wait");
    sandbox.spec["linux"]["resources"]["pids"] = json!({"limit": 4});
    let outcome = sandbox.run().unwrap();
    assert!(
        outcome.stderr.contains("Resource temporarily unavailable"),
        "{}",
        outcome.stderr
    );
}

fn signal_all() {
    let mut sandbox = Sandbox::shell("sleep 60 & sleep 61 & wait");
    // Without a process namespace of its own nothing else would end them.
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|kind| kind["type"] != "pid");
    let procs = layout().controllers["pids"]
        .join(&sandbox.cgroup_path()[1..])
        .join("cgroup.procs");
    sandbox.run_with(|container, _| {
        while fs::read_to_string(&procs).unwrap().lines().count() < 3 {
            std::thread::yield_now();
        }
        container.signal_all(libc::SIGKILL).unwrap();
        while fs::read_to_string(&procs).unwrap().lines().count() > 1 {
            std::thread::yield_now();
        }
    });
}

fn nested() {
    let mut sandbox =
        Sandbox::shell("mkdir -p /sys/fs/cgroup/memory/a/b /sys/fs/cgroup/pids/c && echo made");
    for mount in sandbox.spec["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "cgroup" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    assert_eq!(sandbox.run().unwrap().stdout, "made\n");
    assert!(!layout().controllers["memory"]
        .join(&sandbox.cgroup_path()[1..])
        .exists());
}

fn left_behind() {
    let mut sandbox = Sandbox::shell("sleep 60 >/dev/null 2>&1 &");
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|kind| kind["type"] != "pid");
    assert_eq!(sandbox.run().unwrap().code, 0);
    assert!(!layout().controllers["memory"]
        .join(&sandbox.cgroup_path()[1..])
        .exists());
}

fn bad_limit() {
    use drayman_executor::{spec::Spec, Container, RootSource};
    let mut sandbox = Sandbox::new(&["true"]);
    sandbox.spec["linux"]["resources"]["cpu"] = json!({"cpus": "99999"});
    let spec = Spec::parse(sandbox.spec.to_string().as_bytes()).unwrap();
    let root = RootSource::Path {
        path: sandbox.image(""),
    };
    let error = Container::prepare(spec, &root, &layout(), None).unwrap_err();
    assert!(error.to_string().contains("cpuset.cpus"), "{error}");
    assert!(!layout().controllers["memory"]
        .join(&sandbox.cgroup_path()[1..])
        .exists());
}
