//! Ranges that are removed: their space comes back, and no crash brings a key back or takes another one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use velocitydb_storage::contract::Random;
use velocitydb_storage::lsm::{FsyncHook, Lsm, LsmOptions};
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{Batch, Bounds, Durability, Engine, Error};

use crate::folder::{Content, FIRST, Image, SECOND, content, noise, occupied, open, options};

const MIB: u64 = 1 << 20;

fn on_disk(mode: Mode, path: &Path) -> Arc<dyn Engine> {
    let path = Some(path.to_owned());
    let options =
        Options { path, memory_bytes: 16 << 20, ..Options::new(mode, &["first", "second"]) };
    mode::open(&options).unwrap()
}

/// A thousand bytes each under keys that begin with `prefix`, `step` of them a commit.
fn fill(engine: &dyn Engine, prefix: &[u8], count: u32, step: u32) {
    let mut batch = Batch::new();
    for number in 0..count {
        let key = [prefix, &number.to_be_bytes()].concat();
        batch.put(FIRST, &key, &noise(number, 1_000));
        batch.put(SECOND, &key, &[1]);
        if number % step == step - 1 {
            engine.commit(&batch, Durability::Os).unwrap();
            batch.clear();
        }
    }
    engine.commit(&batch, Durability::Os).unwrap();
}

fn remove(engine: &dyn Engine, prefix: &[u8], end: &[u8]) {
    engine.remove_range(FIRST, Bounds::range(prefix, end)).unwrap();
    engine.remove_range(SECOND, Bounds::range(prefix, end)).unwrap();
}

/// What is left where keys that begin with `prefix` were removed.
fn without(mut content: Content, prefix: &[u8]) -> Content {
    content.iter_mut().for_each(|pairs| pairs.retain(|key, _| !key.starts_with(prefix)));
    content
}

/// The space of a range between others that stay comes back: of whole tables at once, of the rest when
/// space is reclaimed.
#[test]
fn a_removed_range_gives_its_space_back() {
    for mode in [Mode::MemoryFirst, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let engine = on_disk(mode, folder.path());
        for (prefix, count) in [(b"a", 24_000), (b"b", 48_000), (b"c", 24_000)] {
            fill(&*engine, prefix, count, 200);
        }
        engine.sync().unwrap();
        engine.reclaim(&|work| work()).unwrap();
        let before = occupied(folder.path());
        let tables_before = occupied(&folder.path().join("store/keyspaces"));
        assert!(before > 90 * MIB, "{mode:?}: {before} bytes");
        remove(&*engine, b"b", b"c");
        engine.sync().unwrap();
        let removed = occupied(folder.path());
        let tables_removed = occupied(&folder.path().join("store/keyspaces"));
        engine.reclaim(&|work| work()).unwrap();
        let reclaimed = occupied(folder.path());
        println!("{mode:?}: {before} bytes, {removed} once removed, {reclaimed} once reclaimed");
        println!("of which tables {tables_before}, {tables_removed}");
        assert!(tables_before - tables_removed > 20 * MIB, "{mode:?}: {tables_removed} bytes");
        assert!(reclaimed < 56 * MIB, "{mode:?}: {reclaimed} bytes");
        let found = content(&*engine).unwrap();
        assert!(found.iter().all(|pairs| pairs.len() == 48_000), "{mode:?}");
        drop(engine);
        assert!(content(&*on_disk(mode, folder.path())).unwrap() == found, "{mode:?}");
    }
}

/// A few keys, all in the journal, of which a range was removed; and what there was before.
fn removed_in_the_journal() -> (Image, Content) {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let mut batch = Batch::new();
    for key in [&b""[..], b"a", b"b", b"b\xFF", b"bb", b"c"] {
        batch.put(FIRST, key, b"first");
        batch.put(SECOND, key, b"second");
    }
    engine.commit(&batch, Durability::Disk).unwrap();
    let before = content(&engine).unwrap();
    remove(&engine, b"b", b"c");
    assert!(content(&engine).unwrap() == without(before.clone(), b"b"));
    (Image::take(folder.path()), before)
}

/// Wherever the journal ends, the keys beside the range are there, those within it are as they were or
/// gone, and removing it again completes it.
#[test]
fn a_removal_cut_at_every_byte_takes_nothing_else() {
    let (image, before) = removed_in_the_journal();
    let after = without(before.clone(), b"b");
    let journal = image.journal();
    let ends = image.batch_ends(&journal);
    let mut seen = 0;
    for length in ends[0]..=*ends.last().unwrap() {
        let folder = image.cut(&journal, length).restore();
        let engine = open(folder.path()).unwrap();
        let found = content(&engine).unwrap();
        assert!(without(found.clone(), b"b") == after, "cut at {length}");
        for (found, before) in found.iter().zip(&before) {
            assert!(found.iter().all(|(key, value)| before[key] == *value), "cut at {length}");
        }
        seen += usize::from(found != before && found != after);
        remove(&engine, b"b", b"c");
        assert!(content(&engine).unwrap() == after, "cut at {length}");
    }
    assert!(seen > 0, "no cut was between the removals of the two keyspaces");
}

