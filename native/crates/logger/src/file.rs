//! Writes the file of a log in place of the shim, which then no disk can hold up: what finds no
//! room while it waits is lost, and counted.

use std::collections::VecDeque;
use std::io;
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use drayman_stdio::{compress, now_ns, Head, JsonFile, LogFile, Trouble, WRITTEN};

use crate::deliver::answer;
use crate::input::Input;
use crate::sender::complain;
use crate::settings::Delivery;

/// Told in one write, which a pipe takes whole.
const TELL_BYTES: usize = 4096;

/// Write what comes on standard input until that ends.
pub fn run(file: &LogFile, delivery: &Delivery) -> Result<(), String> {
    let failed = |error: io::Error| format!("log: {error}");
    let log = match file.open() {
        Ok(log) => log,
        Err(why) => return answer(Some(&why)),
    };
    answer(None)?;
    let waiting = Arc::new(Waiting::new(delivery.queue_bytes));
    let mut writer = Writer {
        log,
        waiting: Arc::clone(&waiting),
        container_id: delivery.container_id.clone(),
        trouble: Trouble::default(),
        compressing: None,
    };
    let thread = std::thread::Builder::new().name("write".into());
    let thread = thread.spawn(move || writer.run()).map_err(failed)?;
    let mut input = Input::new();
    let mut bytes = Vec::new();
    let read = loop {
        match input.next(&mut bytes) {
            Ok(Some(head)) => waiting.push(head, &bytes),
            Ok(None) => break Ok(()),
            Err(error) => break Err(failed(error)),
        }
    };
    waiting.end();
    let _ = thread.join();
    let lost_bytes = waiting.state().lost_bytes;
    if lost_bytes > 0 {
        let what = format!("{lost_bytes} bytes were lost, for they could not be written in time");
        complain(&delivery.container_id, &what);
    }
    read
}

/// Pieces between the pipe and the disk.
struct Waiting {
    bytes_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<(Head, Vec<u8>)>,
    bytes: usize,
    lost_bytes: u64,
    ended: bool,
}

impl Waiting {
    fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, head: Head, bytes: &[u8]) {
        let mut state = self.state();
        // One that is larger than the room has it to itself.
        if !state.pieces.is_empty() && state.bytes + bytes.len() > self.bytes_max {
            state.lost_bytes += bytes.len() as u64;
            drop(state);
            return tell(1);
        }
        state.bytes += bytes.len();
        state.pieces.push_back((head, bytes.to_vec()));
        self.changed.notify_one();
    }

    fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// All that waits, once something does; nothing when nothing will.
    fn take(&self) -> VecDeque<(Head, Vec<u8>)> {
        let mut state = self.state();
        while state.pieces.is_empty() && !state.ended {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes = 0;
        take(&mut state.pieces)
    }
}

struct Writer {
    log: JsonFile,
    waiting: Arc<Waiting>,
    container_id: String,
    trouble: Trouble,
    compressing: Option<JoinHandle<()>>,
}

impl Writer {
    fn run(&mut self) {
        loop {
            let pieces = self.waiting.take();
            if pieces.is_empty() {
                break;
            }
            for (head, bytes) in &pieces {
                self.log.push(head.stream, bytes, head.time_ns);
            }
            let written = self.log.flush();
            self.tell_of(written);
            self.compress();
            tell(pieces.len());
        }
        let written = self.log.finish(now_ns());
        self.tell_of(written);
        self.compress();
        if let Some(compressing) = self.compressing.take() {
            let _ = compressing.join();
        }
    }

    fn tell_of(&mut self, attempt: io::Result<()>) {
        if let Some(news) = self.trouble.news(attempt, &self.log) {
            complain(&self.container_id, &news);
        }
    }

    /// Have a rotated file compressed, while the next one is written.
    fn compress(&mut self) {
        if let Some(done) = self.compressing.take_if(|one| one.is_finished()) {
            let _ = done.join();
            self.log.compressed();
        }
        let Some((path, last_time)) = self.log.take_rotated() else {
            return;
        };
        let container_id = self.container_id.clone();
        self.compressing = Some(std::thread::spawn(move || {
            if let Err(error) = compress(&path, &last_time) {
                complain(
                    &container_id,
                    &format!("compress {}: {error}", path.display()),
                );
            }
        }));
    }
}

/// Tell the shim that so many pieces more are in the file, or lost.
fn tell(pieces: usize) {
    for part in vec![WRITTEN; pieces].chunks(TELL_BYTES) {
        // A shim that is gone need not be told.
        let _ = rustix::io::write(rustix::stdio::stdout(), part);
    }
}
