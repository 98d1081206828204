//! The examples of the known differences, as executable cases: the tables are only correct
//! while both sides give the listed answers.

use velocitydb_core::{Object, Value};

use super::difference::{KnownDifference, Recognise};
use crate::oracle::case::{Answer, Batch, Find, Kind, Order, Query, id_of};
use crate::oracle::compare::values_agree;

/// The text of a refusal in an example.
const REFUSED: &str = "refused";

impl KnownDifference {
    /// The example as a batch of one query.
    pub fn batch(&self) -> Result<Batch, String> {
        let read = |text: &str| {
            Value::from_json(text).map_err(|error| format!("{}: {text}: {error}", self.name))
        };
        let wrong = |what: &str| format!("{}: its {what} is of the wrong type", self.name);
        let documents = read(self.example.documents)?;
        let documents = documents.as_array().ok_or_else(|| wrong("list of documents"))?;
        let documents: Option<Vec<Object>> =
            documents.iter().enumerate().map(|(number, it)| with_id(number, it)).collect();
        let documents = documents.ok_or_else(|| wrong("list of documents"))?;
        let query = read(self.example.query)?;
        let (kind, query) = self.query(query).ok_or_else(|| wrong("query"))?;
        Ok(Batch { kind, documents, queries: vec![query] })
    }

    fn query(&self, query: Value) -> Option<(Kind, Query)> {
        let object = query.as_object().cloned();
        let list = query.as_array().cloned();
        Some(match self.recognise {
            Recognise::Condition(_) => {
                (Kind::Filter, Query::Find(Find { filter: object?, ..Find::default() }))
            }
            Recognise::Key(_) | Recognise::Upset(_) => {
                (Kind::Sort, Query::Find(Find { sort: list?, ..Find::default() }))
            }
            Recognise::Projected(_) => {
                (Kind::Projection, Query::Find(Find { projection: object, ..Find::default() }))
            }
            Recognise::Change(_) => (Kind::Update, Query::Update { document: 0, update: object? }),
            Recognise::Pipeline(..) => {
                (Kind::Pipeline, Query::Aggregate { pipeline: list?, order: Order::Given })
            }
        })
    }

    /// Checks that mingo's answer to the example is that of the table. Returns the
    /// difference if not.
    pub fn check_mingo(&self, batch: &Batch, answer: &Answer) -> Result<(), String> {
        self.check("mingo", self.example.mingo, batch, answer)
    }

    /// Checks that VelocityDB's answer to the example is the right one. Returns the
    /// difference if not.
    pub fn check_ours(&self, batch: &Batch, answer: &Answer) -> Result<(), String> {
        self.check("VelocityDB", self.example.right, batch, answer)
    }

    fn check(&self, who: &str, says: &str, batch: &Batch, answer: &Answer) -> Result<(), String> {
        let expected = Value::from_json(says).map_err(|error| format!("{says}: {error}"))?;
        let agrees = match answer {
            Answer::Refused(_) => expected == Value::from(REFUSED),
            Answer::Ids(ids) => {
                let found = ids.iter().filter_map(|id| {
                    batch.documents.iter().find(|document| id_of(document) == *id)
                });
                let found: Value = found.cloned().map(|it| without_id(it, batch)).collect();
                values_agree(&found, &expected, Order::Given)
            }
            Answer::Documents(documents) => {
                let documents = documents.iter().cloned();
                let documents: Value = documents
                    .map(|it| it.as_object().cloned().map_or(it, |it| without_id(it, batch)))
                    .collect();
                values_agree(&documents, &expected, Order::Given)
            }
            Answer::Values(_) | Answer::Count(_) => false,
        };
        let wrong = || {
            let name = self.name;
            format!(
                "the example of {name:?}: {who} should answer {says}, but: {}",
                answer.to_text()
            )
        };
        if agrees { Ok(()) } else { Err(wrong()) }
    }
}

fn with_id(number: usize, document: &Value) -> Option<Object> {
    let mut document = document.as_object()?.clone();
    if !document.contains_key("_id") {
        document.insert("_id", format!("d{number:02}"));
    }
    Some(document)
}

/// The document without its generated id.
fn without_id(mut document: Object, batch: &Batch) -> Value {
    if batch.documents.iter().any(|it| it.get("_id") == document.get("_id")) {
        document.remove("_id");
    }
    document.into()
}
