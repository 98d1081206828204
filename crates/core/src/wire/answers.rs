//! The encoding of the content of answers: outcomes, refusals, violations of a schema, and errors.

use crate::codec::encode_value_into;
use crate::violation::{More, Violation, Violations};
use crate::wire::{Wire, put_bytes, take_bytes};
use crate::{Error, ForeignKind, JsonMistake, Kind, Outcome, RawValue, Refusal, Value, wire_enum};

wire_enum!(Outcome {
    0 Applied { version, existed };
    1 Held { version };
    2 Refused(refusal);
    3 Abandoned;
});

wire_enum!(Refusal {
    0 Exists { version };
    1 Missing;
    2 Version { expected, found };
    3 Content { version, path };
    4 Update(error);
    5 Duplicate { index, id };
    6 Schema(violations);
    7 NoLease { version };
    8 Unmatched { version };
});

wire_enum!(More {
    0 None;
    1 Count(count);
    2 Unknown;
    3 AtLeast(count);
});

wire_enum!(Kind {
    0 Null;
    1 Bool;
    2 Int;
    3 UInt;
    4 Float;
    5 String;
    6 Bytes;
    7 Time;
    8 Array;
    9 Object;
    10 ObjectId;
    11 Decimal;
    12 Binary;
    13 Foreign(kind);
});

wire_enum!(ForeignKind {
    0 MinKey;
    1 Undefined;
    2 Symbol;
    3 Timestamp;
    4 Regex;
    5 DbPointer;
    6 JavaScript;
    7 JavaScriptWithScope;
    8 MaxKey;
});

wire_enum!(JsonMistake {
    0 Empty;
    1 ByteOrderMark;
    2 SecondValue;
    3 Unclosed;
    4 UnclosedString;
    5 WrongBracket;
    6 WrongQuotes;
    7 TrailingComma;
    8 MissingComma;
    9 MissingColon;
    10 UnquotedName;
    11 MissingName;
    12 MissingValue;
    13 UnquotedText;
    14 ForeignWord;
    15 NotFinite;
    16 Comment;
    17 InvalidNumber;
    18 InvalidEscape;
    19 ControlCharacter;
    20 Other;
});

/// The tag of [`Error::RefusedJson`], the only error that contains another one.
const REFUSED_JSON: u8 = 4;

wire_enum!(Error {
    0 LimitExceeded { what, path, found, max };
    1 ReservedFieldName { path };
    2 DuplicateField { path };
    3 InvalidJson { line, column, problem, mistake };
    4 RefusedJson { line, column, source };
    5 ExtendedJson { key, expected };
    6 IntegerRange { literal };
    7 TimeRange;
    8 InvalidTime { text, problem };
    9 InvalidPath { text, position, problem };
    10 PathBlocked { path, found, expected };
    11 InvalidDocumentId { id, problem };
    12 InvalidRequestId { length };
    13 InvalidCollectionName { name, problem };
    14 UnknownConsistency { found };
    15 UnknownOperator { operator, problem };
    16 EngineField { operator, path, advice };
    17 MixedUpdate { field };
    18 InvalidOperand { operator, path, expected };
    19 ConflictingPaths { first, second };
    20 WrongType { operator, path, expected, found };
    21 Overflow { operator, path };
    22 InvalidQuery { what, place, problem };
    23 Expression { operator, problem };
    24 DeadlineExceeded;
    25 MemoryExceeded { what, place, found, max };
    26 Conversion { expected, found };
    27 Serde { path, message };
    28 Corrupt { problem };
    29 UnknownVersion { what, found, known };
    30 InvalidText { what, text, problem };
    31 VersionUsed { given, last };
});

/// The cause of [`Error::RefusedJson`], which cannot be another `RefusedJson`: so the recursion is bounded
/// when untrusted bytes are decoded.
impl Wire for Box<Error> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        if bytes.first() == Some(&REFUSED_JSON) {
            return None;
        }
        Error::take(bytes).map(Box::new)
    }
}

impl Wire for Violation {
    fn put(&self, out: &mut Vec<u8>) {
        let Violation { path, rule, message, value } = self;
        for text in [path, rule, message] {
            text.put(out);
        }
        let mut bytes = Vec::new();
        // A value that cannot be encoded is too deep for a document, and is left out.
        if let Some(value) = value
            && encode_value_into(value, &mut bytes).is_err()
        {
            bytes.clear();
        }
        put_bytes(&bytes, out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (path, (rule, message)) = Wire::take(bytes)?;
        let value = match take_bytes(bytes)? {
            [] => None,
            value => Some(value_of(value)?),
        };
        Some(Violation { path, rule, message, value })
    }
}

fn value_of(bytes: &[u8]) -> Option<Value> {
    RawValue::validate(bytes).ok()?.to_value().ok()
}

impl Wire for Violations {
    fn put(&self, out: &mut Vec<u8>) {
        self.more().put(out);
        self.as_slice().len().put(out);
        self.as_slice().iter().for_each(|violation| violation.put(out));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let more = More::take(bytes)?;
        let listed: Vec<_> = Wire::take(bytes)?;
        (!listed.is_empty()).then(|| Violations::new(listed, more))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
