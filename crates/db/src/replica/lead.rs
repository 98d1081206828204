//! [`Lead`]: the machine and a group of commands, held while the group is applied.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use parking_lot::MutexGuard;

use super::pipeline::Pipeline;
use super::queue::Waiter;
use crate::Error;
use crate::apply::Machine;

/// The lead over a group. When it ends by a panic, the group is answered, and the machine stopped: a
/// bug must not leave anybody asleep for ever, nor anything built on a state that is half changed.
pub(super) struct Lead<'a> {
    pipeline: &'a Pipeline,
    machine: Option<MutexGuard<'a, Machine>>,
    pub(super) group: &'a [Arc<Waiter>],
    /// Whether the leader is in its slice of the line, and likely to lead again in a moment.
    pub(super) keeps_machine: bool,
    /// Whether the leader has the turn. Then it tells no listener of changes: a listener may write, and wait
    /// for the turn.
    pub(super) has_turn: bool,
}

impl<'a> Lead<'a> {
    pub(super) fn new(
        pipeline: &'a Pipeline,
        machine: MutexGuard<'a, Machine>,
        group: &'a [Arc<Waiter>],
    ) -> Self {
        let leads = &pipeline.line.leads;
        // Nobody else writes it.
        leads.store(leads.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        Lead { pipeline, machine: Some(machine), group, keeps_machine: false, has_turn: false }
    }

    pub(super) fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("it is given back at the end")
    }

    /// Gives the machine back.
    pub(super) fn end(mut self) {
        self.machine = None;
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if let Some(mut machine) = self.machine.take() {
            let reason = "a bug: applying a command panicked".to_owned();
            let error = Error::from(velocitydb_storage::Error::Poisoned { reason });
            self.pipeline.views.fail(&error);
            machine.poison(error.clone());
            for waiter in self.group {
                waiter.answer(Err(error.clone()), None);
                waiter.tell(&self.pipeline.load, None);
            }
        }
        fence(Ordering::SeqCst);
        self.pipeline.wake_next();
        self.pipeline.line.wake_first(self.keeps_machine);
    }
}
