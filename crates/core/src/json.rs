//! Parsing and writing JSON text. Types that JSON lacks are written as MongoDB's extended JSON:
//!
//! | value | text |
//! |---|---|
//! | time | `{"$date": "2026-11-23T09:15:00.250000Z"}` |
//! | bytes, binary | `{"$binary": {"base64": "AQI=", "subType": "00"}}` |
//! | NaN, infinities | `{"$numberDouble": "NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | decimal | `{"$numberDecimal": "1.50"}` |
//! | ObjectId | `{"$oid": "6922d394a1b2c3d4e5f60718"}` |
//! | timestamp | `{"$timestamp": {"t": 1763890068, "i": 1}}` |
//! | regular expression | `{"$regularExpression": {"pattern": "^a", "options": "i"}}` |
//! | JavaScript | `{"$code": "x + 1"}`, with scope `{"$code": "x + 1", "$scope": {"x": 1}}` |
//! | MinKey, MaxKey | `{"$minKey": 1}`, `{"$maxKey": 1}` |
//! | symbol, undefined | `{"$symbol": "a"}`, `{"$undefined": true}` |
//! | DBPointer | `{"$dbPointer": {"$ref": "db.users", "$id": {"$oid": "6922d394a1b2c3d4e5f60718"}}}` |
//!
//! On input, `{"$date": 1795425300250}` and `{"$date": {"$numberLong": "1795425300250"}}` are
//! milliseconds since 1970, `$numberLong`, `$numberInt` and `$numberDouble` are numbers,
//! `{"$binary": "AQI=", "$type": "00"}` is binary, and
//! `{"$uuid": "01a207af-ef1a-7c1c-8707-070707070707"}` is binary of subtype 4. So the canonical and the
//! relaxed form of MongoDB are both read. Such an object with a wrong payload, or with other fields, is
//! an error.
//!
//! Integers keep 64 bits, and one that does not fit is an error, never silently a float. Floats
//! are written so that they come back as the same floats: `1.0`. `-0` is a float, since integers
//! have no negative zero. A name that appears twice in one
//! object is an error. All limits apply while reading, and errors have line and column.
//!
//! Parsing uses serde_json; its recursion and its allocations are bounded. A text that it refuses is read a
//! second time, to say in words for those who wrote it what is wrong.

mod diagnosis;
mod mistake;

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::de::collect_fields;
use crate::encoder::{Container, Encoder, append};
use crate::format::Names;
use crate::{Error, Object, RawObject, RawValue, Result, Value, extended};

pub use mistake::JsonMistake;

impl Value {
    /// Reads JSON text. Any names are accepted, so that it can be an update or a filter; those of
    /// documents are checked when they are encoded.
    ///
    /// ```
    /// use velocitydb_core::{Value, value};
    ///
    /// let value = Value::from_json(r#"{"$set": {"seen": {"$date": "2026-11-23T09:15:00Z"}}}"#)?;
    /// let time = "2026-11-23T09:15:00Z".parse::<velocitydb_core::Time>()?;
    /// assert_eq!(value, value!({ "$set": { "seen": time } }));
    /// assert_eq!(value!([1.0, null, "é"]).to_json(), r#"[1.0,null,"é"]"#);
    /// # Ok::<(), velocitydb_core::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        let mut encoded = Vec::with_capacity(text.len());
        encode_json_into(text, Names::Operators, &mut encoded)?;
        RawValue::new(&encoded)?.to_value()
    }

    /// The value as JSON text in one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every owned value has a text")
    }

    /// The value as JSON text with line breaks and indentation.
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("every owned value has a text")
    }
}

impl Object {
    /// Reads JSON text that is an object. Any names are accepted, as by [`Value::from_json`].
    pub fn from_json(text: &str) -> Result<Self> {
        Value::from_json(text)?.try_into()
    }

    /// The object as JSON text in one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every owned object has a text")
    }

    /// The object as JSON text with line breaks and indentation.
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("every owned object has a text")
    }
}

impl RawValue<'_> {
    /// The value as JSON text in one line.
    pub fn to_json(self) -> Result<String> {
        write_text(&self)
    }
}

impl RawObject<'_> {
    /// The object as JSON text in one line.
    pub fn to_json(self) -> Result<String> {
        write_text(&self)
    }
}

fn write_text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::Serde { path: String::new(), message: error.to_string() })
}

impl fmt::Display for Value {
    /// As JSON text; `{:#}` breaks lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if f.alternate() { self.to_json_pretty() } else { self.to_json() })
    }
}

impl fmt::Display for Object {
    /// As JSON text; `{:#}` breaks lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if f.alternate() { self.to_json_pretty() } else { self.to_json() })
    }
}

impl TryFrom<serde_json::Value> for Value {
    type Error = Error;

    /// Converts extended JSON to the values that it represents.
    fn try_from(value: serde_json::Value) -> Result<Self> {
        serde_json::from_value(value)
            .map_err(|error| Error::Serde { path: String::new(), message: error.to_string() })
    }
}

impl From<&Value> for serde_json::Value {
    /// Writes types that JSON lacks as extended JSON.
    fn from(value: &Value) -> Self {
        serde_json::to_value(value).expect("every owned value has a text")
    }
}

/// Appends the encoding of a JSON text to a buffer, which is left as it was on an error.
pub(crate) fn encode_json_into(text: &str, names: Names, buffer: &mut Vec<u8>) -> Result<()> {
    append(buffer, names, |encoder| {
        let mut target = Target { encoder, refusal: None };
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = Json(&mut target).deserialize(&mut parser).and_then(|()| parser.end());
        match parsed {
            Ok(()) => refuse_large_integers(text),
            Err(error) => Err(refused(text, &error, target.refusal)),
        }
    })
}

