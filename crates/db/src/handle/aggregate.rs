//! [`Aggregate`]: a pipeline on a collection.
//!
//! As for [`Find`](crate::Find), a plan executes the first stages as far as indexes can help: the filter,
//! and the sort with its limit. The documents then go through the other stages in their stored form,
//! decoded as far as a stage needs it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use velocitydb_core::aggregate::{Context, Leading, Pipeline, Row};
use velocitydb_core::{
    CollectionName, Consistency, DocumentView, Filter, Object, Path, Sort, Time, limits,
};

use crate::handle::explain::Explanation;
use crate::handle::queried::Queried;
use crate::query::{Control, Need, Order, Record, Selection, select};
use crate::{Cancellation, Database, Documents, Error, Result, Snapshot};

/// A pipeline on a collection that is being built; see [`Documents::aggregate`].
#[must_use = "a pipeline does nothing until its results are requested"]
pub struct Aggregate {
    source: Source,
    collection: Result<CollectionName>,
    pipeline: Pipeline,
    now: Time,
    cancellation: Cancellation,
    memory_bytes_max: usize,
}

enum Source {
    Newest(Database, Consistency),
    Snapshot(Snapshot),
}

impl Documents {
    /// Sends the documents of the collection through a pipeline.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{Pipeline, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let orders = db.documents("orders");
    /// orders.insert("1", object! { "city": "Bonn", "total": 10 })?;
    /// orders.insert("2", object! { "city": "Bonn", "total": 5 })?;
    /// let by_city = Pipeline::from_json(r#"[{"$group": {"_id": "$city", "total": {"$sum": "$total"}}}]"#)?;
    /// let totals = orders.aggregate(by_city).objects()?;
    /// assert_eq!(totals, [object! { "_id": "Bonn", "total": 15 }]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn aggregate(&self, pipeline: Pipeline) -> Aggregate {
        let source = Source::Newest(self.db.clone(), self.consistency());
        Aggregate::new(source, self.name().cloned(), pipeline, self.db.now())
    }
}

impl Snapshot {
    /// Sends the documents of a collection in this state through a pipeline. `now` is the value of `$$NOW`.
    /// See [`Documents::aggregate`].
    pub fn aggregate(&self, collection: &str, pipeline: Pipeline, now: Time) -> Aggregate {
        let name = CollectionName::new(collection).map_err(Error::from);
        Aggregate::new(Source::Snapshot(self.clone()), name, pipeline, now)
    }
}

impl Aggregate {
    fn new(
        source: Source,
        collection: Result<CollectionName>,
        pipeline: Pipeline,
        now: Time,
    ) -> Self {
        let memory_bytes_max = limits::QUERY_MEMORY_BYTES_MAX;
        let cancellation = Cancellation::never();
        Aggregate { source, collection, pipeline, now, cancellation, memory_bytes_max }
    }

    /// How long the pipeline may take from now on, before it stops with an error.
    pub fn deadline(mut self, duration: Duration) -> Self {
        self.cancellation = self.cancellation.deadline(duration);
        self
    }

