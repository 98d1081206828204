//! `index`: create, list and drop secondary indexes.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use velocitydb::{Database, IndexBuild, IndexSpec, IndexStats, Object, object};

use super::folder::existing;
use crate::args::{self, CreateIndex, IndexCommand};
use crate::failure::Result;
use crate::input;
use crate::output::Output;
use crate::streams::{self, Status};

/// The printed fields of an index, in order.
const COLUMNS: [&str; 7] = ["name", "keys", "unique", "sparse", "partial", "state", "entries"];

/// How often the progress of the build is printed.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Creates, lists or drops indexes.
pub fn run(args: &args::Index, output: &mut Output) -> Result {
    match &args.command {
        IndexCommand::Create(create) => {
            let spec = spec(create)?;
            let name = spec.name();
            let db = args.folder.open_or_create()?;
            build(&db, create, spec)?;
            output.object(&object! { "created": name })
        }
        IndexCommand::List { collection } => {
            let db = args.folder.open_to_read()?;
            let indexes = existing(&db, collection)?.indexes()?;
            output.rows(&COLUMNS, &indexes.iter().map(index).collect::<Vec<_>>())
        }
        IndexCommand::Drop { collection, name } => {
            let db = args.folder.open_existing()?;
            existing(&db, collection)?.drop_index(name)?;
            output.object(&object! { "dropped": name.as_str() })
        }
    }
}

fn spec(create: &CreateIndex) -> Result<IndexSpec> {
    let mut spec = IndexSpec::new(input::named("KEYS", input::sort(&create.keys))?);
    if create.unique {
        spec = spec.unique();
    }
    if create.sparse {
        spec = spec.sparse();
    }
    if let Some(text) = &create.partial {
        spec = spec.partial(input::named("--partial", velocitydb::Filter::from_json(text))?);
    }
    if let Some(name) = &create.name {
        spec = spec.named(name);
    }
    input::named("--name", spec.check())?;
    Ok(spec)
}

/// Builds an index, and prints the progress on a terminal.
fn build(db: &Database, create: &CreateIndex, spec: IndexSpec) -> Result {
    let (collection, cancellation) = (&create.collection, create.timeout.cancellation());
    if !streams::stderr_is_terminal() {
        return Ok(db.documents(collection).create_index_until(spec, &cancellation)?);
    }
    let name = spec.name();
    let (done, waits) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let waits = waits;
            while waits.recv_timeout(PROGRESS_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                show_progress(db, collection, &name);
            }
            Status.clear();
        });
        let created = db.documents(collection).create_index_until(spec, &cancellation);
        drop(done);
        Ok(created?)
    })
}

fn show_progress(db: &Database, collection: &str, name: &str) {
    // The thread that builds reports errors of the collection.
    let indexes = db.documents(collection).indexes().unwrap_or_default();
    let state = indexes.into_iter().find(|index| index.name.as_str() == name);
    if let Some(IndexBuild::Building { done, of }) = state.map(|index| index.state) {
        Status.show(format_args!("index {name}: {done} of {of} documents"));
    }
}

fn index(stats: &IndexStats) -> Object {
    let state = match &stats.state {
        IndexBuild::Ready => "ready".to_owned(),
        IndexBuild::Building { done, of } => format!("building, {done} of {of} documents"),
        IndexBuild::Failed { reason } => format!("failed: {reason}"),
    };
    object! {
        "name": stats.name.as_str(),
        "keys": stats.spec.keys().to_value(),
        "unique": stats.spec.is_unique(),
        "sparse": stats.spec.is_sparse(),
        "partial": stats.spec.partial_filter().map(velocitydb::Filter::to_object),
        "state": state,
        "entries": stats.entries
    }
}
