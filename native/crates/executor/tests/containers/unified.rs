//! cgroup v2, live: where processes are born, what devices they may use, how they end.

use std::fs;

use serde_json::json;

use crate::sandbox::{exec, process, unified_layout, Sandbox};
use crate::Case;

pub const CASES: &[Case] = &[
    ("v2: processes are born in their cgroup", born),
    ("v2: devices are held back by a program", devices),
    ("v2: all are killed at once, and nothing is left", killed),
    ("v2: an exec follows a container that moved", moved),
];

fn sandbox(script: &str) -> Option<Sandbox> {
    let mut sandbox = Sandbox::shell(script);
    sandbox.layout = unified_layout()?;
    Some(sandbox)
}

fn born() {
    let Some(mut sandbox) =
        sandbox("cat /proc/self/cgroup | grep ^0; cat /sys/fs/cgroup/cgroup.procs | head -n 1")
    else {
        return;
    };
    assert_eq!(sandbox.run().unwrap().stdout, "0::/\n1\n");
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|kind| kind["type"] != "cgroup");
    let wanted = format!("0::{}\n1\n", sandbox.cgroup_path());
    assert_eq!(sandbox.run().unwrap().stdout, wanted);
}

fn devices() {
    let Some(mut sandbox) =
        sandbox("echo x > /dev/null; head -c 1 /dev/zero | wc -c; head -c 1 /dev/other")
    else {
        return;
    };
    sandbox.spec["linux"]["devices"] =
        json!([{"path": "/dev/other", "type": "b", "major": 7, "minor": 0, "fileMode": 0o666}]);
    let outcome = sandbox.run().unwrap();
    assert_eq!(outcome.stdout, "1\n");
    assert!(
        outcome
            .stderr
            .contains("/dev/other: Operation not permitted"),
        "{}",
        outcome.stderr
    );
}

fn killed() {
    let Some(mut sandbox) = sandbox("sleep 60 & sleep 60 & wait") else {
        return;
    };
    sandbox.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|kind| kind["type"] != "pid");
    let directory = sandbox
        .layout
        .unified
        .clone()
        .unwrap()
        .join(&sandbox.cgroup_path()[1..]);
    sandbox.run_with(|container, _| {
        while fs::read_to_string(directory.join("cgroup.procs"))
            .unwrap()
            .lines()
            .count()
            < 3
        {
            std::thread::yield_now();
        }
        container.signal_all(libc::SIGKILL).unwrap();
    });
    assert!(!directory.exists());
}

fn moved() {
    // As systemd does: processes in a leaf of their own.
    let script = "mkdir /sys/fs/cgroup/leaf && echo 1 > /sys/fs/cgroup/leaf/cgroup.procs; sleep 60";
    let Some(mut sandbox) = sandbox(script) else {
        return;
    };
    for mount in sandbox.spec["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "cgroup" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    let directory = sandbox
        .layout
        .unified
        .clone()
        .unwrap()
        .join(&sandbox.cgroup_path()[1..]);
    sandbox.run_with(|container, _| {
        while fs::read_to_string(directory.join("leaf/cgroup.procs"))
            .unwrap_or_default()
            .is_empty()
        {
            std::thread::yield_now();
        }
        let outcome = exec(container, &process(&["grep", "^0", "/proc/self/cgroup"])).unwrap();
        // Without controllers the cgroup itself takes processes as well.
        assert!(
            ["0::/\n", "0::/leaf\n"].contains(&outcome.stdout.as_str()),
            "{}",
            outcome.stdout
        );
    });
    assert!(!directory.exists());
}
