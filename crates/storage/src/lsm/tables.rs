//! Checks the trees of the store before the store reads them.
//!
//! A tree is a folder with a file `current`, which names a file `v<n>` and has its checksum, which
//! in turn names the tables and has theirs. The store itself does not check those checksums: it
//! would trust a damaged list of tables, and remove every table that is not on it. Blocks within
//! tables are checked by the store whenever it reads one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::error;
use super::folder::is_of_the_system;
use crate::{Error, Result};

const VERSION_FILE_NAME: &str = "version";
const TREES_FOLDER_NAME: &str = "keyspaces";
const TABLES_FOLDER_NAME: &str = "tables";
const CURRENT_FILE_NAME: &str = "current";

/// A table, and the checksum that its file has to have.
pub(super) struct Table {
    pub(super) path: PathBuf,
    checksum: u128,
}

/// Checks the lists of tables of trees 0 to `trees`, exclusive, and returns those tables. There may
/// be more trees up to `trees_max`, if adding them was interrupted.
pub(super) fn verify(store: &Path, trees: usize, trees_max: usize) -> Result<Vec<Table>> {
    let version = store.join(VERSION_FILE_NAME);
    if !version.is_file() {
        // Without it the store would create an empty tree.
        return Err(corrupt(&version, "it is missing"));
    }
    let folder = store.join(TREES_FOLDER_NAME);
    let mut tables = Vec::new();
    for number in 0..trees {
        verify_tree(&folder.join(number.to_string()), &mut tables)?;
    }
    for entry in fs::read_dir(&folder).map_err(|error| error::io("listing", &folder, &error))? {
        let entry = entry.map_err(|error| error::io("listing", &folder, &error))?;
        let name = entry.file_name();
        if is_of_the_system(&name) {
            continue;
        }
        let number = name.to_str().and_then(|name| name.parse::<usize>().ok());
        if number.is_none_or(|number| number >= trees_max) {
            return Err(corrupt(&entry.path(), "it does not belong here"));
        }
    }
    Ok(tables)
}

fn verify_tree(folder: &Path, tables: &mut Vec<Table>) -> Result<()> {
    let current_path = folder.join(CURRENT_FILE_NAME);
    let current = read(&current_path)?;
    let Ok::<[u8; 25], _>(current) = current.try_into() else {
        return Err(corrupt(&current_path, "it does not have 25 bytes"));
    };
    let version = u64::from_le_bytes(current[..8].try_into().expect("8 of 25 bytes"));
    let checksum = u128::from_le_bytes(current[8..24].try_into().expect("16 of 25 bytes"));
    let version_path = folder.join(format!("v{version}"));
    if xxh3_128(&read(&version_path)?) != checksum || current[24] != 0 {
        let what = format!("it and {CURRENT_FILE_NAME} do not belong together");
        return Err(corrupt(&version_path, &what));
    }
    let listed = list_tables(&version_path)
        .map_err(|error| corrupt(&version_path, &format!("it cannot be read ({error})")))?;
    for (number, checksum) in listed {
        let path = folder.join(TABLES_FOLDER_NAME).join(number.to_string());
        if !path.is_file() {
            return Err(corrupt(&path, "it is missing"));
        }
        tables.push(Table { path, checksum });
    }
    Ok(())
}

/// The numbers and checksums of all tables that a version has.
fn list_tables(version: &Path) -> io::Result<Vec<(u64, u128)>> {
    let archive = sfa::Reader::new(version).map_err(io::Error::other)?;
    let section = archive.toc().section(b"tables");
    let section = section.ok_or_else(|| io::Error::other("it has no list of tables"))?;
    let mut reader = section.buf_reader(version)?;
    let mut tables = Vec::new();
    let [levels] = take(&mut reader)?;
    for _ in 0..levels {
        let [runs] = take(&mut reader)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(take(&mut reader)?) {
                let number = u64::from_le_bytes(take(&mut reader)?);
                let [_kind] = take(&mut reader)?;
                let checksum = u128::from_le_bytes(take(&mut reader)?);
                let _sequence: [u8; 8] = take(&mut reader)?;
                tables.push((number, checksum));
            }
        }
    }
    Ok(tables)
}

fn take<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Table {
    /// Reads the whole file and compares its checksum.
    pub(super) fn verify(&self) -> Result<()> {
        let failed = |error| error::io("reading", &self.path, &error);
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut hasher = Xxh3Default::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match file.read(&mut chunk).map_err(failed)? {
                0 => break,
                read => hasher.update(&chunk[..read]),
            }
        }
        if hasher.digest128() == self.checksum {
            return Ok(());
        }
        Err(corrupt(&self.path, "its checksum is wrong"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => corrupt(path, "it is missing"),
        _ => error::io("reading", path, &error),
    })
}

fn corrupt(path: &Path, what: &str) -> Error {
    Error::Corrupt { place: path.display().to_string(), what: what.to_owned() }
}

/// The bytes of all tables of a store, including those that were compacted into others and are not
/// yet removed.
pub(super) fn occupied_bytes(store: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for tree in fs::read_dir(store.join(TREES_FOLDER_NAME))? {
        let tree = tree?;
        if is_of_the_system(&tree.file_name()) {
            continue;
        }
        for table in fs::read_dir(tree.path().join(TABLES_FOLDER_NAME))? {
            match table?.metadata() {
                Ok(metadata) => bytes += metadata.len(),
                // The store has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}
