//! Lines chosen by what is in them.

use memchr::memmem::Finder;
#[cfg(feature = "regex")]
use regex::bytes::{Regex, RegexBuilder};

use crate::line::Text;

/// A compiled expression may take this much, and its memory of places met as much again.
#[cfg(feature = "regex")]
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// What a line must hold, its newline apart, to be shown.
#[derive(Clone, Debug)]
pub struct Grep(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Bytes(Box<Finder<'static>>),
    #[cfg(feature = "regex")]
    Regex(Regex),
}

impl Grep {
    /// These bytes.
    pub fn bytes(needle: &[u8]) -> Self {
        Self(Kind::Bytes(Box::new(Finder::new(needle).into_owned())))
    }

    /// What an expression (of the `regex` crate's syntax) matches. The error says where it is wrong.
    #[cfg(feature = "regex")]
    pub fn regex(expression: &str) -> Result<Self, String> {
        RegexBuilder::new(expression)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
            .map(|regex| Self(Kind::Regex(regex)))
            .map_err(|error| error.to_string())
    }

    /// Whether a text holds it; `aside` is room to work in.
    pub(crate) fn finds<'a>(&self, text: Text<'a>, aside: &'a mut Vec<u8>) -> bool {
        let text = text.bare(aside);
        match &self.0 {
            Kind::Bytes(finder) => finder.find(text).is_some(),
            #[cfg(feature = "regex")]
            Kind::Regex(regex) => regex.is_match(text),
        }
    }
}

#[cfg(all(test, feature = "regex"))]
mod tests {
    use super::*;
    use crate::record::Escaped;

    fn finds(grep: &Grep, escaped: &str) -> bool {
        grep.finds(Text::Escaped(Escaped(escaped.as_bytes())), &mut Vec::new())
    }

    #[test]
    fn the_text_is_what_was_written() {
        for (needle, escaped, found) in [
            ("b", r"abc\n", true),
            ("", r"\n", true),
            ("<b>", r"a\u003cb\u003e\n", true),
            ("u003c", r"a\u003cb\n", false),
            ("n", r"abc\n", false),
            ("\n", r"abc\n", false),
            ("c\\n", r"abc\\n\n", true),
        ] {
            assert_eq!(
                finds(&Grep::bytes(needle.as_bytes()), escaped),
                found,
                "{needle} {escaped}"
            );
            let literal = Grep::regex(&regex::escape(needle)).unwrap();
            assert_eq!(finds(&literal, escaped), found, "{needle} {escaped}");
        }
        let ends = Grep::regex("^a.*[0-9]$").unwrap();
        assert!(finds(&ends, r"ab1\n"));
        assert!(!finds(&ends, r"ab1 \n"));
    }

    #[test]
    fn an_expression_that_is_none_is_told() {
        assert!(Grep::regex("a(").unwrap_err().contains("unclosed group"));
        assert!(Grep::regex("a{1000}{1000}")
            .unwrap_err()
            .contains("size limit"));
    }
}
