//! The canonical encoding of a [`Command`], its length, and the fingerprint of its body. See
//! [`decoding`](super::decoding) for the inverse.
//!
//! ```text
//! command   version (1 byte), now (8, little-endian µs), request, body
//! request   length (LEB128), text; if there is one, the fingerprint (16, little-endian)
//! body      a tag (1 byte) and its parts, in the order of the fields of its type
//! ```
//!
//! Numbers are LEB128; texts, encoded documents, updates, filters and the like are preceded by their
//! length, lists by their count; an option begins with a byte of 0 or 1. Each command has one encoding, and
//! different commands have different encodings. A later version of the encoding has another first byte.
//!
//! One traversal of the command serves all purposes, so that none can omit a part. It does not decide what
//! is allowed.

use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use super::bounds::{check_bytes, check_parts};
use super::output::{Comparison, Length, Output, put_number};
use super::{
    Action, BegunLease, Body, Check, CollectionOptions, Command, Condition, Expiry, Lease,
    LeaseChange, Maintain, MaintainScope, Modify, Operation, QueryCheck, Recall, SchemaChange,
    Skip, Write,
};
use crate::codec::{encode_operators_into, encode_value_into};
use crate::{Consistency, Encoded, Filter, Object, Origin, Result, Sort, Time, Update, Value};

/// The version of the encoding, its first byte.
pub const COMMAND_VERSION: u8 = 1;

impl Command {
    /// Appends the canonical encoding of the command, for a log or the network.
    ///
    /// # Errors
    ///
    /// When a filter, a sort or an update is invalid, and when the command exceeds its limits; the buffer
    /// is then unchanged.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<()> {
        let start = buffer.len();
        let result = check_parts(self)
            .and_then(|()| Writer::new(buffer, Ids::All).command(self))
            .and_then(|()| check_bytes(buffer.len() - start));
        if result.is_err() {
            buffer.truncate(start);
        }
        result
    }

    /// Whether these are the bytes that [`encode_into`](Self::encode_into) writes.
    pub(super) fn is_encoded_as(&self, bytes: &[u8]) -> Result<bool> {
        let mut comparison = Comparison { expected: Some(bytes) };
        Writer::new(&mut comparison, Ids::All).command(self)?;
        Ok(comparison.expected.is_some_and(<[u8]>::is_empty))
    }

    /// An upper bound of the number of bytes that [`encode_into`](Self::encode_into) appends: exact except
    /// for some bytes for each value of an update, a filter or a sort.
    ///
    /// # Errors
    ///
    /// As for [`encode_into`](Self::encode_into).
    pub fn encoded_length_max(&self) -> Result<usize> {
        let mut length = Length(0);
        check_parts(self)?;
        Writer::new(&mut length, Ids::All).command(self)?;
        check_bytes(length.0)?;
        Ok(length.0)
    }
}

impl Check {
    /// An upper bound of its size in a command, in bytes; see [`Command::encoded_length_max`].
    ///
    /// # Errors
    ///
    /// When a filter or a sort is invalid.
    pub fn encoded_length_max(&self) -> Result<usize> {
        let mut length = Length(0);
        Writer::new(&mut length, Ids::All).check(self)?;
        Ok(length.0)
    }
}

impl LeaseChange {
    /// An upper bound of its size in a command, in bytes; see [`Command::encoded_length_max`].
    ///
    /// # Errors
    ///
    /// When the release is invalid.
    pub fn encoded_length_max(&self) -> Result<usize> {
        let mut length = Length(0);
        Writer::new(&mut length, Ids::All).lease_change(self)?;
        Ok(length.0)
    }
}

impl Body {
    /// A hash of everything in the body that the caller chose. It distinguishes the retry of a command from
    /// another command with the same request id. Ids that were generated for the caller
    /// ([`Action::InsertNew`]) are left out: a retry generates another one.
    ///
    /// # Errors
    ///
    /// When a filter, a sort or an update is invalid.
    pub fn fingerprint(&self) -> Result<u128> {
        let mut hash = Xxh3::new();
        Writer::new(&mut hash, Ids::Chosen).body(self)?;
        Ok(hash.digest128())
    }
}

/// Which ids of documents are included.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    All,
    /// Those that the caller chose. Generated ids are encoded as an empty text, which is not a valid id.
    Chosen,
}

struct Writer<'o, O> {
    out: &'o mut O,
    ids: Ids,
}

impl<'o, O: Output> Writer<'o, O> {
    fn new(out: &'o mut O, ids: Ids) -> Self {
        Writer { out, ids }
    }

