//! The container's health: when it is probed, and what is told of it.

use std::os::fd::OwnedFd;
use std::time::Instant;

use drayman_stdio::now_ns;

mod connection;
mod http;
mod output;
pub mod plan;
mod process;
pub mod record;

use connection::{ConnectionProbe, UNHEALTHY};
use plan::{Plan, Test};
use process::ProcessProbe;
use record::{Outcome, Record, Status};

use crate::durable;
use crate::messages::{encode, Event};
use crate::open_files::OpenFiles;
use crate::poll::{Poller, Token};
use crate::runtime::Runtime;

/// The code of a probe that did not end, or did not begin, as Docker tells it.
const NO_EXIT_CODE: i32 = -1;
const NOT_RUNNING: &str = "the container is not running";

#[derive(Debug)]
pub struct Health {
    plan: Plan,
    record: Record,
    /// When the container was; None before that, and after its end.
    started: Option<Instant>,
    due: Option<Instant>,
    probe: Option<Probe>,
    /// Of the latest connection.
    socket: Option<OwnedFd>,
    is_suspended: bool,
    news: Vec<Event>,
}

#[derive(Debug)]
struct Probe {
    kind: Kind,
    started: Instant,
    started_at_ns: i64,
    fate: Fate,
}

#[derive(Debug)]
enum Kind {
    Process(ProcessProbe),
    Connection(ConnectionProbe),
}

/// What is to be told of a probe once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// It was killed for it.
    TimedOut,
    /// Nothing: it was killed because nobody wants to know any more.
    Dropped,
}

