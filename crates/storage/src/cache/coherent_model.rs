//! The protocol of [`Coherent`] under every interleaving of a writer and readers, by `shuttle`, and
//! protocols with planted bugs, which must be detected.

use std::panic;
use std::sync::atomic::AtomicUsize;

use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use super::{Coherent, Lock, Map, See, Stripe};

const KEY: &[u8] = b"key";

/// A map of the only key, in which each call is one step. It has no value at 0.
#[derive(Default)]
struct ModelMap(AtomicU32);

impl Map for ModelMap {
    type Value = u32;

    fn get(&self, _: &[u8]) -> Option<u32> {
        self.0.load(Ordering::SeqCst).checked_sub(1)
    }

    fn insert(&self, _: &[u8], value: u32) {
        self.0.store(value + 1, Ordering::SeqCst);
    }

    fn remove(&self, _: &[u8]) {
        self.0.store(0, Ordering::SeqCst);
    }

    fn remove_all(&self, is_removed: &dyn Fn(&[u8]) -> bool) {
        if is_removed(KEY) {
            self.0.store(0, Ordering::SeqCst);
        }
    }
}

#[derive(Default)]
struct ModelLock(Mutex<Stripe>);

impl Lock for ModelLock {
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R {
        f(&mut self.0.lock().expect("no thread panics with the lock"))
    }
}

/// Forgets the epoch, so that a reader does not notice a write that came and went.
#[derive(Default)]
struct LockWithoutEpoch(ModelLock);

impl Lock for LockWithoutEpoch {
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R {
        self.0.with(|stripe| {
            let result = f(stripe);
            stripe.epoch = 0;
            result
        })
    }
}

/// Hides the writes in flight from readers, so that they insert during one. The writer is the
/// scenario's first thread.
#[derive(Default)]
struct LockWithoutWrites(ModelLock);

impl Lock for LockWithoutWrites {
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R {
        let is_writer = usize::from(thread::current().id()) == 0;
        self.0.with(|stripe| {
            let writes = stripe.writes;
            if !is_writer {
                stripe.writes = 0;
            }
            let result = f(stripe);
            if !is_writer {
                stripe.writes = writes;
            }
            result
        })
    }
}

struct Cache<L> {
    coherent: Coherent<ModelMap, L>,
    published: AtomicU32,
    acknowledged: AtomicU32,
}

impl<L: Lock> Cache<L> {
    fn get(&self) -> u32 {
        if let Some(value) = self.coherent.map().get(KEY) {
            return value;
        }
        let load = || Ok::<_, ()>(Some(self.published.load(Ordering::SeqCst)));
        let value =
            self.coherent.load(KEY, 0, load, |value| *value).expect("the source never fails");
        value.expect("the key has a value")
    }

    fn put(&self, value: u32, held: Option<u32>, outcome: Result<(), ()>) {
        let writes = |see: &mut See<'_, u32>| see(KEY, 0, held);
        let commit = || {
            if outcome.is_ok() {
                self.published.store(value, Ordering::SeqCst);
            }
            outcome
        };
        if self.coherent.write(writes, commit, |value| value).is_ok() {
            self.acknowledged.store(value, Ordering::SeqCst);
        }
    }

    /// Publishes a state outside of the protocol, as the removal of a range does.
    fn replace(&self, value: u32) {
        self.published.store(value, Ordering::SeqCst);
        self.coherent.forget(&|key| key == KEY);
        self.acknowledged.store(value, Ordering::SeqCst);
    }

    /// Reads twice: never older than what was acknowledged before, never new and then old.
    fn read_and_check(&self) {
        let mut newest = 0;
        for _ in 0..2 {
            let acknowledged = self.acknowledged.load(Ordering::SeqCst);
            let value = self.get();
            assert!(value >= acknowledged, "{value} after {acknowledged} was acknowledged");
            assert!(value >= newest, "{value} after {newest} was read");
            newest = value;
        }
    }
}

