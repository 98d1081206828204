//! Writing the encoding: values piece by piece, checking every limit and name.
//! [`codec`](crate::codec) draws the bytes.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::field_order::{FieldOrder, Ranks};
use crate::format::{Names, tag};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::{BinaryRef, Decimal, Error, Object, ObjectId, RawForeign, RawValue, Result};
use crate::{Time, Value};

/// Writes one value, piece by piece, its fields in any order, which is kept.
///
/// The entries of a container are written first, and its header is inserted before them when it
/// ends, since only then its size is known.
pub(crate) struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    /// Where the value starts in `out`.
    base: usize,
    names: Names,
    /// The entries of all open containers.
    entries: SmallVec<[Entry; 16]>,
    open: SmallVec<[Open; 4]>,
}

/// An entry of an open container.
#[derive(Clone, Copy)]
struct Entry {
    /// Where it starts in `out`.
    start: usize,
    /// Where its value starts in `out`, behind the name.
    value: usize,
}

/// An open container.
#[derive(Clone, Copy)]
struct Open {
    container: Container,
    /// Where its body starts in `out`.
    body: usize,
    /// Its first entry in `entries`.
    first: usize,
}

/// The kind of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Array,
    Object,
}

impl<'b> Encoder<'b> {
    pub(crate) fn new(out: &'b mut Vec<u8>, names: Names) -> Self {
        let base = out.len();
        Self { out, base, names, entries: SmallVec::new(), open: SmallVec::new() }
    }

