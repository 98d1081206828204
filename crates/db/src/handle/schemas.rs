//! Setting, removing and reading the schemas of collections.

use std::ops::ControlFlow;

use velocitydb_core::{
    Action, Body, CollectionName, Consistency, DocumentId, DocumentView, Error as InputError,
    Expiry, Filter, IdRef, IndexSpec, IntoDocumentId, Modify, Recall, SchemaChange, Skip, Sort,
    Update, Violations, limits,
};

use crate::query::{Control, Order, Selection, select};
use crate::schema::Schema;
use crate::state::collection_schema::CollectionSchema;
use crate::{Cancellation, Database, Documents, Error, PageToken, Result};

/// How a new schema applies to existing documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// They have to satisfy the schema, or it is not set; and missing defaults are filled in.
    #[default]
    Check,
    /// They stay as they are, and have to satisfy the schema when they are next written. Defaults are
    /// filled in then; until then, filters on a field with a default do not find documents without the
    /// field.
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

/// How many of the violating documents an error names.
const OFFENDERS_MAX: usize = 10;

/// How many documents, and about how many bytes of them, get their defaults in one command, while other
/// writers wait.
const FILLED_DOCUMENTS: usize = 500;
const FILLED_BYTES: usize = 4 << 20;

impl Documents {
    /// Sets the schema of the collection, or replaces it. The collection is created if it does not exist,
    /// and so are the indexes that the schema requests. Returns the schema's version.
    ///
    /// Existing documents are checked while reads and writes continue; writes have to satisfy the new
    /// schema, and the former one, from the moment when the check begins. Then the schema is in force, and
    /// missing defaults are written to documents, in steps. That raises their versions, so claims on these
    /// documents are lost, as after any other write. Once this has succeeded, every document satisfies the
    /// schema with its defaults filled in. Setting the current schema again does the same, and keeps its
    /// version.
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
    /// let users = velocitydb::open_in_memory()?.documents("users");
    /// users.set_schema(&schema, Existing::Check)?;
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
    /// [`Error::SchemaViolated`], with the first violating documents, when documents violate the schema:
    /// then it is not set. Or when documents satisfy the schema and their defaults cannot be filled in, for
    /// instance since a unique index has the same values already; then the schema is in force, as the
    /// violation says. [`Error::SchemaSuperseded`] when another caller changed the schema meanwhile, and as
    /// for [`create_index`](Self::create_index).
    pub fn set_schema(&self, schema: &Schema, existing: Existing) -> Result<u64> {
        self.set_schema_until(schema, existing, &Cancellation::never())
    }

    /// As [`set_schema`](Self::set_schema), until it is cancelled, in which case the schema is not set.
    /// Once the schema is in force it cannot be cancelled.
    ///
    /// # Errors
    ///
    /// As for [`set_schema`](Self::set_schema), and [`Error::Cancelled`] or
    /// [`Error::DeadlineExceeded`] when it was stopped.
    pub fn set_schema_until(
        &self,
        schema: &Schema,
        existing: Existing,
        cancellation: &Cancellation,
    ) -> Result<u64> {
        let (db, name) = (self.database(), self.name()?.clone());
        let object = schema.to_object().clone();
        let change = match existing {
            Existing::Keep => SchemaChange::Impose(Some(object.clone())),
            Existing::Check => SchemaChange::Propose(object.clone()),
        };
        let body = Body::SetSchema { collection: name.clone(), change };
        let (request, answer) = db.request_for(&body)?;
        if let Some(answer) = answer {
            return Ok(answer.schema_version);
        }
        cancellation.check()?;
        match existing {
            Existing::Keep => {
                db.create_requested(&name, schema, cancellation)?;
                Ok(db.submit_last(body, request)?.schema_version)
            }
            Existing::Check => {
                let proposed = db.change_schema(&name, SchemaChange::Propose(object))?;
                let checked = db.check_existing(&name, schema, cancellation);
                let made = checked.and_then(|()| db.create_requested(&name, schema, cancellation));
                if let Err(error) = made {
                    return match db.change_schema(&name, SchemaChange::Withdraw(proposed)) {
                        Ok(_) | Err(Error::SchemaSuperseded { .. }) => Err(error),
                        Err(error) => Err(error),
                    };
                }
                db.change_schema(&name, SchemaChange::Confirm(proposed))?;
                db.fill_in_defaults(&name, schema)?;
                // The request is remembered only once everything is done: confirming the schema again
                // changes nothing.
                let change = SchemaChange::Confirm(proposed);
                let body = Body::SetSchema { collection: name, change };
                Ok(db.submit_last(body, request)?.schema_version)
            }
        }
    }

