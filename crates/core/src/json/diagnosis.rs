//! Says what is wrong with a text that the parser has refused: where, what was found there, and what the
//! likely mistake is.
//!
//! The parser's own messages are about its grammar. This reads the text again, up to the first mistake,
//! and knows what people and other languages write instead of JSON. It decides nothing: a text is
//! refused by the parser alone.

use super::mistake::JsonMistake as Mistake;
use crate::Error;
use crate::error::shortened;

/// What is wrong with a text; `None` if it has no mistake that is known here.
pub(super) fn diagnose(text: &str) -> Option<Error> {
    let mut reader = Reader { text, at: 0, open: Vec::new() };
    let Wrong { at, mistake, problem } = reader.document().err()?;
    let (line, column) = place(text, at);
    Some(Error::InvalidJson { line, column, problem, mistake })
}

/// The line and the column in bytes, both from 1, of a byte.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (1 + before.iter().filter(|byte| **byte == b'\n').count(), 1 + at - line_start)
}

/// A mistake at a byte.
struct Wrong {
    at: usize,
    mistake: Mistake,
    problem: String,
}

type Read<T = ()> = Result<T, Wrong>;

/// An object or array that has begun and has not ended.
#[derive(Clone, Copy)]
struct Open {
    /// Where it begins.
    at: usize,
    is_object: bool,
}

impl Open {
    fn name(self) -> &'static str {
        if self.is_object { "object" } else { "array" }
    }

    fn closing(self) -> u8 {
        if self.is_object { b'}' } else { b']' }
    }

    fn part(self) -> &'static str {
        if self.is_object { "field" } else { "element" }
    }
}

/// Reads a text up to its first mistake.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// What is open here, the innermost last.
    open: Vec<Open>,
}

