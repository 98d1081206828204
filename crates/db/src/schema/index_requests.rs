//! The indexes that a schema requests by `unique` and `indexed`. Builds none.

use velocitydb_core::Path;
use velocitydb_core::limits::DEPTH_MAX;

use super::problem::{Number, dotted, problem};
use super::subschemas::{Index, Subschemas, place_text};
use crate::Result;

/// The largest number of indexes that a schema may request.
///
/// Each write of a document changes all of them.
pub const INDEX_REQUESTS_MAX: usize = 64;

/// How many schemas are searched for requests; references can lead to the same one by many paths.
const VISITS_MAX: usize = 100_000;

/// An index that a schema requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRequest {
    /// The indexed field.
    pub path: Path,
    /// Whether no two documents may have the same value there.
    pub is_unique: bool,
}

/// Collects the requests, ordered by path.
pub(super) fn requests(schemas: &Subschemas<'_>) -> Result<Vec<IndexRequest>> {
    let mut search = Search {
        schemas,
        names: Vec::new(),
        on_the_way: vec![false; schemas.all.len()],
        was_met: vec![false; schemas.all.len()],
        visits: 0,
        found: Vec::new(),
    };
    if schemas.all.iter().any(|schema| schema.index.is_some()) {
        search.visit(0)?;
    }
    let lost = (0..schemas.all.len())
        .find(|number| schemas.all[*number].index.is_some() && !search.was_met[*number]);
    if let Some(number) = lost {
        let text = "requests an index where the field does not always apply; write unique and \
                    indexed under properties, items, allOf or what they refer to";
        return Err(problem(place_text(&schemas.all, number, &[]), text.to_owned()));
    }
    search.found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(search.found)
}

struct Search<'s, 'a> {
    schemas: &'s Subschemas<'a>,
    names: Vec<&'a str>,
    on_the_way: Vec<bool>,
    was_met: Vec<bool>,
    visits: usize,
    found: Vec<IndexRequest>,
}

impl Search<'_, '_> {
    /// The recursion ends: no schema is visited inside of itself, and the depth of references is
    /// bounded.
    fn visit(&mut self, number: Number) -> Result<()> {
        let is_over = self.on_the_way[number] || self.names.len() >= DEPTH_MAX;
        if is_over {
            return Ok(());
        }
        self.visits += 1;
        if self.visits > VISITS_MAX {
            let text = "requests indexes behind references that lead there by too many paths";
            return Err(self.problem(number, text.to_owned()));
        }
        self.on_the_way[number] = true;
        let schema = &self.schemas.all[number];
        if let Some(index) = schema.index {
            self.request(number, index)?;
        }
        for same in &schema.always {
            self.visit(*same)?;
        }
        for (name, field) in &schema.properties {
            self.names.push(name);
            self.visit(*field)?;
            self.names.pop();
        }
        if let Some(items) = schema.items {
            self.visit(items)?;
        }
        self.on_the_way[number] = false;
        Ok(())
    }

    fn request(&mut self, number: Number, index: Index) -> Result<()> {
        self.was_met[number] = true;
        if self.names.is_empty() {
            let text = "requests an index on the whole document; name a field under properties";
            return Err(self.problem(number, text.to_owned()));
        }
        // An empty name is written as two quotes, which would be a valid path.
        let is_empty = self.names.iter().any(|name| name.is_empty());
        let text = if is_empty { String::new() } else { dotted(self.names.iter().copied()) };
        let path: Path = text.parse().map_err(|error| {
            self.problem(number, format!("requests an index on a field without a path: {error}"))
        })?;
        let is_unique = index == Index::Unique;
        match self.found.iter_mut().find(|request| request.path == path) {
            Some(request) => request.is_unique |= is_unique,
            None => self.found.push(IndexRequest { path, is_unique }),
        }
        if self.found.len() > INDEX_REQUESTS_MAX {
            let text =
                format!("is one index too many; a schema requests at most {INDEX_REQUESTS_MAX}");
            return Err(self.problem(number, text));
        }
        Ok(())
    }

    fn problem(&self, number: Number, text: String) -> crate::Error {
        problem(place_text(&self.schemas.all, number, &[]), text)
    }
}