    /// Stops the pipeline with an error when this is cancelled or its deadline has passed. A
    /// [deadline](Self::deadline) of the pipeline is to be set after it.
    pub fn until(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    fn control(&self) -> Control {
        Control::new(Some(self.cancellation.clone()), self.memory_bytes_max)
    }

    /// How many bytes of memory the pipeline may use for sorting, grouping and the like; 100 MiB by
    /// default.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// The results.
    ///
    /// # Errors
    ///
    /// When a name or the pipeline is invalid, the level is too weak, an expression cannot be computed, a
    /// memory or time limit is reached, or storage fails.
    pub fn objects(self) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        self.each(|object| {
            objects.push(object);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(objects)
    }

    /// The results as values of type `R`.
    ///
    /// # Errors
    ///
    /// As for [`objects`](Self::objects), and [`Error::Invalid`] when a result does not fit the type.
    pub fn rows<R: DeserializeOwned>(self) -> Result<Vec<R>> {
        let mut rows = Vec::new();
        self.each(|object| {
            rows.push(object.to()?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Passes every result to `visit`, until the end or until `visit` breaks.
    ///
    /// # Errors
    ///
    /// As for [`objects`](Self::objects), and what `visit` returns.
    pub fn each(self, mut visit: impl FnMut(Object) -> Result<ControlFlow<()>>) -> Result<()> {
        self.pipeline.check()?;
        let name = self.collection.clone()?;
        let queried = self.queried(&name)?;
        let world = SnapshotContext::new(&self, queried.as_ref().map(|queried| &queried.snapshot));
        let result = self.run(&world, queried.as_ref(), &mut |object| {
            visit(object).map_err(|error| world.keep(error))
        });
        world.result(result)
    }

    /// How the documents would be found, and at what cost. The stages after the plan are not executed.
    ///
    /// # Errors
    ///
    /// As for [`objects`](Self::objects).
    pub fn explain(self) -> Result<Explanation> {
        self.pipeline.check()?;
        let Some(queried) = self.queried(&self.collection.clone()?)? else {
            return Ok(Explanation::of_nothing());
        };
        let control = self.control();
        let all = Filter::all();
        let planned = Planned::new(&self.pipeline, &all)?;
        let mut explained = Explanation::new(&queried.target(), &control, &planned.selection())?;
        let stages = self.pipeline.to_value();
        let rest = stages.as_array().into_iter().flatten().skip(planned.stages).cloned();
        explained.plan.insert("stages", rest.collect::<velocitydb_core::Value>());
        Ok(explained)
    }

    fn queried(&self, name: &CollectionName) -> Result<Option<Queried>> {
        match &self.source {
            Source::Newest(db, level) => db.queried(name, *level),
            Source::Snapshot(snapshot) => snapshot.queried(name),
        }
    }

    fn run(
        &self,
        world: &SnapshotContext<'_>,
        queried: Option<&Queried>,
        sink: &mut dyn FnMut(Object) -> velocitydb_core::Result<ControlFlow<()>>,
    ) -> Result<()> {
        let all = Filter::all();
        let planned = Planned::new(&self.pipeline, &all)?;
        let mut run = self.pipeline.start_after(planned.stages, world, sink)?;
        if let Some(queried) = queried {
            let control = self.control();
            select(&queried.target(), &control, &planned.selection(), &mut |hit| {
                Ok(match hit.record {
                    Record::Covered(object) => run.push(object)?,
                    record => run.push(DocumentView::decode(hit.id, record.bytes())?)?,
                })
            })?;
        }
        Ok(run.finish()?)
    }
}

/// The part of a pipeline that a plan executes.
struct Planned<'p> {
    leading: Leading<'p>,
    all: &'p Filter,
    /// How many stages the plan executes.
    stages: usize,
    /// The paths of the documents that the pipeline needs; `None` if that is not known.
    paths: Option<Vec<Path>>,
}

impl<'p> Planned<'p> {
    fn new(pipeline: &'p Pipeline, all: &'p Filter) -> Result<Self> {
        let leading = pipeline.leading();
        let paths = match pipeline.fields() {
            Some(fields) => {
                let paths = fields.iter().map(|field| Path::field(field));
                Some(paths.collect::<velocitydb_core::Result<_>>()?)
            }
            None => None,
        };
        let stages = leading.limit_stages;
        Ok(Planned { leading, all, stages, paths })
    }

    fn selection(&self) -> Selection<'_> {
        let order = self.leading.sort.map_or(Order::Any, Order::By);
        Selection {
            order,
            offset: self.leading.skip,
            limit: self.leading.limit,
            need: if self.paths.is_some() { Need::IndexedFields } else { Need::Documents },
            fields: self.paths.as_deref().unwrap_or_default(),
            ..Selection::new(self.leading.filter.unwrap_or(self.all))
        }
    }
}

/// What a pipeline can read: the other collections of the same state, and the time.
struct SnapshotContext<'a> {
    snapshot: Option<&'a Snapshot>,
    now: Time,
    control: Control,
    memory_bytes_max: usize,
    /// The collections that were looked up.
    foreign: RefCell<BTreeMap<CollectionName, Option<Rc<Queried>>>>,
    /// The error of the database that made the pipeline stop.
    error: RefCell<Option<Error>>,
}

impl<'a> SnapshotContext<'a> {
    fn new(aggregate: &Aggregate, snapshot: Option<&'a Snapshot>) -> Self {
        SnapshotContext {
            snapshot,
            now: aggregate.now,
            control: aggregate.control(),
            memory_bytes_max: aggregate.memory_bytes_max,
            foreign: RefCell::default(),
            error: RefCell::new(None),
        }
    }

    /// Another collection of the same state, remembered after the first use.
    fn foreign(&self, snapshot: &Snapshot, name: &CollectionName) -> Result<Option<Rc<Queried>>> {
        if let Some(found) = self.foreign.borrow().get(name) {
            return Ok(found.clone());
        }
        let found = snapshot.queried(name)?.map(Rc::new);
        self.foreign.borrow_mut().insert(name.clone(), found.clone());
        Ok(found)
    }

    /// Keeps an error of the database, and returns one that stops the pipeline.
    fn keep(&self, error: Error) -> velocitydb_core::Error {
        match error {
            Error::Invalid(error) => error,
            error => {
                *self.error.borrow_mut() = Some(error);
                velocitydb_core::Error::DeadlineExceeded
            }
        }
    }

    fn result(self, result: Result<()>) -> Result<()> {
        match self.error.into_inner() {
            Some(error) if result.is_err() => Err(error),
            _ => result,
        }
    }
}

impl Context for SnapshotContext<'_> {
    fn lookup(
        &self,
        collection: &str,
        filter: &Filter,
        found: &mut dyn FnMut(Row<'_>) -> velocitydb_core::Result<ControlFlow<()>>,
    ) -> velocitydb_core::Result<()> {
        let name = CollectionName::new(collection)?;
        let Some(snapshot) = self.snapshot else { return Ok(()) };
        let mut lookup = || -> Result<()> {
            let Some(queried) = self.foreign(snapshot, &name)? else { return Ok(()) };
            let selection =
                Selection { order: Order::By(const { &Sort::new() }), ..Selection::new(filter) };
            select(&queried.target(), &self.control, &selection, &mut |hit| {
                let document = DocumentView::decode(hit.id, hit.record.bytes())?;
                Ok(found(Row::Document(document))?)
            })?;
            Ok(())
        };
        lookup().map_err(|error| self.keep(error))
    }

    fn now(&self) -> Time {
        self.now
    }

    fn check(&self) -> velocitydb_core::Result<()> {
        self.control.check().map_err(|error| self.keep(error))
    }

    fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }
}
