//! Rules about words that must not be in Rust code or in its comments.

use super::source::Source;
use crate::report::Violation;

/// No `todo!`, `unimplemented!` or `dbg!` outside tests.
pub fn is_finished(source: &Source) -> Vec<Violation> {
    let macros = ["todo!", "unimplemented!", "dbg!"];
    let remedy = "finish it: this stands in for code";
    in_code(source, |line, is_test| !is_test && macros.iter().any(|it| has_word(line, it)), remedy)
}

/// No `.unwrap()` outside tests.
pub fn does_not_unwrap(source: &Source) -> Vec<Violation> {
    let remedy = "handle it, or `expect` with the reason why it cannot happen";
    in_code(source, |line, is_test| !is_test && line.contains(".unwrap()"), remedy)
}

/// No `#[ignore]`.
pub fn ignores_no_test(source: &Source) -> Vec<Violation> {
    let ignores = |line: &str| {
        let line = line.trim_start();
        line.starts_with("#[") && has_word(line, "ignore")
    };
    in_code(source, |line, _| ignores(line), "make the test fit to run every time, or delete it")
}

/// No `thread::sleep` in tests.
pub fn does_not_sleep_in_tests(source: &Source) -> Vec<Violation> {
    let remedy = "wait for what the test is about: a channel, a barrier, a join";
    in_code(source, |line, is_test| is_test && line.contains("thread::sleep"), remedy)
}

/// A mark of unfinished work in a comment has its reason right after it: `(reason)`.
pub fn gives_reasons_for_open_ends(source: &Source) -> Vec<Violation> {
    let is_bare = |line: &str, mark: &str| {
        let mut after = words(line, mark);
        after.any(|rest| !rest.starts_with('(') || rest.starts_with("()"))
    };
    let lines = source.comments.iter().enumerate();
    let bare = lines.filter(|(_, line)| ["TODO", "FIXME"].iter().any(|mark| is_bare(line, mark)));
    let remedy = "do it now, or say in parentheses why it has to wait";
    bare.map(|(index, _)| violation(source, index, remedy)).collect()
}

fn in_code(
    source: &Source,
    is_forbidden: impl Fn(&str, bool) -> bool,
    remedy: &'static str,
) -> Vec<Violation> {
    let lines = source.code.iter().enumerate();
    let forbidden = lines.filter(|(index, line)| is_forbidden(line, source.is_test(*index)));
    forbidden.map(|(index, _)| violation(source, index, remedy)).collect()
}

fn violation(source: &Source, index: usize, remedy: &'static str) -> Violation {
    source.violation(index, &format!("`{}`", source.lines[index].trim()), remedy)
}

fn has_word(line: &str, word: &str) -> bool {
    words(line, word).next().is_some()
}

/// The text after each occurrence of the word as a whole word.
fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let is_open = word.ends_with(char::is_alphanumeric) && goes_on(after.chars().next());
        (!goes_on(before.chars().next_back()) && !is_open).then_some(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&Source) -> Vec<Violation>;

    /// Asserts that each line violates the rule, or does not, as code and inside the tests
    /// of a file.
    fn check(rule: Rule, in_code: bool, in_tests: bool, lines: &[&str]) {
        for line in lines {
            let contents = format!("//! Head.\n{line}\n#[cfg(test)]\nmod tests {{\n{line}\n}}\n");
            let found = rule(&Source::new("src/a.rs", &contents));
            let found: Vec<&str> = found.iter().map(|violation| violation.place.as_str()).collect();
            let mut expected = Vec::new();
            expected.extend(in_code.then_some("src/a.rs:2"));
            expected.extend(in_tests.then_some("src/a.rs:5"));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn unfinished_code_is_caught() {
        check(is_finished, true, false, &["todo!()", "a(unimplemented!(\"b\"))", "dbg!(a);"]);
        check(is_finished, false, false, &["my_todo!()", "\"todo!()\"", "// dbg!(a)"]);
    }

    #[test]
    fn unwrap_is_caught_outside_tests() {
        check(does_not_unwrap, true, false, &["a.unwrap();", "    .unwrap()"]);
        check(
            does_not_unwrap,
            false,
            false,
            &["a.unwrap_or(b)", "/// a.unwrap();", "\".unwrap()\""],
        );
    }

    #[test]
    fn ignored_tests_are_caught() {
        check(
            ignores_no_test,
            true,
            true,
            &["#[ignore]", "#[ignore = \"slow\"]", "#[test, ignore]"],
        );
        check(ignores_no_test, false, false, &["// #[ignore]", "ignore(a)", "#[ignored]"]);
    }

    #[test]
    fn sleeping_tests_are_caught() {
        check(
            does_not_sleep_in_tests,
            false,
            true,
            &["std::thread::sleep(a);", "thread::sleep(a)"],
        );
        check(does_not_sleep_in_tests, false, false, &["// thread::sleep(a)", "sleepy()"]);
        let source = Source::new("crates/a/tests/it/b.rs", "//! Head.\nthread::sleep(c);\n");
        assert_eq!(does_not_sleep_in_tests(&source)[0].place, "crates/a/tests/it/b.rs:2");
    }

    #[test]
    fn open_ends_without_a_reason_are_caught() {
        let rule = gives_reasons_for_open_ends;
        check(rule, true, true, &["// TODO: a", "/// FIXME", "a /* TODO() b */", "//! TODO (a)"]);
        check(rule, false, false, &["// TODO(upstream has no release): a", "\"TODO\"", "// TODOS"]);
    }
}
