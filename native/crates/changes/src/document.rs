//! The answer as the Docker API words it: one JSON document.
use std::borrow::Cow;

use rustix::fs::FileType;
use serde::{Serialize, Serializer};

use crate::{Change, Facts};

/// A row of an ordinary path, for a document's first size.
const ROW_BYTES: usize = 48;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    path: Cow<'a, str>,
    kind: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// `[{"Path", "Kind"}]`, with `Type` and `Size` where the facts are told; `null` without any
/// change. It ends in a newline, as all that Go's encoder writes.
pub fn document(changes: &[Change]) -> serde_json::Result<Vec<u8>> {
    if changes.is_empty() {
        return Ok(b"null\n".into());
    }
    let mut document = Vec::with_capacity(changes.len() * ROW_BYTES);
    serde_json::Serializer::new(&mut document).collect_seq(changes.iter().map(row))?;
    document.push(b'\n');
    Ok(document)
}

fn row(change: &Change) -> Row<'_> {
    Row {
        path: text(&change.path),
        kind: change.kind as u8,
        r#type: change.facts.map(type_of),
        size: change.facts.map(|facts| facts.size_bytes),
    }
}

fn type_of(facts: Facts) -> &'static str {
    match FileType::from_raw_mode(facts.type_bits) {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "char",
        FileType::BlockDevice => "block",
        FileType::Unknown => "unknown",
    }
}

/// As Go's encoder: each byte that is not UTF-8 becomes a replacement character, where Rust
/// makes one of several.
fn text(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(path) {
        return text.into();
    }
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn changed(path: &[u8], kind: Kind, facts: Option<Facts>) -> Change {
        Change {
            path: path.to_vec(),
            kind,
            facts,
        }
    }

    fn written(changes: &[Change]) -> String {
        String::from_utf8(document(changes).unwrap()).unwrap()
    }

    #[test]
    fn rows_are_spelled_as_docker_spells_them() {
        let facts = Facts {
            type_bits: FileType::Fifo.as_raw_mode(),
            size_bytes: 0,
        };
        let changes = [
            changed(b"/a<&>", Kind::Modified, None),
            changed(b"/b\"\\\n", Kind::Added, Some(facts)),
            changed(b"/c", Kind::Deleted, None),
        ];
        let wanted = r#"[{"Path":"/a<&>","Kind":0},{"Path":"/b\"\\\n","Kind":1,"Type":"fifo","Size":0},{"Path":"/c","Kind":2}]"#;
        assert_eq!(written(&changes), format!("{wanted}\n"));
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(written(&[]), "null\n");
    }

    #[test]
    fn each_byte_that_is_no_text_is_replaced() {
        let changes = [changed(b"/\xe2\x82/\xff", Kind::Added, None)];
        assert_eq!(
            written(&changes),
            "[{\"Path\":\"/\u{fffd}\u{fffd}/\u{fffd}\",\"Kind\":1}]\n"
        );
    }
}
