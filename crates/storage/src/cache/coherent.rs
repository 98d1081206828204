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
//! Between a writer's two steps the key is in no map, and nobody inserts it. A reader that read
//! before the publication finds a write in flight, or another epoch, and keeps its value to
//! itself. So an entry of the map is always the newest published value, and once a reader was
//! given the new value nobody is given the old one. A write that fails ends like one that
//! succeeds, without a value.
//!
//! The removal of a range is no write of its keys, which nobody has a list of: it is in every stripe as
//! if one of its keys had been written, and then forgotten.
//!
//! The protocol is generic over map and lock so that the tests run this very code under every
//! interleaving.
//!
//! # Caveats
//!
//! Keys share stripes: a write keeps readers of other keys on its stripe from inserting, which
//! costs them a second read later and is never wrong. Absence is not cached.

/// A concurrent map from keys to values, free to forget any entry at any time.
pub(super) trait Map {
    /// What it holds.
    type Value: Clone;

    /// The value of `key`, if it is held.
    fn get(&self, key: &[u8]) -> Option<Self::Value>;

    /// Holds `value`, or forgets what was held.
    fn insert(&self, key: &[u8], value: Self::Value);

    /// Forgets `key`.
    fn remove(&self, key: &[u8]);

    /// Forgets every key that `is_removed` says.
    fn remove_all(&self, is_removed: &dyn Fn(&[u8]) -> bool);
}

/// A lock around the state of one stripe.
pub(super) trait Lock: Default {
    /// Runs `f` with the state, and nobody else's at the same time.
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R;
}

/// What a stripe knows of the writes to its keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stripe {
    /// Keys that are being written now.
    pub(super) writes: u32,
    /// How many have been written.
    pub(super) epoch: u64,
}

/// What is shown each key that is written, with its hash, and with its value where that is to be held.
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

    /// The value of a key that the map did not have: reads it with `load` from the state that is
    /// published at that time, and holds it if that is safe. `keep` is what the map is to hold.
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

    /// Runs `commit`, which publishes a state with other values for the given keys before it
    /// returns `Ok`, and holds what `keep` makes of those that come with a value. `writes` shows each
    /// key with its hash; it is called twice and shows the same each time. The caller lets one writer
    /// in at a time.
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

    /// Forgets every key that `is_removed` says, all of which have had no value in the published states
    /// for a while; what readers found until then they keep to themselves. Meanwhile old values may
    /// still be served, and writers go on.
    pub(super) fn forget(&self, is_removed: &dyn Fn(&[u8]) -> bool) {
        self.stripes.iter().for_each(|stripe| stripe.with(|stripe| stripe.epoch += 1));
        self.map.remove_all(is_removed);
    }
}

#[cfg(test)]
#[path = "coherent_model.rs"]
mod model;
