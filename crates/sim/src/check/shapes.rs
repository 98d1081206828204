//! The checker of collections that are never dropped, and of documents that all
//! expire together.

use super::Violation;
use crate::history::{Fate, History};
use crate::operation::What;
use crate::shapes::FOUNDED;
use crate::state::State;

pub(super) fn check(before: &State, history: &History, after: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut violate = |what: String| violations.push(Violation::Malformed { what });
    for (operation, count) in &before.founded {
        let found = after.founded.get(operation).copied().unwrap_or_default();
        if found != *count {
            violate(format!("{count} collections of {operation} were there, and {found} are"));
        }
    }
    for call in &history.calls {
        let (id, fate) = (call.operation.id, history.fate(call, after.index));
        match call.operation.what {
            What::Found => {
                let found = after.founded.get(&id).copied().unwrap_or_default();
                if fate == Fate::Retained && found != FOUNDED {
                    violate(format!("{found} of {FOUNDED} collections of {id} are there"));
                }
            }
            What::Swarm if fate == Fate::Lost && after.swarms.contains(&id) => {
                violate(format!("documents of {id} are there, though the state ends before it"));
            }
            _ => {}
        }
    }
    let made = after.founded.keys().map(|id| (id, before.founded.contains_key(id), What::Found));
    let swarms = after.swarms.iter().map(|id| (id, before.swarms.contains(id), What::Swarm));
    for (id, was_there, what) in made.chain(swarms) {
        let call = history.call(*id);
        if !was_there && call.is_none_or(|call| call.operation.what != what) {
            violate(format!("nobody has made what {id} is said to have made ({what:?})"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use velocitydb::{Consistency, Mode};

    use super::*;
    use crate::content::OperationId;
    use crate::operation::{Operation, Retry};
    use crate::record::Record;

    #[test]
    fn collections_that_are_lost_or_invented_are_noticed() {
        let id = OperationId::new(1, 0, 1);
        let mut history = History::new(Mode::Hybrid);
        let (level, retry) = (Consistency::Strong, Retry::Unsafe);
        let operation = Operation { id, level, retry, what: What::Found };
        history.add(Record::Begin(operation), Instant::now());
        history.add(Record::Applied { id, index: 0, version: 0 }, Instant::now());
        history.finish();
        let (before, mut after) = (State::default(), State::default());
        assert_eq!(check(&before, &history, &after).len(), 1);
        after.founded.insert(id, FOUNDED);
        assert_eq!(check(&before, &history, &after), []);
        after.swarms.insert(id);
        assert_eq!(check(&before, &history, &after).len(), 1);
        after.swarms.clear();
        assert_eq!(check(&after, &History::new(Mode::Hybrid), &after), []);
        assert_eq!(check(&after, &History::new(Mode::Hybrid), &before).len(), 1);
    }
}
