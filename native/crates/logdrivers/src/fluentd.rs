//! fluentd's forward protocol, in message mode:
//! <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rmp::encode::{
    buffer::ByteBuf, write_array_len, write_ext_meta, write_i64, write_map_len, write_str,
    write_str_len,
};
use serde::Deserialize;

use crate::address::{Address, Connection};
use crate::receiver::{Receiver, Retrying};
use crate::record::Record;

const SECOND_NS: i64 = 1_000_000_000;
/// fluent-logger-golang's, which Docker uses.
const WAIT_GROWTH: f64 = 1.5;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The extension type of a time in nanoseconds, and its size.
const EVENT_TIME: i8 = 0;
const EVENT_TIME_BYTES: u32 = 8;
/// How long an acknowledgement is waited for.
const ACK_WAIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    address: Address,
    tag: String,
    container_id: String,
    /// With the slash in front, as Docker sends it.
    container_name: String,
    /// Labels and variables.
    extra: BTreeMap<String, String>,
    pub(crate) is_async: bool,
    /// Records that may wait for a connection, when asynchronous.
    pub(crate) buffer_limit: usize,
    max_retries: u32,
    retry_wait_ms: u64,
    sub_second_precision: bool,
    request_ack: bool,
}

impl Settings {
    pub(crate) fn retrying(&self) -> Retrying {
        let wait = Duration::from_millis(self.retry_wait_ms);
        Retrying::growing(self.max_retries, wait, WAIT_GROWTH, WAIT_MAX)
    }

    /// `[tag, time, record, option]`. Writing to memory does not fail, so no result of it is looked at.
    fn message(&self, record: &Record, chunk: Option<&str>) -> Vec<u8> {
        let mut out = ByteBuf::new();
        let _ = write_array_len(&mut out, 4);
        let _ = write_str(&mut out, &self.tag);
        self.time(record.time_ns, &mut out);
        self.record(record, &mut out);
        let _ = write_map_len(&mut out, u32::from(chunk.is_some()));
        if let Some(chunk) = chunk {
            let _ = write_str(&mut out, "chunk");
            let _ = write_str(&mut out, chunk);
        }
        out.into_vec()
    }

    fn time(&self, time_ns: i64, out: &mut ByteBuf) {
        let seconds = time_ns.div_euclid(SECOND_NS);
        if !self.sub_second_precision {
            let _ = write_i64(out, seconds);
            return;
        }
        let _ = write_ext_meta(out, EVENT_TIME_BYTES, EVENT_TIME);
        let nanos = time_ns.rem_euclid(SECOND_NS);
        for part in [seconds, nanos] {
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            out.as_mut_vec().extend_from_slice(&part.to_be_bytes());
        }
    }

    fn record(&self, record: &Record, out: &mut ByteBuf) {
        let partial = record.partial.as_ref().map(|partial| {
            [
                ("partial_message", "true".to_owned()),
                ("partial_id", partial.id.clone()),
                ("partial_ordinal", partial.ordinal.to_string()),
                ("partial_last", partial.last.to_string()),
            ]
        });
        let mut fields: BTreeMap<&str, &[u8]> = BTreeMap::from([
            ("container_id", self.container_id.as_bytes()),
            ("container_name", self.container_name.as_bytes()),
            ("source", record.source.name().as_bytes()),
            ("log", &record.line[..]),
        ]);
        for (name, value) in &self.extra {
            fields.insert(name, value.as_bytes());
        }
        for (name, value) in partial.iter().flatten() {
            fields.insert(name, value.as_bytes());
        }
        let count = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        let _ = write_map_len(out, count);
        for (name, value) in fields {
            let _ = write_str(out, name);
            // Whatever bytes the container wrote: Docker's are not checked either.
            let _ = write_str_len(out, u32::try_from(value.len()).unwrap_or(u32::MAX));
            out.as_mut_vec().extend_from_slice(value);
        }
    }
}

#[derive(Debug)]
pub struct Fluentd {
    settings: Settings,
    connection: Option<Connection>,
    /// Names the records that are to be acknowledged.
    chunks: u64,
}

