//! What daemons ask of the shim.

use std::os::fd::OwnedFd;
use std::time::Instant;

use drayman_executor::spec::Process as Plan;
use drayman_executor::{StartError, Started, StdioPlan};
use drayman_stdio::{now_ns, LogFile, LogReader, Selection};
use rustix::termios::{tcsetwinsize, Winsize};

use crate::config::VERSION;
use crate::followers::Follower;
use crate::form::Form;
use crate::messages::{
    reply, Answer, Ask, Attachment, Exec, Follow, Orphans, Refusal, Request, State, Until,
    MESSAGE_BYTES_MAX,
};
use crate::pipes::{Ours, Pipes};
use crate::poll::Token;
use crate::process::Process;
use crate::runtime::prepare;
use crate::session::{Manner, Session};
use crate::shim::{Shim, INIT};
use crate::waits::tell;

/// The exit code when a container or exec failed for a reason of the host's.
pub const HOST_FAILED: i32 = 128;

impl Shim {
    /// Do what a message asks, and answer it.
    pub fn on_message(&mut self, connection: u32, message: &[u8], descriptors: Vec<OwnedFd>) {
        let request = match Request::parse(message) {
            Ok(request) => request,
            Err((id, refusal)) => return self.send(connection, reply(id, &Err(refusal))),
        };
        if request.ask == (Ask::Start {}) && self.waits_for_receiver(connection, request.id) {
            return;
        }
        if request.ask == (Ask::Start {}) && self.state == State::Created {
            return self.start_for(connection, request.id);
        }
        let answer = self.answer(request.ask, descriptors);
        self.send(connection, reply(Some(request.id), &answer));
    }

    pub fn refuse_too_long(&mut self, connection: u32) {
        let text = format!("a message is longer than {MESSAGE_BYTES_MAX} bytes");
        self.send(connection, reply(None, &Err(Refusal::invalid(text))));
    }

    pub fn answer(&mut self, ask: Ask, descriptors: Vec<OwnedFd>) -> Result<Answer, Refusal> {
        match ask {
            Ask::Hello {} => Ok(Answer::Hello {
                version: VERSION,
                pid: std::process::id(),
                state: self.state,
                init_pid: self.init_pid(),
            }),
            Ask::Attach(attachment) => self.attach(&attachment, descriptors),
            Ask::Start {} => self.start(),
            Ask::Signal { signal, all: false } => self.signal(INIT, signal),
            Ask::Signal { signal, all: true } => self.signal_all(signal),
            Ask::Resize {
                exec,
                height,
                width,
            } => self.resize(exec.as_deref(), (height, width)),
            Ask::Exec(exec) => self.exec(exec, descriptors),
            Ask::Status {} => Ok(Answer::Status {
                state: self.state,
                init_pid: self.init_pid(),
                execs: self.execs.statuses(),
                orphans: Orphans {
                    exit: self.waits.orphans(Until::Exit),
                    removal: self.waits.orphans(Until::Removal),
                },
            }),
            Ask::ExecSignal { exec, signal } => {
                let session = self.exec_session(&exec)?;
                self.signal(session, signal)
            }
            Ask::Keep {
                until,
                chunked,
                head,
            } => {
                let [client, lifeline] = exactly(descriptors)?;
                tell(&client, &head);
                self.waits
                    .keep(client, lifeline, until, chunked, &self.core.poller);
                Ok(Answer::Done {})
            }
            Ask::Follow(follow) => {
                let [client] = exactly(descriptors)?;
                self.follow(client, &follow)
            }
            Ask::Suspend {} => Ok(self.suspend_checks()),
            Ask::Resume {} => Ok(self.resume_checks()),
            Ask::Health {} => Ok(self.health()),
            Ask::Adopt { until } => {
                let [lifeline] = exactly(descriptors)?;
                self.waits.adopt(lifeline, until, &self.core.poller);
                Ok(Answer::Done {})
            }
        }
    }

    fn init_pid(&self) -> Option<i32> {
        let process = self.sessions.get(&INIT)?.process.as_ref()?;
        process.is_running().then_some(process.pid)
    }

    fn exec_session(&self, name: &str) -> Result<u32, Refusal> {
        let none = || Refusal::not_found(format!("no such running exec: {name}"));
        self.execs.session(name).ok_or_else(none)
    }

    fn check_running(&self) -> Result<(), Refusal> {
        if self.state == State::Running && self.init_pid().is_some() {
            return Ok(());
        }
        Err(Refusal::conflict("the container is not running"))
    }

