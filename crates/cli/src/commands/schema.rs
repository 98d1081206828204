//! `schema`: set, show, remove and check the schemas of collections.

use velocitydb::schema::Schema;
use velocitydb::{
    Cancellation, Database, Document, Documents, Existing, SchemaInfo, Violations, object,
};

use super::folder::existing;
use super::rows::Rows;
use crate::args::{self, Format, SchemaCommand, Source};
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::{Output, note};

/// Sets, shows, removes or checks a schema.
pub fn run(args: &args::Schema, output: &mut Output) -> Result {
    match &args.command {
        SchemaCommand::Set { collection, source, keep_existing, timeout } => {
            let schema = read(source)?;
            let existing = if *keep_existing { Existing::Keep } else { Existing::Check };
            let db = args.folder.open_or_create()?;
            let documents = db.documents(collection);
            let version = documents.set_schema_until(&schema, existing, &timeout.cancellation())?;
            output.object(&object! { "collection": collection.as_str(), "schema": version })
        }
        SchemaCommand::Show { collection } => {
            let SchemaInfo { version, schema } = current(&args.folder.open_to_read()?, collection)?;
            if output.format() == Format::Table {
                output.line(format_args!("schema version {version} of {collection}"))?;
            }
            output.object(schema.to_object())
        }
        SchemaCommand::Remove { collection } => {
            let db = args.folder.open_existing()?;
            current(&db, collection)?;
            db.documents(collection).remove_schema()?;
            output.object(&object! { "removed": collection.as_str() })
        }
        SchemaCommand::Check { collection, text, file, timeout } => {
            let given = match (text, file) {
                (None, None) => None,
                (text, file) => Some(read(&Source { text: text.clone(), file: file.clone() })?),
            };
            let db = args.folder.open_to_read()?;
            let schema = match given {
                Some(schema) => schema,
                None => current(&db, collection)?.schema,
            };
            check(&existing(&db, collection)?, &schema, &timeout.cancellation(), output)
        }
    }
}

fn read(source: &Source) -> Result<Schema> {
    input::named("SCHEMA", Schema::from_json(&source.read()?))
}

fn current(db: &Database, collection: &str) -> Result<SchemaInfo> {
    existing(db, collection)?
        .schema()?
        .ok_or_else(|| Failure::NoSchema { collection: collection.to_owned() })
}

/// Prints every violation, with its document.
fn check(
    documents: &Documents,
    schema: &Schema,
    cancellation: &Cancellation,
    output: &mut Output,
) -> Result {
    let mut rows = Rows::new(output);
    let (mut count, mut result) = (0, Ok(()));
    'documents: for document in documents.iter()? {
        let violations = document.and_then(|document| {
            cancellation.check()?;
            let violations = violations(schema, &document)?;
            Ok(violations.map(|violations| (document, violations)))
        });
        match violations {
            Ok(None) => {}
            Ok(Some((document, violations))) => {
                count += 1;
                for violation in violations.as_slice() {
                    let mut row = violation.to_object();
                    row.prepend([("_id", document.id())]);
                    if rows.push(row).is_break() {
                        break 'documents;
                    }
                }
            }
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    rows.finish(result)?;
    match count {
        0 => {
            let collection = documents.name()?.as_str();
            Ok(note(format_args!("no document of collection {collection:?} violates the schema"))?)
        }
        count => Err(Failure::Violated { count }),
    }
}

/// The violations of a document, after its defaults are filled in.
fn violations(schema: &Schema, document: &Document) -> velocitydb::Result<Option<Violations>> {
    let fields = document.raw()?;
    let completed = schema.apply_defaults(fields)?;
    schema.validate(completed.as_ref().map_or(fields, |fields| fields.view()))
}
