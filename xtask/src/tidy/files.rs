//! Which files are checked, and by which rules.
//!
//! The files on disk are checked, so that the result depends on neither commits nor git.

use std::fs;
use std::io;
use std::path::Path;

use super::source::Source;
use super::{layout, links, records, storeys, streams, text, wording};
use crate::error::Error;
use crate::project::{Project, expect_no_arguments};
use crate::report::{self, Violation};

/// The line of this command in the usage.
pub const SUMMARY: &str = "check the rules of style that the compiler does not know";

/// Rules for Rust.
const RUST_RULES: &[fn(&Source) -> Vec<Violation>] = &[
    layout::opens_with_its_purpose,
    layout::is_not_too_long,
    layout::functions_are_short,
    layout::only_declares,
    records::are_written_in_one_place,
    storeys::know_only_those_below,
    streams::are_written_in_one_place,
    wording::is_finished,
    wording::does_not_unwrap,
    wording::ignores_no_test,
    wording::does_not_sleep_in_tests,
    wording::gives_reasons_for_open_ends,
];

/// Rules for every text file.
const TEXT_RULES: &[fn(&str, &str) -> Vec<Violation>] =
    &[text::has_clean_whitespace, text::names_no_machine, text::names_no_registry];

const TEXT_EXTENSIONS: &[&str] = &["lock", "md", "proto", "rs", "sh", "toml", "yaml", "yml"];

/// Hidden folders that belong to the project; the others belong to tools.
const HIDDEN_FOLDERS: &[&str] = &[".cargo", ".ci", ".github"];

/// Folders with the output of tools: of the compiler and of the fuzzer.
const MADE_FOLDERS: &[&str] = &["artifacts", "corpus", "coverage", "target"];

/// Checks every file of the project.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    expect_no_arguments(arguments)?;
    report::settle("tidy", &check(project)?)
}

/// The violations of all files.
pub fn check(project: &Project) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    walk(&project.root, "", &mut |path, contents| {
        violations.extend(check_file(&project.root, path, contents));
    })?;
    Ok(violations)
}

fn check_file(root: &Path, path: &str, contents: &str) -> Vec<Violation> {
    let mut found: Vec<_> = TEXT_RULES.iter().flat_map(|rule| rule(path, contents)).collect();
    if path.ends_with(".rs") {
        let source = Source::new(path, contents);
        found.extend(RUST_RULES.iter().flat_map(|rule| rule(&source)));
    }
    if path.ends_with(".md") {
        found.extend(links::resolve(root, path, contents));
    }
    found
}

/// Visits the text files below a folder in the order of their names, with their paths from `root`.
fn walk(root: &Path, folder: &str, visit: &mut impl FnMut(&str, &str)) -> Result<(), Error> {
    let read = |path: &Path, source: io::Error| Error::Read { path: path.to_path_buf(), source };
    let here = root.join(folder);
    let mut entries = Vec::new();
    for entry in fs::read_dir(&here).map_err(|source| read(&here, source))? {
        let entry = entry.map_err(|source| read(&here, source))?;
        let kind = entry.file_type().map_err(|source| read(&entry.path(), source))?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), kind));
    }
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, kind) in entries {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if kind.is_dir() && is_ours(&name) {
            walk(root, &path, visit)?;
        } else if kind.is_file() && is_text(&path) {
            let full = root.join(&path);
            let contents = fs::read_to_string(&full).map_err(|source| read(&full, source))?;
            visit(&path, &contents);
        }
    }
    Ok(())
}

fn is_ours(folder: &str) -> bool {
    if folder.starts_with('.') {
        HIDDEN_FOLDERS.contains(&folder)
    } else {
        !MADE_FOLDERS.contains(&folder)
    }
}

fn is_text(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    path.starts_with(".ci/") || extension.is_some_and(|it| TEXT_EXTENSIONS.contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_finds_sources_and_leaves_out_what_tools_make() {
        let project = Project::find().unwrap();
        let mut paths = Vec::new();
        walk(&project.root, "", &mut |path, _| paths.push(path.to_string())).unwrap();
        for path in [".cargo/config.toml", ".ci/run", "Cargo.lock", "xtask/src/tidy/files.rs"] {
            assert!(paths.iter().any(|found| found == path), "{path} is not visited");
        }
        let made = |path: &&String| path.starts_with("target/") || path.starts_with(".git/");
        assert_eq!(paths.iter().find(made), None);
    }

    #[test]
    fn a_file_is_checked_by_the_rules_of_its_kind() {
        let places = |path: &str, contents: &str| -> Vec<String> {
            let found = check_file(Path::new("nowhere"), path, contents);
            found.into_iter().map(|violation| violation.place).collect()
        };
        assert_eq!(places("a.rs", "fn a() {}\n\tfn b() {}\n"), ["a.rs:2", "a.rs:1"]);
        assert_eq!(places("a.md", "[b](b.md)\n\tc\n"), ["a.md:2", "a.md:1"]);
        assert_eq!(places("a.toml", "fn a() {}\n"), Vec::<String>::new());
    }
}
