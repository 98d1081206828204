//! The rule that the records of documents are written, and deleted, in one file of the database:
//! it maintains all that depends on a document, and must not be bypassed.

use super::source::Source;
use crate::report::Violation;

/// The folder to which the rule applies.
const DATABASE: &str = "crates/db/src/";

/// The file that writes and deletes records.
const OWNER: &str = "crates/db/src/apply/documents.rs";

/// Calls that change a keyspace, which is their first argument.
const PUTS: [&str; 2] = [".put(", ".put_parts("];
const DELETES: [&str; 1] = [".delete("];

/// Only one call puts, and only one call deletes, the record of a document.
pub fn are_written_in_one_place(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with(DATABASE) {
        return Vec::new();
    }
    let allowed = usize::from(source.path == OWNER);
    let too_many = |calls: &[&str]| changes(source, calls).into_iter().skip(allowed);
    let found = too_many(&PUTS).chain(too_many(&DELETES));
    let remedy = "go through `put_document`, `drop_lease` or `remove_document`, which keep up all \
        that hangs on a document";
    let what = |index: usize| format!("`{}` changes a record", source.lines[index].trim());
    found.map(|index| source.violation(index, &what(index), remedy)).collect()
}

/// The lines of calls whose first argument is the keyspace of documents, outside tests.
fn changes(source: &Source, calls: &[&str]) -> Vec<usize> {
    let lines = source.code[..source.lines_before_tests].iter().enumerate();
    let is_change = |index: usize, line: &str, call: &str| {
        line.match_indices(call).any(|(at, call)| {
            let rest = line[at + call.len()..].trim_start();
            let next = source.code.get(index + 1).map_or("", |line| line.trim_start());
            let argument = if rest.is_empty() { next } else { rest };
            argument.trim_start_matches("keys::").starts_with("DOCUMENTS")
        })
    };
    let changes =
        lines.filter(|(index, line)| calls.iter().any(|call| is_change(*index, line, call)));
    changes.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, lines: &[&str]) -> Vec<String> {
        let contents = format!("//! Head.\n{}\n", lines.join("\n"));
        let found = are_written_in_one_place(&Source::new(path, &contents));
        found.into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn a_second_place_that_writes_records_is_caught() {
        let put = "self.batch.put_parts(DOCUMENTS, key, &[&head, fields]);";
        let split = ["batch.put(", "    keys::DOCUMENTS,", ");"];
        let delete = "self.batch.delete(DOCUMENTS, key);";
        assert_eq!(places(OWNER, &[put, delete]), [""; 0]);
        assert_eq!(places(OWNER, &[put, delete, put, delete]), [4, 5].map(at(OWNER)));
        let other = "crates/db/src/apply/maintain.rs";
        assert_eq!(places(other, &[put, delete]), [2, 3].map(at(other)));
        assert_eq!(places(other, &split), [2].map(at(other)));
        let reads = ["self.get(DOCUMENTS, key);", "batch.put(SYSTEM, key);", "// put(DOCUMENTS)"];
        assert_eq!(places(other, &reads), [""; 0]);
        assert_eq!(places("crates/db/tests/it/fault.rs", &[put]), [""; 0]);
    }

    fn at(path: &str) -> impl Fn(usize) -> String + '_ {
        move |line| format!("{path}:{line}")
    }
}
