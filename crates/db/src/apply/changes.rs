//! [`Change`]: one effect of a command, for consumers of changes.

use velocitydb_core::{CollectionName, DocumentId, IdRef};
use velocitydb_storage::Blob;

use super::Machine;
use crate::Result;
use crate::state::document::Document;

/// One effect of a command on a collection or on a document.
#[derive(Debug, Clone)]
pub struct Change {
    /// The position of the command in the order of all commands that changed something.
    pub index: u64,
    /// The collection.
    pub collection: CollectionName,
    /// What happened.
    pub effect: Effect,
}

/// What happened to a collection or to a document.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The collection was created.
    Created,
    /// The collection was dropped, with all its documents, for which no changes are reported.
    Dropped,
    /// A document was written or removed.
    Document(Box<DocumentChange>),
}

/// What happened to a document.
#[derive(Debug, Clone)]
pub struct DocumentChange {
    /// Its id.
    pub id: DocumentId,
    /// Its version after the change: that of the deletion, if it was removed.
    pub version: u64,
    /// The document before the change; `None` when it is new.
    pub before: Option<Document>,
    /// The document after the change; `None` when it was removed.
    pub after: Option<Document>,
    /// Why.
    pub cause: Cause,
}

/// Why a document changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A caller wrote or deleted it.
    Written,
    /// Its time to live has expired.
    Expired,
    /// The lease on it has expired.
    LeaseEnded,
}

/// The consumer of changes.
pub(crate) type OnChanges = dyn Fn(Vec<Change>) + Send + Sync;

impl Machine {
    /// Records changes from here on, until they are committed.
    pub(crate) fn record_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    pub(super) fn note_change(&mut self, collection: &CollectionName, effect: Effect) {
        let index = self.index;
        if let Some(changes) = &mut self.changes {
            changes.push(Change { index, collection: collection.clone(), effect });
        }
    }

    /// Records the change of a document, if changes are recorded.
    pub(super) fn note_document(
        &mut self,
        collection: &CollectionName,
        id: IdRef<'_>,
        version: u64,
        [before, after]: [Option<&[u8]>; 2],
        cause: Cause,
    ) -> Result<()> {
        if self.changes.is_none() {
            return Ok(());
        }
        let id = DocumentId::new(id)?;
        let document = |record: Option<&[u8]>| {
            record.map(|record| Document::new(id.clone(), Blob::copy_of(record))).transpose()
        };
        let (before, after) = (document(before)?, document(after)?);
        let change = DocumentChange { id, version, before, after, cause };
        self.note_change(collection, Effect::Document(Box::new(change)));
        Ok(())
    }
}
