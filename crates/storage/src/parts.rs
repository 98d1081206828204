//! [`Part`]: one of several batches that are committed as one, with the prefix of its keys.
//!
//! Engines concatenate prefix and key while they write, so that batches are not copied to add
//! prefixes. Owns the meaning of several parts; must not know how an engine writes.

use crate::{Batch, Purpose};

/// A batch of a commit, and the prefix of its keys.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// What is put before every key, in every keyspace. It may be empty.
    pub prefix: &'a [u8],
    /// The writes.
    pub batch: &'a Batch,
}

impl<'a> From<&'a Batch> for Part<'a> {
    /// The batch with its keys as they are.
    fn from(batch: &'a Batch) -> Self {
        Part { prefix: &[], batch }
    }
}

impl Part<'_> {
    /// Bytes of all its keys and values, the prefixes included.
    fn byte_length(&self) -> usize {
        self.batch.byte_length() + self.prefix.len() * self.batch.len()
    }
}

/// Bytes of all keys and values of these parts.
pub(crate) fn byte_length(parts: &[Part<'_>]) -> usize {
    parts.iter().map(Part::byte_length).sum()
}

/// How many writes these parts have.
pub(crate) fn len(parts: &[Part<'_>]) -> usize {
    parts.iter().map(|part| part.batch.len()).sum()
}

/// Whether these parts write nothing.
pub(crate) fn are_empty(parts: &[Part<'_>]) -> bool {
    parts.iter().all(|part| part.batch.is_empty())
}

/// The purpose of a commit of these parts: to free space if that is the purpose of all of them.
pub(crate) fn purpose(parts: &[Part<'_>]) -> Purpose {
    let purposes = parts.iter().map(|part| part.batch.purpose());
    purposes.max().unwrap_or_default()
}

/// All writes of these parts as one batch, in their order.
pub(crate) fn join(parts: &[Part<'_>]) -> Batch {
    let mut joined = Batch::new();
    parts.iter().for_each(|part| joined.append(*part));
    joined.set_purpose(purpose(parts));
    joined
}

/// Calls `commit` with parts of which no two write the same key: with these, or with one that has
/// the same effect. Engines write each key once in a commit.
pub(crate) fn apart<R>(parts: &[Part<'_>], commit: impl FnOnce(&[Part<'_>]) -> R) -> R {
    match may_overlap(parts) {
        true => commit(&[Part::from(&join(parts))]),
        false => commit(parts),
    }
}

/// Whether two parts may write the same key: where one's prefix begins with the other's.
fn may_overlap(parts: &[Part<'_>]) -> bool {
    if parts.len() < 2 {
        return false;
    }
    let written = parts.iter().filter(|part| !part.batch.is_empty());
    let mut prefixes: Vec<&[u8]> = written.map(|part| part.prefix).collect();
    prefixes.sort_unstable();
    prefixes.windows(2).any(|pair| pair[1].starts_with(pair[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keyspace;

    const SPACE: Keyspace = Keyspace(0);

    #[test]
    fn parts_overlap_where_one_prefix_begins_with_another() {
        let mut batch = Batch::new();
        batch.put(SPACE, b"key", b"value");
        let empty = Batch::new();
        for (prefixes, expected) in [
            (&[][..], false),
            (&[&b""[..]], false),
            (&[b"a", b"b", b"\xFF"], false),
            (&[b"ba", b"ab", b"bb", b"a"], true),
            (&[b"a", b"b", b"a"], true),
            (&[b"a", b"", b"b"], true),
        ] {
            let parts: Vec<_> =
                prefixes.iter().map(|prefix| Part { prefix, batch: &batch }).collect();
            assert_eq!(may_overlap(&parts), expected, "{prefixes:?}");
        }
        let parts = [Part { prefix: b"a", batch: &batch }, Part { prefix: b"", batch: &empty }];
        assert!(!may_overlap(&parts), "a part without writes overlaps with none");
    }

    #[test]
    fn joined_parts_are_for_the_most_that_one_of_them_is_for() {
        let mut batches = [Batch::new(), Batch::new()];
        batches.iter_mut().for_each(|batch| batch.set_purpose(Purpose::Free));
        let purpose_of = |batches: &[Batch; 2]| {
            let parts = batches.each_ref().map(Part::from);
            assert_eq!(join(&parts).purpose(), purpose(&parts));
            purpose(&parts)
        };
        assert_eq!(purpose_of(&batches), Purpose::Free);
        batches[1].set_purpose(Purpose::Keep);
        assert_eq!(purpose_of(&batches), Purpose::Keep);
        assert_eq!(purpose(&[]), Purpose::Keep);
    }
}
