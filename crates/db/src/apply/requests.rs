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

use velocitydb_core::wire::Wire;
use velocitydb_core::{Action, Body, DocumentId, Operation, Outcome, Recall, Request, Time};
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
        let answer = Remembered::encode(request, now, body, reply);
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

/// What is remembered of a reply: what the command asks to be recalled, and the ids that were made up,
/// since a retry has made up others.
fn to_recall(body: &Body, reply: &Reply) -> Reply {
    let recall = match body {
        Body::Modify(modify) => modify.recall,
        _ => Recall::Versions,
    };
    let found = reply.found.iter().map(|found| {
        let has_documents = recall == Recall::Documents && found.is_small();
        let documents = |record: &Option<Blob>| record.clone().filter(|_| has_documents);
        let (before, after) = (documents(&found.before), documents(&found.after));
        Found { before, after, ..found.clone() }
    });
    let has_count = recall == Recall::Count && !reply.is_refused();
    Reply {
        index: reply.index,
        outcomes: reply.outcomes.clone(),
        found: found.collect(),
        found_count: if has_count { reply.found_count } else { reply.found.len() as u64 },
        new_ids: made_up(body, reply),
        schema_version: reply.schema_version,
        ..Reply::default()
    }
}

/// The ids that were made up for documents that were created, with the places of their operations.
fn made_up(body: &Body, reply: &Reply) -> Vec<(usize, DocumentId)> {
    let Body::Write(write) = body else { return Vec::new() };
    let done = write.operations.iter().zip(&reply.outcomes).enumerate();
    let id_of = |(position, (operation, outcome)): (usize, (&Operation, &Outcome))| {
        let is_new = matches!(operation.action, Action::InsertNew(_))
            && matches!(outcome, Outcome::Applied { existed: false, .. });
        is_new.then(|| (position, operation.id.clone()))
    };
    done.filter_map(id_of).collect()
}

impl Found {
    /// Whether its documents are small enough to be remembered.
    fn is_small(&self) -> bool {
        let length = |record: &Option<Blob>| record.as_ref().map_or(0, |record| record.len());
        length(&self.before) + length(&self.after) <= REQUEST_DOCUMENT_BYTES_MAX
    }
}

impl Remembered {
    fn encode(request: &Request, now: Time, body: &Body, reply: &Reply) -> Vec<u8> {
        let mut bytes = now.as_micros().to_le_bytes().to_vec();
        bytes.extend_from_slice(&request.fingerprint.to_le_bytes());
        to_recall(body, reply).put(&mut bytes);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (answered, rest) = bytes.split_first_chunk::<8>()?;
        let answered = Time::from_micros(i64::from_le_bytes(*answered)).ok()?;
        let (fingerprint, mut rest) = rest.split_first_chunk::<16>()?;
        let reply = Reply { is_replayed: true, ..Reply::take(&mut rest)? };
        Some(Remembered { answered, fingerprint: u128::from_le_bytes(*fingerprint), reply })
    }
}
