//! Applying: creating and dropping collections.

use velocitydb_core::{CollectionName, CollectionOptions, NewIds, Time};

use super::{Machine, Reply};
use crate::keys::{self, SYSTEM};
use crate::state::catalog::{self, Collection, Tombstone, Totals};
use crate::{Error, Result};

impl Machine {
    pub(super) fn create_collection(
        &mut self,
        name: &CollectionName,
        options: &CollectionOptions,
    ) -> Result<Reply> {
        if self.catalog.collections.contains_key(name) {
            return Err(Error::CollectionExists { collection: name.clone() });
        }
        self.make_collection(name, options)?;
        Ok(Reply::default())
    }

    /// Creates a collection that does not exist. If one of the same name was dropped within the retention
    /// time, the versions of its documents continue, so that none is used twice.
    pub(super) fn make_collection(
        &mut self,
        name: &CollectionName,
        options: &CollectionOptions,
    ) -> Result<()> {
        let dropped_key = keys::named(keys::DROPPED, name.as_str());
        let mut version_floor = 0;
        if let Some(bytes) = self.get(SYSTEM, &dropped_key)? {
            let dropped = Tombstone::decode(&bytes).ok_or_else(|| keys::corrupt(&dropped_key))?;
            version_floor = dropped.version;
            self.batch.delete(SYSTEM, &dropped_key);
            self.batch.delete(SYSTEM, &keys::dropped_age(dropped.deleted, name));
        }
        let number = self.catalog.system.next_collection;
        self.change_system().next_collection = number + 1;
        let totals = Totals {
            version_floor,
            version_max: version_floor,
            index: self.index,
            ..Totals::default()
        };
        let key = keys::named(keys::COLLECTION, name.as_str());
        self.batch.put(SYSTEM, &key, &catalog::encode_collection(number, options));
        self.add_collection(name.clone(), Collection::new(number, *options, totals));
        Ok(())
    }

    pub(super) fn drop_collection(&mut self, name: &CollectionName, now: Time) -> Result<Reply> {
        let Some(collection) = self.remove_collection(name) else {
            return Err(Error::NoCollection { collection: name.clone() });
        };
        let dropped = Tombstone { version: collection.totals.version_max, deleted: now }.encode();
        self.batch.delete(SYSTEM, &keys::named(keys::COLLECTION, name.as_str()));
        self.batch.delete(SYSTEM, &keys::numbered(keys::COLLECTION_TOTALS, collection.number));
        self.batch.put(SYSTEM, &keys::named(keys::DROPPED, name.as_str()), &dropped);
        self.put_in_list(&keys::dropped_age(now, name), &[]);
        self.put_in_list(&keys::numbered(keys::PURGE, collection.number), &[]);
        self.leaves_something();
        for index in &collection.indexes {
            let definition = &index.definition;
            self.forget_index(collection.number, &definition.name, definition.number);
        }
        if collection.options.ids == NewIds::Integer {
            self.batch.delete(SYSTEM, &keys::numbered(keys::HIGHEST_ID, collection.number));
        }
        if collection.schema.is_some() {
            self.batch.delete(SYSTEM, &keys::numbered(keys::SCHEMA, collection.number));
        }
        Ok(Reply::default())
    }
}