impl Reader<'_> {
    /// Reads the whole text. Nesting costs no stack.
    fn document(&mut self) -> Read {
        if self.text.starts_with('\u{feff}') {
            return self.wrong(Mistake::ByteOrderMark, "found a byte order mark; leave it out");
        }
        self.space()?;
        if self.rest().is_empty() {
            return self.wrong(Mistake::Empty, "the text is empty, and a value is needed");
        }
        loop {
            self.value()?;
            if self.ends_value()? {
                return self.end();
            }
        }
    }

    /// Reads the beginning of a value: the whole of it, unless it is an object or array that is not
    /// empty, of which only what precedes its first value is read.
    fn value(&mut self) -> Read {
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.open(true);
                    self.space()?;
                    if self.peek() != Some(b'}') {
                        self.name()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(false);
                    self.space()?;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                Some(b'-' | b'+' | b'.' | b'0'..=b'9') => self.number()?,
                _ => self.word()?,
            }
            return Ok(());
        }
    }

    /// Reads what follows a value: the ends of what contains it, and what is between it and the next
    /// one. Returns whether the whole text was one value.
    fn ends_value(&mut self) -> Read<bool> {
        while let Some(open) = self.open.last().copied() {
            self.space()?;
            match self.peek() {
                Some(byte) if byte == open.closing() => {
                    self.at += 1;
                    self.open.pop();
                }
                Some(b',') => {
                    self.at += 1;
                    self.space()?;
                    self.is_not_trailing(open)?;
                    if open.is_object {
                        self.name()?;
                    }
                    return Ok(false);
                }
                Some(b'}' | b']') => return self.wrong_bracket(open),
                None => return self.unclosed(open),
                Some(_) => {
                    let (closing, part) = (char::from(open.closing()), open.part());
                    let problem = format!(
                        "found {} where `,` or `{closing}` is needed; put a comma between one {part} \
                         and the next",
                        self.found()
                    );
                    return self.wrong(Mistake::MissingComma, problem);
                }
            }
        }
        Ok(true)
    }

    fn is_not_trailing(&self, open: Open) -> Read {
        match self.peek() {
            Some(b'}' | b']') => {
                let problem = format!(
                    "found {} after a comma; leave the comma out, or add another {}",
                    self.found(),
                    open.part()
                );
                self.wrong(Mistake::TrailingComma, problem)
            }
            _ => Ok(()),
        }
    }

    /// Only space may follow the value.
    fn end(&mut self) -> Read {
        self.space()?;
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                let problem = format!(
                    "found {} after the end of the value; one text has one value",
                    self.found()
                );
                self.wrong(Mistake::SecondValue, problem)
            }
        }
    }

    /// Reads the name of a field, and the colon behind it.
    fn name(&mut self) -> Read {
        match self.peek() {
            Some(b'"') => self.string()?,
            None => return self.unclosed_innermost(),
            Some(b'\'') => return self.wrong_quotes(),
            Some(_) if self.starts_with_typographic_quote() => return self.wrong_quotes(),
            Some(b']') => return self.wrong_bracket_innermost(),
            Some(b',' | b':' | b'{' | b'[' | b'}') => {
                let problem = format!(
                    "found {} where the name of a field is needed, a string in double quotes",
                    self.found()
                );
                return self.wrong(Mistake::MissingName, problem);
            }
            Some(_) => {
                let word = shortened(self.name_without_quotes());
                let problem =
                    format!("found {word}, a name without quotes; write {}", quoted(&word));
                return self.wrong(Mistake::UnquotedName, problem);
            }
        }
        self.space()?;
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                self.space()
            }
            None => self.unclosed_innermost(),
            Some(_) => {
                let problem = format!(
                    "found {} where `:` is needed, between a name and its value",
                    self.found()
                );
                self.wrong(Mistake::MissingColon, problem)
            }
        }
    }

    /// Reads a string in double quotes.
    fn string(&mut self) -> Read {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(byte) if byte < 0x20 => {
                    let problem = format!(
                        "found {} within a string; close the string before it, or write {}",
                        self.found(),
                        escape_of(byte)
                    );
                    return self.wrong(Mistake::ControlCharacter, problem);
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = start;
                    let problem = "the text ends within the string that begins here; its closing \
                                   `\"` is missing";
                    return self.wrong(Mistake::UnclosedString, problem);
                }
            }
        }
    }

    /// Reads an escape sequence.
    fn escape(&mut self) -> Read {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            // The end of the text is found by the caller.
            None => self.at += 1,
            Some(b'u') => {
                let Some(unit) = code_unit(rest) else {
                    let what = "found `\\u` without the four hexadecimal digits behind it";
                    return self.wrong(Mistake::InvalidEscape, what);
                };
                let low = code_unit(&rest[6..]);
                self.at += match (unit, low) {
                    (0xd800..=0xdbff, Some(0xdc00..=0xdfff)) => 12,
                    (0xd800..=0xdfff, _) => {
                        let problem = format!(
                            "found {}, a half of a pair of surrogates, without the other half",
                            &rest[..6]
                        );
                        return self.wrong(Mistake::InvalidEscape, problem);
                    }
                    _ => 6,
                };
            }
            Some(_) => {
                let escaped = rest[1..].chars().next().map(printable).unwrap_or_default();
                let problem = format!(
                    "found a backslash before {escaped}, which is not an escape sequence; a backslash \
                     itself is written as `\\\\`"
                );
                return self.wrong(Mistake::InvalidEscape, problem);
            }
        }
        Ok(())
    }

    /// Reads a number.
    fn number(&mut self) -> Read {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        let literal = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        if literal.trim_start_matches(['+', '-']).starts_with(['I', 'i', 'N', 'n']) {
            return self.word();
        }
        if let Some(problem) = number_problem(literal) {
            let problem = format!("found {}, {problem}", shortened(literal));
            return self.wrong(Mistake::InvalidNumber, problem);
        }
        self.at += literal.len();
        Ok(())
    }

    /// Reads `null`, `true` or `false`; everything else is not the beginning of a value.
    fn word(&mut self) -> Read {
        let word = self.bare_word();
        if matches!(word, "null" | "true" | "false") {
            self.at += word.len();
            return Ok(());
        }
        let (mistake, problem) = match (self.peek(), self.open.last().copied()) {
            (None, Some(open)) => return self.unclosed(open),
            (Some(b'\''), _) => return self.wrong_quotes(),
            _ if self.starts_with_typographic_quote() => return self.wrong_quotes(),
            (Some(b'}' | b']' | b',' | b':') | None, _) => {
                (Mistake::MissingValue, format!("found {} where a value is needed", self.found()))
            }
            _ => word_problem(word).unwrap_or_else(|| {
                let problem = format!("found {} where a value is needed", self.found());
                match word.chars().next().is_some_and(char::is_alphabetic) {
                    true => {
                        let string = quoted(&shortened(word));
                        let advice = format!("; a string is put in double quotes: {string}");
                        (Mistake::UnquotedText, problem + &advice)
                    }
                    false => (Mistake::Other, problem),
                }
            }),
        };
        self.wrong(mistake, problem)
    }

    /// Skips what may be between tokens.
    fn space(&mut self) -> Read {
        self.at += self.rest().bytes().take_while(|byte| b" \t\r\n".contains(byte)).count();
        let rest = self.rest();
        if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
            return self.wrong(Mistake::Comment, "found a comment, which JSON lacks; leave it out");
        }
        Ok(())
    }

    fn open(&mut self, is_object: bool) {
        self.open.push(Open { at: self.at, is_object });
        self.at += 1;
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn starts_with_typographic_quote(&self) -> bool {
        self.rest().starts_with(['“', '”', '„', '‟', '‘', '’', '‚', '«', '»', '`'])
    }

    /// The letters, digits and the like that begin here.
    fn bare_word(&self) -> &str {
        let is_part = |c: char| c.is_alphanumeric() || "_$+-.".contains(c);
        let rest = self.rest();
        &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
    }

    /// What begins here, up to the colon behind it or the end of the word.
    fn name_without_quotes(&self) -> &str {
        let word = self.bare_word();
        let first = self.rest().chars().next().map_or(0, char::len_utf8);
        if word.is_empty() { &self.rest()[..first] } else { word }
    }

    /// What begins here, for an error.
    fn found(&self) -> String {
        let word = self.bare_word();
        match self.rest().chars().next() {
            None => "the end of the text".to_owned(),
            Some(_) if word.chars().next().is_some_and(char::is_alphanumeric) => shortened(word),
            Some(c) => printable(c),
        }
    }

    fn wrong<T>(&self, mistake: Mistake, problem: impl Into<String>) -> Read<T> {
        Err(Wrong { at: self.at, mistake, problem: problem.into() })
    }

    fn wrong_quotes<T>(&self) -> Read<T> {
        let problem = format!("found {}; names and strings are put in double quotes", self.found());
        self.wrong(Mistake::WrongQuotes, problem)
    }

    fn wrong_bracket<T>(&self, open: Open) -> Read<T> {
        let (name, closing) = (open.name(), char::from(open.closing()));
        let problem =
            format!("found {} within an {name}, which is closed by `{closing}`", self.found());
        self.wrong(Mistake::WrongBracket, problem)
    }

    fn wrong_bracket_innermost<T>(&self) -> Read<T> {
        match self.open.last() {
            Some(open) => self.wrong_bracket(*open),
            None => self.wrong(Mistake::Other, format!("found {}", self.found())),
        }
    }

    /// The text has ended. Where it should have is not known, so the place is where `open` begins.
    fn unclosed<T>(&self, open: Open) -> Read<T> {
        let (name, closing) = (open.name(), char::from(open.closing()));
        let problem = format!(
            "the text ends within the {name} that begins here; its closing `{closing}` is missing"
        );
        Err(Wrong { at: open.at, mistake: Mistake::Unclosed, problem })
    }

    fn unclosed_innermost<T>(&self) -> Read<T> {
        match self.open.last() {
            Some(open) => self.unclosed(*open),
            None => self.wrong(Mistake::MissingValue, "the text ends where a value is needed"),
        }
    }
}

