//! Translates the regular expressions of schemas from ECMA-262 to the syntax of the `regex` crate. No
//! other module knows both. Matches nothing.

use std::fmt::Write as _;

/// What `\s` matches: white space and line ends of ECMA-262.
const SPACE: [(char, char); 10] = [
    ('\t', '\r'),
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{feff}', '\u{feff}'),
];
const DIGIT: [(char, char); 1] = [('0', '9')];
const WORD: [(char, char); 4] = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const LINE_END: [(char, char); 3] = [('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];

/// Translates a pattern; an error is the end of a sentence.
///
/// Accepts the syntax of ECMA-262 with the flag `u`, and the unambiguous part of its annex B: escaped
/// punctuation, and single braces and brackets.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    Translation { chars: &chars, at: 0, out: String::new(), open: Vec::new() }.run()
}

struct Translation<'a> {
    chars: &'a [char],
    at: usize,
    out: String,
    /// The positions of the open groups.
    open: Vec<usize>,
}

/// What an escape stands for.
enum Escape {
    /// One character; `None` for half of a surrogate pair, which no string here has.
    Char(Option<char>),
    /// Ranges of characters.
    Ranges(Vec<(char, char)>),
    /// A Unicode property, which both syntaxes write alike.
    Property(String),
}

/// The last item, which decides what may follow.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// The start, which cannot be repeated.
    Start,
    /// A position between characters.
    Assertion,
    /// Something that can be repeated.
    Atom,
    /// A repetition.
    Quantifier,
}

