//! Setting, removing and reading the schemas of collections.

use std::ops::ControlFlow;

use velocitydb_core::{
    Body, CollectionName, Consistency, DocumentId, DocumentView, Filter, IndexSpec, SchemaChange,
    Violations,
};

use crate::collection_schema::CollectionSchema;
use crate::query::{Control, Selection, select};
use crate::schema::Schema;
use crate::{Database, Error, Result};

/// What a new schema means for documents that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// They have to satisfy it, or it is not set.
    #[default]
    Check,
    /// They stay as they are, and have to satisfy it when they are written next.
    Keep,
}

/// The schema of a collection.
#[derive(Debug, Clone)]
pub struct SchemaInfo {
    /// The version at which it was set. It rises with every change.
    pub version: u64,
    /// The schema.
    pub schema: Schema,
}

/// How many offending documents an error names.
const OFFENDERS_MAX: usize = 10;

impl Database {
    /// Gives a collection a schema, or another one. The collection is created if need be, and the
    /// indexes that the schema asks for are created too. Returns the schema's version.
    ///
    /// Documents that exist are checked while reads and writes go on; writes satisfy the new
    /// schema, and the one before, from the moment that the check begins.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::schema::{Field, Schema};
    /// use velocitydb::{Existing, object};
    ///
    /// let schema = Schema::builder()
    ///     .field("name", Field::string().required())
    ///     .field("age", Field::int().range(0..=150))
    ///     .field("role", Field::string().default("user"))
    ///     .build()?;
    /// let db = velocitydb::open_in_memory()?;
    /// db.set_schema("users", &schema, Existing::Check)?;
    /// let users = db.documents("users");
    /// users.insert("alice", object! { "name": "Alice", "age": 28 })?;
    /// let alice = users.get("alice")?.expect("alice").fields()?;
    /// assert_eq!(alice["role"], "user".into());
    /// let error = users.update("alice", object! { "age": -1 }).unwrap_err().to_string();
    /// assert!(error.contains("age"), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::SchemaViolated`] with the first offenders when documents violate it,
    /// [`Error::SchemaSuperseded`] when somebody else changed it meanwhile, and as for
    /// [`create_index`](Self::create_index).
    pub fn set_schema(&self, collection: &str, schema: &Schema, existing: Existing) -> Result<u64> {
        let name = CollectionName::new(collection)?;
        let object = schema.to_object().clone();
        let change = match existing {
            Existing::Keep => SchemaChange::Impose(Some(object.clone())),
            Existing::Check => SchemaChange::Propose(object.clone()),
        };
        let body = Body::SetSchema { collection: name.clone(), change };
        let (request, answer) = self.request_for(&body)?;
        if let Some(answer) = answer {
            return Ok(answer.schema_version);
        }
        match existing {
            Existing::Keep => {
                self.create_requested(&name, schema)?;
                Ok(self.submit_last(body, request)?.schema_version)
            }
            Existing::Check => {
                let proposed = self.change_schema(&name, SchemaChange::Propose(object))?;
                let checked = self.check_existing(&name, schema);
                if let Err(error) = checked.and_then(|()| self.create_requested(&name, schema)) {
                    return match self.change_schema(&name, SchemaChange::Withdraw(proposed)) {
                        Ok(_) | Err(Error::SchemaSuperseded { .. }) => Err(error),
                        Err(error) => Err(error),
                    };
                }
                let change = SchemaChange::Confirm(proposed);
                let body = Body::SetSchema { collection: name, change };
                Ok(self.submit_last(body, request)?.schema_version)
            }
        }
    }

