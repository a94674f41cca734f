//! The walk through a tree of today beside that of before.
use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use rustix::fs::{fstat, FileType, Stat};
use rustix::io::Errno;

use crate::change::{changed_ns, with_parents, Change, Kind, Question};
use crate::compare::{capability, stats_differ};
use crate::layer::{join, Directory, Held, Layers, Opened, Place};
use crate::marks::Marks;
use crate::merged::{Child, Merged, Shown};
use crate::share::{share, CROWD};
use crate::Error;

/// Tell what an upper directory changes over the layers below (topmost first), sorted by path.
///
/// A directory with a change below it is listed as modified, except the root; a deleted one
/// is a single entry. A running container may go on writing: what vanishes meanwhile is left
/// out. Directories deeper than a path may be long (4096 bytes) are not entered.
pub fn changes(
    upper: &[u8],
    lower: &[Vec<u8>],
    marks: Marks,
    question: Question,
) -> Result<Vec<Change>, Error> {
    let paths = std::iter::once(upper).chain(lower.iter().map(Vec::as_slice));
    let layers = Layers::open(paths, marks)?;
    let mut walk = Walk::new(&layers, question);
    walk.upper_root().map_err(Error::at(b"/"))?;
    walk.finish()
}

/// Tell what makes one tree of the other, each given as its layers (topmost first); in the
/// form of [`changes`].
pub fn changes_between(
    old: &[Vec<u8>],
    new: &[Vec<u8>],
    marks: Marks,
    question: Question,
) -> Result<Vec<Change>, Error> {
    let paths = new.iter().chain(old).map(Vec::as_slice);
    let layers = Layers::open(paths, marks)?.parted_at(new.len());
    let mut walk = Walk::new(&layers, question);
    walk.roots_apart(new.len()).map_err(Error::at(b"/"))?;
    walk.finish()
}

struct Walk<'a> {
    layers: &'a Layers,
    question: Question,
    found: Vec<Change>,
    /// Directories by the path they are listed under.
    pending: Vec<(Vec<u8>, Sides)>,
}

/// Where a directory, as it is now and as it was, is to be found.
enum Sides {
    /// Now: the upper one over what was (a name in `below`, first shown `at`), unless its
    /// own marks say otherwise.
    Over {
        upper: Place,
        name: Vec<u8>,
        below: Arc<[Place]>,
        at: Option<usize>,
    },
    /// Two that have nothing to do with one another.
    Apart {
        new: Child,
        old: Option<Child>,
        moved_ns: i64,
    },
}

impl<'a> Walk<'a> {
    fn new(layers: &'a Layers, question: Question) -> Self {
        Self {
            layers,
            question,
            found: Vec::new(),
            pending: Vec::new(),
        }
    }

    fn finish(mut self) -> Result<Vec<Change>, Error> {
        self.until(CROWD)?;
        let (layers, question) = (self.layers, self.question);
        let parts = share(mem::take(&mut self.pending), |take| {
            let mut walk = Self::new(layers, question);
            while let Some(directory) = take() {
                walk.pending.push(directory);
                walk.until(usize::MAX)?;
            }
            walk.found.sort_unstable();
            Ok(walk.found)
        });
        for part in parts {
            self.found.extend(part?);
        }
        Ok(with_parents(self.found, question))
    }

    /// Look into directories until none is pending, or a crowd.
    fn until(&mut self, crowd: usize) -> Result<(), Error> {
        while self.pending.len() < crowd {
            let Some((path, sides)) = self.pending.pop() else {
                break;
            };
            self.directory(&path, sides).map_err(Error::at(&path))?;
        }
        Ok(())
    }

    fn upper_root(&mut self) -> Result<(), Errno> {
        let place = Place {
            layer: 0,
            path: Arc::default(),
        };
        let old = Merged::roots(self.layers, 1)?;
        match self.layers.directory(&place)? {
            Opened::Directory(upper) => self.over(b"", &upper, &old),
            _ => Err(Errno::NOENT),
        }
    }

    fn roots_apart(&mut self, old_from: usize) -> Result<(), Errno> {
        let new = Merged::roots(self.layers, 0)?;
        let old = Merged::roots(self.layers, old_from)?;
        self.apart(b"", &new, &old, i64::MIN)
    }

