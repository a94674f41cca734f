//! Images that try to reach the host.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::Case;

pub const CASES: &[Case] = &[
    ("a mount through links stays inside", mount_through_links),
    ("a link in place of /proc is refused", proc_link),
    ("a link in place of /sys is refused", sys_link),
    (
        "a device in place of /etc/passwd does not block",
        passwd_fifo,
    ),
    ("a link in place of /dev stays inside", dev_link),
    (
        "a working directory cannot be a descriptor",
        directory_of_descriptor,
    ),
    ("the engine's own binary is out of reach", own_binary),
];

fn mount_through_links() {
    let mut sandbox = Sandbox::shell("cat /in/f /deep/there/f");
    fs::create_dir(sandbox.outside("volume")).unwrap();
    fs::create_dir(sandbox.outside("victim")).unwrap();
    fs::write(sandbox.outside("volume/f"), "v\n").unwrap();
    symlink("../../victim", sandbox.image("in")).unwrap();
    symlink(sandbox.outside("victim"), sandbox.image("deep")).unwrap();
    let volume = sandbox.outside("volume");
    sandbox.mount("/in", "bind", &volume, &["rbind"]);
    sandbox.mount("/deep/there", "bind", &volume, &["rbind"]);
    let outcome = sandbox.run().unwrap();
    assert_eq!(outcome.stdout, "v\nv\n", "{}", outcome.stderr);
    assert_eq!(fs::read_dir(sandbox.outside("victim")).unwrap().count(), 0);
}

fn proc_link() {
    let sandbox = Sandbox::new(&["true"]);
    fs::create_dir(sandbox.image("else")).unwrap();
    symlink("/else", sandbox.image("proc")).unwrap();
    let error = sandbox.run().unwrap_err();
    assert!(
        error
            .message
            .contains("error mounting \"proc\" to rootfs at \"/proc\""),
        "{error}"
    );
}

fn sys_link() {
    let sandbox = Sandbox::new(&["true"]);
    symlink("/tmp", sandbox.image("sys")).unwrap();
    assert!(sandbox.run().unwrap_err().message.contains("at \"/sys\""));
}

fn passwd_fifo() {
    let mut sandbox = Sandbox::shell("echo $HOME");
    fs::remove_file(sandbox.image("etc/passwd")).unwrap();
    let path = std::ffi::CString::new(sandbox.image("etc/passwd").to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    sandbox.spec["process"]["env"] = json!(["PATH=/bin"]);
    assert_eq!(sandbox.run().unwrap().stdout, "/\n");
}

fn dev_link() {
    let sandbox = Sandbox::shell("ls /dev/null");
    fs::create_dir(sandbox.outside("victim")).unwrap();
    symlink(sandbox.outside("victim"), sandbox.image("dev")).unwrap();
    let outcome = sandbox.run().unwrap();
    assert_eq!(outcome.stdout, "/dev/null\n");
    assert_eq!(fs::read_dir(sandbox.outside("victim")).unwrap().count(), 0);
}

fn directory_of_descriptor() {
    for number in 3..12 {
        let mut sandbox = Sandbox::new(&["pwd"]);
        sandbox.spec["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let error = sandbox.run().unwrap_err();
        assert!(error.message.contains("chdir to cwd"), "{error}");
        sandbox.spec["process"]["cwd"] = json!("/");
        sandbox.spec["process"]["args"] = json!([format!("/proc/self/fd/{number}/bin/true")]);
        assert!(sandbox.run().is_err());
    }
}

fn own_binary() {
    // Whoever looks at an exec from inside sees either the helper's sealed binary or what it became.
    let script = "while true; do for p in /proc/[0-9]*; do readlink $p/exe; done; done | grep -v busybox > /caught";
    Sandbox::shell(script).run_with(|container, _| {
        for _ in 0..50 {
            crate::sandbox::exec(container, &crate::sandbox::process(&["true"])).unwrap();
        }
    });
    let refused = fs::File::options()
        .write(true)
        .open("/proc/self/exe")
        .unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EROFS));
}
