//! The walk through an upper directory, beside the layers below it.
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::compare::{capability, stats_differ};
use crate::layer::{join, Directory, Held, Layers, Opened, Place};
use crate::marks::Marks;
use crate::merged::{Child, Merged, Shown};
use crate::Error;

/// What became of a file; the numbers are the Docker API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

/// One file that differs from the image's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// From the container's root, `/` in front.
    pub path: Vec<u8>,
    pub kind: Kind,
}

/// Tell what an upper directory changes over the layers below (topmost first), sorted by path.
///
/// A directory with a change below it is listed as modified, except the root; a deleted one
/// is a single entry. A running container may go on writing: what vanishes meanwhile is left
/// out. Directories deeper than a path may be long (4096 bytes) are not entered.
pub fn changes(upper: &[u8], lower: &[Vec<u8>], marks: Marks) -> Result<Vec<Change>, Error> {
    let paths = std::iter::once(upper).chain(lower.iter().map(Vec::as_slice));
    let layers = Layers::open(paths, marks)?;
    let mut walk = Walk {
        layers,
        found: Vec::new(),
        pending: Vec::new(),
    };
    walk.root().map_err(Error::at(b"/"))?;
    while let Some((path, sides)) = walk.pending.pop() {
        walk.directory(&path, sides).map_err(Error::at(&path))?;
    }
    Ok(with_parents(walk.found))
}

struct Walk {
    layers: Layers,
    found: Vec<Change>,
    pending: Vec<(Vec<u8>, Sides)>,
}

/// Where a directory, as it is now and as it was, is to be found.
enum Sides {
    /// Now: the upper one over what was (a name in `below`, first shown `at`), unless its
    /// own marks say otherwise.
    Over {
        upper: Place,
        name: Vec<u8>,
        below: Rc<[Place]>,
        at: Option<usize>,
    },
    /// Two that have nothing to do with one another.
    Apart { new: Child, old: Option<Child> },
}

impl Walk {
    fn root(&mut self) -> Result<(), Errno> {
        let place = Place {
            layer: 0,
            path: Rc::default(),
        };
        let old = Merged::roots(&self.layers, 1)?;
        match self.layers.directory(&place)? {
            Opened::Directory(upper) => self.over(b"", &upper, &old),
            _ => Err(Errno::NOENT),
        }
    }

    fn directory(&mut self, path: &[u8], sides: Sides) -> Result<(), Errno> {
        let (upper, name, below, at) = match sides {
            Sides::Apart { new, old } => {
                let new = Merged::open(&self.layers, &new)?;
                let old = self.open_old(old)?;
                return self.apart(path, &new, &old);
            }
            Sides::Over {
                upper,
                name,
                below,
                at,
            } => (upper, name, below, at),
        };
        let Opened::Directory(upper) = self.layers.directory(&upper)? else {
            return Ok(());
        };
        let old = at.map(|at| Child {
            parents: below[at..].into(),
            name,
        });
        let old = self.open_old(old)?;
        if upper.marks.redirect.is_some() {
            let new = Merged::redirected(&self.layers, upper, &below)?;
            return self.apart(path, &new, &old);
        }
        if upper.marks.opaque {
            let mut new = Merged::empty();
            new.directories.push(upper);
            return self.apart(path, &new, &old);
        }
        self.over(path, &upper, &old)
    }

    fn open_old(&self, child: Option<Child>) -> Result<Merged, Errno> {
        child.map_or_else(
            || Ok(Merged::empty()),
            |child| Merged::open(&self.layers, &child),
        )
    }

    /// The upper directory lies over the old one: only its own names can differ.
    fn over(&mut self, path: &[u8], upper: &Directory, old: &Merged) -> Result<(), Errno> {
        let below = old.places();
        for (name, told) in upper.names()? {
            let was = old.lookup(&self.layers, &name, None)?;
            let (held, _) = upper.held(&name, Some(told), self.layers.marks)?;
            match held {
                Held::Nothing => continue,
                Held::Whiteout => {
                    if was.is_some() {
                        self.note(path, &name, Kind::Deleted);
                    }
                    continue;
                }
                Held::File | Held::Directory => {}
            }
            self.judge(path, &name, upper, was.map(|shown| (old, shown)))?;
            if held == Held::Directory {
                let listed = join_listed(path, &name);
                let sides = Sides::Over {
                    upper: Place {
                        layer: upper.place.layer,
                        path: join(&upper.place.path, &name).into(),
                    },
                    below: below.clone(),
                    at: was.filter(|was| was.is_directory).map(|was| was.at),
                    name,
                };
                self.pending.push((listed, sides));
            }
        }
        Ok(())
    }

