//! Graylog's extended log format: <https://go2docs.graylog.org/current/getting_in_log_data/gelf.html>.

use std::io::{self, Write};
use std::time::Duration;

use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::Compression;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::address::{Address, Connection};
use crate::gelf_chunks::chunks;
use crate::receiver::{Receiver, Retrying};
use crate::record::Record;

const MILLISECOND_NS: i64 = 1_000_000;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// udp or tcp.
    address: Address,
    hostname: String,
    /// Further members of every message, their names with the underscore in front.
    extra: Map<String, Value>,
    /// Of datagrams alone.
    compression: Compressing,
    /// 0 to 9; -1 for the one that is usual.
    level: i32,
    tcp_max_reconnect: u32,
    tcp_reconnect_delay_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compressing {
    None,
    Gzip,
    Zlib,
}

impl Settings {
    pub(crate) fn retrying(&self) -> Retrying {
        match self.address {
            Address::Udp(_) => Retrying::ONCE,
            _ => Retrying::steady(
                Some(self.tcp_max_reconnect),
                Duration::from_secs(self.tcp_reconnect_delay_s),
            ),
        }
    }

    fn message(&self, record: &Record) -> Vec<u8> {
        let mut message = self.extra.clone();
        let mut put = |name: &str, value: Value| message.insert(name.to_owned(), value);
        put("version", "1.1".into());
        put("host", self.hostname.clone().into());
        let line = String::from_utf8_lossy(&record.line);
        put("short_message", line.into());
        // Milliseconds, as Docker tells it: a double has room for little more.
        #[allow(clippy::cast_precision_loss)]
        let time_s = (record.time_ns.div_euclid(MILLISECOND_NS)) as f64 / 1000.0;
        put("timestamp", time_s.into());
        put("level", record.source.severity().into());
        // Strings and numbers always become JSON.
        serde_json::to_vec(&message).unwrap_or_default()
    }

    fn compressed(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let level = match u32::try_from(self.level) {
            Ok(level) => Compression::new(level),
            Err(_) => Compression::default(),
        };
        match self.compression {
            Compressing::None => Ok(message),
            Compressing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(&message)?;
                encoder.finish()
            }
            Compressing::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(&message)?;
                encoder.finish()
            }
        }
    }
}

#[derive(Debug)]
pub struct Gelf {
    settings: Settings,
    connection: Option<Connection>,
    /// Counts the messages of several datagrams, each of which has a number of its own.
    chunked: u64,
}

impl Gelf {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            chunked: 0,
        }
    }
}

impl Receiver for Gelf {
    fn connect(&mut self) -> io::Result<()> {
        self.connection = None;
        self.connection = Some(Connection::open(&self.settings.address)?);
        Ok(())
    }

    fn send(&mut self, record: &Record) -> io::Result<()> {
        if record.line.is_empty() {
            // The format wants a text; Docker leaves empty lines out.
            return Ok(());
        }
        let connection = Connection::usable(&mut self.connection)?;
        let mut message = self.settings.message(record);
        if matches!(self.settings.address, Address::Tcp(_)) {
            message.push(0);
            return connection.send(&message);
        }
        let message = self.settings.compressed(message)?;
        self.chunked += 1;
        // Of all that write to one collector within seconds, no two shall have the same.
        let id = record.time_ns.unsigned_abs()
            ^ self.chunked << 48
            ^ u64::from(std::process::id()) << 32;
        for datagram in chunks(&message, id)? {
            connection.send(&datagram)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;
    use std::io::Read;

    fn settings(compression: Compressing) -> Settings {
        Settings {
            address: Address::Udp("127.0.0.1:12201".into()),
            hostname: "box".into(),
            extra: Map::from_iter([("_tag".to_owned(), "t".into())]),
            compression,
            level: -1,
            tcp_max_reconnect: 3,
            tcp_reconnect_delay_s: 1,
        }
    }

    #[test]
    fn a_message() {
        let record = Record {
            source: Source::Stderr,
            line: b"it \"broke\"\xff".to_vec(),
            time_ns: 1_700_000_000_123_999_999,
            partial: None,
        };
        let message = settings(Compressing::None).message(&record);
        let value: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "version": "1.1", "host": "box", "short_message": "it \"broke\"\u{fffd}",
                "timestamp": 1_700_000_000.123, "level": 3, "_tag": "t",
            })
        );
        let mut text = Vec::new();
        let gzip = settings(Compressing::Gzip)
            .compressed(message.clone())
            .unwrap();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, message);
        text.clear();
        let zlib = settings(Compressing::Zlib)
            .compressed(message.clone())
            .unwrap();
        flate2::read::ZlibDecoder::new(&zlib[..])
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, message);
    }
}
