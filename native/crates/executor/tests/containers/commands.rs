//! What runs, as whom, and what is said when it cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drayman_executor::StartError;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::Case;

pub const CASES: &[Case] = &[
    ("exit codes and separate streams", exit_codes),
    ("a signal's exit code", signals),
    ("stdin reaches the process", stdin),
    ("environment and HOME", environment),
    ("uid, gid, groups and umask", user),
    ("capabilities in five sets", capabilities),
    ("no_new_privs and limits", limits),
    ("working directory is made", working_directory),
    ("signals are reset", reset_signals),
    ("missing commands", missing),
    ("commands that cannot be run", unfit),
    ("a bad working directory", bad_directory),
    ("no descriptor leaks", descriptors),
    ("seccomp filters", seccomp),
];

fn exit_codes() {
    let outcome = Sandbox::shell("echo out; echo err >&2; exit 7")
        .run()
        .unwrap();
    assert_eq!(
        (
            outcome.code,
            outcome.stdout.as_str(),
            outcome.stderr.as_str()
        ),
        (7, "out\n", "err\n")
    );
}

fn signals() {
    assert_eq!(
        Sandbox::shell("sh -c 'kill -9 $$'; exit $?")
            .run()
            .unwrap()
            .code,
        137
    );
}

fn stdin() {
    let mut sandbox = Sandbox::new(&["wc", "-c"]);
    sandbox.stdin = "12345".into();
    assert_eq!(sandbox.run().unwrap().stdout.trim(), "5");
}

fn environment() {
    let mut sandbox = Sandbox::new(&["env"]);
    sandbox.spec["process"]["env"] = json!(["PATH=/bin", "A=1 2"]);
    sandbox.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    assert_eq!(
        sandbox.run().unwrap().stdout,
        "PATH=/bin\nA=1 2\nHOME=/home/me\n"
    );
    sandbox.spec["process"]["env"] = json!(["PATH=/bin", "HOME=/x"]);
    assert_eq!(sandbox.run().unwrap().stdout, "PATH=/bin\nHOME=/x\n");
    sandbox.spec["process"]["user"]["uid"] = json!(77);
    sandbox.spec["process"]["env"] = json!(["PATH=/bin"]);
    assert_eq!(sandbox.run().unwrap().stdout, "PATH=/bin\nHOME=/\n");
}

fn user() {
    let mut sandbox = Sandbox::shell(
        "id -u; id -g; id -G; umask; cat /proc/self/oom_score_adj; echo >/dev/stdout",
    );
    sandbox.spec["process"]["user"] =
        json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o27});
    sandbox.spec["process"]["oomScoreAdj"] = json!(123);
    let outcome = sandbox.run().unwrap();
    assert_eq!(
        outcome.stdout, "1000\n1001\n1001 5 6\n0027\n123\n\n",
        "{}",
        outcome.stderr
    );
}

fn status(sandbox: &Sandbox, field: &str) -> String {
    let outcome = sandbox.run().unwrap();
    let line = outcome.stdout.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1))
        .unwrap_or_default()
        .to_owned()
}

fn capabilities() {
    let mut sandbox = Sandbox::new(&["cat", "/proc/self/status"]);
    let usual = "00000000a80425fb";
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status(&sandbox, set), usual, "{set}");
    }
    assert_eq!(status(&sandbox, "CapInh"), "0000000000000000");
    // A user that is not root keeps only what is ambient.
    sandbox.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    assert_eq!(status(&sandbox, "CapEff"), "0000000000000000");
    assert_eq!(status(&sandbox, "CapBnd"), usual);
    let one = json!(["CAP_NET_BIND_SERVICE"]);
    sandbox.spec["process"]["capabilities"] = json!({"bounding": one, "effective": one, "permitted": one, "inheritable": one, "ambient": one});
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(&sandbox, set), "0000000000000400", "{set}");
    }
    sandbox.spec["process"]["capabilities"] = json!(null);
    assert_eq!(status(&sandbox, "CapBnd"), "0000000000000000");
}

fn limits() {
    let mut sandbox = Sandbox::shell("ulimit -n; ulimit -H -n; grep NoNewPrivs /proc/self/status");
    sandbox.spec["process"]["noNewPrivileges"] = json!(true);
    sandbox.spec["process"]["rlimits"] =
        json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
    assert_eq!(sandbox.run().unwrap().stdout, "100\n200\nNoNewPrivs:\t1\n");
    // More than may be had is not an error.
    sandbox.spec["process"]["rlimits"] =
        json!([{"type": "RLIMIT_NOFILE", "soft": 2_000_000, "hard": 2_000_000}]);
    assert_eq!(sandbox.run().unwrap().code, 0);
    sandbox.spec["process"]["rlimits"] = json!([{"type": "RLIMIT_LOVE", "soft": 1, "hard": 1}]);
    assert!(sandbox
        .run()
        .unwrap_err()
        .message
        .contains("invalid rlimit type \"RLIMIT_LOVE\""));
}

