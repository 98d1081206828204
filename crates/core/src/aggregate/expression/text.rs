//! Strings. Positions and lengths are in code points.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::builtin::{Builtin, Call};
use super::evaluate::admit_text;
use super::item::Item;
use super::node::Node;
use crate::aggregate::measure::Measure;
use crate::error::shortened;
use crate::filter::{Spaces, with_perl_classes};
use crate::limits::{REGEX_BYTES_MAX, REGEX_PROGRAM_BYTES_MAX};
use crate::{Result, Value};

const TRIM: &[&str] = &["input", "chars"];
const REPLACE: &[&str] = &["input", "find", "replacement"];

pub(super) static BUILTINS: [Builtin; 13] = [
    Builtin::list("$concat", 0, usize::MAX, concat),
    Builtin::list("$indexOfCP", 2, 4, index_of),
    Builtin::named("$ltrim", TRIM, 1, |call| {
        trim(call, |text, chars| text.trim_start_matches(chars))
    }),
    Builtin::named("$regexMatch", &["input", "regex", "options"], 2, regex_match),
    Builtin::named("$replaceAll", REPLACE, 3, |call| replace(call, usize::MAX)),
    Builtin::named("$replaceOne", REPLACE, 3, |call| replace(call, 1)),
    Builtin::named("$rtrim", TRIM, 1, |call| {
        trim(call, |text, chars| text.trim_end_matches(chars))
    }),
    Builtin::list("$split", 2, 2, split),
    Builtin::list("$strLenCP", 1, 1, length),
    Builtin::list("$substrCP", 3, 3, substring),
    Builtin::list("$toLower", 1, 1, |call| change_case(call, str::to_lowercase)),
    Builtin::list("$toUpper", 1, 1, |call| change_case(call, str::to_uppercase)),
    Builtin::named("$trim", TRIM, 1, |call| trim(call, |text, chars| text.trim_matches(chars))),
];

type Chars<'c> = &'c [char];

fn text(text: impl Into<String>) -> Result<Item<'static>> {
    Ok(Value::String(text.into()).into())
}

fn concat<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let mut joined = String::new();
    for at in 0..call.len() {
        let piece = call.item(at)?;
        if piece.is_nullish() {
            return Ok(Item::null());
        }
        let piece = piece.text()?.ok_or_else(|| call.mismatch("strings", &piece))?;
        joined.push_str(piece);
        admit_text(call.name(), joined.len())?;
    }
    text(joined)
}

/// Null gives an empty string, and numbers and times are converted to text.
fn change_case(call: &Call<'_>, change: fn(&str) -> String) -> Result<Item<'static>> {
    let item = call.item(0)?;
    if let Some(found) = item.text()? {
        return text(change(found));
    }
    match super::convert::to_text(&item)? {
        Some(found) => text(change(&found)),
        None if item.is_nullish() => text(""),
        None => Err(call.mismatch("a string", &item)),
    }
}

fn length<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    let found = item.text()?.ok_or_else(|| call.mismatch("a string", &item))?;
    Ok(Value::from(found.chars().count()).into())
}

/// A position or a number of code points.
fn count(call: &Call<'_>, at: usize, what: &str) -> Result<usize> {
    let found = call.whole(at, what)?.and_then(|count| usize::try_from(count).ok());
    found.ok_or_else(|| call.fail(format!("takes an integer from 0 as {what}")))
}

fn substring<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    let (start, length) = (count(call, 1, "the start")?, count(call, 2, "the length")?);
    let found = match item.text()? {
        Some(text) => Cow::Borrowed(text),
        None if item.is_nullish() => Cow::Borrowed(""),
        None => match super::convert::to_text(&item)? {
            Some(text) => Cow::Owned(text),
            None => return Err(call.mismatch("a string", &item)),
        },
    };
    text(found.chars().skip(start).take(length).collect::<String>())
}

