//! [`Paged`]: results fetched in small pages, with the cursor between them stored as text, have to
//! be those that are fetched at once.

use velocitydb::{Object, PageToken, Result, Sort, Value};

use super::{Embedded, Evaluator};
use crate::oracle::case::{Answer, Find, Query, id_text};

/// How many results a page has.
const PAGE: u64 = 3;

/// A database that is read in pages. It only answers searches without a skip.
pub struct Paged(pub Embedded);

impl Paged {
    fn find(&self, find: &Find) -> Result<Answer> {
        let sort = Sort::from_value(&Value::Array(find.sort.clone()))?;
        let mut ids: Vec<String> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let left = find.limit.unwrap_or(u64::MAX) - ids.len() as u64;
            let mut query = self.0.handle().find(find.filter.clone()).limit(PAGE.min(left));
            if !find.sort.is_empty() {
                query = query.sort(sort.clone());
            }
            if let Some(cursor) = &cursor {
                query = query.after(cursor.parse::<PageToken>()?);
            }
            let page = query.page()?;
            ids.extend(page.documents.iter().map(|document| id_text(&document.id().to_value())));
            cursor = page.next.map(|next| next.to_string());
            if cursor.is_none() || find.limit.is_some_and(|limit| ids.len() as u64 >= limit) {
                return Ok(Answer::Ids(ids));
            }
        }
    }
}

impl Evaluator for Paged {
    fn name(&self) -> String {
        format!("{}, in pages", self.0.name())
    }

    fn load(&mut self, documents: &[Object], number: u64) -> std::result::Result<(), String> {
        Evaluator::load(&mut self.0, documents, number)
    }

    fn answer(&mut self, query: &Query) -> Option<Answer> {
        match query {
            Query::Find(find) if find.projection.is_none() && find.skip.is_none() => {
                Some(self.find(find).unwrap_or_else(|error| Answer::Refused(error.to_string())))
            }
            _ => None,
        }
    }
}
