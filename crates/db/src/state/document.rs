//! [`Document`]: a document as callers get it, still encoded and shared with the engine.

use std::fmt;

use serde::de::DeserializeOwned;
use velocitydb_core::document::{ID, METADATA};
use velocitydb_core::{
    CollectionName, DocumentId, DocumentView, Encoded, Header, Object, Projection, RawObject,
    RawValue, Time, validate_document,
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
        Ok(DocumentView { id: self.id.by_ref(), header: self.header, fields: self.raw()? })
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

    /// The document as one object: `_id`, and its own fields.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn to_object(&self) -> Result<Object> {
        let mut object = Object::from([(ID, self.id.to_value())]);
        object.extend(self.fields()?);
        Ok(object)
    }

    /// The document as one object: `_id`, `_meta` with its [metadata](Self::metadata), and its own
    /// fields.
    ///
    /// # Errors
    ///
    /// When the stored bytes are corrupt.
    pub fn to_object_with_meta(&self) -> Result<Object> {
        let mut object = Object::from([(ID, self.id.to_value())]);
        object.insert(METADATA, self.metadata());
        object.extend(self.fields()?);
        Ok(object)
    }

    /// The projected part of the document.
    ///
    /// # Errors
    ///
    /// When the projection is invalid, or the stored bytes are corrupt.
    pub fn project(&self, projection: &Projection) -> Result<Object> {
        Ok(projection.apply(&self.view()?)?)
    }

    /// What the database knows about the document, as queries see it under `_meta`: `version`,
    /// `created` and `modified`, `expires` if it expires, and `lease`, the end of the lease, if there
    /// is one.
    pub fn metadata(&self) -> Object {
        self.header.to_object()
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
