//! What log drivers say to those who collect logs elsewhere: syslog, journald, fluentd, gelf.
//!
//! [`Settings`] is a driver with its options, all of them decided; a [`Receiver`] made of it turns
//! each [`Record`] into what the other side reads, and waits until it has taken it.

mod address;
mod fluentd;
mod gelf;
mod gelf_chunks;
mod journald;
mod local_time;
mod receiver;
mod record;
mod syslog;

pub use receiver::{Receiver, Retrying, Settings};
pub use record::{Partial, Record, Source};
