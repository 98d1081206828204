//! The checker of documents with generated ids: an answered insert has left exactly the document that
//! its answer named, however often it was tried, and an unanswered one at most one document.

use velocitydb::DocumentId;

use super::Violation;
use crate::content::OperationId;
use crate::history::{Fate, History};
use crate::operation::What;
use crate::state::State;

pub(super) fn check(before: &State, history: &History, after: &State) -> Vec<Violation> {
    let mut violations = check_once(after);
    let mut violate = |operation, what: String| {
        violations.push(Violation::Added { operation, what });
    };
    let found = |operation: OperationId| after.added.get(&operation).map_or(&[][..], Vec::as_slice);
    for (operation, documents) in &before.added {
        if found(*operation) != documents {
            violate(*operation, format!("{documents:?} was there, and {:?} is", found(*operation)));
        }
    }
    for call in history.calls.iter().filter(|call| call.operation.what == What::Add) {
        let (id, named) = (call.operation.id, call.document.iter());
        let is_there = !found(id).is_empty();
        match history.fate(call, after.index) {
            Fate::Retained if !found(id).iter().eq(named) => {
                violate(id, format!("{:?} was named, and {:?} is there", call.document, found(id)));
            }
            Fate::Lost | Fate::Nothing if is_there => {
                violate(id, "it is there, though the state ends before it".to_owned());
            }
            _ => {}
        }
    }
    for operation in after.added.keys().filter(|operation| !before.added.contains_key(operation)) {
        let call = history.call(*operation);
        if call.is_none_or(|call| call.operation.what != What::Add) {
            violate(*operation, "nobody inserted it".to_owned());
        }
    }
    violations
}

/// Checks of any state: no operation has inserted two documents.
pub fn check_once(state: &State) -> Vec<Violation> {
    let doubled = state.added.iter().filter(|(_, documents)| documents.len() > 1);
    let violation = |(operation, documents): (&OperationId, &Vec<DocumentId>)| Violation::Added {
        operation: *operation,
        what: format!("it was inserted more than once, as {documents:?}"),
    };
    doubled.map(violation).collect()
}
