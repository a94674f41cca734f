//! Output cut into the records that Docker's log drivers see: lines, and pieces of long lines.

/// The longest record; longer lines are cut into pieces of this size (Docker's copier has a buffer of 16 KiB).
pub const LINE_BYTES: usize = 16 * 1024;

/// What of an output is not yet a whole record.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
    /// When the first piece of the line being cut was read: its other pieces bear the same time.
    piece_ns: Option<i64>,
}

impl Lines {
    /// Give each record that `read` completes to `record`: text with its newline or, for a piece that
    /// is not the last of its line, without; and when it was read.
    pub fn push(&mut self, mut read: &[u8], now_ns: i64, record: &mut impl FnMut(&[u8], i64)) {
        while !read.is_empty() {
            let room = LINE_BYTES - self.held.len();
            let window = &read[..read.len().min(room)];
            let Some(newline) = memchr::memchr(b'\n', window) else {
                let full = window.len() == room;
                self.piece(window, full, now_ns, record);
                read = &read[window.len()..];
                continue;
            };
            let (line, rest) = read.split_at(newline + 1);
            let time_ns = self.piece_ns.take().unwrap_or(now_ns);
            if self.held.is_empty() {
                record(line, time_ns);
            } else {
                self.held.extend_from_slice(line);
                record(&self.held, time_ns);
                self.held.clear();
            }
            read = rest;
        }
    }

    /// Take bytes that hold no newline; `full` when they complete a piece.
    fn piece(&mut self, part: &[u8], full: bool, now_ns: i64, record: &mut impl FnMut(&[u8], i64)) {
        if !full {
            self.held.extend_from_slice(part);
            return;
        }
        let time_ns = *self.piece_ns.get_or_insert(now_ns);
        if self.held.is_empty() {
            record(part, time_ns);
        } else {
            self.held.extend_from_slice(part);
            record(&self.held, time_ns);
            self.held.clear();
        }
    }

    /// The beginning of a line whose record is yet to come.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// The output has ended: give its last, unterminated line.
    pub fn finish(&mut self, now_ns: i64, record: &mut impl FnMut(&[u8], i64)) {
        let time_ns = self.piece_ns.take().unwrap_or(now_ns);
        if !self.held.is_empty() {
            record(&self.held, time_ns);
        }
        self.held = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut records = Vec::new();
        let mut record = |line: &[u8], _: i64| records.push(line.to_vec());
        for part in parts {
            lines.push(part, 1, &mut record);
        }
        lines.finish(1, &mut record);
        records
    }

    #[test]
    fn lines_keep_their_newline_and_the_last_need_not_have_one() {
        assert_eq!(
            cut(&[b"a\nb", b"c\n\nd"]),
            [&b"a\n"[..], b"bc\n", b"\n", b"d"]
        );
    }

    #[test]
    fn a_line_of_exactly_the_limit_leaves_its_newline_to_the_next_record() {
        let mut text = vec![b'x'; LINE_BYTES];
        text.push(b'\n');
        assert_eq!(cut(&[&text]), [&text[..LINE_BYTES], b"\n"]);
        assert_eq!(cut(&[&text[1..]]), [&text[1..]]);
    }

    #[test]
    fn pieces_share_the_first_time() {
        let mut lines = Lines::default();
        let mut times = Vec::new();
        let mut record = |_: &[u8], time: i64| times.push(time);
        lines.push(&[b'x'; LINE_BYTES], 1, &mut record);
        lines.push(&[b'x'; LINE_BYTES], 2, &mut record);
        lines.push(b"x\ny\n", 3, &mut record);
        assert_eq!(times, [1, 1, 1, 3]);
    }

    proptest::proptest! {
        #[test]
        fn where_reads_end_changes_nothing(
            lengths in proptest::collection::vec(0usize..40_000, 0..6),
            cuts in proptest::collection::vec(1usize..9_000, 0..40),
        ) {
            let mut text = Vec::new();
            for length in lengths {
                text.resize(text.len() + length, b'x');
                text.push(b'\n');
            }
            let mut parts = Vec::new();
            let mut rest = &text[..];
            for cut in cuts {
                let (part, tail) = rest.split_at(cut.min(rest.len()));
                parts.push(part);
                rest = tail;
            }
            parts.push(rest);
            let records = cut(&parts);
            proptest::prop_assert_eq!(&records, &cut(&[&text]));
            proptest::prop_assert_eq!(records.concat(), text);
        }
    }
}
