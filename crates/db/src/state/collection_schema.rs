//! [`CollectionSchema`]: the schema of a collection in the catalog, the one in force and the
//! proposed one, and its stored form.

use std::sync::{Arc, OnceLock};

use velocitydb_core::codec::encode_operators_into;
use velocitydb_core::{
    Encoded, Object, RawObject, RawValue, Violations, decode_varint, encode_varint,
};
use velocitydb_storage::Snapshot;

use crate::keys::{self, CollectionNumber, SYSTEM};
use crate::schema::Schema;
use crate::{Error, Result};

/// The schema of a collection.
#[derive(Debug, Clone, Default)]
pub(crate) struct CollectionSchema {
    /// Increases with every change, proposals and withdrawals included.
    pub(crate) version: u64,
    pub(crate) current: Option<Arc<Rules>>,
    /// Writes have to satisfy it too, until it is confirmed or withdrawn.
    pub(crate) proposed: Option<Arc<Rules>>,
}

/// One schema. It is compiled on first use.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The version at which it was set or proposed.
    pub(crate) version: u64,
    pub(crate) object: Object,
    compiled: OnceLock<Schema>,
}

impl Rules {
    pub(crate) fn new(version: u64, object: Object) -> Self {
        Rules { version, object, compiled: OnceLock::new() }
    }

    /// Whether its source is this object.
    pub(crate) fn is_of(&self, object: &Object) -> bool {
        self.object.is_identical(object)
    }

    pub(crate) fn schema(&self) -> Result<&Schema> {
        if let Some(schema) = self.compiled.get() {
            return Ok(schema);
        }
        let schema = Schema::from_object(&self.object)?;
        Ok(self.compiled.get_or_init(|| schema))
    }
}

impl CollectionSchema {
    /// The fields with defaults filled in; `None` when nothing was missing.
    pub(crate) fn with_defaults(&self, fields: RawObject<'_>) -> Result<Option<Encoded>> {
        match &self.current {
            Some(rules) => rules.schema()?.apply_defaults(fields),
            None => Ok(None),
        }
    }

    /// The violations of the fields, if there are any.
    pub(crate) fn violations(&self, fields: RawObject<'_>) -> Result<Option<Violations>> {
        for rules in [&self.current, &self.proposed].into_iter().flatten() {
            if let Some(violations) = rules.schema()?.validate(fields)? {
                return Ok(Some(violations));
            }
        }
        Ok(None)
    }

    /// The schema of a collection in a state.
    pub(crate) fn load(
        snapshot: &dyn Snapshot,
        collection: CollectionNumber,
    ) -> Result<Option<Self>> {
        let key = keys::numbered(keys::SCHEMA, collection);
        let Some(bytes) = snapshot.get(SYSTEM, &key)? else { return Ok(None) };
        Ok(Some(Self::decode(&bytes).ok_or_else(|| keys::corrupt(&key))?))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        encode_varint(self.version, &mut bytes);
        for rules in [&self.current, &self.proposed] {
            let mut encoded = Vec::new();
            let version = rules.as_ref().map_or(0, |rules| rules.version);
            if let Some(rules) = rules {
                encode_operators_into(&rules.object, &mut encoded).map_err(Error::from)?;
            }
            encode_varint(version, &mut bytes);
            encode_varint(encoded.len() as u64, &mut bytes);
            bytes.extend_from_slice(&encoded);
        }
        Ok(bytes)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut schema =
            CollectionSchema { version: decode_varint(&mut bytes)?, ..Self::default() };
        for rules in [&mut schema.current, &mut schema.proposed] {
            let version = decode_varint(&mut bytes)?;
            let length = usize::try_from(decode_varint(&mut bytes)?).ok()?;
            let (encoded, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            if !encoded.is_empty() {
                let object = RawValue::new(encoded).ok()?.as_object().ok()??.to_object().ok()?;
                *rules = Some(Arc::new(Rules::new(version, object)));
            }
        }
        bytes.is_empty().then_some(schema)
    }
}
