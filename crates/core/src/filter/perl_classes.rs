//! Character classes of patterns, `[…]`, with the meaning of Perl and MongoDB. The `regex` crate
//! gives them further syntax: a class in a class, `&&`, `--` and `~~` between two, and with the
//! option `x` it ignores spaces there too. Owns translating them, and knows no more of the syntax
//! than where a class begins and whether `x` is on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The pattern with every class written so that its characters are literal. `x` says whether spaces
/// are ignored from the start on; the pattern can turn that on and off.
pub(crate) fn with_perl_classes(pattern: &str, x: Spaces) -> Cow<'_, str> {
    if !pattern.contains('[') {
        return Cow::Borrowed(pattern);
    }
    let mut rewriter = Rewriter {
        rest: pattern.chars().peekable(),
        written: String::with_capacity(pattern.len() + 16),
        open: Vec::new(),
        spaces: x,
    };
    rewriter.run();
    Cow::Owned(rewriter.written)
}

/// The meaning of spaces outside of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spaces {
    /// They are literal.
    Meant,
    /// They are ignored, and `#` begins a comment: option `x`.
    Ignored,
}

impl Spaces {
    /// Their meaning with these options.
    pub(crate) fn with_options(options: &str) -> Self {
        if options.contains('x') { Self::Ignored } else { Self::Meant }
    }
}

struct Rewriter<'p> {
    rest: Peekable<Chars<'p>>,
    written: String,
    /// The meaning of spaces around each open group.
    open: Vec<Spaces>,
    spaces: Spaces,
}

impl Rewriter<'_> {
    fn run(&mut self) {
        while let Some(char) = self.rest.next() {
            self.written.push(char);
            match char {
                '\\' => self.written.extend(self.rest.next()),
                '[' => self.class(),
                '(' => self.group(),
                ')' => self.spaces = self.open.pop().unwrap_or(self.spaces),
                '#' if self.spaces == Spaces::Ignored => {
                    while let Some(char) = self.rest.next_if(|char| *char != '\n') {
                        self.written.push(char);
                    }
                }
                _ => {}
            }
        }
    }

    /// After a `(`: `(?x)` affects what follows, `(?x:…)` what is in it.
    fn group(&mut self) {
        let around = self.spaces;
        let mut flags = self.rest.clone();
        if flags.next() == Some('?') {
            let (mut turned, mut to) = (None, Spaces::Ignored);
            for char in flags.by_ref() {
                match char {
                    'x' => turned = Some(to),
                    '-' => to = Spaces::Meant,
                    ':' => {
                        self.spaces = turned.unwrap_or(around);
                        break;
                    }
                    ')' => {
                        // A flag that it turns on or off stays so until the end of the enclosing
                        // group.
                        self.spaces = turned.unwrap_or(around);
                        self.open.push(self.spaces);
                        return;
                    }
                    other if other.is_ascii_alphabetic() => {}
                    _ => break,
                }
            }
        }
        self.open.push(around);
    }

    /// After a `[`, up to the `]` that ends the class.
    fn class(&mut self) {
        self.written.extend(self.rest.next_if_eq(&'^'));
        let mut is_first = true;
        while let Some(char) = self.rest.next() {
            if char == ']' && !is_first {
                self.written.push(char);
                return;
            }
            is_first = false;
            self.item(char);
            // A range, unless the `-` is the last of the class.
            let mut ahead = self.rest.clone();
            if ahead.next() == Some('-') && ahead.next().is_some_and(|end| end != ']') {
                self.written.extend(self.rest.next());
                if let Some(end) = self.rest.next() {
                    self.item(end);
                }
            }
        }
    }

    /// One item of a class: a character, an escape, or a named class such as `[:alpha:]`.
    fn item(&mut self, char: char) {
        match char {
            '\\' => {
                self.written.push(char);
                self.written.extend(self.rest.next());
            }
            '[' if self.name_of_class() => {}
            '[' | ']' | '-' | '&' | '~' | '#' => self.written.extend(['\\', char]),
            space if space.is_whitespace() => {
                write!(self.written, "\\x{{{:x}}}", u32::from(space))
                    .expect("a string takes any text");
            }
            other => self.written.push(other),
        }
    }

    /// Writes the rest of a named class such as `[:alpha:]`, if one has begun.
    fn name_of_class(&mut self) -> bool {
        let ahead: String = self.rest.clone().take(16).collect();
        let Some(end) = ahead.find(":]").filter(|end| ahead.starts_with(':') && *end > 0) else {
            return false;
        };
        if !ahead[1..end].bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'^') {
            return false;
        }
        self.written.push('[');
        self.written.extend(self.rest.by_ref().take(end + 2));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_class_means_itself() {
        use Spaces::{Ignored, Meant};
        for (pattern, x, expected) in [
            ("a b", Ignored, "a b"),
            ("[a b]", Ignored, r"[a\x{20}b]"),
            ("[^ #]", Ignored, r"[^\x{20}\#]"),
            (r"[\ ]", Ignored, r"[\ ]"),
            ("# [a b]\n[ ]", Ignored, "# [a b]\n[\\x{20}]"),
            ("# [ab", Meant, "# [ab"),
            (r"\[a b]", Meant, r"\[a b]"),
            ("[]a]b", Meant, r"[\]a]b"),
            ("[^]a]b", Meant, r"[^\]a]b"),
            ("[[a]]", Meant, r"[\[a]]"),
            ("[[:alpha:][:^digit:]]", Meant, "[[:alpha:][:^digit:]]"),
            ("[[:al pha]", Meant, r"[\[:al\x{20}pha]"),
            ("[a&&b~~c]", Meant, r"[a\&\&b\~\~c]"),
            ("[a-c-e-]", Meant, r"[a-c\-e\-]"),
            ("[+--]", Meant, r"[+-\-]"),
            ("[--/]", Meant, r"[\--/]"),
            (r"[\x{41}-\x{5a}\]]", Meant, r"[\x{41}-\x{5a}\]]"),
            ("(?x)[ ]", Meant, r"(?x)[\x{20}]"),
            ("((?x)# [\n)# [ ]", Meant, "((?x)# [\n)# [\\x{20}]"),
            ("(?x:# [\n)# [ ]", Meant, "(?x:# [\n)# [\\x{20}]"),
            ("(?-x)# [ ]", Ignored, r"(?-x)# [\x{20}]"),
            ("(?P<x># [ ])", Meant, r"(?P<x># [\x{20}])"),
        ] {
            assert_eq!(with_perl_classes(pattern, x), expected, "{pattern}");
        }
        for unfinished in ["[", "[^", "[a-", r"[\", "[[:", "(?", "(?x"] {
            let _ = with_perl_classes(unfinished, Meant);
        }
    }
}