impl Fluentd {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            chunks: 0,
        }
    }
}

impl Receiver for Fluentd {
    fn connect(&mut self) -> io::Result<()> {
        self.connection = None;
        let connection = Connection::open(&self.settings.address)?;
        connection.limit_reads(ACK_WAIT)?;
        self.connection = Some(connection);
        Ok(())
    }

    fn send(&mut self, record: &Record) -> io::Result<()> {
        let connection = Connection::usable(&mut self.connection)?;
        if !self.settings.request_ack {
            return connection.send(&self.settings.message(record, None));
        }
        self.chunks += 1;
        let container = &self.settings.container_id;
        let chunk = format!("{:.12}-{:x}-{:x}", container, record.time_ns, self.chunks);
        connection.send(&self.settings.message(record, Some(&chunk)))?;
        let wanted = acknowledgement(&chunk);
        let mut came = vec![0; wanted.len()];
        connection.read_exact(&mut came)?;
        if came != wanted {
            return Err(io::Error::other("fluentd acknowledged something else"));
        }
        Ok(())
    }
}

/// `{"ack": chunk}`, of which there is but one shortest form.
fn acknowledgement(chunk: &str) -> Vec<u8> {
    let mut out = ByteBuf::new();
    let _ = write_map_len(&mut out, 1);
    let _ = write_str(&mut out, "ack");
    let _ = write_str(&mut out, chunk);
    out.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Partial, Source};
    use rmpv::Value;

    fn settings(sub_second_precision: bool) -> Settings {
        Settings {
            address: Address::Tcp("127.0.0.1:24224".into()),
            tag: "t".into(),
            container_id: "c".repeat(64),
            container_name: "/box".into(),
            extra: BTreeMap::from([("app".into(), "web".into())]),
            is_async: false,
            buffer_limit: 1,
            max_retries: 1,
            retry_wait_ms: 1,
            sub_second_precision,
            request_ack: false,
        }
    }

    fn read(message: &[u8]) -> Value {
        let mut rest = message;
        let value = rmpv::decode::read_value(&mut rest).unwrap();
        assert!(rest.is_empty());
        value
    }

    #[test]
    fn a_whole_line() {
        let record = Record {
            source: Source::Stdout,
            line: b"hi".to_vec(),
            time_ns: 1_700_000_000_000_000_007,
            partial: None,
        };
        let value = read(&settings(true).message(&record, Some("k")));
        assert_eq!(value[0], Value::from("t"));
        let time = [&1_700_000_000u32.to_be_bytes()[..], &7u32.to_be_bytes()].concat();
        assert_eq!(value[1], Value::Ext(0, time));
        assert_eq!(value[2]["log"], Value::from("hi"));
        assert_eq!(value[2]["source"], Value::from("stdout"));
        assert_eq!(value[2]["container_name"], Value::from("/box"));
        assert_eq!(value[2]["app"], Value::from("web"));
        assert_eq!(value[2].as_map().unwrap().len(), 5);
        assert_eq!(value[3]["chunk"], Value::from("k"));
        let value = read(&settings(false).message(&record, None));
        assert_eq!(value[1], Value::from(1_700_000_000));
    }

    proptest::proptest! {
        #[test]
        fn whatever_was_written_is_read(line: Vec<u8>, ordinal: u32, last: bool) {
            let record = Record {
                source: Source::Stderr,
                line: line.clone(),
                time_ns: 0,
                partial: Some(Partial { id: "p".into(), ordinal, last }),
            };
            let value = read(&settings(false).message(&record, None));
            let text = match &value[2]["log"] {
                Value::String(text) => text.as_bytes().to_vec(),
                other => panic!("{other}"),
            };
            proptest::prop_assert_eq!(text, line);
            proptest::prop_assert_eq!(&value[2]["partial_message"], &Value::from("true"));
            proptest::prop_assert_eq!(&value[2]["partial_ordinal"], &Value::from(ordinal.to_string()));
            proptest::prop_assert_eq!(&value[2]["partial_last"], &Value::from(last.to_string()));
        }
    }
}
