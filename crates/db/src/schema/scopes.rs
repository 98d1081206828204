//! Counts the reference paths of a schema to the schemas with an `$id` inside of it. The
//! validator compiles such a schema again for each path that leads there, since the path
//! decides what `$dynamicRef` means; so the paths are counted first, and too many are refused.

use std::collections::{HashMap, HashSet};

use referencing::{Draft, Resolver};
use serde_json::Value as Json;

use super::problem::problem;
use super::references::References;
use crate::Result;

/// The largest number of reference paths to one schema.
///
/// It doubles with each schema that refers to all later ones.
pub const REFERENCE_PATHS_MAX: usize = 256;

/// The largest number of schemas, each counted once per reference path.
const COMPILED_MAX: usize = 50_000;

/// Counts the reference paths of a schema, and refuses too many.
pub(super) fn check(schema: &Json, references: &References<'_>) -> Result<()> {
    let mut count = Count::default();
    let mut open = vec![Open::new(schema, references.root(), String::new(), &mut count)];
    while let Some(innermost) = open.last_mut() {
        let Some((reference, resolver)) = innermost.references.pop() else {
            if let Some(left) = open.pop() {
                count.entered.remove(&left.name);
            }
            continue;
        };
        let base = resolver.base_uri();
        // Unresolvable references were refused before, or will be by the validator.
        let Ok(name) = resolver.resolve_uri(&base.borrow(), reference) else { continue };
        let Ok(target) = resolver.lookup(reference) else { continue };
        let name = name.as_str();
        if count.entered.contains(name) {
            continue;
        }
        let scope = target.resolver().dynamic_scope();
        let scope: Vec<_> = scope.iter().map(|resource| resource.as_str()).collect();
        if !count.paths.insert((name.to_owned(), scope.join(" "))) {
            continue;
        }
        let paths = count.by_name.entry(name.to_owned()).or_default();
        *paths += 1;
        let paths = *paths;
        let (json, resolver, _) = target.into_inner();
        let name = name.to_owned();
        if paths > REFERENCE_PATHS_MAX || count.compiled > COMPILED_MAX {
            let text = format!(
                "refers to {name:?}, and to other schemas with an $id of their own, by too many \
                 paths; leave out $id and refer to #/$defs/… instead"
            );
            return Err(problem(String::new(), text));
        }
        count.entered.insert(name.clone());
        open.push(Open::new(json, resolver, name, &mut count));
    }
    Ok(())
}

#[derive(Default)]
struct Count {
    /// The names of the entered schemas.
    entered: HashSet<String>,
    /// The schemas that were found: names, each with the path there.
    paths: HashSet<(String, String)>,
    by_name: HashMap<String, usize>,
    compiled: usize,
}

/// An entered schema, with its references that are still to be followed.
struct Open<'r> {
    name: String,
    references: Vec<(&'r str, Resolver<'r>)>,
}

impl<'r> Open<'r> {
    fn new(json: &'r Json, resolver: Resolver<'r>, name: String, count: &mut Count) -> Self {
        let mut open = Open { name, references: Vec::new() };
        open.collect(json, &resolver, count);
        open
    }

    /// Collects the references of a schema and of those inside of it. The recursion ends, since
    /// the depth was checked before.
    fn collect(&mut self, json: &'r Json, resolver: &Resolver<'r>, count: &mut Count) {
        count.compiled += 1;
        let draft = Draft::Draft202012;
        let Ok(resolver) = resolver.in_subresource(draft.create_resource_ref(json)) else { return };
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(reference) = json.get(keyword).and_then(Json::as_str) {
                self.references.push((reference, resolver.clone()));
            }
        }
        for (keyword, value) in json.as_object().into_iter().flatten() {
            // These are compiled only if something refers to them.
            if matches!(keyword.as_str(), "$defs" | "definitions" | "contentSchema") {
                continue;
            }
            for inner in parts(keyword, value) {
                self.collect(inner, &resolver, count);
            }
        }
    }
}

/// The schemas in the value of a keyword.
fn parts<'a>(keyword: &str, value: &'a Json) -> Vec<&'a Json> {
    match (keyword, value) {
        ("allOf" | "anyOf" | "oneOf" | "prefixItems", Json::Array(schemas)) => {
            schemas.iter().collect()
        }
        ("properties" | "patternProperties" | "dependentSchemas", Json::Object(schemas)) => {
            schemas.values().collect()
        }
        (
            "not"
            | "if"
            | "then"
            | "else"
            | "items"
            | "contains"
            | "additionalProperties"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties",
            schema,
        ) => vec![schema],
        _ => Vec::new(),
    }
}
