//! Detach keys: what a client types to leave a terminal without ending what runs there.

/// What was typed, as far as it is decided.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Send these bytes on; a beginning of the sequence may be held back.
    Send(Vec<u8>),
    /// Send these, then the client detaches. What it typed behind the sequence is void.
    Detach(Vec<u8>),
}

/// Finds the sequence in a stream of input, wherever reads cut it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    sequence: Vec<u8>,
    matched: usize,
}

impl DetachKeys {
    /// Parse `ctrl-p,ctrl-q`: single characters, `ctrl-` with a letter or one of `@[\]^_`, `DEL`.
    /// An empty text is a sequence that never matches. The error is Docker's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys = text.split(',').filter(|_| !text.is_empty());
        let sequence =
            keys.map(|name| key(name).ok_or_else(|| format!("unknown character: '{name}'")));
        Ok(Self {
            sequence: sequence.collect::<Result<_, _>>()?,
            matched: 0,
        })
    }

    /// Look at what was read.
    pub fn push(&mut self, read: &[u8]) -> Typed {
        let mut out = Vec::with_capacity(read.len());
        if self.sequence.is_empty() {
            out.extend_from_slice(read);
            return Typed::Send(out);
        }
        for &byte in read {
            self.step(byte, &mut out);
            if self.matched == self.sequence.len() {
                self.matched = 0;
                return Typed::Detach(out);
            }
        }
        Typed::Send(out)
    }

    /// The input ended: what was held back after all.
    pub fn finish(&mut self) -> Vec<u8> {
        self.sequence[..std::mem::take(&mut self.matched)].to_vec()
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        while self.matched > 0 && self.sequence[self.matched] != byte {
            // The held bytes may still contain a shorter beginning of the sequence.
            let held = &self.sequence[..self.matched];
            let keep = (0..self.matched)
                .rev()
                .find(|&n| held.ends_with(&self.sequence[..n]))
                .unwrap_or(0);
            out.extend_from_slice(&held[..self.matched - keep]);
            self.matched = keep;
        }
        if self.sequence[self.matched] == byte {
            self.matched += 1;
        } else {
            out.push(byte);
        }
    }
}

fn key(name: &str) -> Option<u8> {
    if let [byte] = name.as_bytes() {
        return Some(*byte);
    }
    if name == "DEL" {
        return Some(0x7f);
    }
    match name.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [mark @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(mark & 0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, sequence) in [
            ("ctrl-p,ctrl-q", &[16u8, 17][..]),
            ("a,ctrl-@,ctrl-[,ctrl-_,DEL", b"a\x00\x1b\x1f\x7f"),
            ("", b""),
        ] {
            assert_eq!(DetachKeys::parse(text).unwrap().sequence, sequence);
        }
        assert_eq!(
            DetachKeys::parse("ctrl-A").unwrap_err(),
            "unknown character: 'ctrl-A'"
        );
        assert!(DetachKeys::parse("a,").is_err());
    }

    #[test]
    fn a_partial_match_is_given_back() {
        let mut keys = DetachKeys::parse("ctrl-p,ctrl-q").unwrap();
        assert_eq!(keys.push(b"a\x10"), Typed::Send(b"a".into()));
        assert_eq!(keys.push(b"\x10"), Typed::Send(b"\x10".into()));
        assert_eq!(keys.push(b"b"), Typed::Send(b"\x10b".into()));
        assert_eq!(keys.push(b"\x10"), Typed::Send(b"".into()));
        assert_eq!(keys.clone().finish(), b"\x10");
        assert_eq!(keys.push(b"\x11rest"), Typed::Detach(b"".into()));
    }

    #[test]
    fn a_sequence_that_overlaps_itself_is_found() {
        let mut keys = DetachKeys::parse("a,a,b").unwrap();
        assert_eq!(keys.push(b"aaaab"), Typed::Detach(b"aa".into()));
    }

    proptest::proptest! {
        #[test]
        fn where_reads_end_changes_nothing(
            sequence in proptest::collection::vec(proptest::sample::select(vec!["a", "b"]), 1..5),
            typed in proptest::collection::vec(b'a'..=b'c', 0..60),
            cuts in proptest::collection::vec(0usize..8, 0..20),
        ) {
            let pattern = sequence.concat().into_bytes();
            let mut keys = DetachKeys::parse(&sequence.join(",")).unwrap();
            let mut sent = Vec::new();
            let mut rest = &typed[..];
            let mut detached = false;
            for cut in cuts.into_iter().chain([typed.len()]) {
                let (part, tail) = rest.split_at(cut.min(rest.len()));
                rest = tail;
                match keys.push(part) {
                    Typed::Send(bytes) => sent.extend(bytes),
                    Typed::Detach(bytes) => { sent.extend(bytes); detached = true; break; }
                }
            }
            if !detached {
                sent.extend(keys.finish());
            }
            let expected = typed.windows(pattern.len()).position(|window| window == pattern);
            proptest::prop_assert_eq!(detached, expected.is_some());
            proptest::prop_assert_eq!(&sent, &typed[..expected.unwrap_or(typed.len())]);
        }
    }
}
