//! [`JsonMistake`]: the likely mistakes in texts that are not JSON.

/// The likely mistake in a text that is not JSON, as [`Error::InvalidJson`](crate::Error::InvalidJson) has it. Its
/// `problem` says in words what was found, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonMistake {
    /// The text has no value at all.
    Empty,
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// Something follows the end of the value, such as another value.
    SecondValue,
    /// The text ends within an object or an array.
    Unclosed,
    /// The text ends within a string.
    UnclosedString,
    /// An object is closed as an array, or the other way round.
    WrongBracket,
    /// A name or a string is in single quotes or in typographic ones.
    WrongQuotes,
    /// A comma follows the last field or element.
    TrailingComma,
    /// There is no comma between two fields or elements.
    MissingComma,
    /// There is no colon between a name and its value.
    MissingColon,
    /// The name of a field is not in quotes.
    UnquotedName,
    /// The name of a field is missing, or is not a string.
    MissingName,
    /// A value is missing.
    MissingValue,
    /// A value is a word, perhaps a string without quotes.
    UnquotedText,
    /// A word of another language stands for `null`, `true` or `false`.
    ForeignWord,
    /// NaN or an infinity, which JSON lacks.
    NotFinite,
    /// A comment, which JSON lacks.
    Comment,
    /// A number of a form that JSON lacks, or too large for a float.
    InvalidNumber,
    /// A string has an escape sequence that JSON lacks.
    InvalidEscape,
    /// A string has a line break or another control character that is not escaped.
    ControlCharacter,
    /// None of these.
    Other,
}