    /// Removes the schema of the collection. Its indexes stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoCollection`] when the collection does not exist; and when storage fails.
    pub fn remove_schema(&self) -> Result<()> {
        let (collection, change) = (self.name()?.clone(), SchemaChange::Impose(None));
        let body = Body::SetSchema { collection, change };
        self.db.submit(body, self.request_id().cloned(), Consistency::Strong)?;
        Ok(())
    }

    /// The schema of the collection; `None` when it has none.
    ///
    /// # Errors
    ///
    /// When the name is invalid or storage fails.
    pub fn schema(&self) -> Result<Option<SchemaInfo>> {
        let snapshot = self.db.snapshot()?;
        let Some(number) = snapshot.number(self.name()?)? else { return Ok(None) };
        let Some(found) = CollectionSchema::load(snapshot.state(), number)? else {
            return Ok(None);
        };
        let Some(rules) = found.current else { return Ok(None) };
        Ok(Some(SchemaInfo { version: rules.version, schema: rules.schema()?.clone() }))
    }
}

impl Database {
    /// Creates the indexes that a schema requests. If one fails, those that were created before it are
    /// dropped again.
    fn create_requested(
        &self,
        name: &CollectionName,
        schema: &Schema,
        cancellation: &Cancellation,
    ) -> Result<()> {
        let documents = self.without_request().documents(name.as_str());
        let before = documents.indexes()?;
        let mut created = Vec::new();
        for request in schema.index_requests() {
            let index = IndexSpec::on(&request.path.to_string());
            let index = if request.is_unique { index.unique().sparse() } else { index };
            let index_name = index.name();
            let is_new = before.iter().all(|other| other.name.as_str() != index_name);
            match documents.create_index_until(index, cancellation) {
                Ok(()) if is_new => created.push(index_name),
                Ok(()) => {}
                Err(error) => {
                    for index in created {
                        documents.drop_index(&index)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn change_schema(&self, name: &CollectionName, change: SchemaChange) -> Result<u64> {
        let body = Body::SetSchema { collection: name.clone(), change };
        Ok(self.submit(body, None, Consistency::Strong)?.schema_version)
    }

    /// Checks that all existing documents satisfy a schema. Documents that are written meanwhile do.
    fn check_existing(
        &self,
        name: &CollectionName,
        schema: &Schema,
        cancellation: &Cancellation,
    ) -> Result<()> {
        let mut offenders = Offenders::default();
        self.every_document(name, None, cancellation, &mut |id, document| {
            let completed = match schema.apply_defaults(document.fields) {
                Err(Error::Invalid(error @ InputError::LimitExceeded { .. })) => {
                    let text = format!("is too large with the defaults of the schema: {error}");
                    offenders.add(id, Violations::whole("default", text))?;
                    return Ok(ControlFlow::Continue(()));
                }
                completed => completed?,
            };
            let fields = completed.as_ref().map_or(document.fields, |fields| fields.view());
            if let Some(violations) = schema.validate(fields)? {
                offenders.add(id, violations)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        offenders.into_result(name)
    }

    /// Writes the documents that lack a default, which fills it in. The schema is in force, so documents
    /// that are written meanwhile have their defaults.
    ///
    /// Each step searches the current state, from where the last one ended. A snapshot that is held for all
    /// of the steps would keep the former version of every document.
    fn fill_in_defaults(&self, name: &CollectionName, schema: &Schema) -> Result<()> {
        let documents = self.without_request().documents(name.as_str());
        let mut offenders = Offenders::default();
        let mut done = None;
        loop {
            let (mut waiting, mut bytes) = (Vec::new(), 0);
            self.every_document(
                name,
                done.as_ref(),
                &Cancellation::never(),
                &mut |id, document| {
                    if schema.apply_defaults(document.fields)?.is_none() {
                        return Ok(ControlFlow::Continue(()));
                    }
                    waiting.push(DocumentId::new(id)?);
                    bytes += document.fields.as_encoded().len();
                    let is_full = waiting.len() >= FILLED_DOCUMENTS || bytes >= FILLED_BYTES;
                    Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                },
            )?;
            let Some(last) = waiting.last() else { return offenders.into_result(name) };
            done = Some(PageToken::after_id(&by_id(), last)?);
            fill(&documents, waiting, &mut offenders)?;
        }
    }

    /// Passes every current document of a collection to a function, in the order of ids, from a place in it
    /// on.
    fn every_document(
        &self,
        name: &CollectionName,
        after: Option<&PageToken>,
        cancellation: &Cancellation,
        show: &mut dyn FnMut(IdRef<'_>, &DocumentView<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Some(queried) = self.queried(name, Consistency::Strong)? else { return Ok(()) };
        let (filter, by_id) = (Filter::all(), by_id());
        let control = Control::new(Some(cancellation.clone()), limits::QUERY_MEMORY_BYTES_MAX);
        let after = after.map(|token| token.place(&by_id)).transpose()?;
        let selection = Selection { order: Order::By(&by_id), after, ..Selection::new(&filter) };
        select(&queried.target(), &control, &selection, &mut |hit| {
            show(hit.id, &DocumentView::decode(hit.id, hit.record.bytes())?)
        })?;
        Ok(())
    }
}

/// The order of ids.
fn by_id() -> Sort {
    Sort::new().ascending("_id")
}

/// Writes documents with their own fields, so that defaults are filled in: all at once, or one after
/// another if one of them cannot be written.
fn fill(documents: &Documents, ids: Vec<DocumentId>, offenders: &mut Offenders) -> Result<()> {
    let write = |ids: Vec<DocumentId>| {
        documents.modify(Modify {
            collection: documents.name()?.clone(),
            filter: Filter::all(),
            candidates: Some(ids),
            sort: Sort::new(),
            limit: None,
            action: Action::Update(Update::new()),
            expiry: Expiry::Keep,
            lease: None,
            skip: Skip::Nothing,
            recall: Recall::Count,
        })
    };
    if ids.is_empty() || write(ids.clone()).is_ok() {
        return Ok(());
    }
    for id in ids {
        match write(vec![id.clone()]) {
            Ok(_) => {}
            Err(
                error @ (Error::Duplicate { .. }
                | Error::Inapplicable { .. }
                | Error::SchemaViolation { .. }),
            ) => {
                let text = format!(
                    "lacks defaults of the schema, which is in force, and they cannot be filled in: {error}"
                );
                offenders.add(&id, Violations::whole("default", text))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Documents that violate a schema: their number, and the first of them.
#[derive(Default)]
struct Offenders {
    count: u64,
    first: Vec<(DocumentId, Violations)>,
}

impl Offenders {
    fn add(&mut self, id: impl IntoDocumentId, violations: Violations) -> Result<()> {
        self.count += 1;
        if self.first.len() < OFFENDERS_MAX {
            self.first.push((DocumentId::new(id)?, violations));
        }
        Ok(())
    }

    fn into_result(self, name: &CollectionName) -> Result<()> {
        let Offenders { count, first: offenders } = self;
        match count {
            0 => Ok(()),
            _ => Err(Error::SchemaViolated { collection: name.clone(), count, offenders }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use velocitydb_storage::memory::Memory;

    use velocitydb_core::object;

    use super::*;
    use crate::keys::KEYSPACE_NAMES;
    use crate::{MaintenanceMode, Options};

    /// A process that was killed while it checked the documents left its proposal in force for ever: writes
    /// had to satisfy a schema that the collection never had.
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
        assert!(db.documents("users").schema().unwrap().is_none());
    }
}
