//! The upper limit of speed: a concurrent hash map that only stores encoded
//! documents.

use std::hint::black_box;
use std::sync::Arc;

use crate::Result;
use crate::documents::{Ids, Pool};

/// The name in the tables.
pub const NAME: &str = "bare map";

/// `papaya`, from ids to shared bytes, with the hash function of VelocityDB.
pub struct BareMap(papaya::HashMap<Box<str>, Arc<[u8]>, rapidhash::fast::RandomState>);

impl BareMap {
    /// An empty map.
    pub fn new() -> Self {
        BareMap(papaya::HashMap::with_hasher(rapidhash::fast::RandomState::new()))
    }

    /// A map with a document for each id.
    pub fn load(ids: &Ids, pool: &Pool) -> Result<Self> {
        let map = Self::new();
        for (number, id) in ids.iter() {
            map.put(id, pool.get(number).encoded.as_bytes())?;
        }
        Ok(map)
    }

    /// Shares the bytes of a document.
    #[inline]
    pub fn get(&self, id: &str) -> Result<()> {
        let found = self.0.pin().get(id).cloned().ok_or("the document is missing")?;
        black_box(found);
        Ok(())
    }

    /// Inserts or replaces a copy of the bytes.
    #[inline]
    pub fn put(&self, id: &str, bytes: &[u8]) -> Result<()> {
        self.0.pin().insert(Box::from(id), Arc::from(bytes));
        Ok(())
    }
}