/// What JSON has instead of a word of another language.
fn word_problem(word: &str) -> Option<(Mistake, String)> {
    let lower = word.to_ascii_lowercase();
    let is_negative = lower.starts_with('-');
    let float = match lower.trim_start_matches(['+', '-']) {
        "nan" => Some("NaN"),
        "inf" | "infinity" if is_negative => Some("-Infinity"),
        "inf" | "infinity" => Some("Infinity"),
        _ => None,
    };
    if let Some(float) = float {
        let problem =
            format!("found {word}, which JSON lacks; write {{\"$numberDouble\": \"{float}\"}}");
        return Some((Mistake::NotFinite, problem));
    }
    let meant = match lower.as_str() {
        "undefined" | "none" | "nil" | "null" => "null",
        "true" | "yes" => "true",
        "false" | "no" => "false",
        _ => return None,
    };
    Some((Mistake::ForeignWord, format!("found {word}, which JSON lacks; write {meant}")))
}

/// What is wrong with a number, as the end of a sentence.
fn number_problem(literal: &str) -> Option<&'static str> {
    let unsigned = literal.strip_prefix('-').unwrap_or(literal);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    match (integer, fraction, exponent) {
        _ if literal.starts_with('+') => Some("but a number has no plus sign; leave it out"),
        _ if is_hexadecimal => Some("but numbers are decimal; write it in decimal digits"),
        ("", Some(_), _) => Some("but a digit is needed before the point; write 0.5, not .5"),
        (_, Some(""), _) => Some("but a digit is needed behind the point; write 1.0, not 1."),
        (_, _, Some("")) => Some("but a digit is needed in the exponent"),
        (integer, ..) if integer.len() > 1 && integer.starts_with('0') && are_digits(integer) => {
            Some("but a number has no leading zeros; leave them out, or make it a string")
        }
        (integer, fraction, exponent)
            if integer.is_empty()
                || ![integer, fraction.unwrap_or("0"), exponent.unwrap_or("0")]
                    .into_iter()
                    .all(are_digits) =>
        {
            Some("which is not a number; a string is put in double quotes")
        }
        _ if literal.parse::<f64>().is_ok_and(f64::is_infinite) => {
            Some("which is too large for a float; write it as a decimal or a string")
        }
        _ => None,
    }
}

