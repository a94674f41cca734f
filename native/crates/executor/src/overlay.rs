//! Overlay mounts that are attached nowhere: gone when their descriptor closes, so a crash leaves nothing behind.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sys::{self, FileSystem};
use crate::Error;

/// `fsconfig` takes values of fewer bytes than this (`strndup_user(value, 256)` in the kernel's `fs/fsopen.c`).
const VALUE_BYTES_MAX: usize = 256;

/// Mounts `lower` (topmost first) under `upper`, and gives the detached mount's root. A `read_only` mount still shows
/// `upper`, and refuses writes.
pub fn mount<P: AsRef<Path>>(
    lower: &[P],
    upper: &Path,
    work: &Path,
    read_only: bool,
) -> Result<OwnedFd, Error> {
    let layers = Layers {
        lower: lower
            .iter()
            .map(|path| path.as_ref().to_path_buf())
            .collect(),
        writable: Some((upper.to_path_buf(), work.to_path_buf())),
        attributes: if read_only { sys::MOUNT_ATTR_RDONLY } else { 0 },
    };
    layers.mount().map_err(Error::system(format!(
        "mount the overlay of {}",
        upper.display()
    )))
}

/// A view of `lower` (at least two, topmost first) that nobody can write to or make writable.
pub(crate) fn mount_sealed(lower: &[PathBuf]) -> io::Result<OwnedFd> {
    let layers = Layers {
        lower: lower.to_vec(),
        writable: None,
        attributes: sys::MOUNT_ATTR_RDONLY,
    };
    layers.mount()
}

struct Layers {
    lower: Vec<PathBuf>,
    /// Upper and work.
    writable: Option<(PathBuf, PathBuf)>,
    attributes: u64,
}

impl Layers {
    fn mount(&self) -> io::Result<OwnedFd> {
        match self.mount_by_appending() {
            // Before Linux 6.8 nobody knows `lowerdir+`.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.mount_by_number(),
            answer => answer,
        }
    }

    /// One layer a call, so their number and the length of their names do not add up.
    fn mount_by_appending(&self) -> io::Result<OwnedFd> {
        let overlay = new_overlay()?;
        let mut names = Names::default();
        for path in &self.lower {
            overlay.set("lowerdir+", &names.of(path)?)?;
        }
        self.finish(&overlay, &mut names)
    }

    /// All layers in one value of 255 bytes: descriptors' numbers, which are short, seen from `/proc/self/fd`.
    fn mount_by_number(&self) -> io::Result<OwnedFd> {
        // The working directory belongs to the whole process, unless a thread leaves the others.
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| -> io::Result<OwnedFd> {
                sys::leave_namespaces(libc::CLONE_FS)?;
                let overlay = new_overlay()?;
                let held = self
                    .lower
                    .iter()
                    .map(|path| open_directory(path))
                    .collect::<io::Result<Vec<_>>>()?;
                let numbers: Vec<String> =
                    held.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
                let mut names = Names::default();
                self.set_writable(&overlay, &mut names)?;
                std::env::set_current_dir("/proc/thread-self/fd")?;
                overlay.set("lowerdir", numbers.join(":").as_bytes())?;
                self.make(&overlay)
            });
            worker.join().unwrap_or_else(|_| {
                Err(io::Error::other(
                    "the thread that mounts an overlay panicked",
                ))
            })
        })
    }

    fn finish(&self, overlay: &FileSystem, names: &mut Names) -> io::Result<OwnedFd> {
        self.set_writable(overlay, names)?;
        self.make(overlay)
    }

    fn set_writable(&self, overlay: &FileSystem, names: &mut Names) -> io::Result<()> {
        if let Some((upper, work)) = &self.writable {
            overlay.set("upperdir", &names.of(upper)?)?;
            overlay.set("workdir", &names.of(work)?)?;
        }
        Ok(())
    }

    fn make(&self, overlay: &FileSystem) -> io::Result<OwnedFd> {
        if self.writable.is_some() {
            // As dockerd's overlay2 has it: an upper directory holds whole files under their own names, whatever the
            // kernel's defaults are, so that it can be read as a layer.
            for feature in ["index", "redirect_dir", "metacopy"] {
                overlay.set(feature, b"off")?;
            }
        }
        overlay.mount(self.attributes)
    }
}

