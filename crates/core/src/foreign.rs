//! Values of types that other databases have and nothing here computes with: they are kept and given
//! back as they are, and compared by type and bytes. Owns their payloads.

use std::fmt;

use crate::container::ensure;
use crate::error::shortened;
use crate::format::Names;
use crate::{Encoded, Error, Object, ObjectId, RawObject, Result};

/// The type of a [`Foreign`] value. The order is that of the values of these types; values of other
/// types are between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ForeignKind {
    /// Below all other values.
    MinKey,
    /// What JavaScript calls undefined.
    Undefined,
    /// A text of its own type.
    Symbol,
    /// A position in the log of a replica set.
    Timestamp,
    /// A regular expression.
    Regex,
    /// A reference to a document of another collection.
    DbPointer,
    /// JavaScript.
    JavaScript,
    /// JavaScript, and an object with values for its variables.
    JavaScriptWithScope,
    /// Above all other values.
    MaxKey,
}

impl ForeignKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::MinKey,
        Self::Undefined,
        Self::Symbol,
        Self::Timestamp,
        Self::Regex,
        Self::DbPointer,
        Self::JavaScript,
        Self::JavaScriptWithScope,
        Self::MaxKey,
    ];

    /// The name used in messages, which is MongoDB's name of the type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinKey => "minKey",
            Self::Undefined => "undefined",
            Self::Symbol => "symbol",
            Self::Timestamp => "timestamp",
            Self::Regex => "regex",
            Self::DbPointer => "dbPointer",
            Self::JavaScript => "javascript",
            Self::JavaScriptWithScope => "javascriptWithScope",
            Self::MaxKey => "maxKey",
        }
    }

    /// The number of the type in an encoded value.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// A value of a type that other databases have and nothing here computes with.
///
/// It is its type and a payload, by which it is compared:
///
/// ```text
/// type                       payload
/// 0, 1, 8  MinKey,           none
///          undefined, MaxKey
/// 2  symbol                  UTF-8
/// 3  timestamp               8 bytes, big-endian: seconds since 1970 (4), counter (4)
/// 4  regular expression      pattern, 00, options, all UTF-8
/// 5  DBPointer               name of a collection, UTF-8, 00, ObjectId (12)
/// 6  JavaScript              UTF-8
/// 7  JavaScript with scope   length of the code (4, big-endian), code, encoded object
/// ```
///
/// ```
/// use velocitydb_core::{Foreign, Value};
///
/// let value = Value::from_json(r#"{"$timestamp": {"t": 7, "i": 1}}"#)?;
/// assert_eq!(value, Value::from(Foreign::timestamp(7, 1)));
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign {
    kind: ForeignKind,
    payload: Box<[u8]>,
}

impl Foreign {
    fn with(kind: ForeignKind, payload: impl Into<Box<[u8]>>) -> Self {
        Self { kind, payload: payload.into() }
    }

    /// MinKey.
    pub fn min_key() -> Self {
        Self::with(ForeignKind::MinKey, [])
    }

    /// MaxKey.
    pub fn max_key() -> Self {
        Self::with(ForeignKind::MaxKey, [])
    }

    /// Undefined.
    pub fn undefined() -> Self {
        Self::with(ForeignKind::Undefined, [])
    }

    /// A symbol.
    pub fn symbol(text: &str) -> Self {
        Self::with(ForeignKind::Symbol, text.as_bytes())
    }

    /// A timestamp: seconds since 1970, and a counter within the second.
    pub fn timestamp(seconds: u32, counter: u32) -> Self {
        Self::with(ForeignKind::Timestamp, [seconds.to_be_bytes(), counter.to_be_bytes()].concat())
    }

    /// A regular expression; [`Error::InvalidText`] if it contains a NUL.
    pub fn regex(pattern: &str, options: &str) -> Result<Self> {
        without_nul("pattern of a regular expression", pattern)?;
        without_nul("options of a regular expression", options)?;
        Ok(Self::with(ForeignKind::Regex, [pattern, options].join("\0").into_bytes()))
    }

    /// A reference to a document; [`Error::InvalidText`] if the name contains a NUL.
    pub fn db_pointer(collection: &str, id: ObjectId) -> Result<Self> {
        without_nul("name of a collection", collection)?;
        let payload = [collection.as_bytes(), &[0], id.as_bytes()].concat();
        Ok(Self::with(ForeignKind::DbPointer, payload))
    }

    /// JavaScript.
    pub fn javascript(code: &str) -> Self {
        Self::with(ForeignKind::JavaScript, code.as_bytes())
    }

    /// JavaScript with values for its variables, or which limit of a document these exceed.
    pub fn javascript_with_scope(code: &str, scope: &Object) -> Result<Self> {
        let scope = Encoded::from_object(scope)?;
        let length = u32::try_from(code.len()).map_err(|_| Error::LimitExceeded {
            what: "size of JavaScript in bytes".into(),
            path: String::new(),
            found: code.len(),
            max: u32::MAX as usize,
        })?;
        let payload = [&length.to_be_bytes(), code.as_bytes(), scope.as_bytes()].concat();
        Ok(Self::with(ForeignKind::JavaScriptWithScope, payload))
    }

