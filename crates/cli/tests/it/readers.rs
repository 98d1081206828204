//! Readers that go away: what a command changes does not depend on whether anybody reads what it
//! prints.
//!
//! `… | velocitydb insert c --many - | head -1` had inserted 1,000 of 250,000 documents and exited
//! with 0. What can be seen from a shell is in `tests/golden/readers.txt`; here every command that
//! changes something is run without a reader.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Outcome, outcome_of, shell};

/// Every command that changes something, and what a command prints then that it had not before.
const WRITING: [(&str, &str, &str); 22] = [
    ("insert c {\"_id\":\"a\",\"n\":1}", "get c a", "\"n\":1"),
    ("update c a {\"n\":2}", "get c a", "\"n\":2"),
    ("replace c a {\"n\":3}", "get c a", "\"n\":3"),
    ("upsert c a {\"n\":4}", "get c a", "\"n\":4"),
    ("cas c a --set n=5", "get c a", "\"n\":5"),
    ("update-many c {} {\"n\":6}", "get c a", "\"n\":6"),
    ("insert c {\"_id\":\"b\"}", "count c", "2"),
    ("delete c b", "count c", "1"),
    ("insert c {\"_id\":\"b\"}", "count c", "2"),
    ("delete-many c {\"_id\":\"b\"}", "count c", "1"),
    ("claim c {} --set s=1 --lease 1h --release {\"s\":0}", "get c a", "\"s\":1"),
    ("renew c a 7 --lease 1h", "get c a --meta", "\"version\":8"),
    ("release c a 8", "get c a", "\"s\":0"),
    ("claim c {} --set s=2 --lease 1h --release {\"s\":0}", "get c a", "\"s\":2"),
    ("complete c a 10 {\"s\":3}", "get c a", "\"s\":3"),
    ("collections create d", "collections", "\"name\":\"d\""),
    ("collections drop c", "count c 2>&1", "does not exist"),
    ("index create d n", "index list d", "\"n_1\""),
    ("index drop d n_1", "collections", "\"indexes\":0"),
    ("schema set d {\"required\":[\"n\"]}", "schema show d", "required"),
    ("schema remove d", "collections", "\"schema\":null"),
    ("insert d {\"_id\":\"e\"}", "count d", "1"),
];

/// A command without a shell, its words apart at the spaces.
fn command(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_velocitydb"));
    command.args(words.split(' ')).current_dir(folder).stdin(Stdio::null());
    command.env_remove("VELOCITYDB_PATH");
    command
}

/// Standard output, or standard error, without a reader.
fn without_reader() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

fn full() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").unwrap().into()
}

fn check(run: impl Fn(&mut Command) -> Outcome, code: i32) {
    let folder = tempfile::tempdir().unwrap();
    for (writing, reading, expected) in WRITING {
        let outcome = run(&mut command(folder.path(), writing));
        assert_eq!(outcome.code, Some(code), "{writing}: {}", outcome.stderr);
        let found = shell(folder.path(), &format!("velocitydb {reading}"));
        assert!(found.stdout.contains(expected), "{writing}: {}{}", found.stdout, found.stderr);
    }
}

#[test]
fn what_is_to_be_changed_is_changed_without_a_reader() {
    check(|command| outcome_of(command.stdout(without_reader())), 0);
}

#[test]
fn what_is_to_be_changed_is_changed_where_its_output_is_full() {
    check(|command| outcome_of(command.stdout(full())), 74);
}

#[test]
fn nothing_depends_on_standard_error() {
    check(|command| outcome_of(command.stderr(without_reader())), 0);
    check(|command| outcome_of(command.stderr(full())), 0);
}

#[test]
fn what_reads_ends_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    for writing in [
        "insert c {\"_id\":\"a\"}",
        "index create c n",
        "schema set c {\"properties\":{\"n\":{\"type\":\"integer\"}}}",
    ] {
        assert_eq!(outcome_of(&mut command(folder.path(), writing)).code, Some(0), "{writing}");
    }
    for (reading, code) in [
        ("get c a", 141),
        ("list c", 141),
        ("count c", 141),
        ("find c", 141),
        ("find c --count", 141),
        ("find c --first", 141),
        ("find c --distinct _id", 141),
        ("find c --page --limit 1", 141),
        ("explain c", 141),
        ("aggregate c []", 141),
        ("collections", 141),
        ("index list c", 141),
        ("schema show c", 141),
        ("stats", 141),
        ("doctor", 0),
    ] {
        let outcome = outcome_of(command(folder.path(), reading).stdout(without_reader()));
        assert_eq!((outcome.code, &*outcome.stderr), (Some(code), ""), "{reading}");
        let outcome = outcome_of(command(folder.path(), reading).stdout(full()));
        assert_eq!(outcome.code, Some(74), "{reading}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("No space left"), "{reading}: {}", outcome.stderr);
    }
}
