//! [`Space`]: refuses writes before the device is full, so that the store never fails on a full
//! one.
//!
//! How much has to stay free depends on what the store needs for flushing and compacting. The last
//! half of it is for batches that free space, so that users whose writes are refused can delete
//! and drop.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error;
use super::options::LsmOptions;
use crate::error::Room;
use crate::{Error, Purpose, Result};

/// How much may be written, and how much time may pass, before the free space is read again.
const UNREAD_BYTES_MAX: u64 = 256 << 10;
const UNREAD_TIME_MAX: Duration = Duration::from_millis(10);

/// Watches the free bytes of the device that holds the data folder.
pub(super) struct Space {
    path: PathBuf,
    /// Bytes that stay free; `None` is what the store needs.
    reserve_bytes: Option<u64>,
    /// The most that the store ever needs.
    needed_bytes_max: u64,
    /// The bytes that the store needs for flushing and compacting.
    needed_bytes: AtomicU64,
    last_read: Mutex<LastRead>,
}

#[derive(Default)]
struct LastRead {
    bytes_since: u64,
    /// When the device last had room.
    at: Option<Instant>,
}

impl Space {
    pub(super) fn new(folder: &Path, options: &LsmOptions) -> Self {
        Space {
            path: folder.to_owned(),
            reserve_bytes: options.disk_reserve_bytes,
            needed_bytes_max: options.working_bytes(),
            needed_bytes: AtomicU64::new(0),
            last_read: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets how much the store needs from now on.
    pub(super) fn set_needed(&self, bytes: u64) {
        self.needed_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The bytes that have to stay free with `on_the_way` bytes pending, which will be in the
    /// write buffers later, see [`LsmOptions::needed_bytes`].
    fn reserve(&self, on_the_way: u64, purpose: Purpose) -> u64 {
        let needed = self.needed_bytes.load(Ordering::Relaxed);
        let needed = needed.saturating_add(2 * on_the_way).min(self.needed_bytes_max);
        let reserve = self.reserve_bytes.unwrap_or(needed);
        match purpose {
            Purpose::Keep => reserve,
            Purpose::Free => reserve / 2,
        }
    }

    /// Checks that `bytes` more may be written, in addition to the pending ones.
    pub(super) fn check(&self, bytes: u64, on_the_way: u64, purpose: Purpose) -> Result<()> {
        let mut last_read = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        last_read.bytes_since += bytes;
        let is_fresh = last_read.bytes_since < UNREAD_BYTES_MAX
            && last_read.at.is_some_and(|at| at.elapsed() < UNREAD_TIME_MAX);
        if is_fresh {
            return Ok(());
        }
        last_read.at = None;
        let needed_bytes =
            self.reserve(on_the_way, purpose).saturating_add(on_the_way).saturating_add(bytes);
        let free_bytes = self.free_bytes()?;
        if free_bytes < needed_bytes {
            let room = Some(Room { free_bytes, needed_bytes });
            return Err(Error::DiskFull { path: self.path.clone(), room });
        }
        if purpose == Purpose::Keep {
            *last_read = LastRead { bytes_since: 0, at: Some(Instant::now()) };
        }
        Ok(())
    }

    /// The error for a device that turned out to be full.
    pub(super) fn is_full(&self) -> Error {
        let needed_bytes = self.reserve(0, Purpose::Keep);
        let room = self.free_bytes().ok().map(|free_bytes| Room { free_bytes, needed_bytes });
        Error::DiskFull { path: self.path.clone(), room }
    }

    /// Whether the device has `bytes` free, whatever is reserved.
    pub(super) fn has_free(&self, bytes: u64) -> bool {
        self.free_bytes().is_ok_and(|free| free >= bytes)
    }

    /// Whether the device has less than `bytes` or than the reserve free.
    pub(super) fn is_short_of(&self, bytes: u64) -> bool {
        let reserve = self.reserve(0, Purpose::Keep);
        self.free_bytes().is_ok_and(|free| free < reserve.max(bytes))
    }

    fn free_bytes(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path).map_err(|errno| {
            let error = io::Error::from(errno);
            error::io("reading the free space of", &self.path, &error)
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
