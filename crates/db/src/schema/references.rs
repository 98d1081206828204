//! Resolves references within a schema. Nothing is ever fetched; a reference to something outside
//! of the schema is an error with the path of the reference.

use std::sync::Arc;

use parking_lot::Mutex;
use referencing::{Draft, Registry, Resolver, Retrieve, Uri, uri};
use serde_json::Value as Json;

use super::problem::problem;
use crate::Result;

/// Where the metaschema of 2020-12 and its parts are.
const METASCHEMA: &str = "https://json-schema.org/draft/2020-12/";

/// Where the metaschemas of all drafts are.
const METASCHEMAS: [&str; 2] = ["https://json-schema.org/", "http://json-schema.org/"];

/// The base URI of a schema without `$id`.
const DEFAULT_BASE: &str = "json-schema:///";

/// The resources of one schema.
pub(super) struct References<'a> {
    registry: Registry<'a>,
    base: Uri<String>,
    missing: Missing,
}

/// Records what would have to be fetched, and returns a placeholder, so that the traversal of the
/// schema reaches the reference and can report its path.
#[derive(Clone, Default)]
struct Missing(Arc<Mutex<Vec<String>>>);

impl Retrieve for Missing {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> std::result::Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().push(uri.as_str().to_owned());
        Ok(Json::Bool(true))
    }
}

impl<'a> References<'a> {
    /// Finds the resources of a schema.
    pub(super) fn of(schema: &'a Json) -> Result<Self> {
        let missing = Missing::default();
        let id = schema.get("$id").and_then(Json::as_str);
        let base = uri::from_str(id.unwrap_or(DEFAULT_BASE))
            .map_err(|error| problem("$id".to_owned(), format!("is not a URI: {error}")))?;
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .retrieve_known_draft_meta_schemas(false)
            .retriever(missing.clone())
            .add(base.as_str(), schema)
            .and_then(|builder| builder.prepare())
            .map_err(|error| {
                problem(
                    String::new(),
                    format!("has a reference or name that is not valid: {error}"),
                )
            })?;
        Ok(References { registry, base, missing })
    }

    /// The resolver of the whole schema.
    pub(super) fn root(&self) -> Resolver<'_> {
        self.registry.resolver(self.base.clone())
    }

    /// The target of a reference, and its resolver; or why there is none, as the end of a
    /// sentence.
    pub(super) fn resolve<'r>(
        &'r self,
        resolver: &Resolver<'r>,
        reference: &str,
    ) -> std::result::Result<(&'r Json, Resolver<'r>), String> {
        let name = reference.split('#').next().unwrap_or_default();
        let base = resolver.base_uri();
        let full = resolver
            .resolve_uri(&base.borrow(), name)
            .map_err(|error| format!("is not a URI reference: {error}"))?;
        let full = full.as_str();
        let missing = || {
            format!(
                "refers to {full:?}, which is not in this schema, and nothing is fetched; put it \
                 into $defs, with that $id"
            )
        };
        if self.missing.0.lock().iter().any(|missing| missing == full) {
            return Err(missing());
        }
        let is_other_draft = METASCHEMAS.iter().any(|place| full.starts_with(place))
            && !full.starts_with(METASCHEMA)
            && *base.as_str() != *full;
        if is_other_draft {
            return Err(format!("refers to {full:?}; the only supported draft is 2020-12"));
        }
        let resolved = resolver.lookup(reference).map_err(|error| {
            if !self.registry.contains_resource(full) {
                return missing();
            }
            format!("leads to {reference:?}, which is not in this schema: {error}")
        })?;
        // The path to a target must not matter here: dynamic references are followed to every
        // target.
        let base = resolved.resolver().base_uri();
        let resolver = self.registry.resolver((*base).clone());
        Ok((resolved.contents(), resolver))
    }

    /// Whether a resolver is that of the metaschema, or of a part of it.
    pub(super) fn is_metaschema(resolver: &Resolver<'_>) -> bool {
        resolver.base_uri().as_str().starts_with(METASCHEMA)
    }

    /// The first reference that would have to be fetched.
    pub(super) fn first_missing(&self) -> Option<String> {
        self.missing.0.lock().first().cloned()
    }
}