    /// Creates the indexes that a schema asks for. When one cannot be, those that were created for
    /// it are dropped again.
    fn create_requested(&self, name: &CollectionName, schema: &Schema) -> Result<()> {
        let before = self.indexes(name.as_str())?;
        let mut created = Vec::new();
        for request in schema.index_requests() {
            let index = IndexSpec::on(&request.path.to_string());
            let index = if request.is_unique { index.unique().sparse() } else { index };
            let index_name = index.name();
            let is_new = before.iter().all(|other| other.name.as_str() != index_name);
            match self.without_request().create_index(name.as_str(), index) {
                Ok(()) if is_new => created.push(index_name),
                Ok(()) => {}
                Err(error) => {
                    for index in created {
                        self.without_request().drop_index(name.as_str(), &index)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes the schema from a collection. Its indexes stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoCollection`] when there is none of this name; and when storage fails.
    pub fn remove_schema(&self, collection: &str) -> Result<()> {
        let (collection, change) = (CollectionName::new(collection)?, SchemaChange::Impose(None));
        let body = Body::SetSchema { collection, change };
        self.submit(body, self.request_id().cloned(), Consistency::Strong)?;
        Ok(())
    }

    /// The schema of a collection; `None` when it has none.
    ///
    /// # Errors
    ///
    /// When the name is invalid or storage fails.
    pub fn schema(&self, collection: &str) -> Result<Option<SchemaInfo>> {
        let snapshot = self.snapshot()?;
        let Some(number) = snapshot.number(&CollectionName::new(collection)?)? else {
            return Ok(None);
        };
        let Some(found) = CollectionSchema::load(snapshot.state(), number)? else {
            return Ok(None);
        };
        let Some(rules) = found.current else { return Ok(None) };
        Ok(Some(SchemaInfo { version: rules.version, schema: rules.schema()?.clone() }))
    }

    fn change_schema(&self, name: &CollectionName, change: SchemaChange) -> Result<u64> {
        let body = Body::SetSchema { collection: name.clone(), change };
        Ok(self.submit(body, None, Consistency::Strong)?.schema_version)
    }

    /// Looks whether all documents that exist satisfy a schema. Those that are written meanwhile do.
    fn check_existing(&self, name: &CollectionName, schema: &Schema) -> Result<()> {
        let Some(queried) = self.queried(name, Consistency::Strong)? else { return Ok(()) };
        let (mut count, mut offenders) = (0, Vec::<(DocumentId, Violations)>::new());
        let (all, control) = (Filter::all(), Control::of_command());
        select(&queried.target(), &control, &Selection::new(&all), &mut |hit| {
            let document = DocumentView::decode(hit.id, hit.record.bytes())?;
            let completed = schema.apply_defaults(document.fields)?;
            let fields = completed.as_ref().map_or(document.fields, |fields| fields.view());
            if let Some(violations) = schema.validate(fields)? {
                count += 1;
                if offenders.len() < OFFENDERS_MAX {
                    offenders.push((DocumentId::new(hit.id)?, violations));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if count == 0 {
            return Ok(());
        }
        Err(Error::SchemaViolated { collection: name.clone(), count, offenders })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use velocitydb_core::object;
    use velocitydb_storage::memory::Memory;

    use super::*;
    use crate::keys::KEYSPACE_NAMES;
    use crate::{MaintenanceMode, Options};

    /// A process that was killed while it checked the documents left its proposal in force for
    /// ever: writes kept to a schema that the collection never had.
    #[test]
    fn a_proposal_ends_with_the_process_that_made_it() {
        let engine = Arc::new(Memory::new(KEYSPACE_NAMES.len()));
        let open = || {
            let options = Options::new().maintenance(MaintenanceMode::Manual);
            options.open_engine(engine.clone()).unwrap()
        };
        let name = CollectionName::new("users").unwrap();
        let db = open();
        let schema = Schema::from_json(r#"{"required": ["name"]}"#).unwrap();
        let propose = SchemaChange::Propose(schema.to_object().clone());
        db.change_schema(&name, propose).unwrap();
        assert!(db.documents("users").insert("a", object! {}).is_err());
        drop(db);
        let db = open();
        db.documents("users").insert("a", object! {}).unwrap();
        assert!(db.schema("users").unwrap().is_none());
    }
}
