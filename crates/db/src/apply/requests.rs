//! Applying: the memory of request ids, which makes retries harmless.
//!
//! The answers to the last [`REQUEST_COUNT_MAX`] commands that had a request id are remembered, for
//! as long as maintenance lets them be: what was applied, and also that something was refused, or
//! that there was nothing to do. An answer is final: a second copy of an attempt that comes late
//! does not do what the caller has been told was not done. Beside each answer lies the fingerprint
//! of the command, so that the same id with another command is noticed.
//!
//! A command that failed as a whole (its collection exists already, it conflicts with another
//! transaction) has no answer, and its retry is tried anew.

use velocitydb_core::{
    Action, Body, DocumentId, Operation, Outcome, Recall, Refusal, Request, Time, decode_varint,
    encode_varint,
};
use velocitydb_storage::{Blob, Snapshot};

use super::{Found, Machine, Reply};
use crate::keys::{self, SYSTEM};
use crate::{Error, Result};

/// How many request ids are remembered: about 100 MiB at the longest ids. A retry comes within
/// seconds; at 10,000 requests a second this is more than a minute and a half.
pub const REQUEST_COUNT_MAX: u64 = 1_000_000;

/// How many bytes their answers have at the most: 256 MiB. An answer that lists ids, or holds
/// documents, is larger than most.
pub const REQUEST_BYTES_MAX: u64 = 256 << 20;

/// The largest documents that are remembered for an answer, as they were and became together.
pub const REQUEST_DOCUMENT_BYTES_MAX: usize = 256 << 10;

impl Machine {
    /// The answer that `request` was given, when it was given one.
    pub(super) fn find_request(&self, request: &Request) -> Result<Option<Reply>> {
        let key = keys::named(keys::REQUEST, request.id.as_str());
        self.get(SYSTEM, &key)?.map(|bytes| answer_to(request, &key, &bytes)).transpose()
    }

    pub(super) fn remember_request(
        &mut self,
        request: &Request,
        now: Time,
        body: &Body,
        reply: &Reply,
    ) -> Result<()> {
        let number = self.catalog.system.request_next;
        let answer = encode(request.fingerprint, now, body, reply);
        let id = request.id.as_str();
        self.batch.put(SYSTEM, &keys::named(keys::REQUEST, id), &answer);
        self.batch.put(SYSTEM, &keys::request_age(number), id.as_bytes());
        let system = self.change_system();
        system.request_next = number + 1;
        system.request_bytes += answer.len() as u64;
        loop {
            let system = &self.catalog.system;
            let count = system.request_next - system.request_first;
            // The newest one stays in any case.
            let is_full = count > REQUEST_COUNT_MAX || system.request_bytes > REQUEST_BYTES_MAX;
            if !is_full || count <= 1 {
                return Ok(());
            }
            self.forget_oldest_request()?;
        }
    }

    /// Forgets the oldest request id if it was applied before `time`; whether it was.
    pub(super) fn forget_request_before(&mut self, time: Time) -> Result<bool> {
        let system = self.catalog.system;
        if system.request_first == system.request_next {
            return Ok(false);
        }
        let age_key = keys::request_age(system.request_first);
        let request = self.get(SYSTEM, &age_key)?.ok_or_else(|| keys::corrupt(&age_key))?;
        let key = keys::of_document(keys::REQUEST, &request);
        let bytes = self.get(SYSTEM, &key)?.ok_or_else(|| keys::corrupt(&key))?;
        let remembered = Remembered::decode(&bytes).ok_or_else(|| keys::corrupt(&key))?;
        if remembered.answered >= time {
            return Ok(false);
        }
        self.forget_oldest_request()?;
        Ok(true)
    }

    fn forget_oldest_request(&mut self) -> Result<()> {
        let number = self.catalog.system.request_first;
        let age_key = keys::request_age(number);
        let request = self.get(SYSTEM, &age_key)?.ok_or_else(|| keys::corrupt(&age_key))?;
        let key = keys::of_document(keys::REQUEST, &request);
        let length = self.get(SYSTEM, &key)?.ok_or_else(|| keys::corrupt(&key))?.len() as u64;
        self.batch.delete(SYSTEM, &key);
        self.batch.delete(SYSTEM, &age_key);
        let system = self.change_system();
        system.request_first = number + 1;
        system.request_bytes = system.request_bytes.saturating_sub(length);
        Ok(())
    }
}

/// The answer that a request was given, as a reader of the state sees it.
pub(crate) fn find_answer(state: &dyn Snapshot, request: &Request) -> Result<Option<Reply>> {
    let key = keys::named(keys::REQUEST, request.id.as_str());
    state.get(SYSTEM, &key)?.map(|bytes| answer_to(request, &key, &bytes)).transpose()
}

/// What is remembered of a request, if that was this one.
fn answer_to(request: &Request, key: &[u8], bytes: &[u8]) -> Result<Reply> {
    let remembered = Remembered::decode(bytes).ok_or_else(|| keys::corrupt(key))?;
    match remembered.fingerprint == request.fingerprint {
        true => Ok(remembered.reply),
        false => Err(Error::RequestReused { request: request.id.clone() }),
    }
}

/// What is kept of a request: when it was answered, what it asked for, and its reply.
struct Remembered {
    answered: Time,
    fingerprint: u128,
    reply: Reply,
}

