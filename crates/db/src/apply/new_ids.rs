//! Applying: the ids that a collection gives to new documents. They are made of what the command has and of
//! the state, so that they are the same wherever the command is applied.

use velocitydb_core::{Action, DocumentId, Error as InputError, NewIds, Operation, Value};

use super::documents::Address;
use super::{Machine, Reply};
use crate::keys::{self, SYSTEM};
use crate::state::catalog::decode_highest_id;
use crate::{Error, Result};

impl Machine {
    /// The id that the collection gives to the new document of an operation; `None` where it is the
    /// operation's own.
    pub(super) fn chosen_id(&self, operation: &Operation) -> Result<Option<DocumentId>> {
        if !matches!(operation.action, Action::InsertNew(_)) {
            return Ok(None);
        }
        let Some(found) = self.catalog.collections.get(&operation.collection) else {
            return Ok(None);
        };
        match found.options.ids {
            NewIds::Text => Ok(None),
            NewIds::Integer => {
                let key = keys::numbered(keys::HIGHEST_ID, found.number);
                next_id(decode_highest_id(&key, self.get(SYSTEM, &key)?.as_deref())?).map(Some)
            }
            kind => match kind.of(&operation.id) {
                Some(id) => Ok(Some(id)),
                None => Err(unusable(&operation.id.to_string(), "it is no generated id")),
            },
        }
    }

    /// Records an integer that has become an id in a collection that gives integers.
    pub(super) fn note_integer(&mut self, place: &Address<'_>) -> Result<()> {
        let Some(found) = self.catalog.collections.get(place.collection) else { return Ok(()) };
        if found.options.ids != NewIds::Integer {
            return Ok(());
        }
        let Value::Int(number) = place.id()?.to_value() else { return Ok(()) };
        let key = keys::numbered(keys::HIGHEST_ID, found.number);
        if number > decode_highest_id(&key, self.get(SYSTEM, &key)?.as_deref())? {
            self.batch.put(SYSTEM, &key, &number.to_le_bytes());
        }
        Ok(())
    }

    /// Completes the reply to a write in which collections have chosen ids: those of all new documents.
    pub(super) fn tell_new_ids(
        operations: &[Operation],
        chosen: Vec<(usize, DocumentId)>,
        reply: &mut Reply,
    ) {
        if chosen.is_empty() || reply.is_refused() {
            return;
        }
        let mut chosen = chosen.into_iter().peekable();
        for (position, operation) in operations.iter().enumerate() {
            let of_collection = chosen.next_if(|(other, _)| *other == position);
            if matches!(operation.action, Action::InsertNew(_)) {
                let id = of_collection.map_or_else(|| operation.id.clone(), |(_, id)| id);
                reply.new_ids.push((position, id));
            }
        }
    }
}

/// The integer after the highest one.
pub(crate) fn next_id(highest: i64) -> Result<DocumentId> {
    let Some(next) = highest.checked_add(1) else {
        let problem =
            "no higher integer is left for a new document; insert it with an id of its own";
        return Err(unusable(&i64::MAX.to_string(), problem));
    };
    Ok(DocumentId::new(next)?)
}

fn unusable(id: &str, problem: &'static str) -> Error {
    InputError::InvalidDocumentId { id: id.to_owned(), problem: problem.into() }.into()
}