impl Health {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            record: Record::new(),
            started: None,
            due: None,
            probe: None,
            socket: None,
            is_suspended: false,
            news: Vec::new(),
        }
    }

    /// The container runs.
    pub fn start(&mut self, now: Instant) {
        self.started = Some(now);
        self.schedule(now);
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Probe no more for now. As with Docker, what is not probed is not healthy.
    pub fn suspend(&mut self, poller: &Poller) {
        if self.is_suspended || self.started.is_none() {
            return;
        }
        self.is_suspended = true;
        self.due = None;
        self.drop_probe(poller);
        self.record.status = Status::Unhealthy;
        self.tell(false, None);
    }

    pub fn resume(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_suspended) {
            self.schedule(now);
        }
    }

    /// The container ended.
    pub fn stop(&mut self, poller: &Poller) {
        self.started = None;
        self.due = None;
        self.drop_probe(poller);
        self.keep();
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.probe {
            None => self.due,
            Some(probe) if probe.fate == Fate::Open => Some(probe.started + self.plan.timeout()),
            // It was killed, and tells its end itself.
            Some(_) => None,
        }
    }

    /// What there is to tell daemons.
    pub fn take_news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.news)
    }

    /// The time has come: begin a probe, or end one that takes too long.
    pub fn pump(
        &mut self,
        container: &dyn Runtime,
        open_files: OpenFiles,
        poller: &Poller,
        now: Instant,
    ) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        if self.probe.is_none() {
            return self.begin(container, open_files, poller);
        }
        if let Some(Kind::Process(process)) = self.probe.as_ref().map(|probe| &probe.kind) {
            process.kill();
            if let Some(probe) = &mut self.probe {
                probe.fate = Fate::TimedOut;
            }
            return;
        }
        self.time_out("", None, poller);
    }

    /// Something happened to the probe.
    pub fn on_event(&mut self, token: Token, poller: &Poller) {
        let Some(probe) = &mut self.probe else { return };
        match &mut probe.kind {
            Kind::Connection(connection) => {
                if let Some((code, output)) = connection.go_on(&self.plan.test, poller) {
                    self.conclude(code, output, None, poller);
                }
            }
            Kind::Process(process) if token == Token::ProbeIo => process.hear(poller),
            Kind::Process(process) => match process.end(poller) {
                Ok(None) => {}
                Ok(Some(exit)) => {
                    let (output, fate) = (process.output.text(), probe.fate);
                    let told = matches!(self.plan.test, Test::Command { .. }).then_some(exit.code);
                    match fate {
                        Fate::Open => self.conclude(exit.code, output, told, poller),
                        Fate::TimedOut => self.time_out(&output, told, poller),
                        Fate::Dropped => self.forget(),
                    }
                }
                Err(error) => eprintln!("drayman-shim: wait for a probe: {error}"),
            },
        }
    }

    fn begin(&mut self, container: &dyn Runtime, open_files: OpenFiles, poller: &Poller) {
        self.due = None;
        let (started, started_at_ns) = (Instant::now(), now_ns());
        let begun = match &self.plan.test {
            Test::Command { process } => {
                self.news.push(Event::Probe {});
                ProcessProbe::command(container, process, open_files, poller).map(Kind::Process)
            }
            Test::File { path } => ProcessProbe::look(container, path, poller).map(Kind::Process),
            Test::Http { address, .. } | Test::Tcp { address } => {
                let socket = self.socket.take();
                ConnectionProbe::begin(container, *address, socket, poller).map(Kind::Connection)
            }
        };
        match begun {
            Err(text) => {
                let is_refused = matches!(self.plan.test, Test::Http { .. } | Test::Tcp { .. });
                let code = if is_refused { UNHEALTHY } else { NO_EXIT_CODE };
                self.take(started, started_at_ns, code, text, None);
            }
            Ok(kind) => {
                self.probe = Some(Probe {
                    kind,
                    // A command's time begins when it runs.
                    started: Instant::now(),
                    started_at_ns,
                    fate: Fate::Open,
                });
            }
        }
    }

    fn time_out(&mut self, output: &str, process_code: Option<i32>, poller: &Poller) {
        let colon = if output.is_empty() { "" } else { ": " };
        let limit = &self.plan.timeout_text;
        let text = format!("Health check exceeded timeout ({limit}){colon}{output}");
        self.conclude(NO_EXIT_CODE, text, process_code, poller);
    }

    fn conclude(
        &mut self,
        exit_code: i32,
        output: String,
        process_code: Option<i32>,
        poller: &Poller,
    ) {
        if let Some(probe) = self.probe.take() {
            if let Kind::Connection(connection) = probe.kind {
                self.socket = connection.end(poller);
            }
            let (started, started_at_ns) = (probe.started, probe.started_at_ns);
            self.take(started, started_at_ns, exit_code, output, process_code);
        }
    }

    fn take(
        &mut self,
        started: Instant,
        started_at_ns: i64,
        exit_code: i32,
        output: String,
        process_code: Option<i32>,
    ) {
        let outcome = Outcome {
            started_at_ns,
            ended_at_ns: now_ns(),
            exit_code,
            output,
        };
        let container = self.started.unwrap_or(started);
        let is_early = self
            .plan
            .is_starting(started.saturating_duration_since(container));
        let streak = self.record.failing_streak;
        let changed = self.record.take(outcome, is_early, self.plan.retries);
        if changed {
            self.keep();
        }
        if changed || process_code.is_some() || self.record.failing_streak != streak {
            self.tell(changed, process_code);
        }
        self.schedule(Instant::now());
    }

    /// A probe that was dropped has ended.
    fn forget(&mut self) {
        self.probe = None;
        if !self.is_suspended {
            self.schedule(Instant::now());
        }
    }

    fn schedule(&mut self, now: Instant) {
        let wait = |started| self.plan.wait(self.record.status, now - started);
        self.due = self.started.map(|started| now + wait(started));
    }

    /// Have nothing told of the probe; a process is still to be reaped.
    fn drop_probe(&mut self, poller: &Poller) {
        match self
            .probe
            .as_mut()
            .map(|probe| (&probe.kind, &mut probe.fate))
        {
            Some((Kind::Process(process), fate)) => {
                process.kill();
                *fate = Fate::Dropped;
                self.on_event(Token::ProbeEnd, poller);
            }
            Some((Kind::Connection(_), _)) => self.probe = None,
            None => {}
        }
    }

    /// For daemons that come when the shim is gone.
    fn keep(&self) {
        let file = &self.plan.file;
        if let Err(error) = durable::write(file, &encode(&self.record), false) {
            eprintln!("drayman-shim: {}: {error}", file.display());
        }
    }

    /// Daemons hear of changes; who wants all results asks for them, which is seldom beside probing.
    fn tell(&mut self, changed: bool, process_code: Option<i32>) {
        self.news.push(Event::Health {
            status: self.record.status,
            failing_streak: self.record.failing_streak,
            changed,
            process_code,
        });
    }
}
