//! The command line: its arguments, and the texts of `--help`. Nothing is executed here.

mod administration;
mod documents;
mod folder;
mod many;
mod program;
mod query;
mod work;

pub use administration::{
    Bench, Collections, CollectionsCommand, CreateIndex, Doctor, Index, IndexCommand, Schema,
    SchemaCommand,
};
pub use documents::{Cas, Change, Comparison, Count, Delete, Get, Insert, List, Update};
pub use folder::{Csv, Folder, Shown, Source, Target, WriteOptions, mode_name};
pub use many::{DeleteMany, UpdateMany};
pub use program::{Args, Command, Format};
pub use query::{Aggregate, Bounds, Explain, Find, Selection};
pub use work::{Claim, Complete, Release, Renew, Retry, Token};
