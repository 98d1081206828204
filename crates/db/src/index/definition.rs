//! [`Definition`]: an index as the catalog knows it, and its stored form.

use smallvec::SmallVec;
use velocitydb_core::key::Direction;
use velocitydb_core::{
    DocumentId, DocumentView, IndexName, IndexSpec, Path, decode_varint, encode_varint,
};

use crate::Result;
use crate::keys::IndexNumber;

/// An index: its definition, and the progress of its build.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) number: IndexNumber,
    pub(crate) name: IndexName,
    pub(crate) spec: IndexSpec,
    pub(crate) state: IndexState,
    /// The names of the top-level fields that determine a document's entries, in order.
    roots: Vec<String>,
    /// The numbers of its keys, in the order of their paths.
    keys_by_path: Vec<u8>,
}

/// The progress of building an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IndexState {
    /// `done` documents, those with ids up to `after`, have their entries; so have those
    /// written since the build began.
    Building { after: Option<DocumentId>, done: u64 },
    /// It has all of its entries, and queries may use it.
    Ready,
    /// It could not be built; its entries are removed.
    Failed { reason: String },
}

/// The totals of an index. A query reads them in the state that it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct IndexTotals {
    /// Entries that it has.
    pub(crate) entries: u64,
    /// By key, whether any document has ever had an array on that path.
    pub(crate) multikey: u64,
    /// Whether queries may use it.
    pub(crate) is_ready: bool,
    /// Entries that it had when its statistics were made; 0 if they never were.
    pub(crate) analyzed: u64,
}

const BUILDING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;

impl Definition {
    pub(crate) fn new(
        number: IndexNumber,
        spec: IndexSpec,
        state: IndexState,
    ) -> Result<Definition> {
        let name = IndexName::new(spec.name())?;
        let keys = spec.keys().keys().iter().map(|key| &key.path);
        let of_filter = spec.partial_filter().map(|filter| filter.paths()).unwrap_or_default();
        let mut roots: Vec<String> =
            keys.chain(of_filter).map(|path| path.segments()[0].name().to_owned()).collect();
        roots.sort_unstable();
        roots.dedup();
        let keys = spec.keys().keys();
        let mut keys_by_path: Vec<u8> = (0..keys.len() as u8).collect();
        keys_by_path.sort_by_key(|number| &keys[usize::from(*number)].path);
        Ok(Definition { number, name, spec, state, roots, keys_by_path })
    }

    pub(crate) fn with_state(&self, state: IndexState) -> Definition {
        Definition { state, ..self.clone() }
    }

    /// Its paths, in the order of its keys.
    pub(crate) fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.spec.keys().keys().iter().map(|key| &key.path)
    }

    pub(crate) fn direction(&self, key: usize) -> Direction {
        self.spec.keys().keys()[key].direction
    }

    /// The direction of the last key, which is also that of the ids after it.
    pub(crate) fn last_direction(&self) -> Direction {
        self.spec.keys().keys().last().map(|key| key.direction).unwrap_or_default()
    }

    /// The numbers of its keys, in the order of their paths.
    pub(crate) fn keys_by_path(&self) -> &[u8] {
        &self.keys_by_path
    }

    /// Whether the indexed fields of two versions of a document have the same bytes and the same
    /// order, so that their entries are the same.
    pub(crate) fn has_same_source(
        &self,
        one: &DocumentView<'_>,
        other: &DocumentView<'_>,
    ) -> Result<bool> {
        let mut positions: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        for root in &self.roots {
            match (one.fields.find(root)?, other.fields.find(root)?) {
                (None, None) => {}
                (Some((at, one)), Some((other_at, other)))
                    if one.as_encoded() == other.as_encoded() =>
                {
                    positions.push((at, other_at));
                }
                _ => return Ok(false),
            }
        }
        positions.sort_unstable();
        Ok(positions.is_sorted_by_key(|(_, other)| *other))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = self.number.to_be_bytes().to_vec();
        let mut tagged = |tag, content: &[u8]| {
            bytes.push(tag);
            encode_varint(content.len() as u64, &mut bytes);
            bytes.extend_from_slice(content);
        };
        match &self.state {
            IndexState::Building { after, done } => {
                tagged(BUILDING, after.as_ref().map_or(&[], |after| after.as_bytes()));
                encode_varint(*done, &mut bytes);
            }
            IndexState::Ready => bytes.push(READY),
            IndexState::Failed { reason } => tagged(FAILED, reason.as_bytes()),
        }
        self.spec.encode_into(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<4>()?;
        let (&tag, mut rest) = rest.split_first()?;
        let state = match tag {
            READY => IndexState::Ready,
            BUILDING => {
                let after = take_bytes(&mut rest)?;
                let after = match after.is_empty() {
                    true => None,
                    false => Some(DocumentId::from_bytes(after).ok()?),
                };
                IndexState::Building { after, done: decode_varint(&mut rest)? }
            }
            FAILED => IndexState::Failed {
                reason: str::from_utf8(take_bytes(&mut rest)?).ok()?.to_owned(),
            },
            _ => return None,
        };
        Definition::new(u32::from_be_bytes(*number), IndexSpec::decode(rest).ok()?, state).ok()
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

impl IndexTotals {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_ready)];
        encode_varint(self.entries, &mut bytes);
        encode_varint(self.multikey, &mut bytes);
        if self.analyzed > 0 {
            encode_varint(self.analyzed, &mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&ready, mut rest) = bytes.split_first()?;
        let (entries, multikey) = (decode_varint(&mut rest)?, decode_varint(&mut rest)?);
        let analyzed = if rest.is_empty() { 0 } else { decode_varint(&mut rest)? };
        let totals = IndexTotals { entries, multikey, is_ready: ready == 1, analyzed };
        (rest.is_empty() && ready <= 1).then_some(totals)
    }

    /// Whether any document has ever had an array on the path of this key.
    pub(crate) fn is_multikey(&self, key: usize) -> bool {
        self.multikey & (1 << key) != 0
    }
}

#[cfg(test)]
mod tests {
    use velocitydb_core::{Sort, object};

    use super::*;

    #[test]
    fn definitions_and_totals_round_trip() {
        let spec = IndexSpec::new(Sort::new().ascending("a.b").descending("c"))
            .named("i")
            .unique()
            .partial(object! { "state": { "$gt": 1 } });
        for state in [
            IndexState::Ready,
            IndexState::Building { after: None, done: 0 },
            IndexState::Building { after: Some("é".try_into().unwrap()), done: 300 },
            IndexState::Failed { reason: "twice".to_owned() },
        ] {
            let definition = Definition::new(7, spec.clone(), state).unwrap();
            let bytes = definition.encode().unwrap();
            let decoded = Definition::decode(&bytes).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{definition:?}"));
            assert_eq!(decoded.roots, ["a", "c", "state"]);
            for length in 0..bytes.len() {
                assert!(Definition::decode(&bytes[..length]).is_none());
            }
        }
        let totals = IndexTotals { entries: 1_000, multikey: 2, is_ready: true, analyzed: 0 };
        for totals in [totals, IndexTotals { analyzed: 900, ..totals }] {
            assert_eq!(IndexTotals::decode(&totals.encode()), Some(totals));
        }
        assert!(totals.is_multikey(1) && !totals.is_multikey(0));
    }
}
