//! Threads that work on what they are handed, in turn; results come back in that order.
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread::JoinHandle;

/// What a thread has before it, besides what it is at.
const AHEAD: usize = 1;

/// What a thread does with each thing it is handed.
pub(crate) type Work<I, O> = Box<dyn FnMut(I) -> O + Send>;

/// As many threads as there are processors, `most` at most.
pub(crate) fn threads(most: usize) -> usize {
    std::thread::available_parallelism().map_or(1, |found| most.min(found.get()))
}

/// Threads are started as there is work for them. Dropped, it leaves none behind.
pub(crate) struct Crew<I, O> {
    name: &'static str,
    threads: usize,
    /// Makes the work of one thread.
    prepare: Box<dyn Fn() -> io::Result<Work<I, O>>>,
    workers: Vec<Worker<I, O>>,
    /// Which worker gives the next result, the first in front.
    due: VecDeque<usize>,
    next: usize,
}

impl<I: Send + 'static, O: Send + 'static> Crew<I, O> {
    pub(crate) fn new(
        name: &'static str,
        threads: usize,
        prepare: impl Fn() -> io::Result<Work<I, O>> + 'static,
    ) -> Self {
        Self {
            name,
            threads,
            prepare: Box::new(prepare),
            workers: Vec::new(),
            due: VecDeque::new(),
            next: 0,
        }
    }

    /// Whether nothing more can be handed on before a result was collected.
    pub(crate) fn is_full(&self) -> bool {
        self.due.len() == self.threads * (1 + AHEAD)
    }

    /// Whether it was never handed anything.
    pub(crate) fn is_unused(&self) -> bool {
        self.workers.is_empty()
    }

    /// Hand something on, to a crew that is not full.
    pub(crate) fn hand_on(&mut self, input: I) -> io::Result<()> {
        if self.next == self.workers.len() {
            self.workers
                .push(Worker::start(self.name, (self.prepare)()?)?);
        }
        self.workers[self.next].take(input)?;
        self.due.push_back(self.next);
        self.next = (self.next + 1) % self.threads;
        Ok(())
    }

    /// Wait for the next result; none when nothing is being worked on.
    pub(crate) fn collect(&mut self) -> io::Result<Option<O>> {
        let Some(worker) = self.due.pop_front() else {
            return Ok(None);
        };
        self.workers[worker].give().map(Some)
    }
}

struct Worker<I, O> {
    inputs: Option<SyncSender<I>>,
    outputs: Option<Receiver<O>>,
    thread: Option<JoinHandle<()>>,
}

impl<I: Send + 'static, O: Send + 'static> Worker<I, O> {
    fn start(name: &str, mut work: Work<I, O>) -> io::Result<Self> {
        let (inputs, to_do) = sync_channel(AHEAD);
        let (done, outputs) = sync_channel(1 + AHEAD);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                for input in to_do {
                    if done.send(work(input)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            inputs: Some(inputs),
            outputs: Some(outputs),
            thread: Some(thread),
        })
    }

    fn take(&self, input: I) -> io::Result<()> {
        let inputs = self.inputs.as_ref().ok_or_else(gone)?;
        inputs.send(input).map_err(|_| gone())
    }

    fn give(&self) -> io::Result<O> {
        let outputs = self.outputs.as_ref().ok_or_else(gone)?;
        outputs.recv().map_err(|_| gone())
    }
}

impl<I, O> Drop for Worker<I, O> {
    fn drop(&mut self) {
        // It waits for one of these.
        self.inputs = None;
        self.outputs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread of the engine's is gone")
}