    /// Any name of either directory can differ.
    fn apart(&mut self, path: &[u8], new: &Merged, old: &Merged) -> Result<(), Errno> {
        let mut seen = HashSet::new();
        for (index, directory) in new.directories.iter().chain(&old.directories).enumerate() {
            for (name, told) in directory.names()? {
                // A type is told for the directory that is looked into first.
                let told = (index == 0 && !new.directories.is_empty()).then_some(told);
                if !seen.contains(&name) {
                    self.name_apart(path, &name, told, new, old)?;
                    seen.insert(name);
                }
            }
        }
        Ok(())
    }

    fn name_apart(
        &mut self,
        path: &[u8],
        name: &[u8],
        told: Option<FileType>,
        new: &Merged,
        old: &Merged,
    ) -> Result<(), Errno> {
        let was = old.lookup(&self.layers, name, None)?;
        let Some(is) = new.lookup(&self.layers, name, told)? else {
            if was.is_some() {
                self.note(path, name, Kind::Deleted);
            }
            return Ok(());
        };
        let top = &new.directories[is.at];
        self.judge(path, name, top, was.map(|shown| (old, shown)))?;
        if is.is_directory {
            let was = was.filter(|was| was.is_directory);
            let sides = Sides::Apart {
                new: new.child(is, name),
                old: was.map(|was| old.child(was, name)),
            };
            let path = join_listed(path, name);
            self.pending.push((path, sides));
        }
        Ok(())
    }

    /// Note one file that is there now as added or modified, if it is either.
    fn judge(
        &mut self,
        path: &[u8],
        name: &[u8],
        new: &Directory,
        was: Option<(&Merged, Shown)>,
    ) -> Result<(), Errno> {
        let Some((old, was)) = was else {
            self.note(path, name, Kind::Added);
            return Ok(());
        };
        let (Some(before), Some(now)) = (old.stat(was, name)?, new.stat(name)?) else {
            return Ok(());
        };
        let before_directory = &old.directories[was.at].fd;
        if stats_differ(&before, &now)
            || capability(before_directory, name)? != capability(&new.fd, name)?
        {
            self.note(path, name, Kind::Modified);
        }
        Ok(())
    }

    fn note(&mut self, path: &[u8], name: &[u8], kind: Kind) {
        let path = join_listed(path, name);
        self.found.push(Change { path, kind });
    }
}

/// Paths are listed with `/` in front of each name; the root's own is "".
fn join_listed(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, name].join(&b'/')
}

/// Sort, and list the directories above a change that are not listed themselves.
fn with_parents(mut found: Vec<Change>) -> Vec<Change> {
    found.sort_unstable();
    let mut above = BTreeSet::new();
    let mut last: &[u8] = b"";
    for change in &found {
        let parent = parent(&change.path);
        // Most changes lie beside the one before.
        if parent == last {
            continue;
        }
        last = parent;
        let mut path = parent;
        let listed = |path: &[u8]| found.binary_search_by(|one| one.path.as_slice().cmp(path));
        while !path.is_empty() && !above.contains(path) && listed(path).is_err() {
            above.insert(path);
            path = self::parent(path);
        }
    }
    let above: Vec<Change> = above
        .into_iter()
        .map(|path| Change {
            path: path.to_vec(),
            kind: Kind::Modified,
        })
        .collect();
    found.extend(above);
    // Two sorted runs, which this one merges.
    found.sort();
    found
}

/// The directory a listed path lies in; the root's is "".
fn parent(path: &[u8]) -> &[u8] {
    let cut = path.iter().rposition(|byte| *byte == b'/');
    &path[..cut.unwrap_or(0)]
}
