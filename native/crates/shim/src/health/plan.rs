//! `health` of `shim.json`: what is probed, and how often.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::record::Status;

/// Every number is one that a probe can go by: defaults are filled in.
#[derive(Debug, Deserialize)]
pub struct Plan {
    pub test: Test,
    /// Where the results are kept.
    pub file: PathBuf,
    interval_ns: u64,
    timeout_ns: u64,
    /// As the daemon writes it.
    pub timeout_text: String,
    pub retries: u32,
    start_period_ns: u64,
    start_interval_ns: u64,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Test {
    /// A file with an OCI process object.
    Command { process: PathBuf },
    /// Healthy when the answer's status is from the first to the last of these.
    Http {
        address: SocketAddr,
        request: String,
        statuses: (u16, u16),
    },
    /// Healthy when somebody listens there.
    Tcp { address: SocketAddr },
    /// Healthy when there is something at that path.
    File { path: String },
}

impl Plan {
    pub fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout_ns)
    }

    /// Whether failures count for nothing yet.
    pub fn is_starting(&self, age: Duration) -> bool {
        age < Duration::from_nanos(self.start_period_ns)
    }

    /// How long to wait for the next probe, that long after the container's start.
    pub fn wait(&self, status: Status, age: Duration) -> Duration {
        let is_starting = self.is_starting(age) && status == Status::Starting;
        Duration::from_nanos(if is_starting {
            self.start_interval_ns
        } else {
            self.interval_ns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_closer_while_it_starts() {
        let plan = Plan {
            test: Test::File { path: "/x".into() },
            file: PathBuf::new(),
            interval_ns: 30,
            timeout_ns: 1,
            timeout_text: String::new(),
            retries: 3,
            start_period_ns: 100,
            start_interval_ns: 5,
        };
        for (status, age_ns, wait_ns) in [
            (Status::Starting, 0, 5),
            (Status::Starting, 99, 5),
            (Status::Starting, 100, 30),
            (Status::Healthy, 0, 30),
            (Status::Unhealthy, 0, 30),
        ] {
            let wait = plan.wait(status, Duration::from_nanos(age_ns));
            assert_eq!(wait, Duration::from_nanos(wait_ns), "{status:?} {age_ns}");
        }
    }
}
