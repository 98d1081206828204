//! The document model of VelocityDB: values and their order, their encodings, paths, updates and
//! names. No IO, no clock, no randomness: results depend on arguments alone.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod consistency;
mod error;
mod error_class;
pub mod id;
pub mod limits;

mod macros;
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
mod index;
mod least;
pub mod projection;
mod release;
pub mod sort;
pub mod update;
pub mod wire;

pub use codec::Encoded;
pub use command::{
    Action, BegunLease, Body, Check, CollectionOptions, Command, Condition, Expiry, Lease,
    LeaseChange, Maintain, MaintainScope, Modify, Operation, Outcome, QueryCheck, Recall, Refusal,
    Request, RequestId, SchemaChange, Skip, Write,
};
pub use consistency::Consistency;
pub use document::{
    DocumentView, Header, check_own_fields, decode_varint, encode_varint, validate_document,
};
pub use error::{Error, Result};
pub use error_class::ErrorClass;
pub use fanout::{Fanout, Leaf};
pub use filter::{Filter, field};
pub use id::{CollectionName, DocumentId, IdGenerator, IndexName};
pub use index::IndexSpec;
pub use object::Object;
pub use path::Path;
pub use projection::Projection;
pub use raw::{RawArray, RawObject, RawValue};
pub use release::Release;
pub use sort::{Sort, SortKey};
pub use time::Time;
pub use update::Update;
pub use value::{Bytes, Kind, Value};
pub use violation::{More, Violation, Violations};
