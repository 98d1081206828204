//! The document cache under load: coherent, bounded, and counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::{array, thread};

use velocitydb_storage::contract::Random;
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{Batch, Durability, Engine, Keyspace};

use crate::folder::{FIRST, SECOND};

const KEYS: usize = 64;
const ROUNDS: u64 = 3_000;

fn open(mode: Mode, folder: &tempfile::TempDir) -> Arc<dyn Engine> {
    let options = Options {
        path: Some(folder.path().to_owned()),
        memory_bytes: 16 << 20,
        ..Options::new(mode, &["documents", "others"])
    };
    mode::open(&options).unwrap()
}

fn read(engine: &dyn Engine, key: usize) -> u64 {
    let value = engine.get(FIRST, &[key as u8]).unwrap().unwrap();
    u64::from_be_bytes(value[..].try_into().unwrap())
}

/// Values only grow. No reader sees an older one than was acknowledged before it asked, nor one
/// older than it saw before.
#[test]
fn no_reader_is_served_an_older_value() {
    for mode in [Mode::Hybrid, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(mode, &folder);
        let mut batch = Batch::new();
        (0..KEYS).for_each(|key| batch.put(FIRST, &[key as u8], &[0; 8]));
        engine.commit(&batch, Durability::Os).unwrap();
        let acknowledged: [AtomicU64; KEYS] = array::from_fn(|_| AtomicU64::new(0));
        let is_done = AtomicBool::new(false);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for reader in 0..3 {
                let (engine, acknowledged) = (&engine, &acknowledged);
                let (start, is_done) = (&start, &is_done);
                scope.spawn(move || {
                    let mut random = Random::from_seed(reader);
                    let mut seen = [0; KEYS];
                    start.wait();
                    while !is_done.load(Ordering::Relaxed) {
                        let key = random.within(0..KEYS as u64) as usize;
                        let before = acknowledged[key].load(Ordering::SeqCst);
                        let value = read(&**engine, key);
                        assert!(value >= before, "{value} after {before} was acknowledged");
                        assert!(value >= seen[key], "{value} after {} was read", seen[key]);
                        seen[key] = value;
                    }
                });
            }
            let mut random = Random::announced("no_reader_is_served_an_older_value");
            start.wait();
            for round in 1..=ROUNDS {
                batch.clear();
                let keys: [_; 3] = array::from_fn(|_| random.within(0..KEYS as u64) as usize);
                keys.iter().for_each(|key| batch.put(FIRST, &[*key as u8], &round.to_be_bytes()));
                engine.commit(&batch, Durability::Os).unwrap();
                for key in keys {
                    acknowledged[key].store(round, Ordering::SeqCst);
                }
            }
            is_done.store(true, Ordering::Relaxed);
        });
        let stats = engine.stats();
        assert!(stats.cache_hits > 0 && stats.cache_misses > 0, "{stats:?}");
    }
}

/// The cache holds what is read, in hybrid mode what is written too, and never more than its share
/// of the budget. Other keyspaces do not pass through it.
#[test]
fn the_cache_is_filled_as_its_mode_says() {
    for (mode, is_filled_by_writes) in [(Mode::Hybrid, true), (Mode::Persistent, false)] {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(mode, &folder);
        let mut batch = Batch::new();
        let put = |batch: &mut Batch, keyspace: Keyspace, number: u32| {
            batch.put(keyspace, &number.to_be_bytes(), &[7; 1000]);
        };
        put(&mut batch, FIRST, 0);
        put(&mut batch, SECOND, 0);
        engine.commit(&batch, Durability::Os).unwrap();
        assert_eq!(engine.stats().cache_bytes > 0, is_filled_by_writes);
        for hits in 0..3 {
            assert!(engine.get(FIRST, &[0; 4]).unwrap().is_some());
            assert!(engine.get(SECOND, &[0; 4]).unwrap().is_some());
            let stats = engine.stats();
            let misses = u64::from(!is_filled_by_writes);
            assert_eq!((stats.cache_hits, stats.cache_misses), (hits + 1 - misses, misses));
        }
        batch.clear();
        (0..30_000).for_each(|number| put(&mut batch, FIRST, number));
        engine.commit(&batch, Durability::Os).unwrap();
        for number in 0..30_000_u32 {
            assert!(engine.get(FIRST, &number.to_be_bytes()).unwrap().is_some());
        }
        let bytes = engine.stats().cache_bytes;
        assert!((1 << 20..6 << 20).contains(&bytes), "{bytes} bytes");
    }
}
