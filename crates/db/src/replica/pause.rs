//! [`Pause`]: a time in which no command begins to wait for the disk.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Holds back commands that wait for the disk.
#[derive(Default)]
pub(super) struct Pause {
    is_paused: AtomicBool,
    /// Locked while the pause lasts.
    one: Mutex<()>,
    waiting: Mutex<()>,
    ended: Condvar,
}

pub(super) struct Paused<'a> {
    pause: &'a Pause,
    _one: MutexGuard<'a, ()>,
}

impl Pause {
    /// Waits for the end of a pause.
    pub(super) fn wait(&self) {
        if !self.is_paused.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.waiting.lock();
        self.ended.wait_while(&mut waiting, |()| self.is_paused.load(Ordering::Acquire));
    }

    pub(super) fn begin(&self) -> Paused<'_> {
        let one = self.one.lock();
        self.is_paused.store(true, Ordering::Release);
        Paused { pause: self, _one: one }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let _waiting = self.pause.waiting.lock();
        self.pause.is_paused.store(false, Ordering::Release);
        self.pause.ended.notify_all();
    }
}
