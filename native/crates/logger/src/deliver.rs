//! Sends a container's log to who collects it elsewhere.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use drayman_logdrivers::{Settings, Source};
use drayman_stdio::{Lines, Stream, READY, REFUSED};

use crate::file;
use crate::input::Input;
use crate::pieces::Pieces;
use crate::queue::Queue;
use crate::sender;
use crate::settings::{Delivery, Log};

/// Answer on standard output whether the receiver is there, then send it what comes on standard
/// input until that ends.
pub fn run(bundle: &Path) -> Result<(), String> {
    let log = Log::read(bundle)?;
    match (&log.delivery.receiver, &log.file) {
        (Some(receiver), _) => send(&log.delivery, receiver),
        (None, Some(file)) => file::run(file, &log.delivery),
        (None, None) => Err("a log that is kept nowhere".into()),
    }
}

fn send(delivery: &Delivery, settings: &Settings) -> Result<(), String> {
    let mut receiver = settings.receiver();
    let connected = receiver.connect();
    if let Err(error) = &connected {
        if settings.must_connect() {
            return answer(Some(&error.to_string()));
        }
    }
    answer(None)?;
    let queue = Arc::new(Queue::new(delivery, settings));
    let queued = Arc::clone(&queue);
    let sending = sender::start(queued, delivery, settings, receiver, connected.is_ok());
    sending.map_err(|error| format!("deliver: {error}"))?;
    let read = read_on(delivery, &queue);
    let lost = queue.finish();
    if lost > 0 {
        let what = format!("{lost} records were lost at its end");
        sender::complain(&delivery.container_id, &what);
    }
    read.map_err(|error| format!("deliver: {error}"))
}

/// Tell the shim that what comes is taken, or why not.
pub fn answer(refusal: Option<&str>) -> Result<(), String> {
    let answer = match refusal {
        Some(why) => [REFUSED, why.as_bytes()].concat(),
        None => READY.to_vec(),
    };
    let mut stdout = io::stdout();
    let told = stdout.write_all(&answer).and_then(|()| stdout.flush());
    told.map_err(|error| format!("deliver: {error}"))
}

/// Cut what comes into records, and queue them.
fn read_on(delivery: &Delivery, queue: &Queue) -> io::Result<()> {
    let mut input = Input::new();
    let mut outputs = [Stream::Stdout, Stream::Stderr].map(|stream| Output {
        lines: Lines::default(),
        pieces: Pieces::new(&delivery.container_id, source(stream)),
    });
    let mut bytes = Vec::new();
    let mut last_ns = 0;
    while let Some(head) = input.next(&mut bytes)? {
        last_ns = head.time_ns;
        let Output { lines, pieces } = &mut outputs[usize::from(head.stream == Stream::Stderr)];
        lines.push(&bytes, head.time_ns, &mut |line, time_ns| {
            queue.push(pieces.record(line, time_ns));
        });
    }
    for Output { lines, pieces } in &mut outputs {
        lines.finish(last_ns, &mut |line, time_ns| {
            queue.push(pieces.record(line, time_ns));
        });
    }
    Ok(())
}

struct Output {
    lines: Lines,
    pieces: Pieces,
}

fn source(stream: Stream) -> Source {
    match stream {
        Stream::Stdout => Source::Stdout,
        Stream::Stderr => Source::Stderr,
    }
}
