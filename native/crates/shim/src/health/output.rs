//! What a probe says, as far as it is kept.

/// As much as Docker keeps.
const BYTES_MAX: usize = 4096;

#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Output {
    pub fn push(&mut self, bytes: &[u8]) {
        let room = BYTES_MAX - self.bytes.len();
        self.is_cut |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// As text, which what is no UTF-8 is made; dots tell that there was more.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        format!("{text}{}", if self.is_cut { "..." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_cut() {
        let mut output = Output::default();
        output.push(&[b'x'; BYTES_MAX - 1]);
        output.push(b"y");
        assert_eq!(output.text().len(), BYTES_MAX);
        output.push(b"z");
        assert!(output.text().ends_with("xy..."));
        assert_eq!(output.text().len(), BYTES_MAX + 3);
    }
}
