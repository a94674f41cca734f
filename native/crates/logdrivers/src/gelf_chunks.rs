//! A message cut into datagrams that a network carries unbroken.

use std::io;

/// A datagram, as go-gelf cuts them for Docker: below what an Ethernet frame holds.
const DATAGRAM_BYTES: usize = 1420;
const HEADER_BYTES: usize = 12;
const MAGIC: [u8; 2] = [0x1e, 0x0f];
/// More the format does not allow.
const CHUNKS_MAX: usize = 128;

/// The datagrams of a message, whose number `id` is when it takes several.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] when it is too long.
pub(crate) fn chunks(message: &[u8], id: u64) -> io::Result<Vec<Vec<u8>>> {
    if message.len() <= DATAGRAM_BYTES {
        return Ok(vec![message.to_vec()]);
    }
    let parts = message.chunks(DATAGRAM_BYTES - HEADER_BYTES);
    let count = parts.len();
    let Some(total) = u8::try_from(count).ok().filter(|_| count <= CHUNKS_MAX) else {
        let text = format!("gelf: a message of {count} chunks, where {CHUNKS_MAX} are the most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    };
    let numbered = (0..total).zip(parts);
    Ok(numbered
        .map(|(number, part)| {
            let mut datagram = MAGIC.to_vec();
            datagram.extend_from_slice(&id.to_be_bytes());
            datagram.extend_from_slice(&[number, total]);
            datagram.extend_from_slice(part);
            datagram
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_needed() {
        for (length, count) in [
            (0, 1),
            (1420, 1),
            (1421, 2),
            (1408 * 2, 2),
            (1408 * 2 + 1, 3),
            (1408 * 128, 128),
        ] {
            assert_eq!(
                chunks(&vec![0; length], 1).unwrap().len(),
                count,
                "{length}"
            );
        }
        let error = chunks(&vec![0; 1408 * 128 + 1], 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    proptest::proptest! {
        #[test]
        fn put_together_they_are_the_message(message in proptest::collection::vec(proptest::num::u8::ANY, 1421..9000), id: u64) {
            let datagrams = chunks(&message, id).unwrap();
            let mut whole = Vec::new();
            for (number, datagram) in datagrams.iter().enumerate() {
                proptest::prop_assert!(datagram.len() <= DATAGRAM_BYTES);
                proptest::prop_assert_eq!(&datagram[..2], &MAGIC[..]);
                proptest::prop_assert_eq!(&datagram[2..10], &id.to_be_bytes()[..]);
                proptest::prop_assert_eq!(usize::from(datagram[10]), number);
                proptest::prop_assert_eq!(usize::from(datagram[11]), datagrams.len());
                whole.extend_from_slice(&datagram[HEADER_BYTES..]);
            }
            proptest::prop_assert_eq!(whole, message);
        }
    }
}