    fn attach(
        &mut self,
        attachment: &Attachment,
        mut descriptors: Vec<OwnedFd>,
    ) -> Result<Answer, Refusal> {
        let socket =
            only(&mut descriptors)?.ok_or_else(|| Refusal::invalid("no descriptor came along"))?;
        let past = self.past(attachment)?;
        let Self {
            sessions,
            core,
            config,
            ..
        } = self;
        let session = sessions
            .get_mut(&INIT)
            .filter(|_| self.state != State::Stopped);
        let session = session.ok_or_else(|| Refusal::conflict("the container has ended"))?;
        let keys = &config.stdio.detach_keys;
        let client = session.invite(socket, attachment, keys, past, Instant::now())?;
        session.admit(client, attachment, &mut core.shared());
        Ok(Answer::Done {})
    }

    /// What an attaching client is to be told of the log, if it asked and there is one.
    fn past(&self, attachment: &Attachment) -> Result<Option<LogReader>, Refusal> {
        let Some(past) = &attachment.past else {
            return Ok(None);
        };
        let selection = Selection {
            stdout: attachment.stdout,
            stderr: attachment.stderr,
            since_ns: past.since_ns,
            ..Selection::default()
        };
        let Some(LogFile { path, .. }) = &self.config.log.file else {
            return Ok(None);
        };
        let reader = LogReader::open(path, selection, Form::of(attachment).of_log());
        let failed = |error| Refusal::system(format!("{}: {error}", path.display()));
        reader.map(Some).map_err(failed)
    }

    fn follow(&mut self, client: OwnedFd, follow: &Follow) -> Result<Answer, Refusal> {
        let Some(LogFile { path, .. }) = &self.config.log.file else {
            return Err(Refusal::conflict("the container has no log"));
        };
        let reader = follow.reader(path)?;
        tell(&client, &follow.head);
        self.followers
            .admit(Follower::new(client, reader, follow.chunked));
        Ok(Answer::Done {})
    }

    fn start(&mut self) -> Result<Answer, Refusal> {
        if self.state != State::Created {
            return Err(Refusal::conflict("the container was started before"));
        }
        let host_failed = |message: String| StartError {
            message,
            exit_code: HOST_FAILED,
        };
        let container = self
            .container
            .insert(prepare(&self.config, self.open_files).map_err(host_failed)?);
        let stdio = &self.config.stdio;
        let (started, ours) = if stdio.tty {
            let started = container.start(&StdioPlan::Terminal {
                size: stdio.console_size,
            })?;
            with_console(started).map_err(|error| host_failed(error.to_string()))?
        } else {
            let pipes = Pipes::new(stdio.open_stdin, true, true);
            let pipes = pipes.map_err(|error| host_failed(format!("pipe: {error}")))?;
            (container.start(&pipes.plan())?, pipes.ours)
        };
        self.started_at_ns = now_ns();
        self.state = State::Running;
        if let Some(health) = &mut self.health {
            health.start(Instant::now());
        }
        let pid = started.pid;
        let process = Process::watch(started, &self.core.poller, Token::Process(INIT));
        if let Some(session) = self.sessions.get_mut(&INIT) {
            session.begin(process, ours, &mut self.core.shared());
        }
        Ok(Answer::Started {
            pid,
            started_at_ns: self.started_at_ns,
        })
    }

    fn exec(&mut self, exec: Exec, mut descriptors: Vec<OwnedFd>) -> Result<Answer, Refusal> {
        self.check_running()?;
        check_exec_name(&exec.name)?;
        if self.execs.knows(&exec.name) {
            return Err(Refusal::conflict(format!(
                "exec {} was started before",
                exec.name
            )));
        }
        let socket = only(&mut descriptors)?;
        let is_attached = socket.is_some();
        let mut plan = read_plan(&exec)?;
        self.open_files.limit(&mut plan);
        let attachment = &exec.attachment;
        let number = self.next_session;
        let takes_stdin = is_attached && attachment.stdin;
        let manner = Manner {
            tty: exec.tty,
            takes_stdin,
            stdin_once: true,
            dies_with_client: exec.kill_on_disconnect,
        };
        let mut session = Session::new(number, manner);
        let keys = &self.config.stdio.detach_keys;
        let invite = |socket| session.invite(socket, attachment, keys, None, Instant::now());
        let client = socket.map(invite).transpose()?;
        let (started, ours) = self.start_exec(&exec, &plan, is_attached)?;

        self.next_session += 1;
        let pid = started.pid;
        self.execs.add(exec.name, number, pid);
        let process = Process::watch(started, &self.core.poller, Token::Process(number));
        session.begin(process, ours, &mut self.core.shared());
        if let Some(client) = client {
            session.admit(client, attachment, &mut self.core.shared());
        }
        self.sessions.insert(number, session);
        Ok(Answer::ExecStarted { pid })
    }

