//! The tar streams: a container's tree to tar (`pack`), tar to a tree (`unpack`).
//!
//! Every path is resolved from a descriptor of the container's root, which is the root for
//! whoever reads or writes here: no name and no link in a tree or an archive leads out of it.
#![forbid(unsafe_code)]

mod coding;
mod compression;
mod crew;
mod descent;
mod digits;
mod error;
mod header;
mod limits;
mod pack;
mod paths;
mod root;
mod stat;
pub mod tar;
mod transfer;
mod unpack;

pub use coding::{compressed, Coding};
pub use error::Error;
pub use limits::Limits;
pub use pack::{
    export, pack, survey, Hashed, Packed, Packing, Selection, Sink, Skipping, Survey, DIGEST_RECORD,
};
pub use stat::{stat, Stat};
pub use transfer::{transfer, Spot};
pub use unpack::{check, unpack, Options, Summary};
