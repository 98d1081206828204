//! [`CompareAndSwap`]: a change of a document on a condition.

use std::marker::PhantomData;

use serde::Serialize;
use velocitydb_core::{
    Action, CollectionName, Condition, DocumentId, Filter, IntoDocumentId, Object, Outcome, Path,
    Refusal, Update, Value,
};

use crate::apply::{unmet, unmet_by_none};
use crate::handle::fields::{AsFields, check_action, check_condition};
use crate::handle::transaction::DocumentRef;
use crate::{
    Document, Documents, Encoded, Error, FromDocument, IntoFields, Result, Transaction, Typed,
};

/// A compare-and-swap that is being built; see [`Documents::compare_and_swap`].
///
/// Several [`field`](Self::field)s must all match. Of other conditions the last one counts. Without a
/// condition, the document must exist.
#[must_use = "a compare-and-swap does nothing until a change or `compare` is called"]
pub struct CompareAndSwap<'a, D = Document> {
    of: Of<'a>,
    id: velocitydb_core::Result<DocumentId>,
    /// The first invalid condition is an error, which the swap reports.
    condition: Result<Condition>,
    rows: PhantomData<fn() -> D>,
}

/// Where the document is.
enum Of<'a> {
    Documents(&'a Documents),
    /// As a transaction sees it, in this collection.
    Transaction(&'a mut Transaction, &'a str),
}

/// The result of a compare-and-swap.
#[derive(Debug, Clone)]
#[must_use = "it is not an error that the condition does not hold, and then nothing was changed"]
pub struct Swapped<D = Document> {
    /// Whether the condition held and the swap was applied. A comparison without a change applies nothing,
    /// nor does deleting a document that does not exist.
    pub is_applied: bool,
    /// Whether the condition held.
    pub held: bool,
    /// The document afterwards; `None` when it does not exist.
    pub current: Option<D>,
    /// The document's version afterwards: after a delete, that of the tombstone; 0 when there is neither.
    pub version: u64,
    /// Why the swap was not applied.
    pub refusal: Option<Refusal>,
    /// The position in the order of all commands; 0 in a transaction, which is not committed yet.
    pub index: u64,
    /// Whether this answers an earlier call with the same request id. Then `current` is the document as it
    /// is now, which may have been changed since.
    pub is_replayed: bool,
}

impl Documents {
    /// Begins a compare-and-swap: first its condition, and then the change.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let jobs = db.documents("jobs");
    /// jobs.insert("job1", object! { "state": "waiting" })?;
    /// let claim = |executor: &str| {
    ///     jobs.compare_and_swap("job1")
    ///         .field("state", "waiting")
    ///         .update(object! { "state": "running", "executor": executor })
    /// };
    /// assert!(claim("executor1")?.is_applied);
    /// assert!(!claim("executor2")?.is_applied);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compare_and_swap<'a>(&'a self, id: impl IntoDocumentId) -> CompareAndSwap<'a> {
        CompareAndSwap::new(Of::Documents(self), id)
    }
}

impl<'a> CompareAndSwap<'a> {
    fn new(of: Of<'a>, id: impl IntoDocumentId) -> Self {
        let (id, condition) = (DocumentId::new(id), Ok(Condition::Fields(Vec::new())));
        CompareAndSwap { of, id, condition, rows: PhantomData }
    }

    /// The same, with a document of the type `T` in the result. If the document does not fit the type, the
    /// error is [`Error::Type`], and the swap has been applied nevertheless.
    pub fn typed<T>(self) -> CompareAndSwap<'a, Typed<T>> {
        let CompareAndSwap { of, id, condition, .. } = self;
        CompareAndSwap { of, id, condition, rows: PhantomData }
    }
}

impl<D: FromDocument> CompareAndSwap<'_, D> {
    /// The field at this path must equal `value`: `1` equals `1.0`, but not `"1"`.
    pub fn field(self, path: &str, value: impl Into<Value>) -> Self {
        self.expect(path, Some(value.into()))
    }

    /// There must be no field at this path.
    pub fn missing(self, path: &str) -> Self {
        self.expect(path, None)
    }

    /// The document must have this version.
    pub fn version(self, version: u64) -> Self {
        self.with(Condition::Version(version))
    }

    /// The document must not exist.
    pub fn absent(self) -> Self {
        self.with(Condition::Absent)
    }

    /// The document must satisfy this filter.
    pub fn matches(mut self, filter: impl Into<Filter>) -> Self {
        let filter = filter.into();
        self.condition = self.condition.and_then(|_| checked(Condition::Matches(Box::new(filter))));
        self
    }

    /// The document must have exactly these fields.
    pub fn document(mut self, fields: &Object) -> Self {
        self.condition = self
            .condition
            .and_then(|_| checked(Condition::Document(Encoded::from_object(fields)?)));
        self
    }

    /// Swaps by changing some fields.
    ///
    /// # Errors
    ///
    /// When the input is invalid, the level is too weak, or storage fails. A condition that does not hold
    /// is not an error.
    pub fn update(self, update: impl Into<Update>) -> Result<Swapped<D>> {
        self.run(Action::Update(update.into()))
    }

    /// Swaps by replacing all fields; with [`absent`](Self::absent), by creating the document.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn replace(self, fields: impl IntoFields) -> Result<Swapped<D>> {
        self.run(Action::Upsert(fields.into_fields()?))
    }

    /// Swaps by replacing all fields by those of `value`; with [`absent`](Self::absent), by creating the
    /// document.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update), and when `value` is not an object.
    pub fn replace_with<T: Serialize>(self, value: &T) -> Result<Swapped<D>> {
        self.replace(AsFields(value))
    }

    /// Swaps by deleting the document.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn delete(self) -> Result<Swapped<D>> {
        self.run(Action::Delete)
    }

    /// Compares without a change: returns whether the condition [`held`](Swapped::held).
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn compare(self) -> Result<Swapped<D>> {
        self.run(Action::Compare)
    }

    fn with(mut self, condition: Condition) -> Self {
        self.condition = self.condition.map(|_| condition);
        self
    }

    fn expect(mut self, path: &str, value: Option<Value>) -> Self {
        self.condition = self.condition.and_then(|condition| {
            let mut fields = match condition {
                Condition::Fields(fields) => fields,
                _ => Vec::new(),
            };
            fields.push((path.parse::<Path>()?, value));
            Ok(Condition::Fields(fields))
        });
        self
    }

    fn run(self, action: Action) -> Result<Swapped<D>> {
        let (id, condition) = (self.id?, self.condition?);
        match self.of {
            Of::Documents(documents) => run(documents, id, condition, action),
            Of::Transaction(transaction, collection) => {
                let name = CollectionName::new(collection)?;
                transaction.swap((name, id), &condition, action)
            }
        }
    }
}

