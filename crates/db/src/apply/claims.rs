//! Applying: claims, and what they skip.
//!
//! A claim skips documents under a lease, unless it asks for those too, and documents to which its update
//! cannot be applied: a type does not fit, a schema or a unique index refuses it. So neither blocks the
//! claiming of later documents. Documents that are unfit for claims of one *shape* (the same operators on
//! the same paths, with values of the same types) are marked in the state, and skipped by such claims until
//! they change or a time has passed: so claims do not repeat failed attempts of earlier ones.

use std::collections::HashSet;

use velocitydb_core::filter::{Bound, Side};
use velocitydb_core::key::{Direction, encode_key_value};
use velocitydb_core::{
    Action, CollectionName, DocumentId, Header, IdRef, Modify, Outcome, Refusal, Skip, Time, Value,
    limits,
};
use velocitydb_storage::Snapshot;
use xxhash_rust::xxh3::Xxh3;

use super::documents::{Address, Stored};
use super::hints::Search;
use super::write::Asked;
use super::{Found, Machine, Reply};
use crate::Result;
use crate::keys::{self, CollectionNumber, DOCUMENTS, SYSTEM};
use crate::query::{Accept, Moves, Verdict};

/// How many documents one claim skips at the most.
pub(crate) const SKIPPED_MAX: usize = 1_000;

/// How much one claim reads to take, and writes, in bytes: 64 MiB each, and what one document more
/// makes of it. It takes fewer documents than it may where they are large.
pub(super) const TAKEN_BYTES_MAX: usize = 64 << 20;

/// How many of them are reported.
const REPORTED_MAX: usize = 16;

/// How many shapes of claims are remembered for one document.
const SHAPES_MAX: usize = 8;

/// How long an unfit document is left alone, in microseconds: a minute. Nothing but a change of the
/// document, which ends that, or of the schema is likely to help.
const UNFIT_MICROS: i64 = 60_000_000;

/// The same where another document has its values in a unique index, and may let go of them any time:
/// a second.
const DUPLICATE_MICROS: i64 = 1_000_000;

/// What a claim asks of a document beside its filter.
pub(super) struct Free<'a> {
    modify: &'a Modify,
    /// What it has already.
    taken: HashSet<DocumentId>,
    /// The shape of the claim, where any document of the collection is unfit for some.
    shape: Option<u64>,
    /// How many bounds the filter has. Behind them, "now" is one more for what is unfit until then.
    bounds: usize,
}

impl Free<'_> {
    pub(super) fn accepts(
        &self,
        state: &dyn Snapshot,
        number: CollectionNumber,
        id: IdRef<'_>,
        header: &Header,
        now: Time,
    ) -> Result<Accept> {
        if self.taken.iter().any(|taken| taken.by_ref() == id) {
            return Ok(Accept::No(Verdict::Open));
        }
        if header.lease.is_some() && self.modify.skip == Skip::UnfitAndLeased {
            return Ok(Accept::No(Verdict::Closed));
        }
        let Some(shape) = self.shape else { return Ok(Accept::Yes) };
        let key = keys::of_document(keys::UNFIT, &keys::document(number, id));
        let Some(bytes) = state.get(SYSTEM, &key)? else { return Ok(Accept::Yes) };
        let marks = decode_marks(&bytes).ok_or_else(|| keys::corrupt(&key))?;
        let mark = marks.into_iter().find(|(other, until)| *other == shape && *until > now);
        let Some((_, until)) = mark else { return Ok(Accept::Yes) };
        let bound = u16::try_from(self.bounds).unwrap_or(u16::MAX);
        let moves = Moves::from_elem((bound, component_of(until).into()), 1);
        Ok(Accept::No(Verdict::Awaits(moves)))
    }

    /// The search with these demands, made of the one without.
    pub(super) fn search<'s>(&self, search: Search<'s>, now: Time) -> Search<'s> {
        let mut demands = vec![u8::from(self.modify.skip == Skip::UnfitAndLeased)];
        demands.extend(self.shape.iter().flat_map(|shape| shape.to_le_bytes()));
        let component = |_| component_of(now).into();
        let now = self.shape.map(component);
        let now = now.map(|component| Bound { component, side: Side::AtLeast });
        search.with_demands(&demands, now)
    }
}

/// A time as a component of a key.
fn component_of(time: Time) -> Vec<u8> {
    let mut component = Vec::new();
    encode_key_value(&Value::from(time), Direction::Ascending, &mut component);
    component
}

impl Machine {
    /// Takes documents that can be taken, up to the limit.
    pub(super) fn take(&mut self, now: Time, modify: &Modify) -> Result<Reply> {
        let limit =
            modify.limit.map_or(limits::COMMAND_OPERATIONS_MAX, |limit| limit as usize) as u64;
        let number = self.catalog.collections[&modify.collection].number;
        let (mut reply, mut taken) = (Reply::default(), HashSet::new());
        let bytes_before = self.batch.byte_length();
        let has_room =
            |machine: &Self| machine.batch.byte_length() - bytes_before < TAKEN_BYTES_MAX;
        while reply.found_count < limit && reply.skipped_count < SKIPPED_MAX && has_room(self) {
            let left = limit - reply.found_count;
            let Some(free) = self.free(modify, taken) else { break };
            let wanted = self.find(modify, left, Some(&free), now, None)?;
            let is_last = (wanted.len() as u64) < left;
            taken = free.taken;
            for (id, record) in wanted {
                if !has_room(self) {
                    break;
                }
                let key = keys::document(number, &id);
                let place = Address { collection: &modify.collection, key };
                let stored = Stored::read(record)?;
                match self.take_one(now, modify, &place, &stored)? {
                    Ok(version) => {
                        taken.insert(id.clone());
                        reply.found_count += 1;
                        if self.is_asked {
                            let after = self.get(DOCUMENTS, &place.key)?;
                            let before = Some(stored.record);
                            reply.found.push(Found { id, version, before, after });
                        }
                    }
                    Err(refusal) => {
                        self.mark_unfit(&place, shape_of(&modify.action), &refusal, now)?;
                        reply.skipped_count += 1;
                        if self.is_asked && reply.skipped.len() < REPORTED_MAX {
                            reply.skipped.push((id, refusal));
                        }
                    }
                }
            }
            if is_last {
                break;
            }
        }
        Ok(reply)
    }