    fn start_exec(
        &self,
        exec: &Exec,
        plan: &Plan,
        is_attached: bool,
    ) -> Result<(Started, Ours), Refusal> {
        let gone = || Refusal::conflict("the container is not running");
        let container = self.container.as_ref().ok_or_else(gone)?;
        if exec.tty {
            let size = exec.console_size;
            let started = container.exec(plan, &StdioPlan::Terminal { size })?;
            return with_console(started).map_err(Refusal::system);
        }
        let wanted = |stream: bool| is_attached && stream;
        let attachment = &exec.attachment;
        let pipes = Pipes::new(
            wanted(attachment.stdin),
            wanted(attachment.stdout),
            wanted(attachment.stderr),
        );
        let pipes = pipes.map_err(|error| Refusal::system(format!("pipe: {error}")))?;
        Ok((container.exec(plan, &pipes.plan())?, pipes.ours))
    }

    fn signal(&self, session: u32, signal: i32) -> Result<Answer, Refusal> {
        let process = self
            .sessions
            .get(&session)
            .and_then(|session| session.process.as_ref());
        let process = process.filter(|process| process.is_running());
        let process = process.ok_or_else(|| Refusal::conflict("the process is not running"))?;
        process.signal(signal).map_err(refuse_signal)?;
        Ok(Answer::Done {})
    }

    fn signal_all(&self, signal: i32) -> Result<Answer, Refusal> {
        self.check_running()?;
        if let Some(container) = &self.container {
            container.signal_all(signal).map_err(Refusal::system)?;
        }
        Ok(Answer::Done {})
    }

    fn resize(&mut self, exec: Option<&str>, size: (u16, u16)) -> Result<Answer, Refusal> {
        let session = exec.map_or(Ok(INIT), |name| self.exec_session(name))?;
        if session == INIT && self.state == State::Created {
            self.config.stdio.console_size = Some(size);
            return Ok(Answer::Done {});
        }
        if session == INIT {
            self.check_running()?;
        }
        // Without a terminal there is nothing to size, which is no error to Docker either.
        if let Some(terminal) = self.sessions.get(&session).and_then(Session::terminal) {
            tcsetwinsize(terminal, winsize(size)).map_err(Refusal::system)?;
        }
        Ok(Answer::Done {})
    }
}

fn read_plan(exec: &Exec) -> Result<Plan, Refusal> {
    let refuse = |error: &dyn std::fmt::Display| {
        Refusal::invalid(format!("{}: {error}", exec.process.display()))
    };
    let text = std::fs::read(&exec.process).map_err(|error| refuse(&error))?;
    serde_json::from_slice(&text).map_err(|error| refuse(&error))
}

fn with_console(mut started: Started) -> std::io::Result<(Started, Ours)> {
    let console = started.console.take();
    let console = console.ok_or_else(|| std::io::Error::other("the terminal is missing"))?;
    Ok((started, Ours::terminal(console)?))
}

/// The name becomes a file's.
fn check_exec_name(name: &str) -> Result<(), Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
        return Err(Refusal::invalid(format!("invalid exec id: {name:?}")));
    }
    Ok(())
}

/// At most one descriptor; another means that the daemon and we do not understand each other.
fn only(descriptors: &mut Vec<OwnedFd>) -> Result<Option<OwnedFd>, Refusal> {
    let first = descriptors.pop();
    if !descriptors.is_empty() {
        return Err(Refusal::invalid("more than one descriptor came along"));
    }
    Ok(first)
}

fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], Refusal> {
    let refuse = |came: Vec<OwnedFd>| {
        Refusal::invalid(format!("{} descriptors came along, not {N}", came.len()))
    };
    descriptors.try_into().map_err(refuse)
}

fn refuse_signal(error: std::io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::EINVAL) => Refusal::invalid("invalid signal"),
        Some(libc::ESRCH) => Refusal::conflict("the process is not running"),
        _ => Refusal::system(error),
    }
}

pub fn winsize((rows, columns): (u16, u16)) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
