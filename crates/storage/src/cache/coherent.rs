//! [`Coherent`]: the protocol that keeps a cache from ever serving an old value.
//!
//! ```text
//!   writer (one at a time)                   reader
//!   ----------------------                   ------
//!   lock stripe: writes += 1, remove key     look in the map: a hit is the answer
//!   commit and publish                       lock stripe: note the epoch, unless writes > 0
//!   lock stripe: put the new value or none,  read the published state
//!                epoch += 1, writes -= 1     lock stripe: insert, if writes = 0 and the
//!                                                         epoch is the noted one
//! ```
//!
//! Between a writer's two steps the key is not in the map, and no reader inserts it. A reader that read
//! before the publication finds a write in flight, or another epoch, and does not insert its value. So
//! an entry of the map is always the newest published value, and once a reader has got the new value no
//! reader gets the old one. A write that fails ends like one that succeeds, without a value.
//!
//! When a range is removed, its keys are not known one by one: every stripe is treated as if one of its
//! keys had been written, and then the keys of the range are evicted.
//!
//! The protocol is generic over map and lock so that the tests run this very code under every
//! interleaving.
//!
//! # Caveats
//!
//! Keys share stripes: a write keeps readers of other keys on its stripe from inserting, which
//! costs them a second read later and is never wrong. Absence is not cached.

/// A concurrent map from keys to values, which may evict any entry at any time.
pub(super) trait Map {
    /// What it holds.
    type Value: Clone;

    /// The value of `key`, if it is held.
    fn get(&self, key: &[u8]) -> Option<Self::Value>;

    /// Stores `value`, or evicts the old one.
    fn insert(&self, key: &[u8], value: Self::Value);

    /// Removes `key`.
    fn remove(&self, key: &[u8]);

    /// Removes every key for which `is_removed` returns true.
    fn remove_all(&self, is_removed: &dyn Fn(&[u8]) -> bool);
}

/// A lock around the state of one stripe.
pub(super) trait Lock: Default {
    /// Runs `f` with exclusive access to the state.
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R;
}

/// The writes to the keys of a stripe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stripe {
    /// Keys that are being written now.
    pub(super) writes: u32,
    /// How many have been written.
    pub(super) epoch: u64,
}

/// A visitor of written keys, each with its hash, and with its value if the map is to hold that.
pub(super) type See<'s, V> = dyn FnMut(&[u8], u64, Option<V>) + 's;

/// A map kept coherent with a store that publishes one state after another.
pub(super) struct Coherent<M, L> {
    map: M,
    stripes: Box<[L]>,
}

impl<M: Map, L: Lock> Coherent<M, L> {
    /// `stripes` is a power of two.
    pub(super) fn new(map: M, stripes: usize) -> Self {
        assert!(stripes.is_power_of_two(), "stripes are chosen by a mask");
        Coherent { map, stripes: (0..stripes).map(|_| L::default()).collect() }
    }

    pub(super) fn map(&self) -> &M {
        &self.map
    }

    fn stripe(&self, hash: u64) -> &L {
        &self.stripes[hash as usize & (self.stripes.len() - 1)]
    }

    /// The value of a key that is not in the map: reads it with `load` from the state that is published
    /// at that time, and inserts it if that is safe. `keep` makes the value to insert.
    pub(super) fn load<E>(
        &self,
        key: &[u8],
        hash: u64,
        load: impl FnOnce() -> Result<Option<M::Value>, E>,
        keep: impl FnOnce(&M::Value) -> M::Value,
    ) -> Result<Option<M::Value>, E> {
        let stripe = self.stripe(hash);
        let before = stripe.with(|stripe| *stripe);
        let value = load()?;
        if let Some(value) = &value
            && before.writes == 0
        {
            let kept = keep(value);
            stripe.with(|stripe| {
                if *stripe == before {
                    self.map.insert(key, kept);
                }
            });
        }
        Ok(value)
    }

    /// Runs `commit`, which publishes a state with other values for the written keys before it returns
    /// `Ok`, and inserts what `keep` makes of those that come with a value. `writes` passes each key
    /// with its hash to a visitor; it is called twice and passes the same keys each time. The caller
    /// ensures that there is one writer at a time.
    pub(super) fn write<V, E>(
        &self,
        writes: impl Fn(&mut See<'_, V>),
        commit: impl FnOnce() -> Result<(), E>,
        keep: impl Fn(V) -> M::Value,
    ) -> Result<(), E> {
        writes(&mut |key, hash, _| {
            self.stripe(hash).with(|stripe| {
                stripe.writes += 1;
                self.map.remove(key);
            });
        });
        let result = commit();
        writes(&mut |key, hash, value| {
            self.stripe(hash).with(|stripe| {
                if let (Ok(()), Some(value)) = (&result, value) {
                    self.map.insert(key, keep(value));
                }
                stripe.epoch += 1;
                stripe.writes -= 1;
            });
        });
        result
    }

    /// Forgets every key that `is_removed` says, all of which already have no value in the published
    /// state; values that readers found before are not inserted any more. Meanwhile old values may
    /// still be served, and writers go on.
    pub(super) fn forget(&self, is_removed: &dyn Fn(&[u8]) -> bool) {
        self.stripes.iter().for_each(|stripe| stripe.with(|stripe| stripe.epoch += 1));
        self.map.remove_all(is_removed);
    }
}

#[cfg(test)]
#[path = "coherent_model.rs"]
mod model;