/// The encoder that a JSON text is written to.
struct Target<'e, 'b> {
    encoder: &'e mut Encoder<'b>,
    /// Why reading was stopped, if not because of the syntax.
    refusal: Option<Error>,
}

impl Target<'_, '_> {
    /// Remembers an error, since the parser's own type can only carry its text.
    fn check<T, E: de::Error>(&mut self, result: Result<T>) -> Result<T, E> {
        result.map_err(|error| E::custom(self.refusal.insert(error)))
    }
}

fn refused(text: &str, error: &serde_json::Error, refusal: Option<Error>) -> Error {
    let (line, column) = (error.line(), error.column());
    if let Some(source) = refusal {
        return Error::RefusedJson { line, column, source: Box::new(source) };
    }
    if !error.is_data()
        && let Some(explained) = diagnosis::diagnose(text)
    {
        return explained;
    }
    let message = error.to_string();
    let problem = message.rfind(" at line ").map_or(&*message, |end| &message[..end]).to_owned();
    if error.is_data() {
        let source = Box::new(Error::Serde { path: String::new(), message: problem });
        return Error::RefusedJson { line, column, source };
    }
    Error::InvalidJson { line, column, problem, mistake: JsonMistake::Other }
}

/// One JSON value that is being encoded.
struct Json<'t, 'e, 'b>(&'t mut Target<'e, 'b>);

impl<'de> DeserializeSeed<'de> for Json<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        let written = self.0.encoder.null();
        self.0.check(written)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        let written = self.0.encoder.bool(value);
        self.0.check(written)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        let written = self.0.encoder.int(value);
        self.0.check(written)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        let written = self.0.encoder.uint(value);
        self.0.check(written)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let written = self.0.encoder.float(value);
        self.0.check(written)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        let written = self.0.encoder.string(value);
        self.0.check(written)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let begun = self.0.encoder.begin(Container::Array);
        self.0.check(begun)?;
        while items.next_element_seed(Item(self.0))?.is_some() {}
        let ended = self.0.encoder.end();
        self.0.check(ended)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let begun = self.0.encoder.begin(Container::Object);
        self.0.check(begun)?;
        let mut position = 0;
        while let Some(name) = fields.next_key_seed(FieldName { target: self.0, position })? {
            match name {
                Name::Plain => fields.next_value_seed(Json(self.0))?,
                Name::Extended(name) => return self.0.extended(name, fields),
            }
            position += 1;
        }
        let ended = self.0.encoder.end();
        self.0.check(ended)
    }
}

impl Target<'_, '_> {
    /// Reads an object whose first name is, or may be, one of extended JSON.
    fn extended<'de, A: MapAccess<'de>>(
        &mut self,
        name: String,
        mut fields: A,
    ) -> Result<(), A::Error> {
        let payload: Value = fields.next_value()?;
        let first = Object::from([(name, payload)]);
        let value = collect_fields(first, fields)?;
        self.encoder.abandon();
        let written = self.encoder.value(&value);
        self.check(written)
    }
}

/// An element of an array that is being encoded.
struct Item<'t, 'e, 'b>(&'t mut Target<'e, 'b>);

impl<'de> DeserializeSeed<'de> for Item<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let begun = self.0.encoder.element();
        self.0.check(begun)?;
        Json(self.0).deserialize(deserializer)
    }
}

/// The kind of a field name that is being encoded.
enum Name {
    /// It was written.
    Plain,
    /// It can begin extended JSON, and was not written.
    Extended(String),
}

/// A field name that is being encoded.
struct FieldName<'t, 'e, 'b> {
    target: &'t mut Target<'e, 'b>,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for FieldName<'_, '_, '_> {
    type Value = Name;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FieldName<'_, '_, '_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match extended::known(name) {
            Some(_) if self.position == 0 => return Ok(Name::Extended(name.to_owned())),
            Some(key) => {
                let expected = "an object of its own, and no other fields beside it";
                return self.target.check(Err(Error::ExtendedJson {
                    key: key.into(),
                    expected: expected.into(),
                }));
            }
            None => {}
        }
        let written = self.target.encoder.key(name);
        self.target.check(written)?;
        Ok(Name::Plain)
    }
}

/// Refuses integers that do not fit 64 bits, which the parser has read as floats. The text is
/// valid JSON.
fn refuse_large_integers(text: &str) -> Result<()> {
    /// The number of digits of the shortest integer that does not fit, -9223372036854775809.
    const DIGITS_MIN: usize = 19;
    // A run of so many digits has one at a multiple of `DIGITS_MIN` bytes: of most texts only
    // these bytes have to be read.
    let bytes = text.as_bytes();
    let suspect = bytes.iter().skip(DIGITS_MIN - 1).step_by(DIGITS_MIN).any(u8::is_ascii_digit);
    if !suspect {
        return Ok(());
    }
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += match rest[0] {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => {
                let length = number_length(rest);
                ensure_fits(text, at, length)?;
                length
            }
            _ => 1,
        };
    }
    Ok(())
}

/// The length of a JSON string, quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn number_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).count()
}

fn ensure_fits(text: &str, at: usize, length: usize) -> Result<()> {
    let literal = &text[at..at + length];
    let integer = !literal.contains(['.', 'e', 'E']);
    if !integer || literal.parse().ok().and_then(Value::integer).is_some() {
        return Ok(());
    }
    let (line, column) = diagnosis::place(text, at);
    let source = Box::new(Error::IntegerRange { literal: literal.to_owned() });
    Err(Error::RefusedJson { line, column, source })
}
