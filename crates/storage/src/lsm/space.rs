//! [`Space`]: refuses writes before the device is full, so that the store never meets a full one.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error;
use crate::{Error, Result};

/// How much may be written, and how much time may pass, before the device is asked again.
const UNASKED_BYTES_MAX: u64 = 256 << 10;
const UNASKED_TIME_MAX: Duration = Duration::from_millis(10);

/// Watches the free bytes of the device that holds the data folder.
pub(super) struct Space {
    path: PathBuf,
    reserve_bytes: u64,
    unasked_bytes: u64,
    /// When the device last had room.
    asked: Option<Instant>,
}

impl Space {
    pub(super) fn new(path: PathBuf, reserve_bytes: u64) -> Self {
        Space { path, reserve_bytes, unasked_bytes: 0, asked: None }
    }

    /// Whether `bytes` more may be written.
    pub(super) fn check(&mut self, bytes: u64) -> Result<()> {
        self.unasked_bytes += bytes;
        let is_fresh = self.unasked_bytes < UNASKED_BYTES_MAX
            && self.asked.is_some_and(|asked| asked.elapsed() < UNASKED_TIME_MAX);
        if is_fresh {
            return Ok(());
        }
        self.asked = None;
        if self.free_bytes()? < self.reserve_bytes.saturating_add(bytes) {
            return Err(Error::DiskFull { path: self.path.clone() });
        }
        self.unasked_bytes = 0;
        self.asked = Some(Instant::now());
        Ok(())
    }

    /// Whether the device has less than `bytes` free, or than the reserve.
    pub(super) fn is_short_of(&self, bytes: u64) -> bool {
        self.free_bytes().is_ok_and(|free| free < self.reserve_bytes.max(bytes))
    }

    fn free_bytes(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path).map_err(|errno| {
            let error = io::Error::from(errno);
            error::io("asking for the free space of", &self.path, &error)
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
