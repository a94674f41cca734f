//! Tree → tree, by way of a tar that nobody sees: what packs and what unpacks work side by side,
//! so that every rule of either holds, and the contents of large files stay inside the kernel.
mod channel;
mod itself;

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::thread;

use crate::error::Error;
use crate::pack::{pack, Packed, Packing};
use crate::tar::Reader;
use crate::unpack::{unpack_plain, Options};

use channel::{channel, Receiver};

/// A path in a container's root.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    pub root: BorrowedFd<'a>,
    pub path: &'a [u8],
}

/// Copy what lies at a path into a directory, of the same root or another's: as `pack` packs it
/// and `unpack` unpacks it. What was copied before an error stays.
///
/// Returns what was packed, and the bytes of regular files that were written. `stopped` is asked between two pieces of content; its error ends the copy, and is returned as
/// `Error::Stream`. `Invalid` for what would be copied into itself.
pub fn transfer(
    from: Spot<'_>,
    packing: &Packing,
    to: Spot<'_>,
    options: Options<'_>,
    stopped: impl Fn() -> io::Result<()>,
) -> Result<(Packed, u64), Error> {
    itself::refuse(from, to, options.name)?;
    let (mut sender, receiver) = channel(stopped);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let packed = pack(from.root, from.path, packing, &mut sender)?;
            sender.flush().map_err(Error::Stream)?;
            Ok(packed)
        });
        let unpacked = receive(receiver, to, options);
        let packed = reading.join().unwrap_or_else(|_| {
            let text = "the thread that read the source broke down";
            Err(Error::System(text.into()))
        });
        match (packed, unpacked) {
            // Nobody takes the tar any more: the reason is the other side's.
            (Err(Error::Stream(error)), Err(reason)) if channel::is_left(&error) => Err(reason),
            (Err(reason), _) | (Ok(_), Err(reason)) => Err(reason),
            (Ok(packed), Ok(written)) => Ok((packed, written)),
        }
    })
}

/// Unpack to the tar's end; the receiver goes with it, so that the packer is never left waiting.
fn receive<F: Fn() -> io::Result<()>>(
    receiver: Receiver<F>,
    to: Spot<'_>,
    options: Options<'_>,
) -> Result<u64, Error> {
    let mut reader = Reader::new(receiver);
    let written = unpack_plain(to.root, to.path, &mut reader, options)?;
    reader.finish().map_err(Error::Stream)?;
    Ok(written)
}
