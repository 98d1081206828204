//! The hash of keys in tables in memory. Seeded at random per process, so that an attacker cannot
//! choose keys that collide; therefore nothing that is stored or replicated may depend on it.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_nano_inline};

use crate::Keyspace;

static SECRETS: LazyLock<RapidSecrets> =
    LazyLock::new(|| RapidSecrets::seed(RandomState::new().hash_one(0)));

#[inline]
pub(crate) fn hash(keyspace: Keyspace, key: &[u8]) -> u64 {
    let hash = rapidhash_v3_nano_inline::<true, false>(key, &SECRETS);
    hash ^ u64::from(keyspace.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
