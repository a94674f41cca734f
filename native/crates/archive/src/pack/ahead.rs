//! Looking ahead of the writer: threads open and read what the walk came by, in batches that
//! come back in the walk's order.
use std::io;

use super::looking::{Contents, Found, Looker, GATHERED_BYTES};
use super::walk::{Entered, Passed, Walk};
use crate::crew::{Crew, Work};

/// More threads than these are not kept busy by one writer.
const THREADS_MAX: usize = 4;
/// What is looked at at a time: enough that handing it over is nothing beside looking. As many
/// files may be open, in each of two batches a thread.
const BATCH_STEPS: usize = 32;
/// What is read of small files at a time.
const BATCH_BYTES: usize = 2 * GATHERED_BYTES;

/// What the walk came by, looked at.
pub(super) enum Seen {
    Entered(Entered),
    Left,
    File(Vec<u8>, Found),
}

struct Batch {
    passed: Vec<Passed>,
    contents: Contents,
}

/// Steps of the walk, in order, and the contents that they refer to.
pub(super) struct Looked {
    pub seen: Vec<Seen>,
    pub contents: Contents,
}

pub(super) struct Ahead<'p> {
    walk: Walk<'p>,
    /// How small files and holes are looked at.
    read: bool,
    sparse: bool,
    crew: Crew<Batch, Looked>,
    spare: Vec<Contents>,
}

impl<'p> Ahead<'p> {
    pub(super) fn new(walk: Walk<'p>, read: bool, sparse: bool) -> Ahead<'p> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let prepare = move || work(read, sparse);
        Ahead {
            walk,
            read,
            sparse,
            crew: Crew::new("drayman-look", threads.min(THREADS_MAX), prepare),
            spare: Vec::new(),
        }
    }

    /// The next steps of the walk; none when it is through.
    pub(super) fn next(&mut self) -> io::Result<Option<Looked>> {
        while !self.crew.is_full() {
            let batch = self.gather();
            let through = batch.passed.len() < BATCH_STEPS;
            if through && self.crew.is_unused() && !batch.passed.is_empty() {
                // Too little for threads.
                return Ok(Some(work(self.read, self.sparse)?(batch)));
            }
            if !batch.passed.is_empty() {
                self.crew.hand_on(batch)?;
            }
            if through {
                break;
            }
        }
        self.crew.collect()
    }

    /// Give back what is not needed any more.
    pub(super) fn reuse(&mut self, mut contents: Contents) {
        contents.clear();
        self.spare.push(contents);
    }

    fn gather(&mut self) -> Batch {
        Batch {
            passed: self.walk.by_ref().take(BATCH_STEPS).collect(),
            contents: self
                .spare
                .pop()
                .unwrap_or_else(|| Contents::new(BATCH_BYTES)),
        }
    }
}

fn work(read: bool, sparse: bool) -> io::Result<Work<Batch, Looked>> {
    let looker = Looker::new(read, sparse)?;
    Ok(Box::new(move |batch| look(&looker, batch)))
}

fn look(looker: &Looker, batch: Batch) -> Looked {
    let mut contents = batch.contents;
    let seen = batch.passed.into_iter().map(|passed| match passed {
        Passed::Entered(entered) => Seen::Entered(entered),
        Passed::Left => Seen::Left,
        Passed::Lost(name, errno) => Seen::File(name, Found::Gone(errno)),
        Passed::File(named) => {
            let found = looker.look(&named, &mut contents);
            Seen::File(named.name, found)
        }
    });
    Looked {
        seen: seen.collect(),
        contents,
    }
}
