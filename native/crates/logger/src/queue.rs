//! Records between the pipe that they come from and the receiver, which may be slow or gone.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use drayman_logdrivers::{Record, Settings};
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::memory;
use crate::settings::Delivery;

/// What a record takes beside its text.
const RECORD_BYTES: usize = 128;
/// How long what is queued when the container ends may take to be delivered: as long as Docker
/// gives its loggers.
const FINISH_WAIT: Duration = Duration::from_secs(10);
/// After so long without a record the memory of those before is given back.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// How often one that waits for room looks whether the container has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub struct Queue {
    bytes_max: usize,
    records_max: Option<usize>,
    may_lose: bool,
    state: Mutex<State>,
    /// For who waits for a record, for room, or for the end.
    changed: Condvar,
}

/// What there is for the receiver's side.
pub enum Taken {
    Record(Record),
    /// So many records found no room, or no receiver.
    Lost(u64),
    End,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    bytes: usize,
    /// One was taken, and is neither delivered nor given up.
    is_sending: bool,
    /// Somebody waits: waking nobody costs as much as waking somebody.
    is_awaited: bool,
    /// No more will come.
    ended: bool,
    /// Not delivered, and not told yet.
    lost: u64,
    /// When waiting for the receiver ends.
    until: Option<Instant>,
}

impl Queue {
    pub fn new(delivery: &Delivery, receiver: &Settings) -> Self {
        let records_max = receiver.records_max();
        Self {
            bytes_max: delivery.queue_bytes,
            records_max,
            may_lose: delivery.may_lose || records_max.is_some(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for a change; and whether none came in time.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        wait: Option<Duration>,
    ) -> (MutexGuard<'a, State>, bool) {
        state.is_awaited = true;
        let Some(wait) = wait else {
            let state = self.changed.wait(state);
            return (state.unwrap_or_else(PoisonError::into_inner), false);
        };
        let waited = self.changed.wait_timeout(state, wait);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, waited.timed_out())
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.is_awaited) {
            drop(state);
            self.changed.notify_all();
        }
    }

    fn is_full(&self, state: &State, bytes: usize) -> bool {
        // One that is larger than the queue has it to itself.
        let too_large = !state.records.is_empty() && state.bytes + bytes > self.bytes_max;
        let too_many = self
            .records_max
            .is_some_and(|most| state.records.len() >= most);
        too_large || too_many
    }

    /// Queue a record, once there is room; or lose it, where that is allowed or the time is up.
    pub fn push(&self, record: Record) {
        let bytes = record.line.len() + RECORD_BYTES;
        let mut state = self.state();
        while self.is_full(&state, bytes) {
            if state.until.is_none() && is_hung_up() {
                state.until = Some(Instant::now() + FINISH_WAIT);
            }
            if self.may_lose || state.until.is_some_and(|until| until <= Instant::now()) {
                state.lost += 1;
                return;
            }
            state = self.wait(state, Some(LOOK_AGAIN)).0;
        }
        state.bytes += bytes;
        state.records.push_back(record);
        self.wake(state);
    }

    /// The next record, waiting for it; or how many were lost since this was told, once nothing
    /// waits any more and not before `tell_at`.
    pub fn take(&self, tell_at: Instant) -> Taken {
        let mut state = self.state();
        let mut rested = false;
        loop {
            if let Some(record) = state.records.pop_front() {
                state.bytes -= record.line.len() + RECORD_BYTES;
                state.is_sending = true;
                self.wake(state);
                return Taken::Record(record);
            }
            if state.ended {
                return Taken::End;
            }
            if state.lost == 0 && rested {
                state = self.wait(state, None).0;
                continue;
            }
            let left = tell_at.saturating_duration_since(Instant::now());
            if state.lost > 0 && left.is_zero() {
                return Taken::Lost(std::mem::take(&mut state.lost));
            }
            let left = if state.lost > 0 { left } else { IDLE_WAIT };
            let timed_out;
            (state, timed_out) = self.wait(state, Some(left));
            if timed_out && state.records.is_empty() {
                state.records = VecDeque::new();
                memory::trim();
                rested = true;
            }
        }
    }

    /// What was taken has been delivered, or never will be.
    pub fn done(&self, delivered: bool) {
        let mut state = self.state();
        state.is_sending = false;
        if !delivered {
            state.lost += 1;
        }
        self.wake(state);
    }

    /// No more will come: wait for the receiver as long as may be; how many were lost and not told.
    pub fn finish(&self) -> u64 {
        let mut state = self.state();
        state.ended = true;
        self.changed.notify_all();
        let until = *state
            .until
            .get_or_insert_with(|| Instant::now() + FINISH_WAIT);
        while state.is_sending || !state.records.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, Some(left)).0;
        }
        state.lost + state.records.len() as u64 + u64::from(state.is_sending)
    }
}

/// Whether the shim has closed its end of standard input, whatever is still in it.
fn is_hung_up() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut looked = [PollFd::new(&stdin, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut looked, Some(&now)).is_ok() && looked[0].revents().contains(PollFlags::HUP)
}