const APPLIED_NEW: u8 = 0;
const APPLIED_EXISTED: u8 = 1;
const HELD: u8 = 2;
const FOUND: u8 = 3;
const APPLIED_NEW_ID: u8 = 4;
const REFUSED: u8 = 5;
const ABANDONED: u8 = 6;
const FOUND_COUNT: u8 = 7;
const FOUND_DOCUMENTS: u8 = 8;
const SCHEMA_VERSION: u8 = 9;

fn encode(fingerprint: u128, now: Time, body: &Body, reply: &Reply) -> Vec<u8> {
    let mut bytes = now.as_micros().to_le_bytes().to_vec();
    bytes.extend_from_slice(&fingerprint.to_le_bytes());
    encode_varint(reply.index, &mut bytes);
    let operations = match body {
        Body::Write(write) => &write.operations[..],
        _ => &[],
    };
    for (position, outcome) in reply.outcomes.iter().enumerate() {
        encode_outcome(outcome, operations.get(position), &mut bytes);
    }
    let recall = match body {
        Body::Modify(modify) => modify.recall,
        _ => Recall::Versions,
    };
    if recall == Recall::Count && !reply.is_refused() {
        numbered(FOUND_COUNT, reply.found_count, &mut bytes);
    }
    for found in &reply.found {
        encode_found(found, recall, &mut bytes);
    }
    if reply.schema_version > 0 {
        numbered(SCHEMA_VERSION, reply.schema_version, &mut bytes);
    }
    bytes
}

fn encode_outcome(outcome: &Outcome, operation: Option<&Operation>, bytes: &mut Vec<u8>) {
    match outcome {
        Outcome::Applied { version, existed: false } => match operation {
            Some(Operation { id, action: Action::InsertNew(_), .. }) => {
                numbered(APPLIED_NEW_ID, *version, bytes);
                put(id.as_bytes(), bytes);
            }
            _ => numbered(APPLIED_NEW, *version, bytes),
        },
        Outcome::Applied { version, existed: true } => numbered(APPLIED_EXISTED, *version, bytes),
        Outcome::Held { version } => numbered(HELD, *version, bytes),
        Outcome::Refused(refusal) => {
            bytes.push(REFUSED);
            refusal.encode_into(bytes);
        }
        Outcome::Abandoned => bytes.push(ABANDONED),
    }
}

fn encode_found(found: &Found, recall: Recall, bytes: &mut Vec<u8>) {
    let Found { id, version, before, after } = found;
    let length = |record: &Option<Blob>| record.as_ref().map_or(0, |record| record.len());
    let is_small = length(before) + length(after) <= REQUEST_DOCUMENT_BYTES_MAX;
    let has_documents = recall == Recall::Documents && is_small;
    numbered(if has_documents { FOUND_DOCUMENTS } else { FOUND }, *version, bytes);
    put(id.as_bytes(), bytes);
    if has_documents {
        // No stored document is empty.
        for record in [before, after] {
            put(record.as_deref().unwrap_or_default(), bytes);
        }
    }
}

impl Remembered {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (answered, rest) = bytes.split_first_chunk::<8>()?;
        let answered = Time::from_micros(i64::from_le_bytes(*answered)).ok()?;
        let (fingerprint, mut rest) = rest.split_first_chunk::<16>()?;
        let index = decode_varint(&mut rest)?;
        let mut reply = Reply { index, is_replayed: true, ..Reply::default() };
        while let Some((&tag, tail)) = rest.split_first() {
            rest = tail;
            take_part(tag, &mut rest, &mut reply)?;
        }
        Some(Remembered { answered, fingerprint: u128::from_le_bytes(*fingerprint), reply })
    }
}

/// Reads one part of an answer.
fn take_part(tag: u8, rest: &mut &[u8], reply: &mut Reply) -> Option<()> {
    match tag {
        REFUSED => reply.outcomes.push(Outcome::Refused(Refusal::decode(rest).ok()?)),
        ABANDONED => reply.outcomes.push(Outcome::Abandoned),
        _ => {
            let number = decode_varint(rest)?;
            let applied = |existed| Outcome::Applied { version: number, existed };
            match tag {
                APPLIED_NEW => reply.outcomes.push(applied(false)),
                APPLIED_EXISTED => reply.outcomes.push(applied(true)),
                APPLIED_NEW_ID => {
                    let position = reply.outcomes.len();
                    reply.outcomes.push(applied(false));
                    reply.new_ids.push((position, take_id(rest)?));
                }
                HELD => reply.outcomes.push(Outcome::Held { version: number }),
                FOUND_COUNT => reply.found_count = number,
                FOUND | FOUND_DOCUMENTS => {
                    let id = take_id(rest)?;
                    let mut found = Found { id, version: number, before: None, after: None };
                    if tag == FOUND_DOCUMENTS {
                        found.before = take_record(rest)?;
                        found.after = take_record(rest)?;
                    }
                    reply.found_count += 1;
                    reply.found.push(found);
                }
                SCHEMA_VERSION => reply.schema_version = number,
                _ => return None,
            }
        }
    }
    Some(())
}

fn numbered(tag: u8, number: u64, out: &mut Vec<u8>) {
    out.push(tag);
    encode_varint(number, out);
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(rest)?).ok()?;
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}

fn take_id(rest: &mut &[u8]) -> Option<DocumentId> {
    DocumentId::new(std::str::from_utf8(take(rest)?).ok()?).ok()
}

fn take_record(rest: &mut &[u8]) -> Option<Option<Blob>> {
    let record = take(rest)?;
    Some((!record.is_empty()).then(|| Blob::copy_of(record)))
}
