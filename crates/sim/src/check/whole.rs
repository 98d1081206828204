//! Checks of a state as a whole: where it ends, that counts are right, that nothing is torn.

use velocitydb::Mode;

use super::Violation;
use crate::history::{Fate, History};
use crate::operation::{Effect, What};
use crate::state::State;

/// How many bytes of writes may be acknowledged and not on disk in `memory-first`.
const BEHIND_BYTES_MAX: u64 = 16 << 20;

pub(super) fn check(history: &History, after: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for message in &history.failures {
        violations.push(Violation::Failed { message: message.clone() });
    }
    for what in &after.malformed {
        violations.push(Violation::Malformed { what: what.clone() });
    }
    if after.index < history.durable_index {
        let (durable, recovered) = (history.durable_index, after.index);
        violations.push(Violation::LostDurable { durable, recovered });
    }
    for (collection, &(count, listed)) in &after.counts {
        if count != listed {
            let collection = collection.clone();
            violations.push(Violation::Count { collection, count, listed });
        }
    }
    let bytes = lost_bytes(history, after.index);
    if history.mode() == Mode::MemoryFirst && bytes > BEHIND_BYTES_MAX {
        violations.push(Violation::TooFarBehind { bytes, max: BEHIND_BYTES_MAX });
    }
    violations
}

/// The bytes of the texts of lost writes: a lower bound of all that they wrote.
fn lost_bytes(history: &History, recovered: u64) -> u64 {
    let lost = history.calls.iter().filter(|call| history.fate(call, recovered) == Fate::Lost);
    lost.map(|call| match call.operation.what {
        What::Write { register, effect, .. } if effect != Effect::Delete => {
            (register.documents().len() * call.operation.id.pad().len()) as u64
        }
        _ => 0,
    })
    .sum()
}
