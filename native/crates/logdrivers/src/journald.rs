//! The journal's native protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;

use rustix::fs::{fcntl_add_seals, memfd_create, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{sendmsg, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::Deserialize;

use crate::address::{Address, Connection};
use crate::local_time::LocalTime;
use crate::receiver::Receiver;
use crate::record::Record;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// The journal's socket.
    socket: String,
    /// What every record has, by names that the journal takes.
    fields: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Journald {
    settings: Settings,
    connection: Option<Connection>,
    /// Counts the records of this run.
    ordinal: u64,
}

impl Journald {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            ordinal: 0,
        }
    }

    fn message(&self, record: &Record) -> Vec<u8> {
        let mut message = Vec::new();
        field("MESSAGE", &record.line, &mut message);
        let severity = record.source.severity().to_string();
        field("PRIORITY", severity.as_bytes(), &mut message);
        for (name, value) in &self.settings.fields {
            field(name, value.as_bytes(), &mut message);
        }
        let mut text = |name, value: &str| field(name, value.as_bytes(), &mut message);
        text("CONTAINER_LOG_ORDINAL", &(self.ordinal + 1).to_string());
        if let Some(partial) = &record.partial {
            text("CONTAINER_PARTIAL_ID", &partial.id);
            text("CONTAINER_PARTIAL_ORDINAL", &partial.ordinal.to_string());
            text("CONTAINER_PARTIAL_LAST", &partial.last.to_string());
            if !partial.last {
                text("CONTAINER_PARTIAL_MESSAGE", "true");
            }
        }
        let time = LocalTime::of(record.time_ns).rfc3339(9);
        text("SYSLOG_TIMESTAMP", &time);
        message
    }
}

impl Receiver for Journald {
    fn connect(&mut self) -> io::Result<()> {
        self.connection = None;
        let address = Address::Unixgram(self.settings.socket.clone());
        let opened = Connection::open(&address).map_err(|error| {
            let text = format!("journald is not enabled on this host: {error}");
            io::Error::new(error.kind(), text)
        });
        self.connection = Some(opened?);
        Ok(())
    }

    fn send(&mut self, record: &Record) -> io::Result<()> {
        let message = self.message(record);
        let connection = self
            .connection
            .as_ref()
            .ok_or(io::ErrorKind::NotConnected)?;
        let connection = connection.as_fd();
        let flags = SendFlags::NOSIGNAL;
        match rustix::net::send(connection, &message, flags) {
            Ok(_) => {}
            // Larger than a datagram: it goes in a file that can change no more.
            Err(Errno::MSGSIZE | Errno::NOBUFS) => {
                let file = sealed(&message)?;
                let descriptors = [file.as_fd()];
                let mut space =
                    [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut along = SendAncillaryBuffer::new(&mut space);
                along.push(SendAncillaryMessage::ScmRights(&descriptors));
                sendmsg(connection, &[IoSlice::new(&[])], &mut along, flags)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.ordinal += 1;
        Ok(())
    }
}

/// One field; a value with a newline in it is told with its length.
fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn sealed(message: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("journal-message", flags)?);
    file.write_all(message)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Partial, Source};

    #[test]
    fn newlines_are_told_by_length() {
        let mut out = Vec::new();
        field("A", b"b", &mut out);
        field("C", b"d\ne", &mut out);
        assert_eq!(out, b"A=b\nC\n\x03\0\0\0\0\0\0\0d\ne\n");
    }

    #[test]
    fn a_piece_of_a_line() {
        let receiver = Journald::new(Settings {
            socket: String::new(),
            fields: BTreeMap::from([("CONTAINER_NAME".into(), "box".into())]),
        });
        let message = receiver.message(&Record {
            source: Source::Stdout,
            line: b"a".to_vec(),
            time_ns: 500_000_000,
            partial: Some(Partial {
                id: "p".into(),
                ordinal: 2,
                last: false,
            }),
        });
        assert_eq!(
            String::from_utf8(message).unwrap(),
            format!(
                "MESSAGE=a\nPRIORITY=6\nCONTAINER_NAME=box\nCONTAINER_LOG_ORDINAL=1\n\
             CONTAINER_PARTIAL_ID=p\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=false\n\
             CONTAINER_PARTIAL_MESSAGE=true\nSYSLOG_TIMESTAMP={}\n",
                LocalTime::of(500_000_000).rfc3339(9)
            )
        );
    }
}
