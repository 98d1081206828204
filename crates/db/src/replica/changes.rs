//! [`Changes`]: reports changes in order, once they are durable.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::apply::{Change, OnChanges};
use crate::state::Views;

/// The changes that have not been reported yet.
pub(super) struct Changes {
    listener: Arc<OnChanges>,
    /// In order, each with the commit that has to be settled before; 0 for none.
    waiting: Mutex<VecDeque<(u64, Vec<Change>)>>,
    /// Locked while changes are reported.
    telling: Mutex<()>,
}

impl Changes {
    pub(super) fn new(listener: Arc<OnChanges>) -> Self {
        Changes { listener, waiting: Mutex::default(), telling: Mutex::new(()) }
    }

    /// Adds the changes of a commit. The caller ensures that there is one call at a time.
    pub(super) fn push(&self, views: &Views, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.waiting.lock().push_back((views.last().unwrap_or(0), changes));
        }
    }

    /// Reports all changes that are settled by now. If another thread is reporting, it reports these too.
    pub(super) fn tell(&self, views: &Views) {
        let is_settled = |first: Option<&(u64, _)>| {
            first.is_some_and(|(commit, _)| *commit == 0 || views.is_settled(*commit))
        };
        while let Some(one) = self.telling.try_lock() {
            let take = || {
                let mut waiting = self.waiting.lock();
                if is_settled(waiting.front()) { waiting.pop_front() } else { None }
            };
            while let Some((_, changes)) = take() {
                (self.listener)(changes);
            }
            drop(one);
            // Another thread may have added changes just before.
            if !is_settled(self.waiting.lock().front()) {
                return;
            }
        }
    }
}
