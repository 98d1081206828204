//! Data folders that are in use, damaged, or of another kind.

use std::fs;
use std::path::{Path, PathBuf};

use velocitydb::object;

use crate::program::shell;

/// A database with documents that are all on disk, in the default data folder below `folder`.
fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("velocity-data");
    let db = velocitydb::open(&path).unwrap();
    let documents = (0..2_000).map(|number| {
        (format!("user{number:04}"), object! { "name": format!("User {number}"), "age": number })
    });
    db.documents("users").insert_many(documents).unwrap();
    path
}

/// Reading once took the folder for itself and wrote to it: it had to be writable, and readers failed when two
/// met.
#[test]
fn reading_commands_share_a_folder_and_change_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let db = velocitydb::open(&path).unwrap();
    db.documents("users").create_index(velocitydb::IndexSpec::on("name")).unwrap();
    drop(db);
    let before = content(&path);
    // One of them is reading all the time.
    let reader = velocitydb::Options::new().read_only().open(&path).unwrap();
    for command in [
        "get users user0001",
        "list users --limit 1",
        "count users",
        "find users --limit 1",
        "explain users",
        "aggregate users '[{\"$count\": \"all\"}]'",
        "index list users",
        "schema check users '{}'",
        "collections",
        "stats",
        "doctor",
    ] {
        let outcome = shell(folder.path(), &format!("velocitydb {command} --wait 0s"));
        assert_eq!(outcome.code, Some(0), "{command}: {}", outcome.stderr);
    }
    let outcome = shell(folder.path(), "velocitydb insert users '{}' --wait 0s");
    assert!(outcome.stderr.contains("is in use"), "{}", outcome.stderr);
    let error = reader.documents("users").insert("new", object! {}).unwrap_err();
    assert!(error.to_string().contains("was opened to be read only"), "{error}");
    assert!(content(&path) == before);
    drop(reader);
    assert_eq!(shell(folder.path(), "velocitydb insert users '{}' --wait 0s").code, Some(0));
}

/// The files of a folder, with their bytes.
fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(content(&path)),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    files.sort();
    files
}

/// Nineteen of twenty failed.
#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "for n in $(seq 20); do velocitydb --wait 10m insert users '{}' >> log & done; wait";
    let outcome = shell(folder.path(), script);
    assert_eq!(outcome.stderr, "");
    assert_eq!(shell(folder.path(), "velocitydb count users").stdout.trim(), "20");
}

#[test]
fn a_folder_in_use_is_refused_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let _open = velocitydb::open(path).unwrap();
    for command in [
        "get users user0001",
        "insert users '{}'",
        "update users user0001 '{}'",
        "replace users user0001 '{}'",
        "upsert users user0001 '{}'",
        "delete users user0001",
        "list users",
        "count users",
        "find users",
        "explain users",
        "aggregate users '[]'",
        "update-many users '{}' '{}'",
        "delete-many users '{}'",
        "claim users '{}' --claimant me",
        "complete users user0001 1 '{}'",
        "renew users user0001 1 --lease 1s",
        "release users user0001 1",
        "index create users name",
        "index list users",
        "index drop users name_1",
        "schema set users '{}'",
        "schema show users",
        "schema check users '{}'",
        "schema remove users",
        "cas users user0001 --if-version 1",
        "collections",
        "stats",
        "doctor",
    ] {
        let outcome = shell(folder.path(), &format!("velocitydb {command} --wait 1ms"));
        assert_eq!(outcome.code, Some(5), "{command}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{command}");
        let said = "is in use by another process or handle, also after waiting 1ms";
        assert!(outcome.stderr.contains(said), "{command}: {}", outcome.stderr);
    }
    let outcome = shell(folder.path(), "velocitydb count users --wait 0s");
    assert!(outcome.stderr.contains("handle; close that one first"), "{}", outcome.stderr);
}

/// Every file with documents in it is damaged in turn. The doctor finds each, and no command
/// prints a document that was never written.
#[test]
fn the_doctor_finds_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let healthy = shell(folder.path(), "velocitydb doctor");
    assert_eq!(healthy.code, Some(0), "{}{}", healthy.stdout, healthy.stderr);
    let files = files_with(&path, b"user0999");
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        let at = position(&bytes, b"user0999").unwrap() + 3;
        damaged[at] ^= 0x10;
        fs::write(&file, damaged).unwrap();
        let outcome = shell(folder.path(), "velocitydb doctor");
        assert_eq!(outcome.code, Some(6), "{}: {}", file.display(), outcome.stdout);
        assert!(outcome.stdout.contains("\"healthy\":false"), "{}", outcome.stdout);
        assert!(outcome.stderr.starts_with("error: the data folder has "), "{}", outcome.stderr);
        fs::write(&file, bytes).unwrap();
    }
    let healed = shell(folder.path(), "velocitydb doctor");
    assert_eq!(healed.code, Some(0), "{}{}", healed.stdout, healed.stderr);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("velocity-data");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter.txt"), "dear reader").unwrap();
    let outcome = shell(folder.path(), "velocitydb insert users '{}'");
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
}

fn files_with(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if position(&fs::read(&path).unwrap(), needle).is_some() {
            found.push(path);
        }
    }
    found
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
