//! [`Embedded`]: the database itself, through its public API, in each mode, with and without
//! indexes.

use std::collections::BTreeMap;

use tempfile::TempDir;
use velocitydb::{
    CollectionOptions, Consistency, Database, Documents, IndexSpec, Mode, Object, Options,
    Pipeline, Projection, Result, Sort, Update, Value, object, value,
};

use super::{Evaluator, indexes};
use crate::crash::campaign::mode_name;
use crate::oracle::case::{Answer, Find, Query, id_text};

/// Whether a database has indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// It has none.
    Without,
    /// Random ones, half of them created before the documents, and half afterwards.
    Random,
    /// Random ones, with many more documents in the collection, which every query excludes: in a
    /// small collection, a plan that uses an index is rarely the cheapest.
    AmongMany,
}

/// A database, with a collection at a time.
pub struct Embedded {
    name: String,
    indexes: Indexes,
    db: Database,
    documents: Vec<Object>,
    /// How often each access path was planned.
    accesses: BTreeMap<String, u64>,
    /// How many collections there have been: each has a name of its own.
    collections: u64,
    /// Whether one of the indexes is unique.
    has_unique: bool,
    /// Removed when the database is closed.
    _folder: Option<TempDir>,
}

impl Embedded {
    /// An empty database.
    pub fn open(mode: Mode, indexes: Indexes) -> Result<Self> {
        let with = match indexes {
            Indexes::Without => "without indexes",
            Indexes::Random => "with indexes",
            Indexes::AmongMany => "with indexes, among many",
        };
        let name = format!("{} {with}", mode_name(mode));
        let (db, folder) = match mode {
            Mode::MemoryOnly => (velocitydb::open_in_memory()?, None),
            mode => {
                let folder = TempDir::with_prefix("velocitydb-oracle-")
                    .expect("the system's folder for temporary files can be written");
                (Options::new().mode(mode).open(folder.path())?, Some(folder))
            }
        };
        let (documents, accesses) = (Vec::new(), BTreeMap::new());
        let (collections, has_unique) = (0, false);
        Ok(Self {
            name,
            indexes,
            db,
            documents,
            accesses,
            collections,
            has_unique,
            _folder: folder,
        })
    }

    fn collection(&self) -> String {
        format!("c{}", self.collections)
    }

    pub(super) fn handle(&self) -> Documents {
        self.db.documents(&self.collection()).at(Consistency::Local)
    }

    fn load(&mut self, documents: &[Object], number: u64) -> Result<()> {
        if self.collections > 0 {
            self.db.drop_collection(&self.collection())?;
            // Otherwise dropped collections accumulate faster than they are removed.
            self.db.maintain()?;
        }
        self.collections += 1;
        self.has_unique = false;
        self.db.create_collection(&self.collection(), CollectionOptions::default())?;
        let specs = match self.indexes {
            Indexes::Without => Vec::new(),
            Indexes::Random | Indexes::AmongMany => indexes::random(documents, number),
        };
        let (before, after) = specs.split_at(specs.len() / 2);
        for spec in before {
            self.db.documents(&self.collection()).create_index(spec.clone())?;
        }
        self.handle()
            .insert_many(documents.iter().map(|it| (it["_id"].clone(), without_id(it))))?;
        if self.indexes == Indexes::AmongMany {
            let fillers = (0..FILLERS).map(|number| (format!("f{number:03}"), filler(number)));
            self.handle().insert_many(fillers)?;
        }
        for spec in after {
            self.create_unique_or_plain(spec)?;
        }
        self.documents = documents.to_vec();
        Ok(())
    }

    /// Makes the index unique if no two documents have the same values, and plain if some do.
    fn create_unique_or_plain(&mut self, spec: &IndexSpec) -> Result<()> {
        let collection = self.collection();
        let mut unique = spec.clone().unique();
        if self.indexes == Indexes::AmongMany && spec.partial_filter().is_none() {
            // All filler documents have the same values.
            unique = unique.partial(object! { FILLER: { "$exists": false } });
        }
        if self.db.documents(&collection).create_index(unique).is_ok() {
            self.has_unique = true;
            return Ok(());
        }
        self.db.documents(&collection).create_index(spec.clone())
    }

    /// The filter, extended to exclude the filler documents.
    fn filter(&self, filter: &Object) -> Object {
        match self.indexes {
            Indexes::AmongMany => {
                object! { "$and": [filter.clone(), { FILLER: { "$exists": false } }] }
            }
            Indexes::Without | Indexes::Random => filter.clone(),
        }
    }

    /// Counts the access path that is planned for a query.
    fn note(&mut self, query: &velocitydb::Find) -> Result<()> {
        if self.db.mode() == Mode::MemoryOnly && self.indexes != Indexes::Without {
            let plan = query.clone().explain()?.plan;
            let word = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
            let sorted = if word("sorted_by") == "access" { ", sorted" } else { "" };
            let covered = if plan["covered"] == true.into() { ", covered" } else { "" };
            let access = format!("{}{sorted}{covered}", word("access"));
            *self.accesses.entry(access).or_default() += 1;
        }
        Ok(())
    }