    pub(crate) fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::Int(value) => self.int(*value),
            Value::UInt(value) => self.uint(*value),
            Value::Float(value) => self.float(*value),
            Value::String(value) => self.string(value),
            Value::Bytes(value) => self.bytes(value),
            Value::Time(value) => self.time(*value),
            Value::ObjectId(value) => self.object_id(*value),
            Value::Decimal(value) => self.decimal(*value),
            Value::Binary(value) => self.binary(value.as_raw()),
            Value::Foreign(value) => self.foreign(value.as_raw()),
            Value::Array(values) => {
                self.begin(Container::Array)?;
                for value in values {
                    self.element()?;
                    self.value(value)?;
                }
                self.end()
            }
            Value::Object(object) => self.object(object),
        }
    }

    pub(crate) fn object(&mut self, object: &Object) -> Result<()> {
        self.begin(Container::Object)?;
        for (name, value) in object {
            self.key(name)?;
            self.value(value)?;
        }
        self.end_in_order(object.ranks())
    }

    pub(crate) fn null(&mut self) -> Result<()> {
        self.scalar(tag::NULL, &[])
    }

    pub(crate) fn bool(&mut self, value: bool) -> Result<()> {
        self.scalar(if value { tag::TRUE } else { tag::FALSE }, &[])
    }

    pub(crate) fn int(&mut self, value: i64) -> Result<()> {
        self.scalar(tag::INT, &value.to_le_bytes()[..tag::int_bytes(value)])
    }

    pub(crate) fn uint(&mut self, value: u64) -> Result<()> {
        match i64::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) => self.scalar(tag::UINT, &value.to_le_bytes()),
        }
    }

    pub(crate) fn float(&mut self, value: f64) -> Result<()> {
        let canonical = if value.is_nan() { f64::NAN } else { value };
        self.scalar(tag::FLOAT, &canonical.to_le_bytes())
    }

    pub(crate) fn string(&mut self, value: &str) -> Result<()> {
        self.scalar(tag::STRING, value.as_bytes())
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> Result<()> {
        self.scalar(tag::BYTES, value)
    }

    pub(crate) fn time(&mut self, value: Time) -> Result<()> {
        self.scalar(tag::TIME, &value.as_micros().to_le_bytes())
    }

    pub(crate) fn object_id(&mut self, value: ObjectId) -> Result<()> {
        self.scalar(tag::OBJECT_ID, value.as_bytes())
    }

    pub(crate) fn decimal(&mut self, value: Decimal) -> Result<()> {
        let coefficient = value.coefficient().to_le_bytes();
        let length = 16 - value.coefficient().leading_zeros() as usize / 8;
        let mut payload = SmallVec::<[u8; 18]>::from_slice(&value.head().to_le_bytes());
        payload.extend_from_slice(&coefficient[..length]);
        self.scalar(tag::DECIMAL, &payload)
    }

    pub(crate) fn binary(&mut self, value: BinaryRef<'_>) -> Result<()> {
        if value.subtype == 0 {
            return self.bytes(value.bytes);
        }
        self.ensure_size(2 + value.bytes.len())?;
        self.out.extend_from_slice(&[tag::BINARY, value.subtype]);
        self.out.extend_from_slice(value.bytes);
        Ok(())
    }

    pub(crate) fn foreign(&mut self, value: RawForeign<'_>) -> Result<()> {
        if value.check(self.open.len()).is_err() {
            // It was valid by itself, and is nested too deeply here.
            let max = self.names.depth_max();
            return Err(self.limit("depth of nested arrays and objects", max + 1, max));
        }
        self.ensure_size(2 + value.payload().len())?;
        self.out.extend_from_slice(&[tag::FOREIGN, value.kind().code()]);
        self.out.extend_from_slice(value.payload());
        Ok(())
    }

    /// Writes the integer that `write` writes as a time in microseconds.
    pub(crate) fn time_from_int(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let start = self.out.len();
        write(self)?;
        let micros = RawValue::new(&self.out[start..])?.as_i64()?;
        self.out.truncate(start);
        self.time(Time::from_micros(micros.ok_or(Error::TimeRange)?)?)
    }

    /// The bytes that `write` writes as a value, which is taken back.
    pub(crate) fn bytes_of(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let start = self.out.len();
        write(self)?;
        let bytes = RawValue::new(&self.out[start..])?.as_bytes()?.map(<[u8]>::to_vec);
        self.out.truncate(start);
        bytes.ok_or(Error::corrupt("an encoded value is not bytes"))
    }

    /// Writes a value that is encoded already, in the same form and within the same limits.
    pub(crate) fn encoded(&mut self, value: &[u8]) -> Result<()> {
        self.ensure_size(value.len())?;
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn scalar(&mut self, tag: u8, payload: &[u8]) -> Result<()> {
        self.ensure_size(1 + payload.len())?;
        self.out.push(tag);
        self.out.extend_from_slice(payload);
        Ok(())
    }

    /// Opens a container. Its entries follow, then [`Encoder::end`].
    pub(crate) fn begin(&mut self, container: Container) -> Result<()> {
        let max = self.names.depth_max();
        if self.open.len() >= max {
            return Err(self.limit("depth of nested arrays and objects", max + 1, max));
        }
        self.open.push(Open { container, body: self.out.len(), first: self.entries.len() });
        Ok(())
    }

    /// Undoes opening a container that has no entries yet.
    pub(crate) fn abandon(&mut self) {
        self.open.pop();
    }

    /// Starts an element of an array. Its value follows.
    pub(crate) fn element(&mut self) -> Result<()> {
        let start = self.out.len();
        self.entries.push(Entry { start, value: start });
        self.ensure_size(0)
    }

    /// Starts a field of an object. Its value follows.
    pub(crate) fn key(&mut self, name: &str) -> Result<()> {
        let start = self.out.len();
        let length = name.len();
        let max = self.names.bytes_max();
        if length > max {
            let what = "length of a field name in bytes";
            return Err(self.limit(what, length, max));
        }
        match u8::try_from(length) {
            Ok(short @ ..0x80) => self.out.push(short),
            _ => self.out.extend_from_slice(&(0x8000 | length as u16).to_be_bytes()),
        }
        self.out.extend_from_slice(name.as_bytes());
        self.entries.push(Entry { start, value: self.out.len() });
        if !self.names.allow(name) {
            return Err(Error::ReservedFieldName { path: self.path() });
        }
        self.ensure_size(0)
    }

    /// Closes the innermost container, and inserts its header before its entries.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.end_in_order(&[])
    }

    /// As [`Encoder::end`], for an object whose first fields have been written in a known order: for each
    /// rank in the order of their names, the position; nothing if that is not known. Then they need not be
    /// sorted. What comes from corrupt bytes remains as it is there, unless it is no order at all.
    pub(crate) fn end_in_order(&mut self, known: &[u32]) -> Result<()> {
        let open = *self.open.last().expect("every end has its begin");
        let count = self.entries.len() - open.first;
        match open.container {
            Container::Array => self.insert_header(open, &[])?,
            Container::Object if known.len() == count && is_order(known) && !known.is_sorted() => {
                self.insert_header(open, known)?;
            }
            Container::Object => {
                let ranks = self.rank_fields(open, known)?;
                self.insert_header(open, &ranks)?;
            }
        }
        self.entries.truncate(open.first);
        self.open.pop();
        Ok(())
    }

    /// The order of the names of an object; nothing, if the fields are written in it.
    fn rank_fields(&mut self, open: Open, known: &[u32]) -> Result<Ranks> {
        let (out, fields) = (&*self.out, &self.entries[open.first..]);
        let name = |entry: &Entry| name_of(out, *entry);
        if fields.is_sorted_by(|a, b| name(a) < name(b)) {
            return Ok(Ranks::new());
        }
        let known = if known.len() < fields.len() && is_order(known) { known } else { &[] };
        let mut ranks = Ranks::from_slice(known);
        // A document has fewer bytes than 32 bits can number.
        ranks.extend(known.len() as u32..fields.len() as u32);
        let field = |position: u32| &fields[position as usize];
        ranks.sort_unstable_by(|a, b| name(field(*a)).cmp(name(field(*b))));
        let twice = ranks.windows(2).find(|pair| name(field(pair[0])) == name(field(pair[1])));
        if let Some(twice) = twice {
            let last = self.entries.len() - 1;
            self.entries[last] = *field(twice[1]);
            return Err(Error::DuplicateField { path: self.path() });
        }
        Ok(ranks)
    }

    fn insert_header(&mut self, open: Open, ranks: &[u32]) -> Result<()> {
        let count = self.entries.len() - open.first;
        let body = open.body;
        let body_end = self.out.len();
        let width = tag::width(body_end - body);
        let table = (1 + count) << width;
        let header = 1 + table + FieldOrder::length(ranks.len());
        self.ensure_size(header - count)?;
        self.out.resize(body_end + header, 0);
        self.out.copy_within(body..body_end, body + header);
        let (first, rest) =
            self.out[body..body + header].split_first_mut().expect("a header has at least a tag");
        *first = width
            + match open.container {
                Container::Array => tag::ARRAY,
                Container::Object if ranks.is_empty() => tag::OBJECT,
                Container::Object => tag::REORDERED,
            };
        let (numbers, order) = rest.split_at_mut(table);
        let ends = self.entries[open.first..].iter().skip(1).map(|entry| entry.start);
        let ends = ends.chain((count > 0).then_some(body_end));
        let values = std::iter::once(count).chain(ends.map(|end| end - body));
        write_numbers(numbers, width, values);
        FieldOrder::pack(ranks, order);
        Ok(())
    }

    /// Checks that there is room for `more` bytes, and for the headers of open containers, which
    /// take at least a byte per entry.
    fn ensure_size(&self, more: usize) -> Result<()> {
        let size = self.out.len() - self.base + self.entries.len() + more;
        if size <= DOCUMENT_BYTES_MAX {
            return Ok(());
        }
        let what = "size of a document in bytes";
        Err(Error::LimitExceeded {
            what: what.into(),
            path: String::new(),
            found: size,
            max: DOCUMENT_BYTES_MAX,
        })
    }

    fn limit(&self, what: &'static str, found: usize, max: usize) -> Error {
        Error::LimitExceeded { what: what.into(), path: self.path(), found, max }
    }

    /// The dotted path of the current entry.
    fn path(&self) -> String {
        let ends = self.open.iter().skip(1).map(|open| open.first).chain([self.entries.len()]);
        let segments = self.open.iter().zip(ends).filter_map(|(open, end)| {
            let entry = self.entries[open.first..end].last()?;
            Some(match open.container {
                Container::Array => Cow::Owned((end - open.first - 1).to_string()),
                Container::Object => String::from_utf8_lossy(name_of(self.out, *entry)),
            })
        });
        segments.collect::<Vec<_>>().join(".")
    }
}

