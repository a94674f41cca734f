//! syslog, in the forms that Docker's driver has (srslog's formatters).

use std::io;

use serde::Deserialize;

use crate::address::{Address, Connection};
use crate::local_time::LocalTime;
use crate::receiver::{Receiver, Retrying};
use crate::record::Record;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    address: Address,
    /// By its number, 0 to 23.
    facility: u8,
    format: Format,
    tag: String,
    hostname: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As local programs write, without the host's name: what Docker does when it is told nothing.
    Unix,
    Rfc3164,
    Rfc5424,
    Rfc5424micro,
}

impl Settings {
    pub(crate) fn retrying(&self) -> Retrying {
        match self.address {
            Address::Udp(_) => Retrying::ONCE,
            _ => Retrying::PATIENT,
        }
    }

    /// One message, with the newline that ends it in a stream; Docker's datagrams have it too.
    fn message(&self, record: &Record) -> Vec<u8> {
        let priority = self.facility << 3 | record.source.severity();
        let time = LocalTime::of(record.time_ns);
        let pid = std::process::id();
        let Self { tag, hostname, .. } = self;
        let head = match self.format {
            Format::Unix => format!("<{priority}>{} {tag}[{pid}]: ", time.stamp()),
            Format::Rfc3164 => format!("<{priority}>{} {hostname} {tag}[{pid}]: ", time.stamp()),
            Format::Rfc5424 | Format::Rfc5424micro => {
                let digits = if self.format == Format::Rfc5424 { 0 } else { 6 };
                let stamp = time.rfc3339(digits);
                format!("<{priority}>1 {stamp} {hostname} {tag} {pid} {tag} - ")
            }
        };
        let mut message = head.into_bytes();
        message.extend_from_slice(&record.line);
        message.push(b'\n');
        message
    }
}

#[derive(Debug)]
pub struct Syslog {
    settings: Settings,
    connection: Option<Connection>,
}

impl Syslog {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
        }
    }
}

impl Receiver for Syslog {
    fn connect(&mut self) -> io::Result<()> {
        self.connection = None;
        self.connection = Some(Connection::open(&self.settings.address)?);
        Ok(())
    }

    fn send(&mut self, record: &Record) -> io::Result<()> {
        let connection = Connection::usable(&mut self.connection)?;
        connection.send(&self.settings.message(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    #[test]
    fn the_four_forms() {
        let record = Record {
            source: Source::Stderr,
            line: b"it broke".to_vec(),
            time_ns: 1_772_323_199_120_000_000,
            partial: None,
        };
        let time = LocalTime::of(record.time_ns);
        let (stamp, pid) = (time.stamp(), std::process::id());
        for (format, wanted) in [
            (
                Format::Unix,
                format!("<27>{stamp} docker/x[{pid}]: it broke\n"),
            ),
            (
                Format::Rfc3164,
                format!("<27>{stamp} box docker/x[{pid}]: it broke\n"),
            ),
            (
                Format::Rfc5424,
                format!(
                    "<27>1 {} box docker/x {pid} docker/x - it broke\n",
                    time.rfc3339(0)
                ),
            ),
            (
                Format::Rfc5424micro,
                format!(
                    "<27>1 {} box docker/x {pid} docker/x - it broke\n",
                    time.rfc3339(6)
                ),
            ),
        ] {
            let settings = Settings {
                address: Address::Unixgram("/dev/log".into()),
                facility: 3,
                format,
                tag: "docker/x".into(),
                hostname: "box".into(),
            };
            let message = String::from_utf8(settings.message(&record)).unwrap();
            assert_eq!(message, wanted);
        }
    }
}
