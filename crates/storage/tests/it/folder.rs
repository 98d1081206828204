//! Helpers of the fault tests: small data folders, and images of them as a crash leaves them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use velocitydb_storage::lsm::{Lsm, LsmOptions};
use velocitydb_storage::{
    Batch, Bounds, Direction, Durability, Engine, Keyspace, Result, Snapshot,
};

pub const FIRST: Keyspace = Keyspace(0);
pub const SECOND: Keyspace = Keyspace(1);

/// All keys and values of both keyspaces.
pub type Content = [BTreeMap<Vec<u8>, Vec<u8>>; 2];

pub fn options(path: &Path) -> LsmOptions {
    LsmOptions {
        memory_bytes: 4 << 20,
        disk_reserve_bytes: Some(1 << 20),
        ..LsmOptions::new(path, &["first", "second"])
    }
}

pub fn open(path: &Path) -> Result<Lsm> {
    Lsm::open(options(path))
}

pub fn put(engine: &dyn Engine, key: &[u8], value: &[u8], durability: Durability) -> Result<()> {
    let mut batch = Batch::new();
    batch.put(FIRST, key, value);
    engine.commit(&batch, durability)
}

pub fn content(engine: &dyn Engine) -> Result<Content> {
    content_of(&*engine.snapshot()?)
}

pub fn content_of(snapshot: &dyn Snapshot) -> Result<Content> {
    let mut content = Content::default();
    for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(&mut content) {
        snapshot.scan(keyspace, Bounds::ALL, Direction::Forward, &mut |key, value| {
            pairs.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })?;
    }
    Ok(content)
}

/// The files beneath `folder`, relative to it, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// What the files beneath a folder occupy.
pub fn occupied(folder: &Path) -> u64 {
    let files = files(folder);
    // The store may remove one of them meanwhile.
    let blocks =
        files.iter().filter_map(|file| Some(fs::metadata(folder.join(file)).ok()?.blocks()));
    blocks.sum::<u64>() * 512
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

/// A folder in memory, without the zeros at the ends of its files.
pub struct Image {
    pub files: BTreeMap<PathBuf, (Vec<u8>, u64)>,
}

impl Image {
    /// What the operating system has of `folder` now, as if every process had been killed.
    pub fn take(folder: &Path) -> Self {
        // The store merges its tables in the background: an image is one that no file went from.
        loop {
            let listed = files(folder);
            let read = |file: &PathBuf| {
                let mut bytes = fs::read(folder.join(file)).ok()?;
                let length = bytes.len() as u64;
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(end);
                Some((file.clone(), (bytes, length)))
            };
            let image: Option<_> = listed.iter().map(read).collect();
            if let Some(image) = image.filter(|_| files(folder) == listed) {
                return Image { files: image };
            }
        }
    }

    /// The image as a folder of its own.
    pub fn restore(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, (bytes, length)) in &self.files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_len(*length).unwrap();
        }
        // The store takes its folders for granted, empty ones too.
        for tree in 0..4 {
            let tables = folder.path().join(format!("store/keyspaces/{tree}/tables"));
            fs::create_dir_all(tables).unwrap();
        }
        folder
    }

    /// The newest journal.
    pub fn journal(&self) -> PathBuf {
        let is_journal = |file: &&PathBuf| file.extension().is_some_and(|name| name == "jnl");
        self.files.keys().rfind(is_journal).unwrap().clone()
    }

    /// Where batches end in a journal: after each end magic.
    pub fn batch_ends(&self, journal: &Path) -> Vec<usize> {
        let windows = self.files[journal].0.windows(4).enumerate();
        windows.filter(|(_, bytes)| bytes == b"FJL\x03").map(|(start, _)| start + 4).collect()
    }

    /// The image with a journal that ends after `length` bytes.
    pub fn cut(&self, journal: &Path, length: usize) -> Self {
        let mut files = self.files.clone();
        let bytes = files[journal].0[..length].to_vec();
        files.insert(journal.to_owned(), (bytes, length as u64));
        Image { files }
    }
}
