//! [`Document`]: a document as callers get it, still encoded and shared with the engine.

use std::fmt;

use serde::de::DeserializeOwned;
use velocitydb_core::{
    CollectionName, DocumentId, DocumentView, Encoded, Header, Object, RawObject, RawValue, Time,
    object, validate_document,
};
use velocitydb_storage::Blob;

use crate::{Error, Result};

/// A document: its id, version and times, and its fields, which are decoded only on access.
/// Cloning is cheap.
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use velocitydb::object;
///
/// let db = velocitydb::open_in_memory()?;
/// let users = db.documents("users");
/// users.insert("alice", object! { "name": "Alice", "age": 28 })?;
/// let alice = users.get("alice")?.expect("it was inserted");
/// assert_eq!(alice.version(), 1);
/// assert_eq!(alice.field("age")?.expect("it has an age").to_value()?, 28.into());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Document {
    id: DocumentId,
    header: Header,
    /// The stored bytes: the header and then the fields.
    record: Blob,
    fields_start: usize,
}

impl Document {
    #[inline]
    pub(crate) fn new(id: DocumentId, record: Blob) -> Result<Self> {
        let (header, fields_start) = Header::decode(&record)?;
        Ok(Document { id, header, record, fields_start })
    }

    /// A document as it would be stored.
    pub(crate) fn of_parts(id: DocumentId, header: &Header, fields: &Encoded) -> Result<Self> {
        let mut record = Vec::with_capacity(Header::LENGTH_MAX + fields.as_bytes().len());
        header.encode_into(&mut record);
        record.extend_from_slice(fields.as_bytes());
        Self::new(id, Blob::copy_of(&record))
    }

    /// The document as it is stored.
    pub(crate) fn record(&self) -> &[u8] {
        &self.record
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// The view of the document for filters and conditions.
    pub(crate) fn view(&self) -> Result<DocumentView<'_>> {
        Ok(DocumentView { id: &self.id, header: self.header, fields: self.raw()? })
    }

    /// Checks every byte of a stored document.
    pub(crate) fn validate(record: &[u8]) -> Result<Header> {
        Ok(validate_document(record)?)
    }

    /// The id, unique in the collection.
    pub fn id(&self) -> &DocumentId {
        &self.id
    }

    /// 1 for a new document, and 1 more with every write since.
    pub fn version(&self) -> u64 {
        self.header.version
    }

    /// When it was inserted.
    pub fn created(&self) -> Time {
        self.header.created
    }

    /// When it was last written.
    pub fn modified(&self) -> Time {
        self.header.modified
    }

    /// When it expires, if ever.
    pub fn expires(&self) -> Option<Time> {
        self.header.expires
    }

    /// All fields, encoded.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt, as for all that read fields.
    pub fn raw(&self) -> Result<RawObject<'_>> {
        Ok(RawObject::new(&self.record[self.fields_start..])?)
    }

    /// One field, by its name, without decoding the others.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn field(&self, name: &str) -> Result<Option<RawValue<'_>>> {
        Ok(self.raw()?.get(name)?)
    }

    /// All fields, decoded.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn fields(&self) -> Result<Object> {
        Ok(self.raw()?.to_object()?)
    }

    /// The fields as a value of a type of the caller's.
    ///
    /// # Errors
    ///
    /// When they do not fit the type, with the field and what was found.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.raw()?.deserialize()?)
    }

    /// The document as one JSON object, for people and programs: `_id`, `_version`, `_created`,
    /// `_modified`, `_expires` where it has one, and then the fields. A field of one of these names is
    /// hidden here; [`field`](Self::field) and [`fields`](Self::fields) show it.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn to_object(&self) -> Result<Object> {
        let mut object = self.fields()?;
        let meta = object! {
            "_id": self.id.as_str(),
            "_version": self.version(),
            "_created": self.created(),
            "_modified": self.modified(),
        };
        let expires = self.expires().map(|expires| ("_expires".to_owned(), expires.into()));
        object.prepend(meta.into_iter().chain(expires));
        Ok(object)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Document");
        out.field("id", &self.id).field("version", &self.header.version);
        match self.fields() {
            Ok(fields) => out.field("fields", &fields).finish(),
            Err(error) => out.field("error", &error).finish(),
        }
    }
}

/// A document of a typed collection, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed<T> {
    /// The id, unique in the collection.
    pub id: DocumentId,
    /// 1 for a new document, and 1 more with every write since.
    pub version: u64,
    /// When it was inserted.
    pub created: Time,
    /// When it was last written.
    pub modified: Time,
    /// When it expires, if ever.
    pub expires: Option<Time>,
    /// The fields.
    pub value: T,
}

/// A type that documents can be read as: [`Document`], as they are stored, [`Typed`], as a type
/// of the caller's, or another type that is made from a document.
pub trait FromDocument: Sized {
    /// Converts a document of a collection.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the document does not fit.
    fn from_document(document: Document, collection: &CollectionName) -> Result<Self>;
}

impl FromDocument for Document {
    #[inline]
    fn from_document(document: Document, _collection: &CollectionName) -> Result<Self> {
        Ok(document)
    }
}

impl<T: DeserializeOwned> FromDocument for Typed<T> {
    fn from_document(document: Document, collection: &CollectionName) -> Result<Self> {
        let value = document.to().map_err(|error| match error {
            Error::Invalid(reason) => Error::Type {
                collection: collection.clone(),
                id: document.id().clone(),
                reason: reason.to_string(),
            },
            error => error,
        })?;
        let Document { id, header, .. } = document;
        Ok(Typed {
            id,
            version: header.version,
            created: header.created,
            modified: header.modified,
            expires: header.expires,
            value,
        })
    }
}
