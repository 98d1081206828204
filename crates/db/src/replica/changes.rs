//! [`Changes`]: tells of what was changed, in order, once no crash takes it back.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::apply::{Change, OnChanges};
use crate::state::Views;

/// The changes that are still to be told of.
pub(super) struct Changes {
    listener: Arc<OnChanges>,
    /// In order, each with the commit that has to be settled first; 0 for none.
    waiting: Mutex<VecDeque<(u64, Vec<Change>)>>,
    /// Held by who tells.
    telling: Mutex<()>,
}

impl Changes {
    pub(super) fn new(listener: Arc<OnChanges>) -> Self {
        Changes { listener, waiting: Mutex::default(), telling: Mutex::new(()) }
    }

    /// Takes in what a commit has changed; the caller sees to it that there is one at a time.
    pub(super) fn push(&self, views: &Views, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.waiting.lock().push_back((views.last().unwrap_or(0), changes));
        }
    }

    /// Tells of all that is settled by now, unless somebody else is at it: he tells of the rest too.
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
            // Somebody may have left something just before.
            if !is_settled(self.waiting.lock().front()) {
                return;
            }
        }
    }
}