    fn command(&mut self, command: &Command) -> Result<()> {
        let Command { now, request, body } = command;
        self.byte(COMMAND_VERSION);
        self.time(*now);
        match request {
            None => self.bytes(&[]),
            Some(request) => {
                self.bytes(request.id.as_str().as_bytes());
                self.out.put(&request.fingerprint.to_le_bytes());
            }
        }
        self.body(body)
    }

    fn body(&mut self, body: &Body) -> Result<()> {
        match body {
            Body::Write(write) => {
                self.byte(0);
                return self.write(write);
            }
            Body::CreateCollection { name, options } => {
                let CollectionOptions { min_write, min_read, ids } = options;
                self.byte(1);
                self.text(name.as_str());
                self.floor(*min_write);
                self.floor(*min_read);
                self.byte(*ids as u8);
            }
            Body::DropCollection { name } => {
                self.byte(2);
                self.text(name.as_str());
            }
            Body::Maintain(maintain) => {
                let Maintain { forget_deleted_before, forget_requests_before, count_max, scope } =
                    maintain;
                self.byte(3);
                self.time(*forget_deleted_before);
                self.time(*forget_requests_before);
                self.number(u64::from(*count_max));
                self.byte(match scope {
                    MaintainScope::Due => 0,
                    MaintainScope::All => 1,
                });
            }
            Body::Modify(modify) => {
                self.byte(4);
                return self.modify(modify);
            }
            Body::CreateIndex { collection, spec } => {
                self.byte(5);
                self.text(collection.as_str());
                self.out.put_with_length(|bytes| spec.encode_into(bytes))?;
            }
            Body::BuildIndex { collection, name, count_max } => {
                self.byte(6);
                self.text(collection.as_str());
                self.text(name.as_str());
                self.number(u64::from(*count_max));
            }
            Body::DropIndex { collection, name } => {
                self.byte(7);
                self.text(collection.as_str());
                self.text(name.as_str());
            }
            Body::SetSchema { collection, change } => {
                self.byte(8);
                self.text(collection.as_str());
                return self.schema_change(change);
            }
            Body::SetStatistics { collection, index, histogram } => {
                self.byte(9);
                self.text(collection.as_str());
                self.number(u64::from(*index));
                self.out.put_with_length(|bytes| {
                    histogram.encode_into(bytes);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn schema_change(&mut self, change: &SchemaChange) -> Result<()> {
        match change {
            SchemaChange::Propose(schema) => {
                self.byte(0);
                self.operators(schema)?;
            }
            SchemaChange::Confirm(version) => {
                self.byte(1);
                self.number(*version);
            }
            SchemaChange::Withdraw(version) => {
                self.byte(2);
                self.number(*version);
            }
            SchemaChange::Impose(schema) => {
                self.byte(3);
                self.option(schema.as_ref(), |writer, schema| writer.operators(schema))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, write: &Write) -> Result<()> {
        let Write { checks, operations } = write;
        self.number(checks.len() as u64);
        checks.iter().try_for_each(|check| self.check(check))?;
        self.number(operations.len() as u64);
        operations.iter().try_for_each(|operation| self.operation(operation))
    }

    fn check(&mut self, check: &Check) -> Result<()> {
        match check {
            Check::Document { collection, id, version } => {
                self.byte(0);
                self.text(collection.as_str());
                self.bytes(id.as_bytes());
                self.number(*version);
            }
            Check::Collection { collection, index } => {
                self.byte(1);
                self.text(collection.as_str());
                self.number(*index);
            }
            Check::Query(check) => {
                let QueryCheck { collection, index, filter, sort, offset, limit, fingerprint } =
                    &**check;
                self.byte(2);
                self.text(collection.as_str());
                self.number(*index);
                self.filter(filter)?;
                self.sort(sort)?;
                self.number(*offset);
                self.option(limit.as_ref(), |writer, limit| {
                    writer.number(*limit);
                    Ok(())
                })?;
                self.out.put(&fingerprint.to_le_bytes());
            }
        }
        Ok(())
    }

    fn operation(&mut self, operation: &Operation) -> Result<()> {
        let Operation { collection, id, condition, action, expiry } = operation;
        self.text(collection.as_str());
        match (self.ids, action) {
            (Ids::Chosen, Action::InsertNew(_)) => self.bytes(&[]),
            _ => self.bytes(id.as_bytes()),
        }
        self.condition(condition)?;
        self.action(action)?;
        self.expiry(*expiry);
        Ok(())
    }

    fn condition(&mut self, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Always => self.byte(0),
            Condition::Absent => self.byte(1),
            Condition::Version(version) => {
                self.byte(2);
                self.number(*version);
            }
            Condition::Document(fields) => {
                self.byte(3);
                self.encoded(fields);
            }
            Condition::Fields(fields) => {
                self.byte(4);
                self.number(fields.len() as u64);
                for (path, value) in fields {
                    self.text(&path.to_string());
                    self.option(value.as_ref(), Self::value)?;
                }
            }
            Condition::Matches(filter) => {
                self.byte(5);
                self.filter(filter)?;
            }
        }
        Ok(())
    }

    fn action(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Insert(fields) => self.tagged(0, fields),
            Action::InsertNew(fields) => self.tagged(1, fields),
            Action::Replace(fields) => self.tagged(2, fields),
            Action::Upsert(fields) => self.tagged(3, fields),
            Action::Update(update) => self.tagged_update(4, update)?,
            Action::Delete => self.byte(5),
            Action::Complete(update) => self.tagged_update(6, update)?,
            Action::Renew(duration) => {
                self.byte(7);
                self.duration(*duration);
            }
            Action::Release => self.byte(8),
            Action::Compare => self.byte(9),
            Action::Settle(fields, change) => {
                self.tagged(10, fields);
                self.lease_change(change)?;
            }
            Action::Retry(update) => self.tagged_update(11, update)?,
            Action::Import(fields, origin) => {
                let Origin { version, created, modified, expires } = origin;
                self.tagged(12, fields);
                self.number(*version);
                self.time(*created);
                self.time(*modified);
                self.option(expires.as_ref(), |writer, time| {
                    writer.time(*time);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn tagged(&mut self, tag: u8, fields: &Encoded) {
        self.byte(tag);
        self.encoded(fields);
    }

    fn tagged_update(&mut self, tag: u8, update: &Update) -> Result<()> {
        self.byte(tag);
        self.update(update)
    }

    fn lease_change(&mut self, change: &LeaseChange) -> Result<()> {
        match change {
            LeaseChange::End => self.byte(0),
            LeaseChange::Renew(duration) => {
                self.byte(1);
                self.duration(*duration);
            }
            LeaseChange::Begin(begun) => {
                let BegunLease { lease, set, values } = &**begun;
                self.byte(2);
                self.lease(lease)?;
                self.number(set.len() as u64);
                set.iter().for_each(|path| self.text(&path.to_string()));
                self.option(values.as_ref(), |writer, values| {
                    writer.out.put(&values.to_le_bytes());
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn lease(&mut self, lease: &Lease) -> Result<()> {
        let Lease { duration, release } = lease;
        self.duration(*duration);
        self.out.put_release(release)
    }

    fn expiry(&mut self, expiry: Expiry) {
        match expiry {
            Expiry::Keep => self.byte(0),
            Expiry::Never => self.byte(1),
            Expiry::At(time) => {
                self.byte(2);
                self.time(time);
            }
            Expiry::After(duration) => {
                self.byte(3);
                self.duration(duration);
            }
        }
    }

    fn modify(&mut self, modify: &Modify) -> Result<()> {
        let Modify { collection, filter, candidates, sort, limit, action, expiry, .. } = modify;
        let Modify { lease, recall, skip, .. } = modify;
        self.text(collection.as_str());
        self.filter(filter)?;
        self.option(candidates.as_ref(), |writer, ids| {
            writer.number(ids.len() as u64);
            ids.iter().for_each(|id| writer.bytes(id.as_bytes()));
            Ok(())
        })?;
        self.sort(sort)?;
        self.option(limit.as_ref(), |writer, limit| {
            writer.number(u64::from(*limit));
            Ok(())
        })?;
        self.action(action)?;
        self.expiry(*expiry);
        self.option(lease.as_ref(), Self::lease)?;
        self.byte(match recall {
            Recall::Count => 0,
            Recall::Versions => 1,
            Recall::Documents => 2,
        });
        self.byte(match skip {
            Skip::Nothing => 0,
            Skip::Unfit => 1,
            Skip::UnfitAndLeased => 2,
        });
        Ok(())
    }

    fn byte(&mut self, byte: u8) {
        self.out.put(&[byte]);
    }

    fn number(&mut self, number: u64) {
        put_number(self.out, number);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.put(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn time(&mut self, time: Time) {
        self.out.put(&time.as_micros().to_le_bytes());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(duration.as_secs());
        self.number(u64::from(duration.subsec_nanos()));
    }

    fn floor(&mut self, floor: Option<Consistency>) {
        self.byte(floor.map_or(0, |floor| floor as u8 + 1));
    }

    fn option<T: ?Sized>(
        &mut self,
        option: Option<&T>,
        write: impl FnOnce(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        self.byte(u8::from(option.is_some()));
        option.map_or(Ok(()), |some| write(self, some))
    }

    fn encoded(&mut self, fields: &Encoded) {
        self.bytes(fields.as_bytes());
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        self.out.put_with_length(|bytes| encode_value_into(value, bytes))
    }

    fn operators(&mut self, object: &Object) -> Result<()> {
        self.out.put_with_length(|bytes| encode_operators_into(object, bytes))
    }

    fn filter(&mut self, filter: &Filter) -> Result<()> {
        self.out.put_filter(filter)
    }

    fn sort(&mut self, sort: &Sort) -> Result<()> {
        self.out.put_sort(sort)
    }

    fn update(&mut self, update: &Update) -> Result<()> {
        self.out.put_update(update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{bodies, encoded, insert};
    use crate::limits::COMMAND_OPERATIONS_MAX;
    use crate::{DocumentId, object};

    /// If the encoding left out a part, one command could be taken for the retry of another.
    #[test]
    fn commands_that_differ_have_different_encodings_and_fingerprints() {
        let bodies = bodies();
        let encodings: Vec<_> = bodies.iter().map(|body| encoded(body.clone())).collect();
        let prints: Vec<_> = bodies.iter().map(|body| body.fingerprint().unwrap()).collect();
        for (one, body) in bodies.iter().enumerate() {
            assert_eq!(encodings[one], encoded(body.clone()));
            for other in 0..one {
                assert_ne!(encodings[one], encodings[other], "{body:?}");
                assert_ne!(prints[one], prints[other], "{body:?}");
            }
        }
    }

    #[test]
    fn an_id_that_was_made_up_is_no_part_of_a_fingerprint() {
        let print = |id, action| insert(id, action).fingerprint().unwrap();
        assert_eq!(print("a", Action::InsertNew), print("b", Action::InsertNew));
        assert_ne!(print("a", Action::Insert), print("b", Action::Insert));
        assert_ne!(
            encoded(insert("a", Action::InsertNew)),
            encoded(insert("b", Action::InsertNew))
        );
        assert!(DocumentId::new("").is_err(), "no id is what stands for one that was made up");
    }

    /// Values of every kind, in every operator, for which the bound of the length has to hold.
    #[test]
    fn the_length_of_an_update_is_bounded_without_encoding_it() {
        let value = || {
            let nested = object! { "a": [1, -1.5, u64::MAX, "text", null, true], "": {}, "é": [] };
            object! { "deep": { "deeper": nested }, "time": Time::MAX, "bytes": "x".repeat(300) }
        };
        let update = Update::new()
            .set("a", value())
            .unset("b")
            .inc("c", i64::MIN)
            .mul("d", 1.5)
            .min("e", "text")
            .max("f", value())
            .rename("g", "h")
            .pull_all("i", [1, 2])
            .pop_first("j")
            .add_to_set("k", value())
            .current_date("l");
        let mut bytes = Vec::new();
        update.encode_into(&mut bytes).unwrap();
        let length = update.encoded_length_max().unwrap();
        assert!(bytes.len() <= length && length < 3 * bytes.len(), "{length}, {}", bytes.len());
        let with_push = update.push("m", 1);
        bytes.clear();
        with_push.encode_into(&mut bytes).unwrap();
        assert_eq!(with_push.encoded_length_max().unwrap(), bytes.len());
        Update::new().set("a", 1).set("a.b", 1).encoded_length_max().unwrap_err();
    }

    /// A command that can be encoded but not decoded would block a log for ever.
    #[test]
    fn what_is_too_large_is_not_written() {
        let Body::Write(Write { operations, .. }) = insert("a", Action::Insert) else { panic!() };
        let command = |operations| {
            let write = Write { checks: Vec::new(), operations };
            Command { now: Time::UNIX_EPOCH, request: None, body: Body::Write(write) }
        };
        let mut bytes = vec![7];
        let many = |count| command(std::iter::repeat_n(operations[0].clone(), count).collect());
        assert!(many(COMMAND_OPERATIONS_MAX + 1).encode_into(&mut bytes).is_err());
        let large = Encoded::from_object(&object! { "a": "x".repeat(15 << 20) }).unwrap();
        let mut large_one = operations[0].clone();
        large_one.action = Action::Insert(large);
        let large = command(std::iter::repeat_n(large_one, 5).collect());
        large.encoded_length_max().unwrap_err();
        assert!(large.encode_into(&mut bytes).is_err());
        assert_eq!(bytes, [7], "the buffer is left as it was");
        let full = many(COMMAND_OPERATIONS_MAX);
        full.encode_into(&mut bytes).unwrap();
        assert_eq!(Command::decode(&bytes[1..]).unwrap(), full);
    }
}