/// One writer of two values and a reader beside it, and a read when both are through.
fn scenario<L: Lock + Send + Sync + 'static>(is_held: bool, second: Result<(), ()>) {
    let cache = Arc::new(Cache::<L> {
        coherent: Coherent::new(ModelMap::default(), 1),
        published: AtomicU32::new(0),
        acknowledged: AtomicU32::new(0),
    });
    let reader = {
        let cache = Arc::clone(&cache);
        thread::spawn(move || cache.read_and_check())
    };
    cache.put(1, is_held.then_some(1), Ok(()));
    cache.put(2, is_held.then_some(2), second);
    reader.join().expect("the reader does not panic");
    cache.read_and_check();
}

/// The smallest scenario: one write and one read, small enough for every interleaving.
fn scenario_of_one_read<L: Lock + Send + Sync + 'static>() {
    let cache = Arc::new(Cache::<L> {
        coherent: Coherent::new(ModelMap::default(), 1),
        published: AtomicU32::new(0),
        acknowledged: AtomicU32::new(0),
    });
    let reader = {
        let cache = Arc::clone(&cache);
        thread::spawn(move || {
            let acknowledged = cache.acknowledged.load(Ordering::SeqCst);
            assert!(cache.get() >= acknowledged);
        })
    };
    cache.put(1, None, Ok(()));
    reader.join().expect("the reader does not panic");
    assert_eq!(cache.get(), 1);
}

/// A removal concurrent with one write and two reads, which may see either value until the removal
/// has returned.
fn scenario_of_a_removal<L: Lock + Send + Sync + 'static>() {
    let cache = Arc::new(Cache::<L> {
        coherent: Coherent::new(ModelMap::default(), 1),
        published: AtomicU32::new(0),
        acknowledged: AtomicU32::new(0),
    });
    let readers = [(); 2].map(|()| {
        let cache = Arc::clone(&cache);
        thread::spawn(move || {
            let acknowledged = cache.acknowledged.load(Ordering::SeqCst);
            let value = cache.get();
            assert!(value >= acknowledged, "{value} after {acknowledged} was acknowledged");
        })
    });
    cache.put(1, Some(1), Ok(()));
    cache.replace(2);
    for reader in readers {
        reader.join().expect("the reader does not panic");
    }
    assert_eq!(cache.get(), 2);
}

fn explore(schedules_max: Option<usize>, scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&schedules);
    shuttle::check_dfs(
        move || {
            counted.fetch_add(1, Ordering::Relaxed);
            scenario();
        },
        schedules_max,
    );
    println!("{} schedules", schedules.load(Ordering::Relaxed));
}

fn is_caught(scenario: impl Fn() + Send + Sync + 'static) -> bool {
    panic::catch_unwind(panic::AssertUnwindSafe(|| {
        shuttle::check_random_with_seed(scenario, 1, 20_000);
    }))
    .is_err()
}

#[test]
fn no_interleaving_serves_an_old_value() {
    // Every one of them; the larger scenarios have too many, and are sampled.
    explore(None, scenario_of_one_read::<ModelLock>);
    let scenarios = [
        || scenario::<ModelLock>(true, Ok(())),
        || scenario::<ModelLock>(false, Ok(())),
        || scenario::<ModelLock>(true, Err(())),
        scenario_of_a_removal::<ModelLock>,
    ];
    for scenario in scenarios {
        explore(Some(20_000), scenario);
        shuttle::check_random_with_seed(scenario, 1, 20_000);
    }
}

#[test]
fn a_protocol_without_epochs_is_caught() {
    assert!(is_caught(|| scenario::<LockWithoutEpoch>(false, Ok(()))));
    assert!(is_caught(scenario_of_a_removal::<LockWithoutEpoch>));
}

#[test]
fn a_protocol_without_writes_in_flight_is_caught() {
    assert!(is_caught(|| scenario::<LockWithoutWrites>(false, Ok(()))));
}
