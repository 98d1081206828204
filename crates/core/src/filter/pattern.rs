//! Regular expressions of filters: compiled once, bounded, and matched in linear time.

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::{Spaces, with_perl_classes};
use crate::limits::{REGEX_BYTES_MAX, REGEX_PROGRAM_BYTES_MAX};

/// A pattern of `$regex`, with its options. Cheap to clone.
///
/// Two patterns are equal when their texts and options are.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    source: String,
    /// In alphabetical order, each once.
    options: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern; an error is the end of a sentence.
    pub(crate) fn new(source: &str, options: &str) -> Result<Self, String> {
        if source.len() > REGEX_BYTES_MAX {
            let found = source.len();
            return Err(format!(
                "has a pattern of {found} bytes, and at most {REGEX_BYTES_MAX} are allowed"
            ));
        }
        let mut letters: Vec<char> = options.chars().take(8).collect();
        letters.sort_unstable();
        letters.dedup();
        if let Some(unknown) = letters.iter().find(|letter| !"imsx".contains(**letter)) {
            return Err(format!(
                "has the unknown option {unknown:?}; there are i (upper and lower case alike), m (^ \
                 and $ match at lines), s (a dot matches line ends) and x (spaces are ignored)"
            ));
        }
        let has = |letter| letters.contains(&letter);
        let spaces = Spaces::with_options(options);
        let regex = RegexBuilder::new(&with_perl_classes(source, spaces))
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'))
            .size_limit(REGEX_PROGRAM_BYTES_MAX)
            .dfa_size_limit(REGEX_PROGRAM_BYTES_MAX)
            .nest_limit(100)
            .build()
            .map_err(|error| problem(&error))?;
        let (source, options) = (source.to_owned(), letters.into_iter().collect());
        Ok(Self(Arc::new(Compiled { source, options, regex })))
    }

    /// The pattern as it was given.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The options, in alphabetical order.
    pub fn options(&self) -> &str {
        &self.0.options
    }

    /// Whether the pattern is found in a text.
    #[inline]
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.regex.is_match(text)
    }

    /// The prefix of every matching string, if it is known: `abc` of `^abc.*`. An index can find those
    /// strings as a range.
    ///
    /// ```
    /// use velocitydb_core::filter::{Predicate, Test, field};
    ///
    /// let filter = field("name").matches("^Al+ice?");
    /// let Predicate::Field { test: Test::Regex(pattern), .. } = filter.predicate() else { panic!() };
    /// assert_eq!(pattern.prefix(), Some("Al"));
    /// ```
    pub fn prefix(&self) -> Option<&str> {
        let rest = self.source().strip_prefix('^')?;
        if !matches!(self.options(), "" | "s") || rest.contains('|') {
            return None;
        }
        let end = rest.find(|char: char| r"\.+*?()[]{}^$".contains(char)).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(end);
        let optional = after.starts_with(['*', '?', '{']);
        let keep = if optional { plain.char_indices().last()?.0 } else { plain.len() };
        (keep > 0).then(|| &plain[..keep])
    }

    /// The identity of a pattern.
    pub(super) fn text(&self) -> (&str, &str) {
        (self.source(), self.options())
    }
}

fn problem(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!(
            "has a pattern that is too large: compiled it takes more than {REGEX_PROGRAM_BYTES_MAX} \
             bytes; use fewer or smaller repetitions"
        ),
        other => {
            let text = other.to_string();
            let reason = text.rsplit_once("error: ").map_or(&*text, |(_, reason)| reason).trim();
            let hint = if reason.contains("look-around") || reason.contains("backreferences") {
                "; patterns are matched in linear time, which rules both out"
            } else {
                ""
            };
            format!("has an invalid pattern: {reason}{hint}")
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.source(), self.options())
    }
}