    fn directory(&mut self, path: &[u8], sides: Sides) -> Result<(), Errno> {
        let (upper, name, below, at) = match sides {
            Sides::Apart { new, old, moved_ns } => {
                let new = Merged::open(self.layers, &new)?;
                let old = self.open_old(old)?;
                return self.apart(path, &new, &old, moved_ns);
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
        if upper.marks.redirect.is_none() && !upper.marks.opaque {
            return self.over(path, &upper, &old);
        }
        // What came into being with the directory bears its own, older time.
        let moved_ns = changed_ns(&fstat(&upper.fd)?);
        let new = if upper.marks.redirect.is_some() {
            Merged::redirected(self.layers, upper, &below)?
        } else {
            Merged {
                directories: vec![upper],
            }
        };
        self.apart(path, &new, &old, moved_ns)
    }

    fn open_old(&self, child: Option<Child>) -> Result<Merged, Errno> {
        child.map_or_else(
            || Ok(Merged::empty()),
            |child| Merged::open(self.layers, &child),
        )
    }

    /// The upper directory lies over the old one: only its own names can differ.
    fn over(&mut self, path: &[u8], upper: &Directory, old: &Merged) -> Result<(), Errno> {
        let below = old.places();
        for (name, told) in upper.names()? {
            let was = old.lookup(self.layers, &name, None)?;
            let (held, stat) = upper.held(&name, Some(told), self.layers.marks)?;
            match held {
                Held::Nothing => continue,
                Held::Whiteout => {
                    if was.is_some() {
                        let at_ns = stat.as_ref().map_or(i64::MAX, changed_ns);
                        self.note(path, &name, Kind::Deleted, None, at_ns);
                    }
                    continue;
                }
                Held::File | Held::Directory => {}
            }
            let was_in = was.map(|shown| (old, shown));
            self.judge(path, &name, upper, was_in, i64::MIN)?;
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

    /// Any name of either directory can differ; nothing in it is older than the move that
    /// brought it here.
    fn apart(
        &mut self,
        path: &[u8],
        new: &Merged,
        old: &Merged,
        moved_ns: i64,
    ) -> Result<(), Errno> {
        if new.is_same(old)? {
            return Ok(());
        }
        let mut seen = HashSet::new();
        for (index, directory) in new.directories.iter().chain(&old.directories).enumerate() {
            for (name, told) in directory.names()? {
                // A type is told for the directory that is looked into first.
                let told = (index == 0 && !new.directories.is_empty()).then_some(told);
                if !seen.contains(&name) {
                    self.name_apart(path, &name, told, (new, old), moved_ns)?;
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
        (new, old): (&Merged, &Merged),
        moved_ns: i64,
    ) -> Result<(), Errno> {
        let was = old.lookup(self.layers, name, None)?;
        let Some(is) = new.lookup(self.layers, name, told)? else {
            if was.is_some() {
                self.note(path, name, Kind::Deleted, None, moved_ns);
            }
            return Ok(());
        };
        let top = &new.directories[is.at];
        let was_in = was.map(|shown| (old, shown));
        self.judge(path, name, top, was_in, moved_ns)?;
        if is.is_directory {
            let was = was.filter(|was| was.is_directory);
            let sides = Sides::Apart {
                new: new.child(is, name),
                old: was.map(|was| old.child(was, name)),
                moved_ns,
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
        moved_ns: i64,
    ) -> Result<(), Errno> {
        let Some((old, was)) = was else {
            let now = if self.question.looks() {
                new.stat(name)?
            } else {
                None
            };
            self.note(path, name, Kind::Added, now, moved_ns);
            return Ok(());
        };
        let (Some(before), Some(now)) = (old.stat(was, name)?, new.stat(name)?) else {
            return Ok(());
        };
        let before_directory = &old.directories[was.at].fd;
        if stats_differ(&before, &now)
            || capability(before_directory, name)? != capability(&new.fd, name)?
        {
            self.note(path, name, Kind::Modified, Some(now), moved_ns);
        }
        Ok(())
    }

    /// Note a change, made at `at_ns` or when the file says, whichever is later.
    fn note(&mut self, path: &[u8], name: &[u8], kind: Kind, now: Option<Stat>, at_ns: i64) {
        let at_ns = now.as_ref().map_or(at_ns, |now| changed_ns(now).max(at_ns));
        if self
            .question
            .since_ns
            .is_some_and(|since_ns| at_ns < since_ns)
        {
            return;
        }
        let facts = now.filter(|_| self.question.facts).map(|now| (&now).into());
        let path = join_listed(path, name);
        self.found.push(Change { path, kind, facts });
    }
}

/// Paths are listed with `/` in front of each name; the root's own is "".
fn join_listed(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, name].join(&b'/')
}
