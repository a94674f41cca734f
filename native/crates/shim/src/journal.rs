//! The container's log, should it have one: a file, a process that sends it away, or both.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use drayman_stdio::{JsonFile, LogFile, Stream, Trouble};

use crate::compressor::Compressor;
use crate::config::Log;
use crate::delivery::{Delivery, Said};
use crate::pipes::PIPE_BYTES;
use crate::poll::Poller;

/// More than both pipes of a container hold.
const LAST_BYTES: usize = 3 * PIPE_BYTES;

#[derive(Debug)]
pub struct Journal {
    /// The program that sends it away and compresses it.
    logger: PathBuf,
    file: Option<JsonFile>,
    delivery: Option<Delivery>,
    /// The file is written by the process that otherwise sends it away.
    is_beside: bool,
    /// It wrote something since `grew` was asked the last time.
    grew_beside: bool,
    compressor: Option<Compressor>,
    trouble: Trouble,
    /// How much was written when `grew` was asked the last time.
    told_bytes: u64,
}

impl Journal {
    /// The error names the file.
    pub fn open(log: &Log, logger: &Path) -> Result<Self, String> {
        let here = log.file.as_ref().filter(|file| !file.beside);
        Ok(Self {
            logger: logger.to_owned(),
            file: here.map(LogFile::open).transpose()?,
            is_beside: log.file.as_ref().is_some_and(|file| file.beside),
            grew_beside: false,
            delivery: None,
            compressor: None,
            trouble: Trouble::default(),
            told_bytes: 0,
        })
    }

    /// Begin to send it away, by a process that reads the bundle; it is heard by [`Journal::hear`].
    pub fn deliver(&mut self, bundle: &Path, poller: &Poller) -> io::Result<()> {
        self.delivery = Some(Delivery::start(&self.logger, bundle, poller)?);
        Ok(())
    }

    /// What the process that sends it away has to say.
    pub fn hear(&mut self, poller: &Poller) -> Option<Said> {
        let said = self.delivery.as_mut()?.hear(poller);
        self.grew_beside |= matches!(said, Said::Written | Said::Ended);
        Some(said)
    }

    /// Whether anybody takes what the container writes.
    pub fn is_kept(&self) -> bool {
        self.file.is_some() || self.delivery.is_some()
    }

    /// Take what the container wrote.
    pub fn push(&mut self, stream: Stream, read: &[u8], now_ns: i64) {
        if let Some(file) = &mut self.file {
            file.push(stream, read, now_ns);
        }
        if let Some(delivery) = &mut self.delivery {
            delivery.push(stream, read, now_ns);
        }
    }

    /// Whether more has to wait for the receiver to take what came before. Of a container that has
    /// ended, all that its pipes can hold is taken first.
    pub fn is_behind(&self, ended: bool) -> bool {
        let limit = if ended { LAST_BYTES } else { 0 };
        let delivery = self.delivery.as_ref();
        delivery.is_some_and(|delivery| delivery.waiting_bytes() > limit)
    }

    /// Write what a batch of events brought.
    pub fn flush(&mut self, poller: &Poller) {
        if let Some(delivery) = &mut self.delivery {
            delivery.settle(poller);
        }
        let Some(file) = &mut self.file else { return };
        let flushed = file.flush();
        if let Some(news) = self.trouble.news(flushed, file) {
            eprintln!("drayman-shim: log: {news}");
        }
        self.compress(poller);
    }

    fn compress(&mut self, poller: &Poller) {
        let Some(file) = &mut self.file else { return };
        let Some((path, last_time)) = file.take_rotated() else {
            return;
        };
        match Compressor::start(&self.logger, &path, &last_time, poller) {
            Ok(compressor) => self.compressor = Some(compressor),
            Err(error) => {
                eprintln!("drayman-shim: compress {}: {error}", path.display());
                file.compressed();
            }
        }
    }

    /// A rotated file is compressed now.
    pub fn compressed(&mut self, poller: &Poller) {
        if let Some(compressor) = self.compressor.take() {
            compressor.end(poller);
        }
        if let Some(file) = &mut self.file {
            file.compressed();
        }
    }

    pub fn is_compressing(&self) -> bool {
        self.compressor.is_some()
    }

    /// The container ended: write the lines that it did not end, and have everything sent.
    pub fn finish(&mut self, now_ns: i64, poller: &Poller) {
        if let Some(delivery) = &mut self.delivery {
            delivery.end(poller);
        }
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.finish(now_ns) {
            eprintln!("drayman-shim: log: {error}");
        }
        if file.lost_bytes() > 0 {
            eprintln!("drayman-shim: log: lost {} bytes", file.lost_bytes());
        }
        self.compress(poller);
    }

    /// Whether everything was sent, or is waited for no more.
    pub fn is_delivered(&self, now: Instant) -> bool {
        self.delivery.as_ref().is_none_or(|one| one.is_over(now))
    }

    /// When [`Journal::is_delivered`] is true at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.delivery.as_ref().and_then(Delivery::deadline)
    }

    /// Whether something was written since this was asked the last time.
    pub fn grew(&mut self) -> bool {
        if self.is_beside {
            return std::mem::take(&mut self.grew_beside);
        }
        let Some(file) = &self.file else { return false };
        let written = file.written_bytes();
        std::mem::replace(&mut self.told_bytes, written) != written
    }

    /// Whether all that was taken can be told of, from the file or by [`Journal::held`].
    pub fn is_tellable(&self) -> bool {
        let delivery = self.delivery.as_ref();
        !self.is_beside || delivery.is_none_or(Delivery::is_settled)
    }

    /// What was taken for the log and is not in it yet, though it was flushed.
    pub fn held(&self) -> Vec<(Stream, &[u8])> {
        self.file.iter().flat_map(JsonFile::held).collect()
    }

    /// Keep no memory that is not needed.
    pub fn trim(&mut self) {
        if let Some(file) = &mut self.file {
            file.trim();
        }
        if let Some(delivery) = &mut self.delivery {
            delivery.trim();
        }
    }

    pub fn close(&mut self, poller: &Poller) {
        self.file = None;
        if let Some(compressor) = self.compressor.take() {
            compressor.end(poller);
        }
        if let Some(mut delivery) = self.delivery.take() {
            delivery.close(poller);
            if delivery.lost_bytes() > 0 {
                let lost = delivery.lost_bytes();
                eprintln!("drayman-shim: log: {lost} bytes found nobody to send them");
            }
        }
    }
}
