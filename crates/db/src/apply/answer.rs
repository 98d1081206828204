//! The encoding of an answer, which is sent to the caller and remembered for a retry. `docs/format.md`
//! specifies it.

use velocitydb_core::wire::{Wire, put_bytes, take_bytes, take_tag};
use velocitydb_core::{Outcome, encode_varint};
use velocitydb_storage::Blob;

use super::reply::{Found, Reply};
use super::verdict::{Answer, Rejection};
use crate::{Error, Result};

/// The version of the encoding, its first byte.
pub(crate) const ANSWER_VERSION: u8 = 1;

const APPLIED: u8 = 0;
const REJECTED: u8 = 1;

/// The tags of the parts of a reply. Empty parts are left out.
const OUTCOME: u8 = 0;
const FOUND: u8 = 1;
const FOUND_DOCUMENTS: u8 = 2;
const FOUND_COUNT: u8 = 3;
const NEW_ID: u8 = 4;
const CURRENT: u8 = 5;
const SKIPPED: u8 = 6;
const SKIPPED_COUNT: u8 = 7;
const SCHEMA_VERSION: u8 = 8;
const PROBLEM: u8 = 9;
const REPLAYED: u8 = 10;
const HAS_MORE: u8 = 11;
const BEHIND: u8 = 12;

/// Appends the encoding of an answer, for sending it.
#[cfg_attr(not(test), expect(dead_code, reason = "nothing sends answers yet"))]
pub(crate) fn encode_answer(answer: &Answer, out: &mut Vec<u8>) {
    out.push(ANSWER_VERSION);
    match answer {
        Ok(reply) => {
            out.push(APPLIED);
            reply.put(out);
        }
        Err(rejection) => {
            out.push(REJECTED);
            rejection.put(out);
        }
    }
}

/// Decodes an answer that [`encode_answer`] encoded.
///
/// # Errors
///
/// When the encoding is of a later version, or is not that of an answer.
#[cfg_attr(not(test), expect(dead_code, reason = "nothing sends answers yet"))]
pub(crate) fn decode_answer(bytes: &[u8]) -> Result<Answer> {
    let mut rest = bytes;
    match take_tag(&mut rest) {
        Some(ANSWER_VERSION) => {}
        Some(found) => {
            let (what, known) = ("an answer".into(), ANSWER_VERSION);
            return Err(velocitydb_core::Error::UnknownVersion { what, found, known }.into());
        }
        None => return Err(malformed()),
    }
    let answer = match take_tag(&mut rest) {
        Some(APPLIED) => Reply::take(&mut rest).map(Ok),
        Some(REJECTED) => Rejection::take(&mut rest).map(Err),
        _ => None,
    };
    answer.filter(|_| rest.is_empty()).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::Corrupt {
        place: "an answer".to_owned(),
        what: "not the encoding of an answer".to_owned(),
    }
}

/// Extends to the end of the bytes.
impl Wire for Reply {
    fn put(&self, out: &mut Vec<u8>) {
        self.index.put(out);
        for outcome in &self.outcomes {
            part(OUTCOME, outcome, out);
        }
        for (position, id) in &self.new_ids {
            part(NEW_ID, position, out);
            id.put(out);
        }
        for found in &self.found {
            found.put(out);
        }
        // Where all found documents are listed, their number is not encoded.
        if self.found_count != self.found.len() as u64 {
            part(FOUND_COUNT, &self.found_count, out);
        }
        if let Some(record) = &self.current {
            out.push(CURRENT);
            put_bytes(record, out);
        }
        for (id, refusal) in &self.skipped {
            part(SKIPPED, id, out);
            refusal.put(out);
        }
        if self.skipped_count != self.skipped.len() {
            part(SKIPPED_COUNT, &self.skipped_count, out);
        }
        if self.schema_version > 0 {
            part(SCHEMA_VERSION, &self.schema_version, out);
        }
        for problem in &self.problems {
            part(PROBLEM, problem, out);
        }
        let marks =
            [(self.is_replayed, REPLAYED), (self.has_more, HAS_MORE), (self.is_behind, BEHIND)];
        out.extend(marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, tag)| tag));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut reply = Reply { index: Wire::take(bytes)?, ..Reply::default() };
        let (mut found_count, mut skipped_count) = (None, None);
        while !bytes.is_empty() {
            match take_tag(bytes)? {
                OUTCOME => reply.outcomes.push(Outcome::take(bytes)?),
                NEW_ID => reply.new_ids.push(Wire::take(bytes)?),
                FOUND => reply.found.push(Found::take(bytes, false)?),
                FOUND_DOCUMENTS => reply.found.push(Found::take(bytes, true)?),
                FOUND_COUNT => found_count = Some(Wire::take(bytes)?),
                CURRENT => reply.current = Some(Blob::copy_of(take_bytes(bytes)?)),
                SKIPPED => reply.skipped.push(Wire::take(bytes)?),
                SKIPPED_COUNT => skipped_count = Some(Wire::take(bytes)?),
                SCHEMA_VERSION => reply.schema_version = Wire::take(bytes)?,
                PROBLEM => reply.problems.push(Wire::take(bytes)?),
                REPLAYED => reply.is_replayed = true,
                HAS_MORE => reply.has_more = true,
                BEHIND => reply.is_behind = true,
                _ => return None,
            }
        }
        reply.found_count = found_count.unwrap_or(reply.found.len() as u64);
        reply.skipped_count = skipped_count.unwrap_or(reply.skipped.len());
        // New ids are looked up by the position of their operation, which must exist.
        let has_operation = |(position, _): &(usize, _)| *position < reply.outcomes.len();
        reply.new_ids.iter().all(has_operation).then_some(reply)
    }
}

fn part(tag: u8, value: &impl Wire, out: &mut Vec<u8>) {
    out.push(tag);
    value.put(out);
}

impl Found {
    fn put(&self, out: &mut Vec<u8>) {
        let Found { id, version, before, after } = self;
        let has_documents = before.is_some() || after.is_some();
        out.push(if has_documents { FOUND_DOCUMENTS } else { FOUND });
        encode_varint(*version, out);
        id.put(out);
        if has_documents {
            // A stored document is never empty.
            for record in [before, after] {
                put_bytes(record.as_deref().unwrap_or_default(), out);
            }
        }
    }

    fn take(bytes: &mut &[u8], has_documents: bool) -> Option<Self> {
        let (version, id) = Wire::take(bytes)?;
        let mut found = Found { id, version, before: None, after: None };
        if has_documents {
            for record in [&mut found.before, &mut found.after] {
                let taken = take_bytes(bytes)?;
                *record = (!taken.is_empty()).then(|| Blob::copy_of(taken));
            }
        }
        Some(found)
    }
}

#[cfg(test)]
#[path = "tests/answer.rs"]
mod tests;
