//! The shim's loop: what happens to the container's processes and their clients, and what follows.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use drayman_stdio::{now_ns, Stream};
use rustix::event::epoll::EventFlags;

use crate::config::Config;
use crate::control::Received;
use crate::daemons::Daemons;
use crate::durable;
use crate::execs::Execs;
use crate::followers::Followers;
use crate::health::Health;
use crate::journal::Journal;
use crate::kernel::trim_memory;
use crate::messages::{Event, State};
use crate::open_files::OpenFiles;
use crate::poll::{Poller, Token};
use crate::process::Exit;
use crate::runtime::Runtime;
use crate::session::{Manner, Session, Shared, READ_BYTES};
use crate::waits::Waits;

/// The session of the container's first process.
pub const INIT: u32 = 0;
/// After so long without an event the shim gives back its buffers.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// What sessions borrow.
pub struct Core {
    pub poller: Poller,
    scratch: Vec<u8>,
}

impl Core {
    pub fn shared(&mut self) -> Shared<'_> {
        self.scratch.resize(READ_BYTES, 0);
        Shared {
            poller: &self.poller,
            scratch: &mut self.scratch,
            now: Instant::now(),
        }
    }
}

pub struct Shim {
    pub config: Config,
    pub core: Core,
    pub state: State,
    pub sessions: BTreeMap<u32, Session>,
    pub next_session: u32,
    pub execs: Execs,
    pub waits: Waits,
    pub followers: Followers,
    pub container: Option<Box<dyn Runtime>>,
    pub started_at_ns: i64,
    pub open_files: OpenFiles,
    pub health: Option<Health>,
    pub log: Journal,
    /// Who asked for the start that waits for the log's receiver, and the number of the request.
    pub starting: Option<(u32, u64)>,
    /// How the container ended, while its log is still being sent away.
    pub ending: Option<(Exit, i64)>,
    daemons: Daemons,
    /// Until when the container's remains are waited for.
    pub clear_until: Option<Instant>,
}

impl Shim {
    /// Listen for daemons, the first of which is there already.
    pub fn new(mut config: Config, control: OwnedFd) -> Result<Self, String> {
        let failed = |what: &std::path::Path| {
            let what = what.display().to_string();
            move |error: io::Error| format!("{what}: {error}")
        };
        let poller = Poller::new().map_err(|error| format!("epoll: {error}"))?;
        let daemons = Daemons::new(&config.socket, control, &poller);
        let daemons = daemons.map_err(failed(&config.socket))?;
        let log = Journal::open(&config.log, &config.logger)?;
        let manner = Manner {
            tty: config.stdio.tty,
            takes_stdin: config.stdio.open_stdin,
            stdin_once: config.stdio.stdin_once,
            dies_with_client: false,
        };
        let health = config.health.take().map(Health::new);
        Ok(Self {
            config,
            core: Core {
                poller,
                scratch: Vec::new(),
            },
            state: State::Created,
            sessions: BTreeMap::from([(INIT, Session::new(INIT, manner))]),
            next_session: INIT + 1,
            execs: Execs::default(),
            waits: Waits::default(),
            followers: Followers::default(),
            container: None,
            started_at_ns: 0,
            open_files: OpenFiles::raise(),
            health,
            log,
            starting: None,
            ending: None,
            daemons,
            clear_until: None,
        })
    }