/// Whether each position is there once.
fn is_order(ranks: &[u32]) -> bool {
    match ranks.len() {
        count @ 0..64 => {
            let seen = ranks.iter().filter(|at| **at < 64).fold(0_u64, |seen, at| seen | 1 << *at);
            seen == (1 << count) - 1
        }
        count => {
            let mut seen = vec![false; count];
            ranks.iter().for_each(|at| {
                if let Some(seen) = seen.get_mut(*at as usize) {
                    *seen = true;
                }
            });
            !seen.contains(&false)
        }
    }
}

/// The name of a field that has been written.
fn name_of(out: &[u8], entry: Entry) -> &[u8] {
    let prefix = if out[entry.start] < 0x80 { 1 } else { 2 };
    &out[entry.start + prefix..entry.value]
}

/// Fills a table with numbers of `1 << width` bytes.
fn write_numbers(table: &mut [u8], width: u8, numbers: impl Iterator<Item = usize>) {
    for (slot, number) in table.chunks_exact_mut(1 << width).zip(numbers) {
        slot.copy_from_slice(&number.to_le_bytes()[..1 << width]);
    }
}

/// Runs an encoder on the end of a buffer, and undoes what it wrote if it fails.
pub(crate) fn append(
    buffer: &mut Vec<u8>,
    names: Names,
    encode: impl FnOnce(&mut Encoder<'_>) -> Result<()>,
) -> Result<()> {
    let base = buffer.len();
    let result = encode(&mut Encoder::new(buffer, names));
    if result.is_err() {
        buffer.truncate(base);
    }
    result
}