/// The code unit of a text that begins with `\u` and four digits.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if are_digits { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// How a control character is written in a string.
fn escape_of(byte: u8) -> String {
    match byte {
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        _ => format!("\\u{byte:04x}"),
    }
}

/// A character in an error.
fn printable(c: char) -> String {
    match c {
        '\n' | '\r' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        '`' => "a backtick".to_owned(),
        // What `{:?}` escapes is not visible.
        c if c.is_control() || format!("{c:?}").starts_with("'\\u") => {
            format!("the character U+{:04X}", u32::from(c))
        }
        c => format!("`{c}`"),
    }
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    crate::Value::from(text).to_json()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    /// The mistake in a text, and the sentence.
    fn mistake(text: &str) -> (Mistake, String) {
        match Value::from_json(text) {
            Err(error @ Error::InvalidJson { mistake, .. }) => {
                let sentence = error.to_string();
                let sentence = sentence.strip_prefix("invalid JSON at line ").unwrap();
                (mistake, sentence.to_owned())
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn check(cases: &[(&str, Mistake, &str)]) {
        for (text, expected, sentence) in cases {
            assert_eq!(mistake(text), (*expected, (*sentence).to_owned()), "{text}");
        }
    }

    #[test]
    fn the_extent_of_the_text_is_explained() {
        check(&[
            ("", Mistake::Empty, "1, column 1: the text is empty, and a value is needed"),
            (" \n ", Mistake::Empty, "2, column 2: the text is empty, and a value is needed"),
            (
                "\u{feff}{}",
                Mistake::ByteOrderMark,
                "1, column 1: found a byte order mark; leave it out",
            ),
            (
                "{\"a\": 1}\n{\"a\": 2}",
                Mistake::SecondValue,
                "2, column 1: found `{` after the end of the value; one text has one value",
            ),
            (
                "{\"a\": [1, {\"b\": 2}",
                Mistake::Unclosed,
                "1, column 7: the text ends within the array that begins here; its closing `]` is \
                 missing",
            ),
            (
                "\n{\n\"a\"",
                Mistake::Unclosed,
                "2, column 1: the text ends within the object that begins here; its closing `}` is \
                 missing",
            ),
            (
                "{\"a\": \"b}",
                Mistake::UnclosedString,
                "1, column 7: the text ends within the string that begins here; its closing `\"` is \
                 missing",
            ),
            (
                "{\"a\": [1}",
                Mistake::WrongBracket,
                "1, column 9: found `}` within an array, which is closed by `]`",
            ),
        ]);
        for text in ["{", "[", "{\"a\"", "{\"a\":", "{\"a\":1,", "[1,", "[[[[", "[{\"a\": {"] {
            assert_eq!(mistake(text).0, Mistake::Unclosed, "{text}");
        }
    }

    #[test]
    fn what_other_languages_write_is_explained() {
        check(&[
            (
                "{'a': 1}",
                Mistake::WrongQuotes,
                "1, column 2: found `'`; names and strings are put in double quotes",
            ),
            (
                "{\"a\": “b”}",
                Mistake::WrongQuotes,
                "1, column 7: found `“`; names and strings are put in double quotes",
            ),
            (
                "{\"a\": 1,}",
                Mistake::TrailingComma,
                "1, column 9: found `}` after a comma; leave the comma out, or add another field",
            ),
            (
                "[1,\n]",
                Mistake::TrailingComma,
                "2, column 1: found `]` after a comma; leave the comma out, or add another element",
            ),
            (
                "{name: 1}",
                Mistake::UnquotedName,
                "1, column 2: found name, a name without quotes; write \"name\"",
            ),
            (
                "{$set: {}}",
                Mistake::UnquotedName,
                "1, column 2: found $set, a name without quotes; write \"$set\"",
            ),
            (
                "{\"a\": 1} // b",
                Mistake::Comment,
                "1, column 10: found a comment, which JSON lacks; leave it out",
            ),
            (
                "{\"a\": NaN}",
                Mistake::NotFinite,
                "1, column 7: found NaN, which JSON lacks; write {\"$numberDouble\": \"NaN\"}",
            ),
            (
                "[-Infinity]",
                Mistake::NotFinite,
                "1, column 2: found -Infinity, which JSON lacks; write {\"$numberDouble\": \
                 \"-Infinity\"}",
            ),
            (
                "{\"a\": None}",
                Mistake::ForeignWord,
                "1, column 7: found None, which JSON lacks; write null",
            ),
            (
                "waiting",
                Mistake::UnquotedText,
                "1, column 1: found waiting where a value is needed; a string is put in double \
                 quotes: \"waiting\"",
            ),
        ]);
        for text in ["/* a */ 1", "{ # a\n}", "[1, // a\n2]"] {
            assert_eq!(mistake(text).0, Mistake::Comment, "{text}");
        }
        for text in ["True", "{\"a\": undefined}", "[nil]", "FALSE"] {
            assert_eq!(mistake(text).0, Mistake::ForeignWord, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        check(&[
            ("{\"a\": }", Mistake::MissingValue, "1, column 7: found `}` where a value is needed"),
            (
                "{\"a\" 1}",
                Mistake::MissingColon,
                "1, column 6: found 1 where `:` is needed, between a name and its value",
            ),
            (
                "{\"a\": 1 \"b\": 2}",
                Mistake::MissingComma,
                "1, column 9: found `\"` where `,` or `}` is needed; put a comma between one field \
                 and the next",
            ),
            (
                "{, \"a\": 1}",
                Mistake::MissingName,
                "1, column 2: found `,` where the name of a field is needed, a string in double \
                 quotes",
            ),
            ("[,]", Mistake::MissingValue, "1, column 2: found `,` where a value is needed"),
            ("?", Mistake::Other, "1, column 1: found `?` where a value is needed"),
            (
                "\u{1b}",
                Mistake::Other,
                "1, column 1: found the character U+001B where a value is needed",
            ),
        ]);
    }

    #[test]
    fn numbers_and_strings_are_explained() {
        for (number, problem) in [
            ("01", "but a number has no leading zeros; leave them out, or make it a string"),
            ("+1", "but a number has no plus sign; leave it out"),
            (".5", "but a digit is needed before the point; write 0.5, not .5"),
            ("1.", "but a digit is needed behind the point; write 1.0, not 1."),
            ("1e", "but a digit is needed in the exponent"),
            ("0x1f", "but numbers are decimal; write it in decimal digits"),
            ("-", "which is not a number; a string is put in double quotes"),
            ("2026-01-01", "which is not a number; a string is put in double quotes"),
            ("1e400", "which is too large for a float; write it as a decimal or a string"),
        ] {
            let expected = format!("1, column 2: found {number}, {problem}");
            assert_eq!(mistake(&format!("[{number}]")), (Mistake::InvalidNumber, expected));
        }
        for text in [r#""\x""#, r#""\u12""#, r#""\ud800""#, r#""\udc00""#, r#""\u+123""#] {
            assert_eq!(mistake(text).0, Mistake::InvalidEscape, "{text}");
        }
        check(&[(
            "[\"a\nb\"]",
            Mistake::ControlCharacter,
            "1, column 4: found a line break within a string; close the string before it, or write \\n",
        )]);
    }

    /// Whatever is cut from a text or put into it: a mistake is found here exactly if the parser refuses
    /// the syntax.
    #[test]
    fn every_syntax_error_has_an_explanation() {
        let text = r#"{"a": [1, -2.5e3, "é\n\u00e9\ud83d\ude00"], "b": {"c": null, "d": [true, false, {}, []]}}"#;
        let marks =
            ["", "{", "}", "[", "]", ",", ":", "\"", "'", "0", "-", "x", "\\", "\n", " ", "é"];
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let rest = &text[at..];
            let after = rest.chars().next().map_or(0, char::len_utf8);
            let cut = &text[..at];
            let changed = marks.iter().flat_map(|mark| {
                [
                    format!("{cut}{mark}"),
                    format!("{cut}{mark}{rest}"),
                    format!("{cut}{mark}{}", &rest[after..]),
                ]
            });
            for changed in changed {
                let parsed = serde_json::from_str::<serde_json::Value>(&changed);
                let found = diagnose(&changed);
                assert_eq!(parsed.is_err(), found.is_some(), "{changed}: {parsed:?}, {found:?}");
            }
        }
    }
}
