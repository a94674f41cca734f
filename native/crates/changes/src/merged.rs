//! A directory as overlayfs shows it: those of several layers, one over the other.
use std::sync::Arc;

use rustix::fs::{fstat, FileType, Stat};
use rustix::io::Errno;

use crate::layer::{join, Directory, Held, Layers, Opened, Place};

/// Redirects that lead to redirects; each goes at least one layer down, and the kernel makes
/// no more than one a rename of a layer.
const REDIRECTS_MAX: usize = 16;

/// Where a merged directory may be found: a name in each of these, topmost first.
#[derive(Clone)]
pub(crate) struct Child {
    pub parents: Arc<[Place]>,
    pub name: Vec<u8>,
}

/// The directories that make up one, opened, topmost first; none when there is no such
/// directory.
pub(crate) struct Merged {
    pub directories: Vec<Directory>,
}

/// What a merged directory holds under a name, and which of its directories shows it.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub is_directory: bool,
    pub at: usize,
    stat: Option<Stat>,
}

impl Merged {
    pub(crate) fn empty() -> Self {
        Self {
            directories: Vec::new(),
        }
    }

    /// The roots of the layers from one number on.
    pub(crate) fn roots(layers: &Layers, from: usize) -> Result<Self, Errno> {
        let mut directories = Vec::new();
        for place in root_places(layers, from) {
            if let Opened::Directory(directory) = layers.directory(&place)? {
                directories.push(directory);
            }
        }
        Ok(Self { directories })
    }

    /// Follow overlayfs's own rule: down the layers until a directory is opaque, or anything
    /// but a directory is in the way.
    pub(crate) fn open(layers: &Layers, child: &Child) -> Result<Self, Errno> {
        let mut directories = Vec::new();
        gather(layers, child, &mut directories, REDIRECTS_MAX)?;
        Ok(Self { directories })
    }

    /// A directory and what a redirect of it leads to.
    pub(crate) fn redirected(
        layers: &Layers,
        top: Directory,
        below: &Arc<[Place]>,
    ) -> Result<Self, Errno> {
        let mut directories = vec![top];
        follow(layers, below, &mut directories, REDIRECTS_MAX)?;
        Ok(Self { directories })
    }

    /// Whether both are made up of the same directories.
    pub(crate) fn is_same(&self, other: &Self) -> Result<bool, Errno> {
        if self.directories.len() != other.directories.len() {
            return Ok(false);
        }
        for (one, another) in self.directories.iter().zip(&other.directories) {
            let (one, another) = (fstat(&one.fd)?, fstat(&another.fd)?);
            if (one.st_dev, one.st_ino) != (another.st_dev, another.st_ino) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn places(&self) -> Arc<[Place]> {
        self.directories
            .iter()
            .map(|one| one.place.clone())
            .collect()
    }

    /// What is shown under a name; `told` as in [`Directory::held`], for the first directory.
    pub(crate) fn lookup(
        &self,
        layers: &Layers,
        name: &[u8],
        mut told: Option<FileType>,
    ) -> Result<Option<Shown>, Errno> {
        for (at, directory) in self.directories.iter().enumerate() {
            match directory.held(name, told.take(), layers.marks)? {
                (Held::Nothing, _) => {}
                (Held::Whiteout, _) => return Ok(None),
                (held, stat) => {
                    return Ok(Some(Shown {
                        is_directory: held == Held::Directory,
                        at,
                        stat,
                    }));
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn stat(&self, shown: Shown, name: &[u8]) -> Result<Option<Stat>, Errno> {
        match shown.stat {
            None => self.directories[shown.at].stat(name),
            known => Ok(known),
        }
    }

    /// The directory shown under a name.
    pub(crate) fn child(&self, shown: Shown, name: &[u8]) -> Child {
        Child {
            parents: self.places()[shown.at..].into(),
            name: name.to_vec(),
        }
    }
}

fn root_places(layers: &Layers, from: usize) -> impl Iterator<Item = Place> {
    layers.from(from).map(|layer| Place {
        layer,
        path: Arc::default(),
    })
}

fn gather(
    layers: &Layers,
    child: &Child,
    directories: &mut Vec<Directory>,
    redirects_left: usize,
) -> Result<(), Errno> {
    for (index, parent) in child.parents.iter().enumerate() {
        let place = Place {
            layer: parent.layer,
            path: join(&parent.path, &child.name).into(),
        };
        match layers.directory(&place)? {
            Opened::Nothing => {}
            Opened::Other => return Ok(()),
            Opened::Directory(directory) => {
                let marks = directory.marks.clone();
                directories.push(directory);
                if marks.opaque {
                    return Ok(());
                }
                if marks.redirect.is_some() {
                    let below = child.parents[index + 1..].into();
                    return follow(layers, &below, directories, redirects_left);
                }
            }
        }
    }
    Ok(())
}

/// Go on below the last directory, under the name its redirect tells: another name in the
/// same parents, or a path from the roots of all layers below it.
fn follow(
    layers: &Layers,
    below: &Arc<[Place]>,
    directories: &mut Vec<Directory>,
    redirects_left: usize,
) -> Result<(), Errno> {
    let Some(top) = directories.last() else {
        return Ok(());
    };
    let Some(redirect) = top.marks.redirect.clone() else {
        return Ok(());
    };
    let redirects_left = redirects_left.checked_sub(1).ok_or(Errno::LOOP)?;
    let mut parents = below.clone();
    let path = match redirect.strip_prefix(b"/") {
        Some(path) => {
            parents = root_places(layers, top.place.layer).skip(1).collect();
            path
        }
        None => redirect.as_slice(),
    };
    let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    // The kernel writes no such redirect, and refuses one.
    let strange = |name: &&[u8]| name.is_empty() || *name == b"." || *name == b"..";
    let Some((last, above)) = names.split_last().filter(|_| !names.iter().any(strange)) else {
        return Ok(());
    };
    for name in above {
        let mut found = Vec::new();
        let child = Child {
            parents,
            name: name.to_vec(),
        };
        gather(layers, &child, &mut found, redirects_left)?;
        parents = found.into_iter().map(|one| one.place).collect();
    }
    let child = Child {
        parents,
        name: last.to_vec(),
    };
    gather(layers, &child, directories, redirects_left)
}
