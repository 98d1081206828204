//! Secondary indexes: their definitions, and which entries a document has in them.
//! [`apply`](crate::apply) maintains them, [`query`](crate::query) uses them.

mod definition;
mod entries;

pub(crate) use definition::{Definition, IndexState, IndexTotals};
pub(crate) use entries::{Content, Entries, Entry, EntryId, append_id, owner_of, split_entry};
