//! Looking ahead of the writer: threads open and read what the walk came by, in batches that
//! come back in the walk's order.
use std::collections::VecDeque;
use std::io;

use super::looking::{Contents, Found, Looker, Reading, GATHERED_BYTES};
use super::walk::{Entered, Passed, Walk};
use crate::crew::{self, Crew, Work};

/// More threads than these are not kept busy by one writer.
const THREADS_MAX: usize = 4;
/// What is looked at at a time: enough that handing it over is nothing beside looking.
const BATCH_STEPS: usize = 32;
/// What is read of small files at a time.
const BATCH_BYTES: usize = 2 * GATHERED_BYTES;

/// What the walk came by, looked at.
pub(super) enum Seen {
    Entered(Entered),
    Left,
    File(Vec<u8>, Found),
}

/// Steps of the walk, in order: those that were looked at, with what was read, and the rest.
/// Looking stops when there is no more room, or at a file that stays open: it is a large one,
/// and until it is sent there is time for those behind it.
pub(super) struct Batch {
    pub seen: Vec<Seen>,
    pub contents: Contents,
    rest: VecDeque<Passed>,
}

pub(super) struct Ahead<'p> {
    walk: Walk<'p>,
    crew: Crew<Batch, Batch>,
    /// For what is not worth a thread.
    looker: Looker,
}

impl<'p> Ahead<'p> {
    pub(super) fn new(walk: Walk<'p>, reading: Reading) -> io::Result<Ahead<'p>> {
        Ok(Ahead {
            walk,
            crew: Crew::new("drayman-look", crew::threads(THREADS_MAX), move || {
                let looker = Looker::new(reading)?;
                Ok(Box::new(move |batch| look(&looker, batch)) as Work<_, _>)
            }),
            looker: Looker::new(reading)?,
        })
    }

    /// The next steps of the walk, in place of those `done`; none when it is through.
    pub(super) fn next(&mut self, done: Option<Batch>) -> io::Result<Option<Batch>> {
        let mut spare = None;
        if let Some(mut batch) = done {
            batch.seen.clear();
            batch.contents.clear();
            if !batch.rest.is_empty() {
                return Ok(Some(look(&self.looker, batch)));
            }
            spare = Some(batch);
        }
        while !self.crew.is_full() {
            let steps: VecDeque<_> = self.walk.by_ref().take(BATCH_STEPS).collect();
            if steps.is_empty() {
                break;
            }
            let through = steps.len() < BATCH_STEPS;
            let mut batch = spare.take().unwrap_or_else(Batch::empty);
            batch.rest = steps;
            if through && self.crew.is_unused() {
                return Ok(Some(look(&self.looker, batch)));
            }
            self.crew.hand_on(batch)?;
        }
        self.crew.collect()
    }
}

impl Batch {
    fn empty() -> Batch {
        Batch {
            seen: Vec::new(),
            contents: Contents::new(BATCH_BYTES),
            rest: VecDeque::new(),
        }
    }
}

fn look(looker: &Looker, mut batch: Batch) -> Batch {
    while let Some(passed) = batch.rest.pop_front() {
        let seen = match passed {
            Passed::Entered(entered) => Seen::Entered(entered),
            Passed::Left => Seen::Left,
            Passed::Lost(name, errno) => Seen::File(name, Found::Gone(errno)),
            Passed::File(named) => {
                let Some(found) = looker.look(&named, &mut batch.contents) else {
                    batch.rest.push_front(Passed::File(named));
                    break;
                };
                Seen::File(named.name, found)
            }
        };
        let stop = matches!(&seen, Seen::File(_, found) if looker.stops_at(found));
        batch.seen.push(seen);
        if stop {
            break;
        }
    }
    batch
}
