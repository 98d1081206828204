//! The document model of VelocityDB: values and their order, their encodings, paths, updates and
//! names. No IO, no clock, no randomness: results depend on arguments alone.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod consistency;
pub mod document_id;
mod error;
mod error_class;
pub mod id;
pub mod limits;

mod binary;
mod decimal;
mod foreign;
mod magnitude;
mod natural;
mod object_id;
mod uuid;
pub mod uuid_binary;

mod macros;
mod new_ids;
mod node;
pub mod object;
pub mod path;
pub mod time;
pub mod value;
mod violation;
mod vocabulary;

pub mod codec;
mod container;
mod convert;
pub mod de;
mod encoder;
mod extended;
mod field_order;
mod format;
pub mod json;
pub mod key;
pub mod order;
pub mod raw;
pub mod ser;
mod serializer;
mod simplest;

pub mod aggregate;
pub mod command;
pub mod document;
mod fanout;
pub mod filter;
mod histogram;
mod index;
mod least;
pub mod projection;
mod release;
pub mod sort;
pub mod update;
pub mod wire;

pub use binary::{Binary, BinaryRef};
pub use codec::Encoded;
pub use command::{
    Action, BegunLease, Body, Check, CollectionOptions, Command, Condition, Expiry, Lease,
    LeaseChange, Maintain, MaintainScope, Modify, Operation, Outcome, QueryCheck, Recall, Refusal,
    Request, RequestId, SchemaChange, Skip, Write,
};
pub use consistency::Consistency;
pub use decimal::{Decimal, Rounding};
pub use document::{
    DocumentView, Header, Origin, check_own_fields, decode_varint, encode_varint, validate_document,
};
pub use document_id::{DocumentId, IdRef, IntoDocumentId};
pub use error::{Error, Result};
pub use error_class::ErrorClass;
pub use fanout::{Fanout, Leaf};
pub use filter::{Filter, field};
pub use foreign::{Foreign, ForeignContent, ForeignKind, RawForeign};
pub use histogram::Histogram;
pub use id::{CollectionName, IdGenerator, IndexName};
pub use index::IndexSpec;
pub use json::JsonMistake;
pub use new_ids::NewIds;
pub use object::Object;
pub use object_id::ObjectId;
pub use path::Path;
pub use projection::Projection;
pub use raw::{RawArray, RawObject, RawValue};
pub use release::Release;
pub use sort::{Sort, SortKey};
pub use time::Time;
pub use update::Update;
pub use uuid::Uuid;
pub use value::{Bytes, Kind, Value};
pub use violation::{More, Violation, Violations};
