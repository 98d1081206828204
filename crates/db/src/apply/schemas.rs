//! Applying: changing and enforcing schemas.

use std::sync::Arc;

use velocitydb_core::{
    CollectionName, CollectionOptions, Encoded, Object, RawObject, Refusal, SchemaChange,
};

use super::documents::refusable;
use super::{Machine, Reply};
use crate::keys::{self, SYSTEM};
use crate::state::collection_schema::{CollectionSchema, Rules};
use crate::{Error, Result};

impl Machine {
    /// The fields, with the schema's defaults for missing ones, or why they are refused.
    pub(super) fn keep_to_schema(
        &self,
        collection: &CollectionName,
        fields: RawObject<'_>,
    ) -> Result<std::result::Result<Option<Encoded>, Refusal>> {
        let found = self.catalog.collections.get(collection);
        let Some(schema) = found.and_then(|found| found.schema.as_ref()) else {
            return Ok(Ok(None));
        };
        let completed = match refusable(schema.with_defaults(fields))? {
            Ok(completed) => completed,
            Err(error) => return Ok(Err(Refusal::Update(error))),
        };
        let fields = completed.as_ref().map_or(fields, Encoded::view);
        Ok(match refusable(schema.violations(fields))? {
            Ok(None) => Ok(completed),
            Ok(Some(violations)) => Err(Refusal::Schema(violations)),
            Err(error) => Err(Refusal::Update(error)),
        })
    }

    pub(super) fn set_schema(
        &mut self,
        collection: &CollectionName,
        change: &SchemaChange,
    ) -> Result<Reply> {
        if !self.catalog.collections.contains_key(collection) {
            let gives_one =
                matches!(change, SchemaChange::Propose(_) | SchemaChange::Impose(Some(_)));
            if !gives_one {
                return Err(Error::NoCollection { collection: collection.clone() });
            }
            self.make_collection(collection, &CollectionOptions::default())?;
        }
        let found = &self.catalog.collections[collection];
        let before = found.schema.as_deref().cloned().unwrap_or_default();
        let version = before.version + 1;
        let compile = |object: &Object| {
            let rules = Rules::new(version, object.clone());
            rules.schema()?;
            Ok::<_, Error>(Arc::new(rules))
        };
        let proposed = before.proposed.as_ref();
        let is_proposed = |version: u64| proposed.is_some_and(|rules| rules.version == version);
        let current = before.current.as_ref();
        let is_current = |version: u64| current.is_some_and(|rules| rules.version == version);
        let unchanged = match change {
            SchemaChange::Propose(object) => current.filter(|rules| rules.is_of(object)),
            SchemaChange::Impose(Some(object)) if proposed.is_none() => {
                current.filter(|rules| rules.is_of(object))
            }
            SchemaChange::Confirm(wanted) | SchemaChange::Withdraw(wanted) => {
                current.filter(|_| is_current(*wanted))
            }
            SchemaChange::Impose(_) => None,
        };
        if let Some(rules) = unchanged {
            // Setting the current schema changes nothing, and keeps its version.
            return Ok(Reply { schema_version: rules.version, ..Reply::default() });
        }
        let superseded = || Error::SchemaSuperseded { collection: collection.clone() };
        let after = match change {
            SchemaChange::Propose(object) => {
                CollectionSchema { version, proposed: Some(compile(object)?), ..before }
            }
            SchemaChange::Confirm(wanted) if is_proposed(*wanted) => {
                CollectionSchema { version, current: before.proposed, proposed: None }
            }
            SchemaChange::Withdraw(wanted) if is_proposed(*wanted) => {
                CollectionSchema { version, proposed: None, ..before }
            }
            SchemaChange::Confirm(_) | SchemaChange::Withdraw(_) => return Err(superseded()),
            SchemaChange::Impose(object) => {
                let current = object.as_ref().map(compile).transpose()?;
                CollectionSchema { version, current, proposed: None }
            }
        };
        let bytes = after.encode()?;
        let changed = self.change_collection(collection).expect("it exists by now");
        changed.schema = Some(Arc::new(after));
        let key = keys::numbered(keys::SCHEMA, changed.number);
        self.batch.put(SYSTEM, &key, &bytes);
        let schema_version = match change {
            SchemaChange::Confirm(confirmed) => *confirmed,
            _ => version,
        };
        Ok(Reply { schema_version, ..Reply::default() })
    }
}
