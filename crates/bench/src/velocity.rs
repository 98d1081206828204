//! VelocityDB in memory: the operations that are measured.

use std::hint::black_box;

use velocitydb::{Collection, Database, Documents, IntoDocumentId, object};

use crate::Result;
use crate::documents::{Ids, Pool, Record};

/// The name in the tables.
pub const NAME: &str = "VelocityDB";

/// Documents of one call of `insert_many`.
pub const BATCH: usize = 1000;

/// One collection, with a handle for each way to use it.
pub struct Velocity {
    /// Documents of any shape.
    pub documents: Documents,
    /// Typed ones.
    pub records: Collection<Record>,
}

impl Velocity {
    /// An empty collection of a database.
    pub fn new(db: &Database) -> Self {
        Velocity { documents: db.documents("users"), records: db.collection("users") }
    }

    /// An empty one in memory.
    pub fn in_memory() -> Result<Self> {
        Ok(Self::new(&velocitydb::open_in_memory()?))
    }

    /// One in memory with a document for each id.
    pub fn load(ids: &Ids, pool: &Pool) -> Result<Self> {
        let velocity = Self::in_memory()?;
        velocity.insert_many(ids, pool)?;
        Ok(velocity)
    }

    /// Inserts a document for each id, many per call.
    pub fn insert_many(&self, ids: &Ids, pool: &Pool) -> Result<()> {
        let mut numbered = ids.iter().peekable();
        while numbered.peek().is_some() {
            let batch = numbered.by_ref().take(BATCH);
            self.documents.insert_many(batch.map(|(number, id)| (id, &pool.get(number).object)))?;
        }
        Ok(())
    }

    /// Gets a document.
    #[inline]
    pub fn get(&self, id: impl IntoDocumentId) -> Result<()> {
        let found = self.documents.get(id)?.ok_or("the document is missing")?;
        black_box(found);
        Ok(())
    }

    /// Gets a document and reads one field of it.
    #[inline]
    pub fn get_field(&self, id: &str) -> Result<()> {
        let found = self.documents.get(id)?.ok_or("the document is missing")?;
        let age = found.field("age")?.ok_or("the field is missing")?;
        black_box(age.as_i64()?);
        Ok(())
    }

    /// Changes one field.
    #[inline]
    pub fn update(&self, id: &str, number: u64) -> Result<()> {
        self.documents.update(id, object! { "age": 20 + (number % 80) as i64 })?;
        Ok(())
    }

    /// Changes one field if it has the expected value.
    #[inline]
    pub fn swap(&self, id: &str, revision: u64) -> Result<()> {
        let swapped = self
            .documents
            .compare_and_swap(id)
            .field("revision", revision)
            .update(object! { "revision": revision + 1 })?;
        if swapped.is_applied { Ok(()) } else { Err("a compare-and-swap was refused".into()) }
    }
}