fn working_directory() {
    let mut sandbox = Sandbox::new(&["pwd"]);
    sandbox.spec["process"]["cwd"] = json!("/made/by/us");
    assert_eq!(sandbox.run().unwrap().stdout, "/made/by/us\n");
}

fn reset_signals() {
    // What glibc's posix_spawn leaves ignored in those it starts, and its own sigaction would refuse to change.
    let ignored = [1u64, 0, 0, 0];
    for signal in [32, 33] {
        let none = std::ptr::null_mut::<u64>();
        let call = libc::SYS_rt_sigaction;
        // SAFETY: the kernel reads one action, which outlives the call.
        let answer = unsafe { libc::syscall(call, signal, ignored.as_ptr(), none, 8) };
        assert_eq!(answer, 0);
    }
    let sandbox = Sandbox::new(&["cat", "/proc/self/status"]);
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        assert_eq!(status(&sandbox, field), "0000000000000000", "{field}");
    }
}

fn refused(sandbox: &Sandbox) -> StartError {
    let error = sandbox.run().unwrap_err();
    let start = "failed to create task for container: unable to start container process: ";
    let message = error
        .message
        .strip_prefix(start)
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned();
    StartError { message, ..error }
}

fn missing() {
    let error = refused(&Sandbox::new(&["nope"]));
    assert_eq!(
        error.message,
        "exec: \"nope\": executable file not found in $PATH: unknown"
    );
    assert_eq!(error.exit_code, 127);
    let error = refused(&Sandbox::new(&["/nope"]));
    assert_eq!(
        error.message,
        "exec: \"/nope\": stat /nope: no such file or directory: unknown"
    );
    assert_eq!(error.exit_code, 127);
    let sandbox = Sandbox::new(&["/script"]);
    fs::write(sandbox.image("script"), "#!/no/such/shell\n").unwrap();
    fs::set_permissions(sandbox.image("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let error = refused(&sandbox);
    assert_eq!(
        (error.message.as_str(), error.exit_code),
        ("exec /script: no such file or directory: unknown", 127)
    );
}

fn unfit() {
    let sandbox = Sandbox::new(&["/etc/passwd"]);
    let error = refused(&sandbox);
    assert_eq!(
        (error.message.as_str(), error.exit_code),
        ("exec: \"/etc/passwd\": permission denied: unknown", 126)
    );
    let error = refused(&Sandbox::new(&["/etc"]));
    assert_eq!(
        (error.message.as_str(), error.exit_code),
        ("exec: \"/etc\": is a directory: unknown", 126)
    );
    let sandbox = Sandbox::new(&["/bad"]);
    fs::write(sandbox.image("bad"), "not a program").unwrap();
    fs::set_permissions(sandbox.image("bad"), fs::Permissions::from_mode(0o755)).unwrap();
    let error = refused(&sandbox);
    assert_eq!(
        (error.message.as_str(), error.exit_code),
        ("exec /bad: exec format error: unknown", 128)
    );
}

fn bad_directory() {
    let mut sandbox = Sandbox::new(&["pwd"]);
    sandbox.spec["process"]["cwd"] = json!("/etc/passwd");
    let error = refused(&sandbox);
    assert_eq!(
        (error.message.as_str(), error.exit_code),
        (
            "chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory: unknown",
            126
        )
    );
}

fn descriptors() {
    let outcome = Sandbox::shell("ls /proc/self/fd").run().unwrap();
    // The fourth is ls's own, of the directory.
    assert_eq!(outcome.stdout, "0\n1\n2\n3\n");
}

fn seccomp() {
    // load the call's number; mkdir (83 on x86-64) answers EPERM; all else passes
    let filter: [(u16, u8, u8, u32); 4] = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, 83),
        (0x06, 0, 0, 0x0005_0001),
        (0x06, 0, 0, 0x7fff_0000),
    ];
    let bytes = filter.iter().flat_map(|(code, yes, no, value)| {
        [&code.to_ne_bytes()[..], &[*yes, *no], &value.to_ne_bytes()].concat()
    });
    let mut sandbox = Sandbox::shell("mkdir /tmp/x; grep Seccomp: /proc/self/status");
    sandbox.seccomp = Some(bytes.collect());
    for no_new_privileges in [false, true] {
        sandbox.spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let outcome = sandbox.run().unwrap();
        assert_eq!(outcome.stdout, "Seccomp:\t2\n");
        assert!(
            outcome.stderr.contains("Operation not permitted"),
            "{}",
            outcome.stderr
        );
    }
}
