//! Rules about the layout of a Rust file: its head, its length, the content of a `lib.rs`.

use super::source::{Source, without_visibility};
use crate::report::Violation;

const LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A file opens with `//!`.
pub fn opens_with_its_purpose(source: &Source) -> Vec<Violation> {
    if source.lines.first().is_some_and(|line| line.starts_with("//!")) {
        return Vec::new();
    }
    let remedy = "open it with `//!`: what it owns, and what it must not do";
    vec![source.violation(0, "the file does not say what it is for", remedy)]
}

/// A file has at most `LINES_MAX` lines before its tests.
pub fn is_not_too_long(source: &Source) -> Vec<Violation> {
    let lines = source.lines_before_tests;
    if lines <= LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines before the tests, at most {LINES_MAX} are allowed");
    vec![source.violation(LINES_MAX, &what, "give one of its types a file of its own")]
}

/// A function has at most `FUNCTION_LINES_MAX` lines.
pub fn functions_are_short(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in source.code[..source.lines_before_tests].iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if source.is_test(index) || !is_function(line.trim()) {
            continue;
        }
        // In formatted code, a function ends with the first line at its own indentation that closes
        // a bracket, except a line that ends its signature: that one goes on after the bracket, or
        // ends with a semicolon.
        let is_end = |line: &String| {
            line.strip_prefix(indent).is_some_and(|rest| rest == "}" || rest.ends_with(';'))
                && !line.starts_with(&format!("{indent} "))
        };
        let is_whole = line.ends_with(['}', ';']);
        let length = match is_whole {
            true => 1,
            false => 1 + source.code[index..].iter().position(is_end).unwrap_or(0),
        };
        if length > FUNCTION_LINES_MAX {
            let what = format!("{length} lines, at most {FUNCTION_LINES_MAX} are allowed");
            found.push(source.violation(index, &what, "give a part of it a name of its own"));
        }
    }
    found
}

fn is_function(line: &str) -> bool {
    let mut words = without_visibility(line).split(' ');
    words.find(|word| !matches!(*word, "const" | "async" | "unsafe")) == Some("fn")
}

/// A `lib.rs` or `mod.rs` holds declarations, re-exports, attributes and docs.
pub fn only_declares(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    if !matches!(source.file_name(), "lib.rs" | "mod.rs") {
        return found;
    }
    // In formatted code, lines that are indented deeper than the last item belong to it, and so
    // does a closing bracket. The content of an inline module is checked too.
    let mut item_indent = None;
    for (index, line) in source.code[..source.lines_before_tests].iter().enumerate() {
        let item = line.trim();
        let indent = line.len() - line.trim_start().len();
        let goes_on = item_indent.is_some_and(|of_item| indent > of_item);
        if item.is_empty() || item.starts_with(['}', ')', ']']) || goes_on {
            continue;
        }
        if !is_declaration(item) {
            let what = format!("`{item}` in a file that only declares and re-exports");
            found.push(source.violation(index, &what, "move it to a module, and re-export it"));
        }
        item_indent = (!is_module(item) || item.ends_with(';')).then_some(indent);
    }
    found
}

fn is_declaration(line: &str) -> bool {
    let item = without_visibility(line);
    line.starts_with('#')
        || is_module(line)
        || item.starts_with("use ")
        || item.starts_with("extern crate ")
}

fn is_module(line: &str) -> bool {
    without_visibility(line).starts_with("mod ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(rule: fn(&Source) -> Vec<Violation>, path: &str, contents: &str) -> Vec<String> {
        rule(&Source::new(path, contents)).into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn a_file_without_a_head_is_caught() {
        let rule = opens_with_its_purpose;
        assert_eq!(places(rule, "a.rs", "//! What it owns.\n"), [""; 0]);
        for contents in ["", "use a;\n", "\n//! Too late.\n", "// No.\n", "/// No.\n"] {
            assert_eq!(places(rule, "a.rs", contents), ["a.rs:1"], "{contents}");
        }
    }

    #[test]
    fn a_long_file_is_caught_and_tests_do_not_count() {
        let lines = |count: usize| "a;\n".repeat(count);
        let tests = |count: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(count));
        assert_eq!(places(is_not_too_long, "a.rs", &(lines(600) + &tests(900))), [""; 0]);
        assert_eq!(places(is_not_too_long, "a.rs", &(lines(601) + &tests(0))), ["a.rs:601"]);
    }

    #[test]
    fn a_long_function_is_caught_and_tests_do_not_count() {
        let rule = functions_are_short;
        let function = |head: &str, lines: usize| {
            format!("impl A {{\n    {head} {{\n{}    }}\n}}\n", "        a;\n".repeat(lines))
        };
        for head in ["fn a()", "pub(crate) const fn a()", "fn a(\n        b: u8,\n    )"] {
            let head_lines = head.lines().count();
            assert_eq!(places(rule, "a.rs", &function(head, 69 - head_lines)), [""; 0], "{head}");
            assert_eq!(
                places(rule, "a.rs", &function(head, 70 - head_lines)),
                ["a.rs:2"],
                "{head}"
            );
        }
        let long = function("fn a()", 80);
        assert_eq!(places(rule, "a/tests/b.rs", &long), [""; 0]);
        let declared = format!(
            "trait A {{\n    fn a();\n    fn b(\n        c: u8,\n    );\n{}}}\n",
            "    a;\n".repeat(80)
        );
        assert_eq!(places(rule, "a.rs", &declared), [""; 0]);
    }

    #[test]
    fn a_lib_or_mod_that_does_more_than_declare_is_caught() {
        let declarations = "//! Docs.\n#![warn(\n    missing_docs\n)]\n\n/// Docs.\npub mod a;\n\
            #[cfg(test)]\nmod b;\n#[macro_use]\nextern crate d;\npub(crate) use a::{\n    c,\n    \
            d,\n};\npub mod prelude {\n    pub use a::C;\n}\n";
        let code = "pub fn a(\n    b: u8,\n) {\n    c\n}\nuse b;\nconst C: u8 = 1;\nmod d {\n    fn \
            e() {\n        f\n    }\n}\npublic!();\n";
        let tests = "#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n";
        for name in ["lib.rs", "a/mod.rs"] {
            assert_eq!(places(only_declares, name, &format!("{declarations}{tests}")), [""; 0]);
            let expected = [1, 7, 9, 13].map(|line| format!("{name}:{line}"));
            assert_eq!(places(only_declares, name, code), expected);
        }
        assert_eq!(places(only_declares, "main.rs", code), [""; 0]);
    }
}
