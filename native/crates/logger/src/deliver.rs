//! Sends a container's log to who collects it elsewhere.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use drayman_logdrivers::Source;
use drayman_stdio::{Head, Lines, Stream, HEAD_BYTES, READY, REFUSED};

use crate::pieces::Pieces;
use crate::queue::Queue;
use crate::sender;
use crate::settings::Delivery;

/// Answer on standard output whether the receiver is there, then send it what comes on standard
/// input until that ends.
pub fn run(bundle: &Path) -> Result<(), String> {
    let delivery = Delivery::read(bundle)?;
    let mut receiver = delivery.receiver.receiver();
    let connected = receiver.connect();
    let answer = match &connected {
        Err(error) if delivery.receiver.must_connect() => {
            [REFUSED, error.to_string().as_bytes()].concat()
        }
        _ => READY.to_vec(),
    };
    let mut stdout = io::stdout();
    let told = stdout.write_all(&answer).and_then(|()| stdout.flush());
    told.map_err(|error| format!("deliver: {error}"))?;
    if answer != READY {
        return Ok(());
    }
    let queue = Arc::new(Queue::new(&delivery));
    let sending = sender::start(Arc::clone(&queue), &delivery, receiver, connected.is_ok());
    sending.map_err(|error| format!("deliver: {error}"))?;
    let read = read_on(&delivery, &queue);
    let lost = queue.finish();
    if lost > 0 {
        let what = format!("{lost} records were lost at its end");
        sender::complain(&delivery.container_id, &what);
    }
    read.map_err(|error| format!("deliver: {error}"))
}

/// Cut what comes into records, and queue them.
fn read_on(delivery: &Delivery, queue: &Queue) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut outputs = [Stream::Stdout, Stream::Stderr].map(|stream| Output {
        lines: Lines::default(),
        pieces: Pieces::new(&delivery.container_id, source(stream)),
    });
    let mut bytes = Vec::new();
    let mut last_ns = 0;
    loop {
        let mut head = [0; HEAD_BYTES];
        match input.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            done => done?,
        }
        let head = Head::parse(head);
        bytes.resize(head.length, 0);
        input.read_exact(&mut bytes)?;
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
