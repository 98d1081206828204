//! Secondary indexes: what they are, and which entries a document has in them. They are kept up by
//! [`apply`](crate::apply), and used by [`query`](crate::query).

mod definition;
mod entries;

pub(crate) use definition::{Definition, IndexState, IndexTotals};
pub(crate) use entries::{Entries, Entry, append_id, owner_of, split_entry};
