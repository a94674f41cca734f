//! Which records are pieces of one line.

use drayman_logdrivers::{Partial, Record, Source};
use drayman_stdio::now_ns;

/// Makes records of what one output's lines were cut into.
pub struct Pieces {
    source: Source,
    /// What the names of long lines begin with: no other run's do.
    prefix: String,
    lines: u64,
    /// Of the long line that has begun: its name, and the pieces it has so far.
    long: Option<(String, u32)>,
}

impl Pieces {
    pub fn new(container_id: &str, source: Source) -> Self {
        let name = source.name();
        Self {
            source,
            prefix: format!("{container_id}-{:x}-{name}", now_ns()),
            lines: 0,
            long: None,
        }
    }

    /// A record; its text has its newline, or is not the end of its line. As with Docker the text
    /// at the end of an output that has none is a piece that no other follows.
    pub fn record(&mut self, text: &[u8], time_ns: i64) -> Record {
        let (line, ends) = match text.split_last() {
            Some((b'\n', line)) => (line, true),
            _ => (text, false),
        };
        let partial = (!ends || self.long.is_some()).then(|| self.piece(ends));
        Record {
            source: self.source,
            line: line.to_vec(),
            time_ns,
            partial,
        }
    }

    fn piece(&mut self, last: bool) -> Partial {
        let (id, before) = self.long.take().unwrap_or_else(|| {
            self.lines += 1;
            (format!("{}-{:x}", self.prefix, self.lines), 0)
        });
        let ordinal = before + 1;
        if !last {
            self.long = Some((id.clone(), ordinal));
        }
        Partial { id, ordinal, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_belong_together() {
        let mut pieces = Pieces::new("c", Source::Stdout);
        let texts: [&[u8]; 7] = [b"whole\n", b"a", b"b", b"\n", b"c", b"d\n", b"end"];
        let records = texts.map(|text| pieces.record(text, 1));
        let told = records.each_ref().map(|record| {
            let partial = record.partial.as_ref();
            partial.map(|partial| (partial.ordinal, partial.last))
        });
        assert_eq!(
            told,
            [
                None,
                Some((1, false)),
                Some((2, false)),
                Some((3, true)),
                Some((1, false)),
                Some((2, true)),
                Some((1, false)),
            ]
        );
        let id = |at: usize| records[at].partial.as_ref().map(|partial| &partial.id);
        assert_eq!(id(1), id(3));
        assert_ne!(id(3), id(4));
        assert_eq!(
            (&records[0].line[..], &records[3].line[..]),
            (&b"whole"[..], &b""[..])
        );
    }
}