/// What `/proc/mounts` calls it, where programs look for `overlay`.
fn new_overlay() -> io::Result<FileSystem> {
    let overlay = FileSystem::open("overlay")?;
    overlay.set("source", b"overlay")?;
    Ok(overlay)
}

/// Names for the kernel that are short enough; a longer path is held open and named by its descriptor.
#[derive(Default)]
struct Names {
    held: Vec<OwnedFd>,
}

impl Names {
    fn of(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let name = path.as_os_str().as_bytes();
        if name.len() < VALUE_BYTES_MAX {
            return Ok(name.to_vec());
        }
        let directory = open_directory(path)?;
        let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
        self.held.push(directory);
        Ok(name.into_bytes())
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    sys::open(
        path.as_os_str().as_bytes(),
        libc::O_PATH | libc::O_DIRECTORY,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    fn layers(name: &str, count: usize) -> (PathBuf, Layers) {
        let base =
            std::env::temp_dir().join(format!("drayman-overlay-{name}-{}", std::process::id()));
        let lower: Vec<PathBuf> = (0..count)
            .map(|n| base.join(format!("layer-{n}")))
            .collect();
        for (n, path) in lower.iter().enumerate() {
            fs::create_dir_all(path).unwrap();
            fs::write(path.join(format!("file-{n}")), n.to_string()).unwrap();
            fs::write(path.join("same"), n.to_string()).unwrap();
        }
        let (upper, work) = (base.join("upper"), base.join("work"));
        fs::create_dir(&upper).unwrap();
        fs::create_dir(&work).unwrap();
        (
            base,
            Layers {
                lower,
                writable: Some((upper, work)),
                attributes: 0,
            },
        )
    }

    fn read(root: &OwnedFd, name: &str) -> String {
        let file =
            crate::paths::open_in_root(root.as_fd(), name.as_bytes(), libc::O_RDONLY).unwrap();
        let mut text = String::new();
        fs::File::from(file).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn many_layers_either_way() {
        if !crate::tests_may_mount() {
            return;
        }
        let (base, layers) = layers("many", 40);
        for mount in [layers.mount_by_appending(), layers.mount_by_number()] {
            let root = mount.unwrap();
            assert_eq!(
                (
                    read(&root, "file-39").as_str(),
                    read(&root, "same").as_str()
                ),
                ("39", "0")
            );
        }
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_long_name_is_held_open() {
        if !crate::tests_may_mount() {
            return;
        }
        let (base, mut layers) = layers("long", 2);
        let deep = base.join("d".repeat(200)).join("e".repeat(200));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("deep"), "yes").unwrap();
        layers.lower.push(deep);
        assert_eq!(read(&layers.mount().unwrap(), "deep"), "yes");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn read_only_refuses_writes_and_shows_upper() {
        if !crate::tests_may_mount() {
            return;
        }
        let (base, mut layers) = layers("ro", 1);
        let root = layers.mount().unwrap();
        let new = sys::open_how(
            root.as_fd(),
            b"new",
            libc::O_CREAT | libc::O_WRONLY,
            0o644,
            0,
        )
        .unwrap();
        fs::File::from(new).write_all(b"1").unwrap();
        drop(root);
        layers.attributes = sys::MOUNT_ATTR_RDONLY;
        let root = layers.mount().unwrap();
        assert_eq!(read(&root, "new"), "1");
        let refused = sys::open_how(root.as_fd(), b"x", libc::O_CREAT | libc::O_WRONLY, 0o644, 0)
            .unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EROFS));
        drop(root);
        fs::remove_dir_all(base).unwrap();
    }
}
