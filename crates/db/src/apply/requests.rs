//! Applying: the memory of request ids, which makes retries harmless.
//!
//! The last [`REQUEST_COUNT_MAX`] commands that had a request id and were applied are remembered,
//! for as long as maintenance lets them be. A command that was refused changed nothing and is not
//! remembered: its retry is tried anew.

use velocitydb_core::{DocumentId, Outcome, RequestId, Time, decode_varint, encode_varint};

use super::{Found, Machine, Reply};
use crate::Result;
use crate::catalog::corrupt;
use crate::keys::{self, SYSTEM};

/// How many request ids are remembered: about 100 MiB at the longest ids. A retry comes within
/// seconds; at 10,000 requests a second this is more than a minute and a half.
pub const REQUEST_COUNT_MAX: u64 = 1_000_000;

impl Machine {
    /// The reply that `request` was given, when it has been applied before.
    pub(super) fn find_request(&self, request: &RequestId) -> Result<Option<Reply>> {
        let key = keys::named(keys::REQUEST, request.as_str());
        let Some(bytes) = self.get(SYSTEM, &key)? else { return Ok(None) };
        let remembered = Remembered::decode(&bytes).ok_or_else(|| corrupt(&key))?;
        Ok(Some(remembered.reply))
    }

    pub(super) fn remember_request(
        &mut self,
        request: &RequestId,
        now: Time,
        reply: &Reply,
    ) -> Result<()> {
        let number = self.catalog.system.request_next;
        let remembered = Remembered { applied: now, reply: reply.clone() };
        self.batch.put(SYSTEM, &keys::named(keys::REQUEST, request.as_str()), &remembered.encode());
        self.batch.put(SYSTEM, &keys::request_age(number), request.as_str().as_bytes());
        self.change_system().request_next = number + 1;
        if number + 1 - self.catalog.system.request_first > REQUEST_COUNT_MAX {
            self.forget_oldest_request()?;
        }
        Ok(())
    }

    /// Forgets the oldest request id if it was applied before `time`; whether it was.
    pub(super) fn forget_request_before(&mut self, time: Time) -> Result<bool> {
        let system = self.catalog.system;
        if system.request_first == system.request_next {
            return Ok(false);
        }
        let age_key = keys::request_age(system.request_first);
        let request = self.get(SYSTEM, &age_key)?.ok_or_else(|| corrupt(&age_key))?;
        let key = keys::of_document(keys::REQUEST, &request);
        let bytes = self.get(SYSTEM, &key)?.ok_or_else(|| corrupt(&key))?;
        let remembered = Remembered::decode(&bytes).ok_or_else(|| corrupt(&key))?;
        if remembered.applied >= time {
            return Ok(false);
        }
        self.forget_oldest_request()?;
        Ok(true)
    }

    fn forget_oldest_request(&mut self) -> Result<()> {
        let number = self.catalog.system.request_first;
        let age_key = keys::request_age(number);
        let request = self.get(SYSTEM, &age_key)?.ok_or_else(|| corrupt(&age_key))?;
        self.batch.delete(SYSTEM, &keys::of_document(keys::REQUEST, &request));
        self.batch.delete(SYSTEM, &age_key);
        self.change_system().request_first = number + 1;
        Ok(())
    }
}

/// What is kept of a request: when it was applied, and its reply.
struct Remembered {
    applied: Time,
    reply: Reply,
}

const APPLIED_NEW: u8 = 0;
const APPLIED_EXISTED: u8 = 1;
const HELD: u8 = 2;
const FOUND: u8 = 3;

impl Remembered {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.applied.as_micros().to_le_bytes().to_vec();
        encode_varint(self.reply.index, &mut bytes);
        for outcome in &self.reply.outcomes {
            let (tag, version) = match outcome {
                Outcome::Applied { version, existed: false } => (APPLIED_NEW, *version),
                Outcome::Applied { version, existed: true } => (APPLIED_EXISTED, *version),
                Outcome::Held { version } => (HELD, *version),
                Outcome::Refused(_) | Outcome::Abandoned => {
                    unreachable!("only a command that was applied as a whole is remembered")
                }
            };
            bytes.push(tag);
            encode_varint(version, &mut bytes);
        }
        for found in &self.reply.found {
            bytes.push(FOUND);
            encode_varint(found.version, &mut bytes);
            encode_varint(found.id.len() as u64, &mut bytes);
            bytes.extend_from_slice(found.id.as_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (applied, mut rest) = bytes.split_first_chunk::<8>()?;
        let index = decode_varint(&mut rest)?;
        let mut reply = Reply { index, is_replayed: true, ..Reply::default() };
        while let Some((&tag, tail)) = rest.split_first() {
            rest = tail;
            let version = decode_varint(&mut rest)?;
            if tag == FOUND {
                let length = usize::try_from(decode_varint(&mut rest)?).ok()?;
                let (id, tail) = rest.split_at_checked(length)?;
                rest = tail;
                let id = DocumentId::new(std::str::from_utf8(id).ok()?).ok()?;
                reply.found.push(Found { id, version, before: None, after: None });
                continue;
            }
            reply.outcomes.push(match tag {
                APPLIED_NEW => Outcome::Applied { version, existed: false },
                APPLIED_EXISTED => Outcome::Applied { version, existed: true },
                HELD => Outcome::Held { version },
                _ => return None,
            });
        }
        let applied = Time::from_micros(i64::from_le_bytes(*applied)).ok()?;
        Some(Remembered { applied, reply })
    }
}