    fn find(&mut self, find: &Find) -> Result<Answer> {
        let mut query = self.handle().find(self.filter(&find.filter));
        if !find.sort.is_empty() {
            query = query.sort(Sort::from_value(&Value::Array(find.sort.clone()))?);
        }
        query = query.offset(find.skip.unwrap_or(0));
        if let Some(limit) = find.limit {
            query = query.limit(limit);
        }
        if let Some(projection) = &find.projection {
            let query = query.project(Projection::from_object(projection)?);
            self.note(&query)?;
            let objects = query.objects()?;
            return Ok(Answer::Documents(objects.into_iter().map(Value::from).collect()));
        }
        self.note(&query)?;
        let found = query.documents()?;
        Ok(Answer::Ids(found.iter().map(|document| id_text(&document.id().to_value())).collect()))
    }

    /// Updates the document, reads it, and restores it.
    fn update(&self, document: &Object, update: &Object) -> Result<Answer> {
        let (documents, id) = (self.handle(), document["_id"].clone());
        documents.update(id.clone(), Update::from_object(update.clone())?)?;
        let objects = documents.find(Object::from([("_id", id.clone())])).objects()?;
        documents.replace(id, without_id(document))?;
        Ok(Answer::Documents(objects.into_iter().map(Value::from).collect()))
    }

    fn aggregate(&self, pipeline: &[Value]) -> Result<Answer> {
        let others = value!({ "$match": self.filter(&Object::new()) });
        let pipeline: Value = match pipeline.split_first() {
            _ if self.indexes != Indexes::AmongMany => pipeline.into(),
            Some((first, rest))
                if first.as_object().is_some_and(|it| it.contains_key("$match")) =>
            {
                let filter = first.as_object().and_then(|it| it["$match"].as_object().cloned());
                let first = value!({ "$match": self.filter(&filter.unwrap_or_default()) });
                std::iter::once(first).chain(rest.iter().cloned()).collect()
            }
            _ => std::iter::once(others).chain(pipeline.iter().cloned()).collect(),
        };
        let pipeline = from_collection(&pipeline, &self.collection());
        let objects = self.handle().aggregate(Pipeline::from_value(&pipeline)?).objects()?;
        Ok(Answer::Documents(objects.into_iter().map(Value::from).collect()))
    }
}

impl Evaluator for Embedded {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn load(&mut self, documents: &[Object], number: u64) -> std::result::Result<(), String> {
        self.load(documents, number).map_err(|error| error.to_string())
    }

    fn notes(&self) -> Vec<(String, u64)> {
        let many = if self.indexes == Indexes::AmongMany { ", among many" } else { "" };
        self.accesses.iter().map(|(access, count)| (format!("{access}{many}"), *count)).collect()
    }

    fn answer(&mut self, query: &Query) -> Option<Answer> {
        let answer = match query {
            Query::Find(find) => self.find(find),
            Query::Count { filter } => {
                self.handle().find(self.filter(filter)).count().map(Answer::Count)
            }
            Query::Distinct { path, filter } => {
                self.handle().find(self.filter(filter)).distinct(path).map(Answer::Values)
            }
            // It would join the filler documents.
            Query::Aggregate { pipeline, .. }
                if self.indexes == Indexes::AmongMany && joins(pipeline) =>
            {
                return None;
            }
            Query::Update { document, update } => {
                match self.update(&self.documents[*document], update) {
                    // It may be a duplicate; evaluators without a unique index give the answer.
                    Err(_) if self.has_unique => return None,
                    answer => answer,
                }
            }
            Query::Aggregate { pipeline, .. } => self.aggregate(pipeline),
        };
        Some(answer.unwrap_or_else(|error| Answer::Refused(error.to_string())))
    }
}

/// How many filler documents there are.
const FILLERS: usize = 400;

/// The field that only they have.
const FILLER: &str = "filler";

fn filler(number: usize) -> Object {
    // Half of them are near documents that lack a field in an index, half near those that have
    // it.
    match number % 2 {
        0 => object! { FILLER: true },
        _ => {
            object! { FILLER: true, "a": "zz", "b": -500, "n": 500, "g": -500, "p": 500, "s": "zz" }
        }
    }
}

fn joins(pipeline: &[Value]) -> bool {
    pipeline.iter().any(|stage| stage.as_object().is_some_and(|it| it.contains_key("$lookup")))
}

/// The fields without the id.
fn without_id(document: &Object) -> Object {
    let mut fields = document.clone();
    fields.remove("_id");
    fields
}

/// The pipeline, with this collection in place of any joined one.
fn from_collection(value: &Value, collection: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|it| from_collection(it, collection)).collect(),
        Value::Object(object) => {
            let field = |(name, value): (&str, &Value)| match (name, value) {
                ("from", Value::String(_)) => (name.to_owned(), collection.into()),
                _ => (name.to_owned(), from_collection(value, collection)),
            };
            object.iter().map(field).collect::<Object>().into()
        }
        value => value.clone(),
    }
}
