//! [`Space`]: refuses writes before the device is full, so that the store never meets a full one.
//!
//! How much has to stay free depends on what the store has: what it must be able to write to put
//! itself in order. The last half of it is for batches that give space back, so that whoever is
//! refused can delete and drop.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error;
use super::options::LsmOptions;
use crate::error::Room;
use crate::{Error, Purpose, Result};

/// How much may be written, and how much time may pass, before the device is asked again.
const UNASKED_BYTES_MAX: u64 = 256 << 10;
const UNASKED_TIME_MAX: Duration = Duration::from_millis(10);

/// Watches the free bytes of the device that holds the data folder.
pub(super) struct Space {
    path: PathBuf,
    /// Bytes that stay free; `None` is what the store needs.
    reserve_bytes: Option<u64>,
    /// The most that the store needs, whatever it has.
    needed_bytes_max: u64,
    /// The bytes that the store needs to put what it has in order.
    needed_bytes: AtomicU64,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    unasked_bytes: u64,
    /// When the device last had room.
    at: Option<Instant>,
}

impl Space {
    pub(super) fn new(options: &LsmOptions) -> Self {
        Space {
            path: options.path.clone(),
            reserve_bytes: options.disk_reserve_bytes,
            needed_bytes_max: options.working_bytes(),
            needed_bytes: AtomicU64::new(0),
            asked: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Says how much the store needs from now on.
    pub(super) fn set_needed(&self, bytes: u64) {
        self.needed_bytes.store(bytes, Ordering::Relaxed);
    }

    /// What stays free while so many bytes are on their way, which will be in the write buffers as
    /// others are, see [`LsmOptions::needed_bytes`].
    fn reserve(&self, on_the_way: u64, purpose: Purpose) -> u64 {
        let needed = self.needed_bytes.load(Ordering::Relaxed);
        let needed = needed.saturating_add(2 * on_the_way).min(self.needed_bytes_max);
        let reserve = self.reserve_bytes.unwrap_or(needed);
        match purpose {
            Purpose::Keep => reserve,
            Purpose::Free => reserve / 2,
        }
    }

    /// Whether `bytes` more may be written, beside those that are on their way already.
    pub(super) fn check(&self, bytes: u64, on_the_way: u64, purpose: Purpose) -> Result<()> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.unasked_bytes += bytes;
        let is_fresh = asked.unasked_bytes < UNASKED_BYTES_MAX
            && asked.at.is_some_and(|at| at.elapsed() < UNASKED_TIME_MAX);
        if is_fresh {
            return Ok(());
        }
        asked.at = None;
        let needed_bytes =
            self.reserve(on_the_way, purpose).saturating_add(on_the_way).saturating_add(bytes);
        let free_bytes = self.free_bytes()?;
        if free_bytes < needed_bytes {
            let room = Some(Room { free_bytes, needed_bytes });
            return Err(Error::DiskFull { path: self.path.clone(), room });
        }
        if purpose == Purpose::Keep {
            *asked = Asked { unasked_bytes: 0, at: Some(Instant::now()) };
        }
        Ok(())
    }

    /// The error of a device that turned out to be full.
    pub(super) fn is_full(&self) -> Error {
        let needed_bytes = self.reserve(0, Purpose::Keep);
        let room = self.free_bytes().ok().map(|free_bytes| Room { free_bytes, needed_bytes });
        Error::DiskFull { path: self.path.clone(), room }
    }

    /// Whether the device has `bytes` free, whatever is reserved.
    pub(super) fn has_free(&self, bytes: u64) -> bool {
        self.free_bytes().is_ok_and(|free| free >= bytes)
    }

    /// Whether the device has less than `bytes` free, or than the reserve.
    pub(super) fn is_short_of(&self, bytes: u64) -> bool {
        let reserve = self.reserve(0, Purpose::Keep);
        self.free_bytes().is_ok_and(|free| free < reserve.max(bytes))
    }

    fn free_bytes(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path).map_err(|errno| {
            let error = io::Error::from(errno);
            error::io("asking for the free space of", &self.path, &error)
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
