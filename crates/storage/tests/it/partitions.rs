//! Partitions after crashes: each has its old content or its new one, and nothing else is left.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use velocitydb_storage::lsm::{FsyncHook, Lsm};
use velocitydb_storage::mode::{self, Mode, Options};
use velocitydb_storage::{
    Batch, Durability, Engine, Error, Partition, PartitionId, Partitions, Result,
};

use crate::folder::{Content, FIRST, Image, SECOND, content, noise, open};

/// The one that is replaced, between two others.
const ID: PartitionId = PartitionId(2);
const ALL: [PartitionId; 3] = [PartitionId(1), ID, PartitionId(3)];

/// Some keys that every content has, and some of its own, each with a value of this many bytes.
fn make(seed: u32, count: u32, length: usize) -> Content {
    let mut content = Content::default();
    for number in 0..count {
        let own = [seed.to_be_bytes(), number.to_be_bytes()].concat();
        content[0].insert(own, noise(seed ^ number, length));
        content[0].insert(number.to_be_bytes().to_vec(), noise(seed, length));
        content[1].insert(number.to_be_bytes().to_vec(), seed.to_be_bytes().to_vec());
    }
    content
}

fn fill(partition: &Partition, content: &Content) -> Result<()> {
    let mut batch = Batch::new();
    for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(content) {
        for (key, value) in pairs {
            batch.put(keyspace, key, value);
            if batch.byte_length() > 100_000 {
                partition.commit(&batch, Durability::Os)?;
                batch.clear();
            }
        }
    }
    partition.commit(&batch, Durability::Os)
}

/// Replaces partition [`ID`], and calls `step` now and then.
fn replace(partitions: &Arc<Partitions>, content: &Content, mut step: impl FnMut()) -> Result<()> {
    let mut replacement = partitions.replace(ID)?;
    for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(content) {
        for (number, (key, value)) in pairs.iter().enumerate() {
            replacement.put(keyspace, key, value)?;
            if number % 1_500 == 1_499 {
                step();
            }
        }
    }
    replacement.finish()
}

/// What each partition is to be; of the middle one the old content and the new one.
struct Expected {
    neighbour: Content,
    old: Content,
    new: Content,
}

impl Expected {
    /// Makes the partitions, the middle one with the old content.
    fn create(&self, engine: &Arc<dyn Engine>) -> Arc<Partitions> {
        let partitions = Partitions::open(Arc::clone(engine)).unwrap();
        for id in ALL {
            let content = if id == ID { &self.old } else { &self.neighbour };
            fill(&partitions.create(id).unwrap(), content).unwrap();
        }
        engine.sync().unwrap();
        partitions
    }

    /// Opens the partitions of an engine after a crash: whether the middle one has the new content.
    fn check(&self, engine: Arc<dyn Engine>) -> bool {
        let partitions = Partitions::open(Arc::clone(&engine)).unwrap();
        assert_eq!(partitions.list(), ALL);
        let [left, middle, right] = ALL.map(|id| content(&*partitions.get(id).unwrap()).unwrap());
        assert!(left == self.neighbour && right == self.neighbour, "a neighbour was changed");
        assert!(middle == self.old || middle == self.new, "a mixture");
        partitions.remove_leftovers().unwrap();
        let left = content(&*partitions.get(ID).unwrap()).unwrap();
        assert!(left == middle, "a content was removed");
        let count = |content: &Content| content.iter().map(|pairs| pairs.len()).sum::<usize>();
        // The directory has a head, and a row for each partition.
        let expected = 2 * count(&self.neighbour) + count(&middle) + 1 + ALL.len();
        assert_eq!(count(&content(&*engine).unwrap()), expected, "something is left");
        middle == self.new
    }
}

/// Wherever the journal ends: the old content up to some byte and the new one from there on. What was
/// being written, or removed, is found and removed.
#[test]
fn a_replacement_cut_at_every_byte_is_the_old_or_the_new() {
    let expected = Expected { neighbour: make(1, 1, 5), old: make(2, 2, 5), new: make(3, 2, 5) };
    let folder = tempfile::tempdir().unwrap();
    let engine: Arc<dyn Engine> = Arc::new(open(folder.path()).unwrap());
    let partitions = expected.create(&engine);
    let before = Image::take(folder.path());
    replace(&partitions, &expected.new, || {}).unwrap();
    partitions.remove_leftovers().unwrap();
    let after = Image::take(folder.path());
    let journal = after.journal();
    let lengths = before.files[&journal].0.len()..=after.files[&journal].0.len();
    let mut is_new = false;
    for length in lengths {
        let folder = after.cut(&journal, length).restore();
        let found = expected.check(Arc::new(open(folder.path()).unwrap()));
        assert!(found || !is_new, "the new content is gone at {length}");
        is_new = found;
    }
    assert!(is_new);
}

