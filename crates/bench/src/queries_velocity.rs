//! VelocityDB in the suites `queries` and `claims`: every use of its query language is here.

use std::hint::black_box;
use std::path::Path;

use velocitydb::{
    Consistency, Database, Document, Documents, Filter, IndexSpec, Mode, Object, Options, Pipeline,
    Projection, Sort, Value, object,
};

use crate::Result;
use crate::claims::{self, Claimant, Durability, Executor, Job};
use crate::queries::{self, Index, Line, Order, Question};

const ORDERS: &str = "orders";
const JOBS: &str = "jobs";

/// The memory budget of a database on disk, the same as the others' caches.
const MEMORY_BUDGET: u64 = 1 << 30;

/// An empty store of orders in memory.
pub fn open() -> Result<queries::Opening> {
    let db = velocitydb::open_in_memory()?;
    let documents = db.documents(ORDERS);
    Ok(queries::Opening::Open(Box::new(Shop { db, documents })))
}

struct Shop {
    db: Database,
    documents: Documents,
}

impl queries::Store for Shop {
    fn insert(&mut self, order: &Order) -> Result<()> {
        self.documents.insert(&order.id, &order.object)?;
        Ok(())
    }

    fn insert_many(&mut self, orders: &[Order]) -> Result<()> {
        self.documents.insert_many(orders.iter().map(|order| (&order.id, &order.object)))?;
        Ok(())
    }

    fn build(&mut self, indexes: &[Index]) -> Result<()> {
        for index in indexes {
            let spec = match index {
                Index::Customer => IndexSpec::on("customer"),
                Index::ProductPlaced => {
                    IndexSpec::new(Sort::new().ascending("product").ascending("placed"))
                }
                Index::Placed => IndexSpec::on("placed"),
                Index::UniqueNumber => IndexSpec::on("number").unique(),
            };
            self.db.documents(ORDERS).create_index(spec)?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        Ok(self.db.analyze()?)
    }

    fn ask(&mut self, question: &Question, line: Line<'_>) -> Result<()> {
        let documents = &self.documents;
        let by_time = || Sort::new().ascending("placed");
        match question {
            Question::OfCustomer(customer) => {
                let find = documents.find(object! { "customer": customer.as_str() });
                hand_out(find.documents()?, line);
            }
            Question::Dear(price) => {
                let find = documents.find(object! { "price": { "$gte": *price } });
                hand_out(find.documents()?, line);
            }
            Question::ByProduct => {
                for group in documents.aggregate(Pipeline::from_json(BY_PRODUCT)?).objects()? {
                    let product = text(&group, "_id")?;
                    line(product, number(&group, "count")?);
                    line(product, number(&group, "sum")?);
                }
            }
            Question::PlacedBetween(start, end) => {
                let find = documents.find(object! { "placed": { "$gte": *start, "$lt": *end } });
                hand_out(find.sort(by_time()).limit(10).documents()?, line);
            }
            Question::NewestOfProduct(product) => {
                let find = documents.find(object! { "product": product.as_str() });
                let last_first = Sort::new().descending("placed");
                hand_out(find.sort(last_first).limit(10).documents()?, line);
            }
            Question::CountOfProduct(product) => {
                let find = documents.find(object! { "product": product.as_str() });
                line("", find.count()? as f64);
            }
            Question::TimesOfProduct(product, start) => {
                let find = documents
                    .find(object! { "product": product.as_str(), "placed": { "$gte": *start } });
                let fields = Projection::include(["product", "placed"]).without_id();
                for times in find.sort(by_time()).limit(10).project(fields).objects()? {
                    line(text(&times, "product")?, number(&times, "placed")?);
                }
            }
        }
        Ok(())
    }
}

const BY_PRODUCT: &str = r#"[
    {"$group": {"_id": "$product", "count": {"$sum": 1}, "sum": {"$sum": "$price"}}}
]"#;

fn hand_out(documents: Vec<Document>, line: Line<'_>) {
    for document in documents {
        line(document.id().as_str().unwrap_or_default(), 0.0);
        black_box(document);
    }
}

fn text<'a>(object: &'a Object, field: &str) -> Result<&'a str> {
    match object.get(field) {
        Some(Value::String(text)) => Ok(text),
        other => Err(format!("{field} is {other:?} instead of a text").into()),
    }
}

fn number(object: &Object, field: &str) -> Result<f64> {
    match object.get(field) {
        Some(Value::Int(number)) => Ok(*number as f64),
        Some(Value::Float(number)) => Ok(*number),
        other => Err(format!("{field} is {other:?} instead of a number").into()),
    }
}

/// An empty store of jobs, in memory or in a folder.
pub fn open_jobs(durability: Durability, folder: &Path) -> Result<claims::Opening> {
    let (db, level) = match durability {
        Durability::Memory => (velocitydb::open_in_memory()?, Consistency::Local),
        Durability::Fsync => {
            let options = Options::new().mode(Mode::Persistent).memory_budget(MEMORY_BUDGET);
            (options.open(folder)?, Consistency::Strong)
        }
    };
    let keys = Sort::new().ascending("colony").ascending("executortype").ascending("prioritytime");
    db.documents(JOBS).create_index(IndexSpec::new(keys).partial(waiting()))?;
    let documents = db.documents(JOBS).at(level);
    Ok(claims::Opening::Open(Box::new(Queue { db, documents })))
}

fn waiting() -> Object {
    object! { "state": "waiting" }
}

struct Queue {
    db: Database,
    documents: Documents,
}

impl claims::Store for Queue {
    fn insert(&self, jobs: &[Job]) -> Result<()> {
        self.documents.insert_many(jobs.iter().map(|job| (&job.id, &job.object)))?;
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(self.db.analyze()?)
    }

    fn claimant(&self, executor: Executor) -> Result<Box<dyn Claimant + '_>> {
        let filter = Filter::from(object! {
            "state": "waiting",
            "colony": executor.colony,
            "executortype": executor.kind,
            "cpu": { "$lte": executor.cpu },
            "memory": { "$lte": executor.memory },
            "storage": { "$lte": executor.storage },
            "gpucount": { "$lte": executor.gpu_count },
            "gpumemory": { "$lte": executor.gpu_memory },
            "walltime": { "$lte": executor.walltime },
            "$or": [{ "executornames": { "$size": 0 } }, { "executornames": executor.name }],
        });
        let order = Sort::new().ascending("prioritytime");
        Ok(Box::new(VelocityClaimant {
            documents: &self.documents,
            filter,
            order,
            name: executor.name,
        }))
    }

    fn waiting(&self) -> Result<u64> {
        Ok(self.documents.find(waiting()).count()?)
    }
}

/// The filter is created once, as the others prepare their statement once.
struct VelocityClaimant<'a> {
    documents: &'a Documents,
    filter: Filter,
    order: Sort,
    name: &'static str,
}

impl Claimant for VelocityClaimant<'_> {
    fn claim(&mut self, now: i64) -> Result<Option<String>> {
        let claimed = self
            .documents
            .claim(self.filter.clone())
            .sort(self.order.clone())
            .claimant_in("executor", self.name)
            .update(object! { "state": "running", "starttime": now })?;
        Ok(claimed.first().map(|job| job.id().to_string()))
    }
}
