//! Real overlay mounts, attached nowhere: whatever a test does, nothing stays mounted.
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, FsMountFlags, FsOpenFlags,
    MountAttrFlags,
};

/// A directory of this test, removed with all in it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("drayman-changes-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // By a program: the one of the standard library needs stack for each level.
        let _ = std::process::Command::new("rm")
            .arg("-rf")
            .arg(&self.0)
            .status();
    }
}

/// What a mount is asked for beside its layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub redirect: bool,
    pub metacopy: bool,
}

/// A mounted overlay; `root` is a path to it that only this process can go.
pub struct Overlay {
    _mount: OwnedFd,
    pub root: PathBuf,
}

impl Overlay {
    /// Mount layers, topmost first; without an upper directory it is read-only.
    pub fn mount(lower: &[PathBuf], upper: Option<(&Path, &Path)>, options: Options) -> Self {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        let set = |key: &str, value: &Path| {
            fsconfig_set_string(&context, key, value)
                .unwrap_or_else(|errno| panic!("{key}={}: {errno}", value.display()));
        };
        for layer in lower {
            set("lowerdir+", layer);
        }
        if let Some((upper, work)) = upper {
            set("upperdir", upper);
            set("workdir", work);
        }
        if options.redirect {
            set("redirect_dir", Path::new("on"));
        }
        if options.metacopy {
            set("metacopy", Path::new("on"));
        }
        fsconfig_create(&context).unwrap();
        let mount = fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        );
        let mount = mount.unwrap();
        let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        Self {
            _mount: mount,
            root,
        }
    }
}