/// Options whose fsyncs `hook` comes before.
fn hooked(path: &Path, hook: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> LsmOptions {
    LsmOptions { fsync_hook: FsyncHook::new(hook), ..options(path) }
}

/// Tables are dropped, which the journals may still have the keys of. Images as of killed processes,
/// before each fsync of the removal and after it, and with every end of the journal from the last fsync
/// on: no key comes back once the removal has returned, and none beside it goes.
#[test]
fn no_crash_brings_a_removed_key_back() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    for (prefix, count) in [(b"a", 1_000), (b"b", 34_000), (b"c", 1_000)] {
        fill(&engine, prefix, count, 100);
    }
    // The journals are started anew, so that the images are small.
    drop(engine);
    let images = Arc::new(std::sync::Mutex::new(Vec::new()));
    let is_removing = Arc::new(AtomicU64::new(0));
    let engine = Lsm::open(hooked(folder.path(), {
        let (images, path) = (Arc::clone(&images), folder.path().to_owned());
        let is_removing = Arc::clone(&is_removing);
        move || {
            if is_removing.load(Ordering::SeqCst) > 0 {
                images.lock().unwrap().push(Image::take(&path));
            }
            Ok(())
        }
    }))
    .unwrap();
    // Some keys have several versions, in tables that reach beyond the range and in such that do not.
    for (prefix, count) in [(&b"a"[..], 500), (b"bb", 500), (b"b", 1_500), (b"c", 100)] {
        fill(&engine, prefix, count, 50);
    }
    engine.sync().unwrap();
    let before = content(&engine).unwrap();
    let after = without(before.clone(), b"b");
    let tables = engine.stats().keyspaces[0].disk_bytes;
    is_removing.store(1, Ordering::SeqCst);
    remove(&engine, b"b", b"c");
    is_removing.store(0, Ordering::SeqCst);
    assert!(engine.stats().keyspaces[0].disk_bytes + MIB < tables, "tables were dropped");
    assert!(content(&engine).unwrap() == after);
    let last = Image::take(folder.path());
    let during = std::mem::take(&mut *images.lock().unwrap());
    assert!(!during.is_empty());
    for image in &during {
        let folder = image.restore();
        let engine = open(folder.path()).unwrap();
        assert!(without(content(&engine).unwrap(), b"b") == after);
        remove(&engine, b"b", b"c");
        assert!(content(&engine).unwrap() == after);
    }
    let journal = last.journal();
    let durable = during.last().unwrap().files.get(&journal).map_or(0, |file| file.0.len());
    let ends = last.batch_ends(&journal);
    let ends = ends.into_iter().filter(|end| *end >= durable);
    let lengths: Vec<usize> = ends.flat_map(|end| [end - 1, end]).skip(1).collect();
    let complete = *lengths.last().unwrap();
    for length in lengths {
        let folder = last.cut(&journal, length).restore();
        let engine = open(folder.path()).unwrap();
        let found = content(&engine).unwrap();
        assert!(without(found.clone(), b"b") == after, "cut at {length}");
        assert!(length < complete || found == after, "a key came back");
    }
    // A restart after which nothing was in the journals.
    drop(engine);
    assert!(content(&open(folder.path()).unwrap()).unwrap() == after);
    assert!(
        velocitydb_storage::lsm::verify(folder.path(), Duration::ZERO).unwrap().findings.is_empty()
    );
}

/// The tables that a snapshot shows stay for as long as it is held, whatever is written and merged
/// meanwhile.
#[test]
fn a_snapshot_keeps_the_tables_of_a_removed_range() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    for prefix in [b"a", b"b", b"c"] {
        fill(&engine, prefix, 4_000, 50);
    }
    let before = content(&engine).unwrap();
    let snapshot = engine.snapshot().unwrap();
    let tables = engine.stats().keyspaces[0].disk_bytes;
    remove(&engine, b"b", b"c");
    assert!(engine.stats().keyspaces[0].disk_bytes + MIB < tables, "tables were dropped");
    let mut random = Random::from_seed(3);
    for _ in 0..5 {
        fill(&engine, b"b", 2_000, 50);
        for _ in 0..200 {
            let prefix = [b"a", b"b", b"c"][random.within(0..3) as usize];
            let key = [&prefix[..], &(random.within(0..4_000) as u32).to_be_bytes()].concat();
            let found = snapshot.get(FIRST, &key).unwrap().unwrap();
            assert!(*found == before[0][&key]);
        }
        remove(&engine, b"b", b"c");
    }
    let found = crate::folder::content_of(&*snapshot).unwrap();
    assert!(found == before);
    drop(snapshot);
    assert!(content(&engine).unwrap() == without(before, b"b"));
}

/// An fsync that fails ends a removal, and all writing; nothing beside the range is lost, and after a
/// restart it is done again.
#[test]
fn a_removal_whose_fsync_fails_is_done_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let is_broken = Arc::new(AtomicU64::new(0));
    let engine = Lsm::open(hooked(folder.path(), {
        let is_broken = Arc::clone(&is_broken);
        move || match is_broken.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(io::Error::other("the test broke it")),
        }
    }))
    .unwrap();
    for prefix in [b"a", b"b", b"c"] {
        fill(&engine, prefix, 3_000, 50);
    }
    engine.sync().unwrap();
    let after = without(content(&engine).unwrap(), b"b");
    is_broken.store(1, Ordering::SeqCst);
    let error = engine.remove_range(FIRST, Bounds::range(b"b", b"c")).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    assert!(without(content(&engine).unwrap(), b"b") == after);
    drop(engine);
    let engine = open(folder.path()).unwrap();
    assert!(without(content(&engine).unwrap(), b"b") == after);
    remove(&engine, b"b", b"c");
    assert!(content(&engine).unwrap() == after);
}