    /// The type.
    pub const fn kind(&self) -> ForeignKind {
        self.kind
    }

    /// A borrowed view.
    pub const fn as_raw(&self) -> RawForeign<'_> {
        RawForeign { kind: self.kind, payload: &self.payload }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw().content().map_err(|_| fmt::Error)?.fmt(f)
    }
}

fn without_nul(what: &'static str, text: &str) -> Result<()> {
    match text.contains('\0') {
        false => Ok(()),
        true => Err(Error::InvalidText {
            what: what.into(),
            text: shortened(text),
            problem: "it contains a NUL".into(),
        }),
    }
}

/// A borrowed [`Foreign`] value, perhaps of untrusted bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawForeign<'a> {
    kind: ForeignKind,
    payload: &'a [u8],
}

/// The content of a [`RawForeign`].
#[derive(Debug, Clone, Copy)]
pub enum ForeignContent<'a> {
    /// MinKey.
    MinKey,
    /// Undefined.
    Undefined,
    /// A symbol.
    Symbol(&'a str),
    /// A timestamp.
    Timestamp {
        /// Seconds since 1970.
        seconds: u32,
        /// The counter within the second.
        counter: u32,
    },
    /// A regular expression.
    Regex {
        /// The pattern.
        pattern: &'a str,
        /// Letters of options.
        options: &'a str,
    },
    /// A reference to a document.
    DbPointer {
        /// The name of its collection.
        collection: &'a str,
        /// Its id.
        id: ObjectId,
    },
    /// JavaScript.
    JavaScript(&'a str),
    /// JavaScript with values for its variables.
    JavaScriptWithScope {
        /// The code.
        code: &'a str,
        /// The values.
        scope: RawObject<'a>,
    },
    /// MaxKey.
    MaxKey,
}

impl<'a> RawForeign<'a> {
    pub(crate) const fn new(kind: ForeignKind, payload: &'a [u8]) -> Self {
        Self { kind, payload }
    }

    /// The type.
    pub const fn kind(self) -> ForeignKind {
        self.kind
    }

    pub(crate) const fn payload(self) -> &'a [u8] {
        self.payload
    }

    /// The content. Bytes that cannot be read are [`Error::Corrupt`].
    pub fn content(self) -> Result<ForeignContent<'a>> {
        let payload = self.payload;
        let nothing = || ensure(payload.is_empty(), "a value without payload has one");
        Ok(match self.kind {
            ForeignKind::MinKey => nothing().map(|()| ForeignContent::MinKey)?,
            ForeignKind::MaxKey => nothing().map(|()| ForeignContent::MaxKey)?,
            ForeignKind::Undefined => nothing().map(|()| ForeignContent::Undefined)?,
            ForeignKind::Symbol => ForeignContent::Symbol(text(payload)?),
            ForeignKind::JavaScript => ForeignContent::JavaScript(text(payload)?),
            ForeignKind::Timestamp => {
                let number: [u8; 8] =
                    payload.try_into().map_err(|_| Error::corrupt("a timestamp is not 8 bytes"))?;
                let number = u64::from_be_bytes(number);
                ForeignContent::Timestamp { seconds: (number >> 32) as u32, counter: number as u32 }
            }
            ForeignKind::Regex => match text(payload)?.split_once('\0') {
                Some((pattern, options)) if !options.contains('\0') => {
                    ForeignContent::Regex { pattern, options }
                }
                _ => return Err(Error::corrupt("a regular expression is not of two texts")),
            },
            ForeignKind::DbPointer => self.db_pointer()?,
            ForeignKind::JavaScriptWithScope => self.javascript_with_scope()?,
        })
    }

    fn db_pointer(self) -> Result<ForeignContent<'a>> {
        let Some(([name @ .., 0], id)) = self.payload.split_last_chunk::<12>() else {
            return Err(Error::corrupt("a reference to a document is cut off"));
        };
        ensure(!name.contains(&0), "a name of a collection contains a NUL")?;
        Ok(ForeignContent::DbPointer { collection: text(name)?, id: ObjectId::from(*id) })
    }

    fn javascript_with_scope(self) -> Result<ForeignContent<'a>> {
        let parts = self.payload.split_first_chunk().and_then(|(length, rest)| {
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
        });
        let Some((code, scope)) = parts else {
            return Err(Error::corrupt("JavaScript with scope is cut off"));
        };
        Ok(ForeignContent::JavaScriptWithScope { code: text(code)?, scope: RawObject::new(scope)? })
    }

    /// Checks the content and everything in it. `depth` is the number of arrays and objects around it.
    pub(crate) fn check(self, depth: usize) -> Result<()> {
        match self.content()? {
            ForeignContent::JavaScriptWithScope { scope, .. } => {
                scope.as_value().check(Names::Document, depth + 1)
            }
            _ => Ok(()),
        }
    }

    /// A copy. The payload is that of a value, if it was checked.
    pub(crate) fn to_foreign(self) -> Foreign {
        Foreign::with(self.kind, self.payload)
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::corrupt("a text is not UTF-8"))
}