    /// Serve until nothing is left to do.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        let (mut rested, mut active) = (false, Instant::now());
        while self.is_needed() {
            let idle = (!rested).then(|| IDLE_WAIT.saturating_sub(active.elapsed()));
            let due = self.deadline();
            let due = due.map(|at| at.saturating_duration_since(Instant::now()));
            let due = if self.is_behind() {
                Some(Duration::ZERO)
            } else {
                due
            };
            let timeout = idle.into_iter().chain(due).min();
            self.core.poller.wait(timeout, &mut events)?;
            // A probe leaves no buffers behind: who is probed each second may rest all the same.
            if events.iter().any(|(token, _)| !token.is_of_probe()) {
                (rested, active) = (false, Instant::now());
            } else if !rested && active.elapsed() >= IDLE_WAIT {
                self.rest();
                rested = true;
            }
            for (token, flags) in events.drain(..) {
                self.on_event(token, flags);
            }
            self.catch_up();
        }
        Ok(())
    }

    /// Whether some client can be told more of the log at once.
    fn is_behind(&self) -> bool {
        self.followers.are_behind() || self.sessions.get(&INIT).is_some_and(Session::is_behind)
    }

    fn is_needed(&self) -> bool {
        let clients = self.sessions.is_empty() && self.waits.is_empty();
        self.daemons.are_welcome() || !clients || !self.followers.is_empty()
    }

    fn on_event(&mut self, token: Token, flags: EventFlags) {
        let Self {
            sessions,
            core,
            log,
            ..
        } = self;
        match token {
            Token::Listener => self.daemons.admit(&core.poller),
            Token::Control(number) => self.on_connection(number, flags),
            Token::Process(number) => self.on_process(number),
            Token::Stdout(number) | Token::Stderr(number) => {
                let is_stdout = matches!(token, Token::Stdout(_));
                let stream = if is_stdout {
                    Stream::Stdout
                } else {
                    Stream::Stderr
                };
                if let Some(session) = sessions.get_mut(&number) {
                    let log = (number == INIT && log.is_kept()).then_some(log);
                    session.on_output(stream, &mut core.shared(), log);
                }
            }
            Token::Stdin(number) => {
                if let Some(session) = sessions.get_mut(&number) {
                    session.on_stdin(&mut core.shared());
                }
            }
            Token::Client(number, client) => {
                if let Some(session) = sessions.get_mut(&number) {
                    session.on_client(client, flags, &mut core.shared());
                }
            }
            Token::Follower(number) => self.followers.on_client(number, flags),
            Token::Delivery => self.on_delivery(),
            Token::Answers => self.on_answer(),
            Token::Compressor => log.compressed(&core.poller),
            Token::ProbeEnd | Token::ProbeIo => self.on_probe(token),
            Token::Waiter(number) => self.waits.on_client(number, &core.poller),
            Token::Lifeline(number) => self.waits.on_lifeline(number, &core.poller),
        }
    }

    /// Tell daemons of clients that detached, then let these go.
    fn let_go(&mut self, number: u32) {
        let Some(count) = self.sessions.get(&number).map(Session::detached) else {
            return;
        };
        for _ in 0..count {
            let exec = self.execs.name(number);
            self.broadcast(&Event::Detached { exec });
        }
        if let Some(session) = self.sessions.get_mut(&number).filter(|_| count > 0) {
            session.let_go(&mut self.core.shared());
        }
    }

    /// What follows from a batch of events.
    fn catch_up(&mut self) {
        self.log.flush(&self.core.poller);
        let numbers: Vec<u32> = self.sessions.keys().copied().collect();
        for number in numbers {
            self.let_go(number);
        }
        let now = Instant::now();
        for session in self.sessions.values_mut() {
            if session.deadline().is_some_and(|at| at <= now) {
                session.expire(&mut self.core.shared());
            }
        }
        let drained: Vec<u32> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.is_drained(now))
            .map(|(n, _)| *n)
            .collect();
        for number in drained {
            self.finish(number);
        }
        self.finish_container(now);
        self.look_after_health(now);
        if self.state == State::Created && self.daemons.are_gone() {
            // Nobody will ever start it.
            self.leave();
        }
        let is_busy = self.execs.any_running() || self.log.is_compressing();
        if self
            .clear_until
            .is_some_and(|until| !is_busy || until <= now)
        {
            self.leave();
        }
        let leaving = !self.daemons.are_welcome();
        self.sessions.retain(|number, session| {
            let kept = *number == INIT && !leaving;
            kept || session.has_clients() || session.is_live()
        });
        self.tell_the_past();
        self.feed_followers();
    }

    /// The log is written now: who has it all is told from here on what comes.
    fn tell_the_past(&mut self) {
        if let Some(session) = self.sessions.get_mut(&INIT).filter(|one| one.has_past()) {
            let held = self.log.is_tellable().then(|| self.log.held());
            session.catch_up(held.as_deref(), &mut self.core.shared());
        }
    }

    fn feed_followers(&mut self) {
        let is_whole = self.state == State::Stopped;
        self.followers
            .pump(self.log.grew(), is_whole, &self.core.poller);
    }

    fn deadline(&self) -> Option<Instant> {
        self.sessions
            .values()
            .filter_map(Session::deadline)
            .chain(self.clear_until)
            .chain(self.log.deadline())
            .chain(self.health.as_ref().and_then(Health::deadline))
            .min()
    }

    /// Nothing happens: keep no memory that is not needed.
    fn rest(&mut self) {
        self.core.scratch = Vec::new();
        self.log.trim();
        trim_memory();
    }

    fn on_process(&mut self, number: u32) {
        let Self {
            sessions,
            core,
            log,
            ..
        } = self;
        let Some(session) = sessions.get_mut(&number) else {
            return;
        };
        match session.reap(&core.poller) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let log = (number == INIT && log.is_kept()).then_some(log);
                session.drain(&mut core.shared(), log);
                if let Some(health) = self.health.as_mut().filter(|_| number == INIT) {
                    health.stop(&core.poller);
                }
                if number == INIT && !session.is_drained(Instant::now()) {
                    self.kill_all();
                }
            }
            Err(error) => eprintln!("drayman-shim: wait: {error}"),
        }
    }

    /// A process ended and all of its output was read: record it, tell it, let the clients go.
    fn finish(&mut self, number: u32) {
        let Some(exit) = self.sessions.get_mut(&number).and_then(Session::take_exit) else {
            return;
        };
        if number == INIT {
            let finished_at_ns = now_ns();
            self.log.finish(finished_at_ns, &self.core.poller);
            self.ending = Some((exit, finished_at_ns));
            self.finish_container(Instant::now());
        } else if let Some(name) = self.execs.name(number) {
            let path = self.config.exec_dir.join(format!("{name}.exit"));
            let record = format!("{{\"exit_code\":{}}}", exit.code);
            if let Err(error) = durable::write(&path, record.as_bytes(), false) {
                eprintln!("drayman-shim: {}: {error}", path.display());
            }
            self.execs.end(&name, exit.code);
            self.broadcast(&Event::ExecExit {
                exec: name,
                exit_code: exit.code,
            });
        }
        if let Some(session) = self.sessions.get_mut(&number) {
            session.end(&mut self.core.shared());
        }
    }

    pub fn kill_all(&self) {
        if let Some(container) = &self.container {
            if let Err(error) = container.signal_all(libc::SIGKILL) {
                eprintln!("drayman-shim: {error}");
            }
        }
    }

    /// Take the container away, then the ways to this shim. What stays is to let clients read to the end.
    pub fn leave(&mut self) {
        self.state = State::Stopped;
        self.clear_until = None;
        for session in self.sessions.values_mut() {
            session.end(&mut self.core.shared());
        }
        if let Some(container) = self.container.take() {
            if let Err(error) = container.destroy() {
                eprintln!("drayman-shim: {error}");
            }
        }
        // The daemon takes our hanging up as leave to remove the container's files.
        if let Err(error) = self.daemons.dismiss() {
            eprintln!("drayman-shim: {}: {error}", self.config.socket.display());
        }
        self.waits.close(&self.core.poller);
        self.log.close(&self.core.poller);
    }

    fn on_connection(&mut self, number: u32, flags: EventFlags) {
        match self.daemons.receive(number, flags, &self.core.poller) {
            Received::Message(message, descriptors) => {
                self.on_message(number, &message, descriptors);
            }
            Received::TooLong => self.refuse_too_long(number),
            Received::Nothing | Received::Closed => {}
        }
    }

    /// Send a message to one daemon.
    pub fn send(&mut self, number: u32, message: Vec<u8>) {
        self.daemons.send(number, message, &self.core.poller);
    }

    pub fn broadcast(&mut self, event: &Event) {
        self.daemons.send_all(&event.encode(), &self.core.poller);
    }
}