/// The position of the first match, in code points. It is before the given end; the match may extend
/// beyond it.
fn index_of<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(found) = call.text(0, "what is searched")? else { return Ok(Item::null()) };
    let wanted = call.text(1, "what is searched for")?;
    let wanted = wanted.ok_or_else(|| call.fail("takes a string as what is searched for"))?;
    let start = if call.len() > 2 { count(call, 2, "the start")? } else { 0 };
    let end = if call.len() > 3 { count(call, 3, "the end")? } else { usize::MAX };
    if found.is_empty() && wanted.is_empty() {
        return Ok(Value::Int(0).into());
    }
    // Past the last code point nothing is found, not even an empty string.
    let from = found.char_indices().nth(start).filter(|_| start < end);
    let position = from.and_then(|(from, _)| {
        let at = found[from..].find(&wanted)?;
        let position = start + found[from..from + at].chars().count();
        (position < end).then_some(position)
    });
    Ok(position.map_or(Value::Int(-1), Value::from).into())
}

fn split<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let Some(found) = call.text(0, "what is split")? else { return Ok(Item::null()) };
    let Some(separator) = call.text(1, "the separator")? else { return Ok(Item::null()) };
    if separator.is_empty() {
        return Err(call.fail("takes a separator that is not empty"));
    }
    let pieces = found.matches(&separator).count() + 1;
    let bytes = found.len() + pieces * size_of::<Value>();
    call.env.admit(call.name(), Measure { bytes, depth: 1 })?;
    Ok(found.split(&separator).collect::<Value>().into())
}

/// The characters that `$trim` removes by default: NUL and white space.
const BLANKS: [char; 20] = [
    '\0', '\t', '\n', '\u{b}', '\u{c}', '\r', ' ', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}',
    '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}',
    '\u{200a}',
];

fn trim<'e>(
    call: &Call<'e>,
    trim: for<'t, 'c> fn(&'t str, Chars<'c>) -> &'t str,
) -> Result<Item<'e>> {
    let Some(found) = call.text(0, "`input`")? else { return Ok(Item::null()) };
    if call.node(1).is_none() {
        return text(trim(&found, &BLANKS));
    }
    let Some(chars) = call.text(1, "`chars`")? else { return Ok(Item::null()) };
    let chars: Vec<char> = chars.chars().collect();
    text(trim(&found, &chars))
}

fn replace<'e>(call: &Call<'e>, times: usize) -> Result<Item<'e>> {
    let input = call.text(0, "`input`")?;
    let find = call.text(1, "`find`")?;
    let replacement = call.text(2, "`replacement`")?;
    let (Some(input), Some(find), Some(replacement)) = (input, find, replacement) else {
        return Ok(Item::null());
    };
    let found = input.matches(&*find).take(times).count();
    admit_text(call.name(), input.len().saturating_add(found.saturating_mul(replacement.len())))?;
    text(input.replacen(&*find, &replacement, times))
}

/// Compiles a pattern with MongoDB's options.
pub(super) fn pattern(pattern: &str, options: &str) -> Result<Regex, String> {
    check_options(options)?;
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(format!("takes a pattern of at most {REGEX_BYTES_MAX} bytes"));
    }
    let spaces = Spaces::with_options(options);
    let mut builder = RegexBuilder::new(&with_perl_classes(pattern, spaces));
    builder.size_limit(REGEX_PROGRAM_BYTES_MAX).dfa_size_limit(REGEX_PROGRAM_BYTES_MAX);
    for option in options.chars() {
        match option {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            _ => builder.ignore_whitespace(true),
        };
    }
    builder.build().map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("cannot use the pattern {:?}: {reason}", shortened(pattern))
    })
}

/// Checks the options of a pattern, whether or not there is a pattern.
pub(super) fn check_options(options: &str) -> Result<(), String> {
    match options.chars().find(|option| !matches!(option, 'i' | 'm' | 's' | 'x')) {
        Some(other) => Err(format!("knows the options i, m, s and x, not {other:?}")),
        None => Ok(()),
    }
}

fn regex_match<'e>(call: &Call<'e>) -> Result<Item<'e>> {
    let item = call.item(0)?;
    let options = call.text(2, "`options`")?.unwrap_or_default();
    check_options(&options).map_err(|problem| call.fail(problem))?;
    if item.is_nullish() {
        return Ok(Item::bool(false));
    }
    let input = item.text()?.ok_or_else(|| call.mismatch("a string as `input`", &item))?;
    if let Some(Node::Pattern(pattern)) = call.node(1) {
        return Ok(Item::bool(pattern.is_match(input)));
    }
    let Some(found) = call.text(1, "`regex`")? else { return Ok(Item::bool(false)) };
    let pattern = pattern(&found, &options).map_err(|problem| call.fail(problem))?;
    Ok(Item::bool(pattern.is_match(input)))
}
