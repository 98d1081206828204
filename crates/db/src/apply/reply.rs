//! [`Reply`]: the result of a command.

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, DocumentId, Outcome, Refusal};
use velocitydb_storage::Blob;

/// The result of a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// The position of the command in the order of all commands that changed something. If it changed
    /// nothing, that of the last one before.
    pub(crate) index: u64,
    /// One outcome for each operation.
    pub(crate) outcomes: SmallVec<[Outcome; 1]>,
    /// For a single operation with a condition: the stored document after the command.
    pub(crate) current: Option<Blob>,
    /// Whether this is the answer to an earlier command with the same request id.
    pub(crate) is_replayed: bool,
    /// Whether maintenance, or the build of an index, stopped at its limit with more to do.
    pub(crate) has_more: bool,
    /// The documents that were found and changed; none if only their number is needed.
    pub(crate) found: SmallVec<[Found; 1]>,
    /// How many documents were found and changed.
    pub(crate) found_count: u64,
    /// The ids of new documents, with the positions of their operations: in the answer to a retry those of
    /// the first attempt, and where a collection has chosen any of them.
    pub(crate) new_ids: Vec<(usize, DocumentId)>,
    /// Documents that a claim skipped, and why: the first of them.
    pub(crate) skipped: Vec<(DocumentId, Refusal)>,
    /// How many were skipped.
    pub(crate) skipped_count: usize,
    /// The version of a schema that was changed.
    pub(crate) schema_version: u64,
    /// Whether nothing was done because too much is due for one command: maintenance has to come first.
    pub(crate) is_behind: bool,
    /// What maintenance could not do, apart from what it postponed.
    pub(crate) problems: Vec<String>,
}

/// A document that was found and changed.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) id: DocumentId,
    /// Its version after the change.
    pub(crate) version: u64,
    /// The stored document before the change; `None` if that is not remembered for a retry.
    pub(crate) before: Option<Blob>,
    /// The stored document after the change; `None` if it was deleted, or if that is not remembered for a
    /// retry.
    pub(crate) after: Option<Blob>,
}

impl Reply {
    /// Replaces new ids by those of the first attempt, or those that collections have chosen.
    pub(crate) fn restore_ids(&self, places: &mut [(CollectionName, DocumentId)]) {
        for (position, id) in &self.new_ids {
            places[*position].1 = id.clone();
        }
    }

    /// The new ids: those of the first attempt, if this is the answer to a retry, or those that collections
    /// have chosen.
    pub(crate) fn new_ids_or(&mut self, made_up: Vec<DocumentId>) -> Vec<DocumentId> {
        match self.is_replayed || !self.new_ids.is_empty() {
            true => std::mem::take(&mut self.new_ids).into_iter().map(|(_, id)| id).collect(),
            false => made_up,
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_)))
    }
}
