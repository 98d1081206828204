//! Applying: the remembered request ids, which make retries harmless.
//!
//! The answers to the last [`REQUEST_COUNT_MAX`] commands with a request id are remembered, until
//! maintenance forgets them: answers of applied commands, of refused ones, and of those that had nothing to
//! do. An answer is final: a late copy of an attempt does not do what the caller was told had not been
//! done. The fingerprint of the command is stored with its answer, so that another command with the same id
//! is detected.
//!
//! A command that failed as a whole (its collection exists already, it conflicts with another transaction)
//! has no remembered answer, and its retry is executed.

use velocitydb_core::wire::Wire;
use velocitydb_core::{Action, Body, DocumentId, Operation, Outcome, Recall, Request, Time};
use velocitydb_storage::{Blob, Snapshot};

use super::{Found, Machine, Reply};
use crate::keys::{self, SYSTEM};
use crate::{Error, Result};

/// How many request ids are remembered: about 100 MiB of ids of the largest length. A retry comes within
/// seconds; at 10,000 requests a second this covers more than a minute and a half.
pub const REQUEST_COUNT_MAX: u64 = 1_000_000;

/// The size of all remembered answers at the most: 256 MiB. Answers that list ids or have documents are
/// larger than most.
pub const REQUEST_BYTES_MAX: u64 = 256 << 20;

/// The largest documents that are remembered in an answer, before and after the change together.
pub const REQUEST_DOCUMENT_BYTES_MAX: usize = 256 << 10;

impl Machine {
    /// The remembered answer to `request`, if there is one.
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
            // The newest one always stays.
            let is_full = count > REQUEST_COUNT_MAX || system.request_bytes > REQUEST_BYTES_MAX;
            if !is_full || count <= 1 {
                return Ok(());
            }
            self.forget_oldest_request()?;
        }
    }

    /// Forgets the oldest request id if it was applied before `time`. Returns whether it was.
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

/// The remembered answer to a request, as a reader of the state sees it.
pub(crate) fn find_answer(state: &dyn Snapshot, request: &Request) -> Result<Option<Reply>> {
    let key = keys::named(keys::REQUEST, request.id.as_str());
    state.get(SYSTEM, &key)?.map(|bytes| answer_to(request, &key, &bytes)).transpose()
}

/// The remembered answer, if it belongs to this request.
fn answer_to(request: &Request, key: &[u8], bytes: &[u8]) -> Result<Reply> {
    let remembered = Remembered::decode(bytes).ok_or_else(|| keys::corrupt(key))?;
    match remembered.fingerprint == request.fingerprint {
        true => Ok(remembered.reply),
        false => Err(Error::RequestReused { request: request.id.clone() }),
    }
}

/// What is stored for a request: when it was answered, its fingerprint, and its reply.
struct Remembered {
    answered: Time,
    fingerprint: u128,
    reply: Reply,
}

/// The part of a reply that is remembered: what the command's recall asks for, and new ids, since a retry
/// generates others.
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

/// The new ids of created documents, with the positions of their operations.
fn made_up(body: &Body, reply: &Reply) -> Vec<(usize, DocumentId)> {
    let Body::Write(write) = body else { return Vec::new() };
    if !reply.new_ids.is_empty() {
        return reply.new_ids.clone();
    }
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