impl Translation<'_> {
    fn run(mut self) -> Result<String, String> {
        let mut last = Last::Start;
        while let Some(char) = self.next() {
            last = match char {
                '^' | '$' => {
                    self.out.push(char);
                    Last::Assertion
                }
                '|' => {
                    self.out.push('|');
                    Last::Start
                }
                '.' => {
                    self.class(&complement(&LINE_END));
                    Last::Atom
                }
                '(' => {
                    self.group()?;
                    Last::Start
                }
                ')' => {
                    let Some(_) = self.open.pop() else {
                        return Err(self.wrong(self.at - 1, "closes a group that is not open"));
                    };
                    self.out.push(')');
                    Last::Atom
                }
                '[' => {
                    self.class_set()?;
                    Last::Atom
                }
                '\\' => self.escape()?,
                '*' | '+' | '?' => self.quantifier(last, &char.to_string())?,
                '{' => match self.braces()? {
                    Some(braces) => self.quantifier(last, &braces)?,
                    None => self.literal('{'),
                },
                char => self.literal(char),
            };
        }
        match self.open.first() {
            Some(at) => Err(self.wrong(*at, "opens a group that is not closed")),
            None => Ok(self.out),
        }
    }

    fn next(&mut self) -> Option<char> {
        let char = self.chars.get(self.at).copied();
        self.at += usize::from(char.is_some());
        char
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn is_next(&self, text: &str) -> bool {
        let mut rest = self.chars[self.at..].iter();
        text.chars().all(|char| rest.next() == Some(&char))
    }

    fn wrong(&self, at: usize, what: &str) -> String {
        let end = self.chars.len().min(at + 10);
        let text: String = self.chars[at.min(end)..end].iter().collect();
        format!("is not a regular expression of ECMA-262: {text:?}, at character {at}, {what}")
    }

    fn literal(&mut self, char: char) -> Last {
        push_char(&mut self.out, char);
        Last::Atom
    }

    /// A class; an empty one matches nothing.
    fn class(&mut self, ranges: &[(char, char)]) {
        self.out.push('[');
        if ranges.is_empty() {
            self.out.push('^');
        }
        push_ranges(&mut self.out, if ranges.is_empty() { &[('\0', char::MAX)] } else { ranges });
        self.out.push(']');
    }

    fn group(&mut self) -> Result<(), String> {
        let start = self.at - 1;
        self.open.push(start);
        if !self.is_next("?") {
            self.out.push('(');
            return Ok(());
        }
        if self.is_next("?:") {
            self.at += 2;
            self.out.push_str("(?:");
            return Ok(());
        }
        if ["?=", "?!", "?<=", "?<!"].iter().any(|look| self.is_next(look)) {
            return Err(backtracks("look-around"));
        }
        if !self.is_next("?<") {
            let what =
                "is no group: there are (…), (?:…) and (?<name>…), and no flags such as (?i)";
            return Err(self.wrong(start, what));
        }
        self.at += 2;
        let name_start = self.at;
        while let Some(char) = self.next() {
            let is_first = self.at == name_start + 1;
            match char {
                '>' if !is_first => {
                    self.out.push_str("(?:");
                    return Ok(());
                }
                '_' | '$' => {}
                char if char.is_alphabetic() || (!is_first && char.is_alphanumeric()) => {}
                _ => break,
            }
        }
        Err(self.wrong(start, "begins a group whose name is not a name"))
    }

    fn quantifier(&mut self, last: Last, text: &str) -> Result<Last, String> {
        if last != Last::Atom {
            let start = self.at - text.chars().count();
            return Err(self.wrong(start, "repeats nothing that can be repeated"));
        }
        self.out.push_str(text);
        if self.is_next("?") {
            self.at += 1;
            self.out.push('?');
        }
        Ok(Last::Quantifier)
    }

    /// The rest of a quantifier in braces, or `None` if the brace is a literal character.
    fn braces(&mut self) -> Result<Option<String>, String> {
        let start = self.at - 1;
        let Some(length) = self.chars[start..].iter().position(|char| *char == '}') else {
            return Ok(None);
        };
        let text: String = self.chars[start..=start + length].iter().collect();
        let inner = &text[1..text.len() - 1];
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (from, to) = inner.split_once(',').unwrap_or((inner, inner));
        if !is_number(from) || !(to.is_empty() || is_number(to)) {
            return Ok(None);
        }
        let number = |text: &str| {
            text.parse::<u32>().map_err(|_| self.wrong(start, "repeats too many times"))
        };
        if !to.is_empty() && number(from)? > number(to)? {
            return Err(self.wrong(start, "has its limits the wrong way round"));
        }
        self.at = start + length + 1;
        Ok(Some(text))
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<Last, String> {
        match self.peek() {
            Some(boundary @ ('b' | 'B')) => {
                self.at += 1;
                // In ECMA-262 words are ASCII only.
                let _ = write!(self.out, "(?-u:\\{boundary})");
                return Ok(Last::Assertion);
            }
            Some('1'..='9') => return Err(backtracks("a backreference")),
            Some('k') => return Err(backtracks("a backreference")),
            _ => {}
        }
        match self.escaped()? {
            Escape::Char(Some(char)) => push_char(&mut self.out, char),
            Escape::Char(None) => self.class(&[]),
            Escape::Ranges(ranges) => self.class(&ranges),
            Escape::Property(property) => self.out.push_str(&property),
        }
        Ok(Last::Atom)
    }

    /// The escapes that mean the same inside of a class and outside.
    fn escaped(&mut self) -> Result<Escape, String> {
        let start = self.at - 1;
        let Some(char) = self.next() else {
            return Err(self.wrong(start, "escapes nothing"));
        };
        let plain = |char: char| Ok(Escape::Char(Some(char)));
        match char {
            'd' => Ok(Escape::Ranges(DIGIT.to_vec())),
            'D' => Ok(Escape::Ranges(complement(&DIGIT))),
            'w' => Ok(Escape::Ranges(WORD.to_vec())),
            'W' => Ok(Escape::Ranges(complement(&WORD))),
            's' => Ok(Escape::Ranges(SPACE.to_vec())),
            'S' => Ok(Escape::Ranges(complement(&SPACE))),
            't' => plain('\t'),
            'n' => plain('\n'),
            'v' => plain('\u{b}'),
            'f' => plain('\u{c}'),
            'r' => plain('\r'),
            '0' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => plain('\0'),
            'c' => match self.next() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    plain(char::from(letter as u8 % 32))
                }
                _ => Err(self.wrong(start, "is no control character, such as \\cJ")),
            },
            'x' => match self.hexadecimal(2) {
                Some(code) => Ok(Escape::Char(char::from_u32(code))),
                None => Err(self.wrong(start, "is not followed by two hexadecimal digits")),
            },
            'u' => self.code_point(start),
            'p' | 'P' => self.property(start, char),
            char if char.is_alphanumeric() => {
                Err(self.wrong(start, "is no escape that ECMA-262 knows"))
            }
            char => plain(char),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.chars.get(self.at..self.at + digits)?.iter().collect();
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| is_hexadecimal)?;
        self.at += digits;
        Some(code)
    }

    /// `\u1234`, `\u{12345}`, or two of the former that are a surrogate pair.
    fn code_point(&mut self, start: usize) -> Result<Escape, String> {
        if self.is_next("{") {
            let end = self.chars[self.at..].iter().position(|char| *char == '}');
            let digits = end.filter(|end| (2..=9).contains(end)).and_then(|end| {
                self.at += 1;
                let code = self.hexadecimal(end - 1)?;
                self.at += 1;
                Some(code)
            });
            return match digits {
                Some(code) if code <= u32::from(char::MAX) => {
                    Ok(Escape::Char(char::from_u32(code)))
                }
                _ => Err(self.wrong(start, "is no code point, such as \\u{1F600}")),
            };
        }
        let Some(code) = self.hexadecimal(4) else {
            return Err(self.wrong(start, "is not followed by four hexadecimal digits"));
        };
        if !(0xD800..0xDC00).contains(&code) || !self.is_next("\\u") {
            return Ok(Escape::Char(char::from_u32(code)));
        }
        let before = self.at;
        self.at += 2;
        match self.hexadecimal(4) {
            Some(low) if (0xDC00..0xE000).contains(&low) => {
                let code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                Ok(Escape::Char(char::from_u32(code)))
            }
            _ => {
                self.at = before;
                Ok(Escape::Char(None))
            }
        }
    }

    fn property(&mut self, start: usize, kind: char) -> Result<Escape, String> {
        let rest = &self.chars[self.at..];
        let end = rest.iter().position(|char| *char == '}');
        let name: String = match (rest.first(), end) {
            (Some('{'), Some(end)) => rest[1..end].iter().collect(),
            _ => String::new(),
        };
        let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '=');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(self.wrong(start, "is no Unicode property, such as \\p{Letter}"));
        }
        self.at += name.len() + 2;
        Ok(Escape::Property(format!("\\{kind}{{{name}}}")))
    }

    /// The rest of a class in brackets.
    fn class_set(&mut self) -> Result<(), String> {
        let start = self.at - 1;
        let is_negated = self.is_next("^");
        self.at += usize::from(is_negated);
        let (mut ranges, mut properties) = (Vec::new(), String::new());
        loop {
            let item = match self.class_item(start)? {
                None => break,
                Some(item) => item,
            };
            let from = match item {
                Escape::Ranges(more) => {
                    ranges.extend(more);
                    continue;
                }
                Escape::Property(property) => {
                    properties.push_str(&property);
                    continue;
                }
                Escape::Char(from) => from,
            };
            let is_range = self.is_next("-") && !self.is_next("-]");
            if !is_range {
                ranges.extend(from.map(|from| (from, from)));
                continue;
            }
            let range_start = self.at;
            self.at += 1;
            match self.class_item(start)? {
                Some(Escape::Char(Some(to))) => match from {
                    Some(from) if from > to => {
                        let what = "is a range the wrong way round";
                        return Err(self.wrong(range_start.saturating_sub(1), what));
                    }
                    // Halves of surrogate pairs, up to a character beyond them.
                    None if to < '\u{e000}' => {}
                    from => ranges.push((from.unwrap_or('\u{e000}'), to)),
                },
                Some(Escape::Char(None)) => {
                    // Up to a half of a surrogate pair.
                    ranges.extend(
                        from.filter(|from| *from <= '\u{d7ff}').map(|from| (from, '\u{d7ff}')),
                    );
                }
                // A class cannot end a range: then the hyphen is a literal character.
                Some(Escape::Ranges(more)) => {
                    ranges.extend(from.map(|from| (from, from)));
                    ranges.push(('-', '-'));
                    ranges.extend(more);
                }
                Some(Escape::Property(property)) => {
                    ranges.extend(from.map(|from| (from, from)));
                    ranges.push(('-', '-'));
                    properties.push_str(&property);
                }
                None => return Err(self.wrong(start, "is a class that is not closed")),
            }
        }
        self.push_class(is_negated, &ranges, &properties);
        Ok(())
    }

    fn push_class(&mut self, is_negated: bool, ranges: &[(char, char)], properties: &str) {
        match (is_negated, ranges.is_empty() && properties.is_empty()) {
            (false, true) => self.class(&[]),
            (true, true) => self.class(&[('\0', char::MAX)]),
            (_, false) => {
                self.out.push_str(if is_negated { "[^" } else { "[" });
                push_ranges(&mut self.out, ranges);
                self.out.push_str(properties);
                self.out.push(']');
            }
        }
    }

    /// The next item of a class; none at its end.
    fn class_item(&mut self, start: usize) -> Result<Option<Escape>, String> {
        match self.next() {
            None => Err(self.wrong(start, "is a class that is not closed")),
            Some(']') => Ok(None),
            Some('\\') if self.is_next("b") => {
                self.at += 1;
                Ok(Some(Escape::Char(Some('\u{8}'))))
            }
            Some('\\') => Ok(Some(self.escaped()?)),
            Some(char) => Ok(Some(Escape::Char(Some(char)))),
        }
    }
}

fn backtracks(what: &str) -> String {
    format!(
        "uses {what}, which can take exponential time; only patterns that match in linear time are allowed"
    )
}

/// All other characters, as ranges. The given ranges are in order and do not touch.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut others = Vec::new();
    let mut next = Some('\0');
    for (from, to) in ranges {
        if let Some(start) = next.filter(|start| start < from) {
            let before = (start..*from).next_back().expect("the range is not empty");
            others.push((start, before));
        }
        next = (*to..=char::MAX).nth(1);
    }
    others.extend(next.map(|start| (start, char::MAX)));
    others
}

fn push_ranges(out: &mut String, ranges: &[(char, char)]) {
    for (from, to) in ranges {
        push_char(out, *from);
        if from != to {
            out.push('-');
            push_char(out, *to);
        }
    }
}

/// One character, escaped so that it is literal everywhere.
fn push_char(out: &mut String, char: char) {
    if char.is_alphanumeric() || matches!(char, '_' | '/' | '@' | ',' | '"' | '\'' | ' ') {
        out.push(char);
    } else {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(char));
    }
}
