//! [`Reply`]: what a command is answered with.

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, DocumentId, Outcome, Refusal};
use velocitydb_storage::Blob;

/// What a command is answered with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// The place of the command in the order of all that changed something; for one that changed
    /// nothing, the place of the last that did.
    pub(crate) index: u64,
    /// One for each operation.
    pub(crate) outcomes: SmallVec<[Outcome; 1]>,
    /// For a single operation with a condition: the stored document as the command left it.
    pub(crate) current: Option<Blob>,
    /// Whether this is the answer to an earlier command with the same request id.
    pub(crate) is_replayed: bool,
    /// Whether maintenance, or the building of an index, stopped at its bound with more to do.
    pub(crate) has_more: bool,
    /// The documents that were found and changed; none when only their number is asked for.
    pub(crate) found: SmallVec<[Found; 1]>,
    /// How many documents were found and changed.
    pub(crate) found_count: u64,
    /// In the answer to a retry: the ids that were made up by the first attempt, with the places
    /// of their operations.
    pub(crate) new_ids: Vec<(usize, DocumentId)>,
    /// The documents that a claim could not take, and why; not all of many.
    pub(crate) skipped: Vec<(DocumentId, Refusal)>,
    /// How many were skipped.
    pub(crate) skipped_count: usize,
    /// The version of a schema that was changed.
    pub(crate) schema_version: u64,
    /// Whether nothing was done because more is due first than one command may do: maintenance has
    /// to come before.
    pub(crate) is_behind: bool,
    /// What maintenance could not do, beside what it postponed.
    pub(crate) problems: Vec<String>,
}

/// A document that was found and changed.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) id: DocumentId,
    /// Its version from here on.
    pub(crate) version: u64,
    /// The stored document as it was; `None` where that is not remembered for a retry.
    pub(crate) before: Option<Blob>,
    /// The stored document as it became; `None` when it was deleted, and where that is not
    /// remembered for a retry.
    pub(crate) after: Option<Blob>,
}

impl Reply {
    /// Gives documents whose ids were made up those that the first attempt made up.
    pub(crate) fn restore_ids(&self, places: &mut [(CollectionName, DocumentId)]) {
        for (position, id) in &self.new_ids {
            places[*position].1 = id.clone();
        }
    }

    /// The ids that were made up: by the first attempt, if this is the answer to a retry.
    pub(crate) fn new_ids_or(&mut self, made_up: Vec<DocumentId>) -> Vec<DocumentId> {
        match self.is_replayed {
            true => std::mem::take(&mut self.new_ids).into_iter().map(|(_, id)| id).collect(),
            false => made_up,
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_)))
    }
}
