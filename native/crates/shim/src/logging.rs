//! What a log that is sent away has the shim wait for: a receiver before the start, and the rest of
//! the log before the exit is told. Meanwhile everybody else is served.

use std::time::{Duration, Instant};

use drayman_executor::StartError;

use crate::delivery::Said;
use crate::durable;
use crate::messages::{encode, reply, Ask, Event, ExitRecord, Refusal, State};
use crate::requests::HOST_FAILED;
use crate::shim::{Shim, INIT};

/// How long execs that were killed with the container may take to end.
const KILL_WAIT: Duration = Duration::from_secs(2);

impl Shim {
    /// Whether a start has to wait until it is known that the log's receiver is there. It is
    /// answered then; where there is no receiver, it fails as Docker's does.
    pub fn waits_for_receiver(&mut self, connection: u32, request: u64) -> bool {
        if self.config.log.delivery.is_none() || self.state != State::Created {
            return false;
        }
        if self.starting.is_some() {
            let refusal = Refusal::conflict("the container is being started");
            self.send(connection, reply(Some(request), &Err(refusal)));
            return true;
        }
        self.starting = Some((connection, request));
        let bundle = &self.config.bundle;
        if let Err(error) = self.log.deliver(bundle, &self.core.poller) {
            self.refuse_start(&error.to_string());
        }
        true
    }

    /// The process that sends the log away has said something.
    pub fn on_answer(&mut self) {
        match self.log.hear(&self.core.poller) {
            Some(Said::Ready) => {
                if let Some((connection, request)) = self.starting.take() {
                    self.start_for(connection, request);
                }
            }
            Some(Said::Refused(why)) => self.refuse_start(&why),
            Some(Said::Ended) if self.starting.is_some() => {
                self.refuse_start("the process that was to send it ended");
            }
            Some(Said::Ended) if self.ending.is_none() => {
                eprintln!("drayman-shim: log: the process that sent it away has ended");
                self.go_on();
            }
            Some(Said::Ended | Said::Written) | None => {}
        }
    }

    fn refuse_start(&mut self, why: &str) {
        let Some((connection, request)) = self.starting.take() else {
            return;
        };
        let message = format!(
            "failed to create task for container: failed to initialize logging driver: {why}"
        );
        let refusal = Refusal::from(StartError {
            message,
            exit_code: HOST_FAILED,
        });
        self.send(connection, reply(Some(request), &Err(refusal)));
        self.leave();
    }

    /// Start the container, and answer who asked for it; a shim that cannot leaves.
    pub fn start_for(&mut self, connection: u32, request: u64) {
        let answer = self.answer(Ask::Start {}, Vec::new());
        let failed = answer.is_err();
        self.send(connection, reply(Some(request), &answer));
        if failed {
            self.leave();
        }
    }

    /// There is room again in the pipe to that process.
    pub fn on_delivery(&mut self) {
        self.log.flush(&self.core.poller);
        if !self.log.is_behind(self.ending.is_some()) {
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        if let Some(session) = self.sessions.get_mut(&INIT) {
            session.go_on(&mut self.core.shared());
        }
    }

    /// Record and tell how the container ended, once its log was sent.
    pub fn finish_container(&mut self, now: Instant) {
        let Some((exit, finished_at_ns)) = self.ending.take_if(|_| self.log.is_delivered(now))
        else {
            return;
        };
        let record = ExitRecord {
            exit_code: exit.code,
            signal: exit.signal,
            oom: self.container.as_ref().is_some_and(|one| one.oom_killed()),
            started_at_ns: self.started_at_ns,
            finished_at_ns,
        };
        if let Err(error) = durable::write(&self.config.exit_file, &encode(&record), true) {
            eprintln!("drayman-shim: {}: {error}", self.config.exit_file.display());
        }
        self.state = State::Stopped;
        self.broadcast(&Event::Exit {
            exit_code: exit.code,
            oom: record.oom,
            finished_at_ns,
        });
        self.waits.exited(exit.code, &self.core.poller);
        if self.execs.any_running() {
            self.kill_all();
        }
        self.clear_until = Some(Instant::now() + KILL_WAIT);
    }
}
