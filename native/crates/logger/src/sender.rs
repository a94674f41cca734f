//! The thread that hands records to the receiver, and tries again where that fails.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drayman_logdrivers::{Receiver, Record, Retrying, Settings};

use crate::queue::{Queue, Taken};
use crate::settings::Delivery;

/// Losses are told no more often: a receiver that is always too slow loses something every moment.
const TELL_AGAIN: Duration = Duration::from_secs(10);

struct Sender {
    queue: Arc<Queue>,
    receiver: Box<dyn Receiver>,
    retrying: Retrying,
    is_connected: bool,
    /// That it cannot be reached was told.
    has_complained: bool,
    container_id: String,
}

/// Send what is queued until the queue ends.
pub fn start(
    queue: Arc<Queue>,
    delivery: &Delivery,
    settings: &Settings,
    receiver: Box<dyn Receiver>,
    is_connected: bool,
) -> io::Result<()> {
    let mut sender = Sender {
        queue,
        receiver,
        retrying: settings.retrying(),
        is_connected,
        has_complained: false,
        container_id: delivery.container_id.clone(),
    };
    let thread = std::thread::Builder::new().name("deliver".into());
    thread.spawn(move || sender.run()).map(drop)
}

impl Sender {
    fn run(&mut self) {
        let mut tell_at = Instant::now();
        loop {
            match self.queue.take(tell_at) {
                Taken::Record(record) => {
                    let delivered = self.deliver(&record);
                    self.queue.done(delivered);
                }
                Taken::Lost(count) => {
                    tell_at = Instant::now() + TELL_AGAIN;
                    complain(&self.container_id, &format!("{count} records were lost"));
                }
                Taken::End => return,
            }
        }
    }

    /// Whether the receiver took it.
    fn deliver(&mut self, record: &Record) -> bool {
        let mut attempt = 0;
        loop {
            let error = match self.try_once(record) {
                Ok(()) => {
                    if std::mem::take(&mut self.has_complained) {
                        complain(&self.container_id, "delivered again");
                    }
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    complain(&self.container_id, &format!("a record was lost: {error}"));
                    return false;
                }
                Err(error) => error,
            };
            self.is_connected = false;
            let Some(wait) = self.retrying.wait(attempt) else {
                return false;
            };
            // The first failure may be the end of a connection that was used up.
            if attempt > 0 && !std::mem::replace(&mut self.has_complained, true) {
                complain(&self.container_id, &format!("not delivered now: {error}"));
            }
            attempt += 1;
            std::thread::sleep(wait);
        }
    }

    fn try_once(&mut self, record: &Record) -> io::Result<()> {
        if !self.is_connected {
            self.receiver.connect()?;
            self.is_connected = true;
        }
        self.receiver.send(record)
    }
}

/// For the engine's log, where standard error goes.
pub fn complain(container_id: &str, what: &str) {
    eprintln!("drayman-logger: log of {container_id:.12}: {what}");
}
