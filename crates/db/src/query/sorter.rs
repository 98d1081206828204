//! [`Sorter`]: sorts documents in memory, and keeps only those that are needed.

use velocitydb_core::{DocumentId, Object, Value};
use velocitydb_storage::Blob;

use super::control::Control;
use super::hit::{Hit, Record};
use crate::Result;
use crate::keys::Key;

/// Documents that are to be sorted.
pub(super) struct Sorter<'a> {
    control: &'a Control,
    /// How many are needed at the most.
    limit: Option<usize>,
    kept: Vec<Kept>,
    /// The bytes of those that are kept.
    bytes: usize,
    /// At how many bytes the documents that are not needed are dropped.
    bytes_next: usize,
}

/// How many more documents are kept than twice the needed ones, and how many bytes more than twice
/// theirs, so that sorting is rare.
const SURPLUS: usize = 64;
const SURPLUS_BYTES: usize = 1 << 20;

struct Kept {
    /// The sort key, and the id.
    key: Key,
    id: DocumentId,
    record: KeptRecord,
}

enum KeptRecord {
    Blob(Blob),
    Covered(Object),
    NotFetched,
}

const SORTED: &str = "memory of a query for sorting in bytes";

/// The overhead of a document beside its key, id and record, in bytes.
const KEPT_BYTES: usize = size_of::<Kept>() + 32;

impl Kept {
    fn bytes(&self) -> usize {
        let record = match &self.record {
            KeptRecord::Blob(blob) => blob.len(),
            KeptRecord::Covered(object) => object.values().map(value_bytes).sum(),
            KeptRecord::NotFetched => 0,
        };
        self.key.len() + self.id.as_bytes().len() + record + KEPT_BYTES
    }
}

/// About how many bytes a value takes in memory, with its name.
fn value_bytes(value: &Value) -> usize {
    let content = match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(_) | Value::Object(_) => value.to_json().len() * 8,
        _ => 0,
    };
    64 + content
}

impl<'a> Sorter<'a> {
    pub(super) fn new(control: &'a Control, limit: Option<u64>) -> Self {
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Sorter { control, limit, kept: Vec::new(), bytes: 0, bytes_next: SURPLUS_BYTES }
    }

    /// Adds a document with its sort key.
    pub(super) fn push(&mut self, key: Key, hit: Hit<'_>) -> Result<()> {
        let record = match hit.record {
            Record::Covered(object) => KeptRecord::Covered(object),
            Record::NotFetched => KeptRecord::NotFetched,
            record => KeptRecord::Blob(record.into_blob()),
        };
        let kept = Kept { key, id: hit.id.to_owned(), record };
        let bytes = kept.bytes();
        self.kept.push(kept);
        self.bytes += bytes;
        let taken = self.control.take(SORTED, bytes);
        if let Some(limit) = self.limit
            && self.kept.len() > limit
            && (self.kept.len() >= limit.saturating_mul(2).saturating_add(SURPLUS)
                || self.bytes >= self.bytes_next
                || taken.is_err())
        {
            self.keep_first(limit);
            return self.control.take(SORTED, 0);
        }
        taken
    }

    fn keep_first(&mut self, limit: usize) {
        if limit > 0 {
            self.kept.select_nth_unstable_by(limit - 1, |one, other| one.key.cmp(&other.key));
        }
        let freed = self.kept.drain(limit..).map(|kept| kept.bytes()).sum();
        self.control.give_back(freed);
        self.bytes -= freed;
        self.bytes_next = self.bytes.saturating_mul(2).saturating_add(SURPLUS_BYTES);
    }

    /// The documents in order, as many as are needed.
    pub(super) fn finish(
        mut self,
        mut visit: impl FnMut(&[u8], Hit<'_>) -> Result<()>,
    ) -> Result<()> {
        if let Some(limit) = self.limit
            && self.kept.len() > limit
        {
            self.keep_first(limit);
        }
        self.kept.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        for kept in self.kept {
            self.control.give_back(kept.bytes());
            let record = match kept.record {
                KeptRecord::Blob(blob) => Record::Blob(blob),
                KeptRecord::Covered(object) => Record::Covered(object),
                KeptRecord::NotFetched => Record::NotFetched,
            };
            visit(&kept.key, Hit { id: kept.id.by_ref(), record })?;
        }
        Ok(())
    }
}
