//! [`Core`]: the language itself, applied to documents in memory. No engine, no indexes.

use std::ops::ControlFlow;

use velocitydb_core::aggregate::{Context, Pipeline, Row};
use velocitydb_core::{DocumentId, Filter, Object, Projection, Result, Sort, Time, Update, Value};

use super::Evaluator;
use crate::oracle::case::{Answer, Find, Query, id_of};

/// The language itself, applied to documents in memory.
#[derive(Debug, Default)]
pub struct Core {
    documents: Vec<Object>,
}

impl Evaluator for Core {
    fn name(&self) -> String {
        "core".to_owned()
    }

    fn load(&mut self, documents: &[Object], _number: u64) -> std::result::Result<(), String> {
        self.documents = documents.to_vec();
        // A number is read back in its simplest form, as the database does it.
        for document in &mut self.documents {
            let id = DocumentId::new(document["_id"].clone()).map_err(|error| error.to_string())?;
            document.insert("_id", id.to_value());
        }
        Ok(())
    }

    fn answer(&mut self, query: &Query) -> Option<Answer> {
        let answer = match query {
            Query::Find(find) => self.find(find),
            Query::Count { filter } => {
                self.matching(filter).map(|found| Answer::Count(found.len() as u64))
            }
            Query::Update { document, update } => self.update(&self.documents[*document], update),
            Query::Aggregate { pipeline, .. } => self.aggregate(pipeline),
            Query::Distinct { .. } => return None,
        };
        Some(answer.unwrap_or_else(|error| Answer::Refused(error.to_string())))
    }
}

impl Core {
    fn matching(&self, filter: &Object) -> Result<Vec<&Object>> {
        let filter = Filter::from_object(filter)?;
        Ok(self.documents.iter().filter(|document| filter.matches_object(document)).collect())
    }

    fn find(&self, find: &Find) -> Result<Answer> {
        let mut found = self.matching(&find.filter)?;
        if !find.sort.is_empty() {
            let sort = Sort::from_value(&Value::Array(find.sort.clone()))?;
            found.sort_by_cached_key(|document| {
                let mut key = Vec::new();
                sort.encode_key_object(document, &mut key);
                key
            });
        }
        let skip = find.skip.unwrap_or(0) as usize;
        let limit = find.limit.map_or(usize::MAX, |limit| limit as usize);
        let found = found.into_iter().skip(skip).take(limit);
        if let Some(projection) = &find.projection {
            let projection = Projection::from_object(projection)?;
            let project = |document: &Object| projection.apply_object(document.clone()).into();
            return Ok(Answer::Documents(found.map(project).collect()));
        }
        Ok(Answer::Ids(found.map(id_of).collect()))
    }

    fn aggregate(&self, pipeline: &[Value]) -> Result<Answer> {
        let pipeline = Pipeline::from_value(&pipeline.to_vec().into())?;
        let results = pipeline.run(self, self.documents.iter().cloned())?;
        Ok(Answer::Documents(results.into_iter().map(Value::from).collect()))
    }

    /// The id is not one of the fields that an update can change.
    fn update(&self, document: &Object, update: &Object) -> Result<Answer> {
        let mut fields = document.clone();
        let id = fields.remove("_id").unwrap_or_default();
        Update::from_object(update.clone())?.apply(&mut fields, Time::UNIX_EPOCH)?;
        fields.prepend([("_id", id)]);
        Ok(Answer::Documents(vec![fields.into()]))
    }
}

impl Context for Core {
    /// Every collection is this one.
    fn lookup(
        &self,
        _collection: &str,
        filter: &Filter,
        found: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        for document in self.documents.iter().filter(|document| filter.matches_object(document)) {
            if found(document.clone().into())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time::UNIX_EPOCH
    }
}