fn in_mode(mode: Mode, path: &Path, fsync_hook: FsyncHook) -> Arc<dyn Engine> {
    let path = Some(path.to_owned());
    let options = Options {
        path,
        memory_bytes: 16 << 20,
        fsync_hook,
        ..Options::new(mode, &["first", "second"])
    };
    mode::open(&options).unwrap()
}

/// Images of processes killed at every stage of a replacement that is larger than the memory for it,
/// and that becomes tables: while it is written, before each fsync, and while the old content goes. What
/// an fsync is of is there after a loss of power, so once a replacement is finished it is.
#[test]
fn a_process_killed_at_any_stage_leaves_the_old_or_the_new() {
    let expected = Expected {
        neighbour: make(1, 20, 500),
        old: make(2, 4_000, 500),
        new: make(3, 6_000, 500),
    };
    for mode in [Mode::MemoryFirst, Mode::Persistent] {
        let folder = tempfile::tempdir().unwrap();
        let images = Arc::new(Mutex::new(Vec::new()));
        let is_replacing = Arc::new(AtomicBool::new(false));
        let take = {
            let (images, path) = (Arc::clone(&images), folder.path().to_owned());
            move || images.lock().unwrap().push(Image::take(&path))
        };
        let hook = FsyncHook::new({
            let (is_replacing, take) = (Arc::clone(&is_replacing), take.clone());
            move || {
                if is_replacing.load(Ordering::SeqCst) {
                    take();
                }
                Ok(())
            }
        });
        let engine = in_mode(mode, folder.path(), hook);
        let partitions = expected.create(&engine);
        is_replacing.store(true, Ordering::SeqCst);
        replace(&partitions, &expected.new, &take).unwrap();
        engine.sync().unwrap();
        let finished = images.lock().unwrap().len();
        take();
        partitions.remove_leftovers().unwrap();
        take();
        engine.sync().unwrap();
        is_replacing.store(false, Ordering::SeqCst);
        let images = std::mem::take(&mut *images.lock().unwrap());
        println!("{mode:?}: {} images, {finished} of them before it was finished", images.len());
        assert!(finished >= 4 && images.len() > finished + 2, "{mode:?}");
        let check = |image: &Image| {
            let folder = image.restore();
            expected.check(in_mode(mode, folder.path(), FsyncHook::default()))
        };
        assert!(!check(&images[0]), "{mode:?}");
        // The last fsync before the replacement was finished was of all of it.
        for image in &images[finished - 1..] {
            assert!(check(image), "{mode:?}");
        }
        images[1..finished - 1].iter().for_each(|image| {
            check(image);
        });
        drop(partitions);
        drop(engine);
        assert!(expected.check(in_mode(mode, folder.path(), FsyncHook::default())));
    }
}

/// An fsync that fails when a replacement is finished: the old content is read until the engine is
/// opened again, and then one of the two.
#[test]
fn a_replacement_whose_fsync_fails_is_the_old_or_the_new() {
    let expected =
        Expected { neighbour: make(1, 2, 10), old: make(2, 50, 10), new: make(3, 60, 10) };
    let folder = tempfile::tempdir().unwrap();
    let is_broken = Arc::new(AtomicBool::new(false));
    let fsync_hook = FsyncHook::new({
        let is_broken = Arc::clone(&is_broken);
        move || match is_broken.load(Ordering::SeqCst) {
            true => Err(io::Error::other("the test broke it")),
            false => Ok(()),
        }
    });
    let options = crate::folder::options(folder.path());
    let options = velocitydb_storage::lsm::LsmOptions { fsync_hook, ..options };
    let engine: Arc<dyn Engine> = Arc::new(Lsm::open(options).unwrap());
    let partitions = expected.create(&engine);
    is_broken.store(true, Ordering::SeqCst);
    let error = replace(&partitions, &expected.new, || {}).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    let partition = partitions.get(ID).unwrap();
    assert!(content(&*partition).unwrap() == expected.old);
    for error in [
        partition.commit(&Batch::new(), Durability::Disk).unwrap_err(),
        partitions.create(PartitionId(7)).err().unwrap(),
        partitions.remove(ID).unwrap_err(),
        replace(&partitions, &expected.new, || {}).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    }
    assert!(content(&*partition).unwrap() == expected.old);
    drop((partition, partitions));
    drop(engine);
    expected.check(Arc::new(open(folder.path()).unwrap()));
}