impl Transaction {
    /// Begins a compare-and-swap of the document as this transaction sees it. See
    /// [`Documents::compare_and_swap`]. The condition is checked again when the transaction commits.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("jobs").insert("job1", object! { "state": "waiting" })?;
    /// let swapped = db.transaction(|txn| {
    ///     let waiting = txn.compare_and_swap("jobs", "job1").field("state", "waiting");
    ///     waiting.update(object! { "state": "running" })
    /// })?;
    /// assert!(swapped.is_applied);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The [`index`](Swapped::index) of the result is 0, since it is not committed yet.
    pub fn compare_and_swap<'t>(
        &'t mut self,
        collection: &'t str,
        id: impl IntoDocumentId,
    ) -> CompareAndSwap<'t> {
        CompareAndSwap::new(Of::Transaction(self, collection), id)
    }

    fn swap<D: FromDocument>(
        &mut self,
        place: DocumentRef,
        condition: &Condition,
        action: Action,
    ) -> Result<Swapped<D>> {
        check_action(&action)?;
        let before = self.current(&place)?;
        let refusal = match &before {
            Some(document) => unmet(condition, &document.view()?)?,
            None => unmet_by_none(condition),
        };
        let held = refusal.is_none();
        let is_applied = held
            && match (action, &before) {
                (Action::Update(update), Some(document)) => {
                    self.update_document(&place, document, &update)?;
                    true
                }
                (Action::Upsert(fields), _) => {
                    self.upsert(place.0.as_str(), &place.1, fields)?;
                    true
                }
                (Action::Delete, Some(_)) => self.delete(place.0.as_str(), &place.1)?,
                _ => false,
            };
        let after = if is_applied { self.current(&place)? } else { before };
        let version = after.as_ref().map_or(0, Document::version);
        let current = after.map(|document| D::from_document(document, &place.0)).transpose()?;
        let (index, is_replayed) = (0, false);
        Ok(Swapped { is_applied, held, current, version, refusal, index, is_replayed })
    }
}

fn run<D: FromDocument>(
    documents: &Documents,
    id: DocumentId,
    condition: Condition,
    action: Action,
) -> Result<Swapped<D>> {
    let reply = documents.submit_one(id.clone(), condition, action)?;
    let current = match reply.is_replayed {
        true => documents.for_answer(&id)?,
        false => reply.current.map(|record| Document::new(id.clone(), record)).transpose()?,
    };
    let name = documents.name()?;
    let current = current.map(|document| D::from_document(document, name)).transpose();
    let (is_applied, version, refusal) = match reply.outcomes.into_iter().next() {
        Some(Outcome::Applied { version, .. }) => (true, version, None),
        // An action that fails for another reason says nothing about the condition.
        Some(Outcome::Refused(
            refusal @ (Refusal::Update(_) | Refusal::Schema(_) | Refusal::Duplicate { .. }),
        )) => return Err(Error::refused(name.clone(), id, refusal, None)),
        Some(Outcome::Refused(refusal)) => (false, version_of(&refusal), Some(refusal)),
        Some(Outcome::Held { version }) => (false, version, None),
        Some(Outcome::Abandoned) | None => unreachable!("there is one operation"),
    };
    let (held, index, is_replayed) = (refusal.is_none(), reply.index, reply.is_replayed);
    Ok(Swapped { is_applied, held, current: current?, version, refusal, index, is_replayed })
}

fn checked(condition: Condition) -> Result<Condition> {
    check_condition(&condition)?;
    Ok(condition)
}

/// The version of the document for which a condition did not hold; 0 when there is none.
fn version_of(refusal: &Refusal) -> u64 {
    match refusal {
        Refusal::Exists { version }
        | Refusal::Version { found: version, .. }
        | Refusal::Content { version, .. }
        | Refusal::Unmatched { version }
        | Refusal::NoLease { version } => *version,
        _ => 0,
    }
}
