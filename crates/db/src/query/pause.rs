//! Suspending a query and resuming it in the same state and with the same plan: a cursor is pulled,
//! where everything else pushes.
//!
//! The rest of a plan is the rest of each of its ranges, so resuming costs a seek in each range. If
//! a plan sorts in memory, it passes all documents to the visitor at once, and the cursor holds
//! them.

use velocitydb_core::DocumentId;
use velocitydb_storage::Direction;

use super::access::{Access, Range};
use super::control::{Control, Pause};
use super::execute::{Execution, Seen};
use super::hint::Reached;
use super::hit::Visit;
use super::plan::Plan;
use super::progress::{Progress, RangeProgress};
use super::select::{Selection, run};
use super::target::Target;
use crate::Result;

/// A plan that is executed step by step.
pub(crate) struct Paused {
    plan: Plan,
    seen: Option<Seen>,
}

impl Paused {
    /// The plan of a selection.
    pub(crate) fn new(
        target: &Target<'_>,
        control: &Control,
        selection: &Selection<'_>,
    ) -> Result<Self> {
        let mut plan = selection.plan(target, control)?;
        if let (Access::Intersection(..), true) = (&plan.access, plan.is_sorted) {
            // An intersection can only be resumed as a list of its ids.
            let mut ids = Vec::new();
            let mut execution = Execution::new(target, control, &plan, selection.filter);
            execution.run(&plan.access, &mut |hit| {
                control.take(IDS, hit.id.as_bytes().len() + size_of::<DocumentId>())?;
                ids.push(DocumentId::new(hit.id)?);
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            plan.access = Access::Ids(ids);
        }
        Ok(Paused { plan, seen: None })
    }

    /// Whether documents are shown as they are found; otherwise all of them are shown at once.
    pub(crate) fn can_pause(&self) -> bool {
        self.plan.is_sorted
    }

    /// Whether documents with equal sort keys are shown together, so that a visitor has to ask for
    /// a pause instead of breaking.
    pub(crate) fn has_ties(&self) -> bool {
        self.plan.access.has_open_ties()
    }

    /// Shows the rest of the selection, until the end or until the visitor wants a pause. `last` is
    /// the last document that was shown.
    pub(crate) fn run(
        &mut self,
        target: &Target<'_>,
        control: &Control,
        selection: &Selection<'_>,
        pause: &Pause,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let progress = Progress::without_marks(self.plan.access.scanned_ranges().len());
        let mut execution = Execution::new(target, control, &self.plan, selection.filter);
        execution.track(progress, self.seen.take(), pause);
        run(&mut self.plan, &mut execution, selection, visit)?;
        self.seen = execution.take_seen();
        self.plan.access.leave_out(&mut execution.into_ranges().into_iter());
        Ok(())
    }

    /// Removes the ids up to this one from a plan that is a list of ids.
    pub(crate) fn leave_out_through(&mut self, last: &DocumentId) {
        if let Access::Ids(ids) = &mut self.plan.access
            && let Some(position) = ids.iter().position(|id| id == last)
        {
            ids.drain(..=position);
        }
    }
}

const IDS: &str = "memory of a query for the ids that two indexes have in common in bytes";

impl Access {
    /// Removes what has been read from the ranges, in the order of
    /// [`scanned_ranges`](Self::scanned_ranges).
    fn leave_out(&mut self, progress: &mut dyn Iterator<Item = RangeProgress>) {
        match self {
            Access::Collection(range, direction) => range.leave_out(progress.next(), *direction),
            Access::Index(scan) => {
                for range in &mut scan.ranges {
                    range.leave_out(progress.next(), scan.direction);
                }
            }
            Access::Union(parts) => parts.iter_mut().for_each(|part| part.leave_out(progress)),
            Access::Nothing | Access::Ids(_) | Access::Intersection(..) => {}
        }
    }
}

impl Range {
    fn leave_out(&mut self, progress: Option<RangeProgress>, direction: Direction) {
        let Some(reached) = progress.and_then(|progress| progress.reached) else { return };
        match (reached, direction) {
            (Reached::End, _) => self.high = Some(self.low.clone()),
            (Reached::Through(mut key), Direction::Forward) => {
                key.push(0);
                self.low = key;
            }
            (Reached::Before(key), Direction::Forward) => self.low = key,
            (Reached::Through(key), Direction::Backward) => self.high = Some(key),
            (Reached::Before(mut key), Direction::Backward) => {
                key.push(0);
                self.high = Some(key);
            }
        }
    }
}