    /// What a claim asks of documents beside its filter; `None` when this is no claim.
    pub(super) fn free<'a>(
        &self,
        modify: &'a Modify,
        taken: HashSet<DocumentId>,
    ) -> Option<Free<'a>> {
        let collection = self.catalog.collections.get(&modify.collection)?;
        let shape = (collection.totals.unfit > 0).then(|| shape_of(&modify.action));
        let bounds = modify.filter.shape().bounds.len();
        let is_claim = modify.skip != Skip::Nothing;
        is_claim.then_some(Free { modify, taken, shape, bounds })
    }

    /// Takes one document. Returns its version, or why it cannot be taken.
    fn take_one(
        &mut self,
        now: Time,
        modify: &Modify,
        place: &Address<'_>,
        stored: &Stored,
    ) -> Result<std::result::Result<u64, Refusal>> {
        let (action, lease) = (&modify.action, modify.lease.as_ref());
        let asked = Asked { action, expiry: modify.expiry, lease, is_claim: true };
        let start = self.start();
        let outcome = self.act(now, &asked, Some(place), Some(stored));
        if let Ok(Outcome::Refused(refusal)) = outcome {
            self.undo(&start);
            return Ok(Err(refusal));
        }
        self.keep(start);
        match outcome? {
            Outcome::Applied { version, .. } => Ok(Ok(version)),
            outcome => unreachable!("an update of a document that exists: {outcome:?}"),
        }
    }

    fn mark_unfit(
        &mut self,
        place: &Address<'_>,
        shape: u64,
        refusal: &Refusal,
        now: Time,
    ) -> Result<()> {
        let micros = match refusal {
            Refusal::Duplicate { .. } => DUPLICATE_MICROS,
            _ => UNFIT_MICROS,
        };
        let until = now.as_micros().saturating_add(micros);
        let until = Time::from_micros(until).unwrap_or(Time::MAX);
        let key = keys::of_document(keys::UNFIT, &place.key);
        let before = self.get(SYSTEM, &key)?;
        let is_new = before.is_none();
        let marks = before.map(|bytes| decode_marks(&bytes).ok_or_else(|| keys::corrupt(&key)));
        let mut marks = marks.transpose()?.unwrap_or_default();
        marks.retain(|(other, _)| *other != shape);
        if marks.len() >= SHAPES_MAX {
            marks.remove(0);
        }
        marks.push((shape, until));
        self.batch.put(SYSTEM, &key, &encode_marks(&marks));
        let changed = self.change_collection(place.collection).expect("it was found");
        changed.totals.unfit += u64::from(is_new);
        Ok(())
    }

    /// A document that is written or removed is another one, which claims have not tried.
    pub(super) fn forget_unfit(&mut self, collection: &CollectionName, key: &[u8]) -> Result<()> {
        let found = self.catalog.collections.get(collection).expect("it was found");
        if found.totals.unfit == 0 {
            return Ok(());
        }
        let key = keys::of_document(keys::UNFIT, key);
        if self.get(SYSTEM, &key)?.is_some() {
            self.batch.delete(SYSTEM, &key);
            self.change_collection(collection).expect("it was found").totals.unfit -= 1;
        }
        Ok(())
    }
}

/// A hash of what updates have in common that nearly always fail for the same documents: the operators,
/// their paths, and the types of the values.
fn shape_of(action: &Action) -> u64 {
    let mut hasher = Xxh3::new();
    let Action::Update(update) = action else { return 0 };
    for (operator, operands) in &update.to_object() {
        hasher.update(operator.as_bytes());
        for (path, value) in operands.as_object().into_iter().flatten() {
            hasher.update(&[0]);
            hasher.update(path.as_bytes());
            hasher.update(&[0]);
            hasher.update(kind_of(value).as_bytes());
        }
        hasher.update(&[1]);
    }
    hasher.digest()
}

fn kind_of(value: &Value) -> String {
    value.kind().to_string()
}

/// Shapes, and until when the document is unfit for claims of each.
type Marks = Vec<(u64, Time)>;

fn encode_marks(marks: &Marks) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(marks.len() * 16);
    for (shape, until) in marks {
        bytes.extend_from_slice(&shape.to_le_bytes());
        bytes.extend_from_slice(&until.as_micros().to_le_bytes());
    }
    bytes
}

fn decode_marks(bytes: &[u8]) -> Option<Marks> {
    let (marks, rest) = bytes.as_chunks::<16>();
    let mark = |bytes: &[u8; 16]| {
        let (shape, until) = bytes.split_first_chunk::<8>()?;
        let until = i64::from_le_bytes(until.try_into().ok()?);
        Some((u64::from_le_bytes(*shape), Time::from_micros(until).ok()?))
    };
    if rest.is_empty() { marks.iter().map(mark).collect() } else { None }
}
