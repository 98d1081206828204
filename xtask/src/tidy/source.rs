//! A Rust file, split into code and comments.
//!
//! Both views have the lines of the file. What does not belong to a view is blank in it, and the
//! contents of literals are blank in both, so that code in a string literal is not checked. This
//! is not a parser: it only recognises where comments and literals begin and end.

use crate::report::Violation;

/// A Rust file, as the rules use it.
#[derive(Debug)]
pub struct Source {
    /// The path from the top of the repository.
    pub path: String,
    /// The unchanged lines.
    pub lines: Vec<String>,
    /// The file without comments and literals.
    pub code: Vec<String>,
    /// The comments alone.
    pub comments: Vec<String>,
    /// How many lines there are before the test module at the end; all, if there is none.
    pub lines_before_tests: usize,
}

/// The kind of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

impl Source {
    /// Splits a file.
    pub fn new(path: &str, contents: &str) -> Self {
        let mut code = String::with_capacity(contents.len());
        let mut comments = String::with_capacity(contents.len());
        let mut rest = contents;
        while !rest.is_empty() {
            let (kind, length) = first_token(rest);
            let (token, after) = rest.split_at(length);
            push(&mut code, token, kind == Kind::Code);
            push(&mut comments, token, kind == Kind::Comment);
            rest = after;
        }
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let code = lines(&code);
        Self {
            path: path.to_string(),
            lines: lines(contents),
            comments: lines(&comments),
            lines_before_tests: lines_before_tests(&code),
            code,
        }
    }

    /// Whether the line with this index (from 0) is compiled for tests only.
    pub fn is_test(&self, index: usize) -> bool {
        let is_in_test_file =
            self.path.split('/').any(|part| part == "tests" || part == "tests.rs");
        is_in_test_file || index >= self.lines_before_tests
    }

    /// The file's last name.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// A violation at the line with this index (from 0).
    pub fn violation(&self, index: usize, what: &str, remedy: &'static str) -> Violation {
        Violation { place: format!("{}:{}", self.path, index + 1), what: what.to_string(), remedy }
    }
}

/// Appends a token to a view: unchanged if it belongs there, otherwise only its line breaks.
fn push(view: &mut String, token: &str, belongs: bool) {
    if belongs {
        view.push_str(token);
    } else {
        view.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
    }
}

/// The item without `pub` or `pub(…)`.
pub fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else {
        return line;
    };
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |it| it.1);
    rest.strip_prefix(' ').unwrap_or(line)
}

/// The first line of `#[cfg(test)] mod … {`, also with further conditions.
fn lines_before_tests(code: &[String]) -> usize {
    let is_condition = |line: &str| {
        let mut words = line.split(|c: char| !c.is_alphanumeric());
        line.starts_with("#[cfg(") && words.any(|word| word == "test")
    };
    let opens_module = |line: &&String| {
        let item = without_visibility(line);
        item.starts_with("mod ") && item.ends_with('{')
    };
    let start = code.iter().enumerate().position(|(index, line)| {
        let item = code[index + 1..].iter().find(|next| !next.starts_with("#["));
        is_condition(line) && item.as_ref().is_some_and(opens_module)
    });
    start.unwrap_or(code.len())
}

/// The kind and the length in bytes of the first token of a text, which is not empty.
fn first_token(text: &str) -> (Kind, usize) {
    let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with("//") {
        (Kind::Comment, text.find('\n').unwrap_or(text.len()))
    } else if text.starts_with("/*") {
        (Kind::Comment, block_comment(text))
    } else if let Some(contents) = text.strip_prefix('"') {
        (Kind::Literal, 1 + after_closing(contents, '"'))
    } else if is_character(text) {
        (Kind::Literal, 1 + after_closing(&text[1..], '\''))
    } else if matches!(&text[..word], "r" | "br" | "cr")
        && let Some(length) = raw_literal(&text[word..])
    {
        (Kind::Literal, word + length)
    } else {
        (Kind::Code, word.max(text.chars().next().map_or(1, char::len_utf8)))
    }
}

/// The length of a comment that opens at the beginning; such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Whether a quote opens a character rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next() == Some('\'')
        && match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        }
}

/// How many bytes a literal's contents and its closing quote take.
fn after_closing(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == quote && !is_escaped {
            return at + quote.len_utf8();
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    text.len()
}

/// The length of `#"…"#` with any number of hashes; `None` for a raw identifier.
fn raw_literal(text: &str) -> Option<usize> {
    let hashes = text.find(|c| c != '#')?;
    let contents = text[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", &text[..hashes]);
    let length = contents.find(&closing).map_or(contents.len(), |at| at + closing.len());
    Some(hashes + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(contents: &str) -> String {
        Source::new("a.rs", contents).code.join("\n")
    }

    #[test]
    fn literals_and_comments_are_no_code() {
        for (contents, expected) in [
            ("a(\"b\\\"c\") // d", "a(      )     "),
            ("a('\"', 'b, '\\'')", "a(   , 'b,     )"),
            ("let x: &'a str = r#\"y\"z\"#;", "let x: &'a str =         ;"),
            ("bar\"b\" r#type br\"\\\"", "bar    r#type      "),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("é \"é\" 'é' é", "é         é"),
            ("a(\"b\nc\")", "a(  \n  )"),
            ("a \"never closed", "a              "),
        ] {
            assert_eq!(code(contents), expected, "{contents}");
        }
    }

    #[test]
    fn comments_are_kept_apart_line_by_line() {
        let source = Source::new("a.rs", "//! b\nc; // d \"e\"\n\"// f\"\n");
        let comments: Vec<&str> = source.comments.iter().map(|line| line.trim()).collect();
        assert_eq!(comments, ["//! b", "// d \"e\"", ""]);
    }

    #[test]
    fn the_test_module_is_found() {
        let before = |contents: &str| Source::new("a.rs", contents).lines_before_tests;
        assert_eq!(before("a\n#[cfg(test)]\nmod tests {\n}\n"), 1);
        assert_eq!(before("a\n#[cfg(all(test, loom))]\n#[rustfmt::skip]\nmod tests {\n}\n"), 1);
        assert_eq!(before("#[cfg(test)]\nmod tests;\nb\n"), 3);
        assert_eq!(before("#[cfg(test)]\nuse a;\nmod b {\n}\n"), 4);
        assert_eq!(before("\"\n#[cfg(test)]\nmod tests {\"\n"), 3);
    }

    #[test]
    fn files_below_tests_are_tests() {
        assert!(Source::new("crates/a/tests/it/b.rs", "c\n").is_test(0));
        assert!(Source::new("crates/a/src/b/tests.rs", "c\n").is_test(0));
        assert!(!Source::new("crates/a/src/b.rs", "c\n").is_test(0));
    }
}
