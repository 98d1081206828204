//! The rule that the modules of the database are layered in storeys, each of which uses only those below
//! it.

use super::source::Source;
use crate::report::Violation;

/// The folder to which the rule applies.
const DATABASE: &str = "crates/db/src/";

/// The modules of the database, from the ground up; `docs/architecture.md` says what each is for.
const STOREYS: &[&str] = &[
    "error",
    "cancellation",
    "environment",
    "keys",
    "index",
    "schema",
    "query",
    "state",
    "apply",
    "options",
    "replica",
    "migration",
    "doctor",
    "handle",
];

/// The names of the crate's root that all storeys use. The others are for users, and only the top storey
/// uses them.
const COMMON: &[&str] = &["Error", "Result"];

/// No module of the database uses one above it.
pub fn know_only_those_below(source: &Source) -> Vec<Violation> {
    let Some(own) = source.path.strip_prefix(DATABASE).map(module) else { return Vec::new() };
    if own == "lib" {
        return Vec::new();
    }
    let Some(floor) = STOREYS.iter().position(|storey| *storey == own) else {
        let remedy = "give it a row in xtask/src/tidy/storeys.rs, and say in docs/architecture.md \
                      what it is for";
        return vec![source.violation(0, "the module is in no storey", remedy)];
    };
    let remedy = "move the code to the storey to which it belongs";
    let is_allowed = |name: &str| match STOREYS.iter().position(|storey| *storey == name) {
        Some(other) => other <= floor,
        None => floor + 1 == STOREYS.len() || COMMON.contains(&name),
    };
    let used = used_of_root(source, depth(&source.path[DATABASE.len()..])).into_iter();
    used.filter(|(line, name)| !source.is_test(*line) && !is_allowed(name))
        .map(|(line, name)| source.violation(line, &format!("{own} uses crate::{name}"), remedy))
        .collect()
}

/// The module that a path below the root of the crate belongs to.
fn module(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// How many modules a file is below the root of the crate.
fn depth(path: &str) -> usize {
    path.split('/').filter(|part| *part != "mod.rs").count()
}

/// The names that are used from the root of the crate, each with its line: after `crate::`, and after as
/// many `super::` as lead there from the file.
fn used_of_root(source: &Source, depth: usize) -> Vec<(usize, String)> {
    let code = source.code.join("\n");
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::").chain(code.match_indices(climb.as_str())) {
        let line = code[..at].matches('\n').count();
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(items(list).into_iter().map(|name| (line, name))),
            None => found.push((line, first_name(rest))),
        }
    }
    found
}

fn first_name(text: &str) -> String {
    let text = text.trim_start();
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of the items of a list in braces, after the opening brace.
fn items(list: &str) -> Vec<String> {
    let mut names = vec![first_name(list)];
    let mut depth = 0;
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(first_name(&list[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, lines: &[&str]) -> Vec<String> {
        let contents = format!("//! Head.\n{}\n", lines.join("\n"));
        let found = know_only_those_below(&Source::new(&format!("{DATABASE}{path}"), &contents));
        found
            .into_iter()
            .map(|violation| format!("{}: {}", violation.place, violation.what))
            .collect()
    }

    #[test]
    fn what_stands_below_may_be_used() {
        let lines =
            ["use crate::{Error, Result};", "use crate::keys::{self, Key};", "crate::error::f()"];
        assert_eq!(found("query/plan.rs", &lines), [""; 0]);
        assert_eq!(
            found("handle/find.rs", &["use crate::{Database, keys::{A, B}, query};"]),
            [""; 0]
        );
        assert_eq!(found("lib.rs", &["crate::handle::x()"]), [""; 0]);
        assert_eq!(found("query/plan.rs", &["use super::access::Access;"]), [""; 0]);
        assert_eq!(found("doctor.rs", &["use super::state::catalog;"]), [""; 0]);
    }

    #[test]
    fn what_stands_above_may_not() {
        let place = |what: &str| format!("{DATABASE}query/plan.rs:2: query uses crate::{what}");
        for (line, what) in [
            ("use crate::state::catalog;", "state"),
            ("fn f(db: &crate::Database) {}", "Database"),
            ("use crate::{Error, keys::{A, B}, handle::C};", "handle"),
            ("use super::super::handle::find;", "handle"),
            ("use crate::{\n    Error,\n    Snapshot,\n};", "Snapshot"),
        ] {
            assert_eq!(found("query/plan.rs", &[line]), [place(what)]);
        }
    }

    #[test]
    fn tests_and_comments_may_use_all() {
        let lines =
            ["// crate::handle", "#[cfg(test)]", "mod tests {", "    use crate::Database;", "}"];
        assert_eq!(found("keys.rs", &lines), [""; 0]);
        assert_eq!(found("query/tests/every_plan.rs", &["use crate::Database;"]), [""; 0]);
    }

    #[test]
    fn a_module_without_a_storey_is_caught() {
        let path = format!("{DATABASE}attic.rs:1");
        assert_eq!(found("attic.rs", &[]), [format!("{path}: the module is in no storey")]);
    }
}
