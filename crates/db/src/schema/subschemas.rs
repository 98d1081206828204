//! The schemas inside of a schema, and which of them refer to which: the only traversal of a
//! schema, whose result bounds, defaults and index requests use. Resolves references, and refuses
//! those to other schemas. Compiles and validates nothing.

use std::collections::HashMap;

use referencing::{Draft, Resolver};
use serde_json::Value as Json;
use velocitydb_core::Value;

use super::problem::{Number, SchemaPath, problem};
use super::references::References;
use crate::Result;

/// The largest number of schemas in a schema.
///
/// Each is compiled into some hundreds of bytes, and setting a schema reads all of them.
pub const SUBSCHEMAS_MAX: usize = 10_000;

/// How many references may lead to places where no keyword expects a schema.
///
/// Each is searched for in the whole schema.
const UNUSUAL_TARGETS_MAX: usize = 100;

/// One schema of a schema.
pub(super) struct Subschema<'a> {
    /// Its path: the parent schema, and the steps from there.
    pub(super) place: SchemaPath<'a>,
    /// The schemas that apply to the same value.
    pub(super) same_value: Vec<Number>,
    /// The schemas that apply to a part of the value.
    pub(super) parts: Vec<Number>,
    /// The schema of the names of fields.
    pub(super) names: Option<Number>,
    /// Whether it evaluates values twice, to find what no other schema has evaluated.
    pub(super) is_unevaluated: bool,
    /// The number of its keywords.
    pub(super) keywords: u64,
    /// The patterns for values, and those for names.
    pub(super) pattern: Option<&'a str>,
    pub(super) name_patterns: Vec<&'a str>,
    /// The named fields, the elements of an array, and the schemas that always apply to the same
    /// value: the places where defaults and indexes take effect.
    pub(super) properties: Vec<(&'a str, Number)>,
    pub(super) items: Option<Number>,
    pub(super) always: Vec<Number>,
    /// The annotations.
    pub(super) default: Option<&'a Value>,
    pub(super) index: Option<Index>,
    /// Its source; `None` for a schema of the metaschema.
    pub(super) json: Option<&'a Json>,
    /// The targets of `$ref` and `$dynamicRef`.
    pub(super) reference: Option<Number>,
    pub(super) dynamic_reference: Option<Number>,
    pub(super) dynamic_anchor: Option<&'a str>,
}

/// The index that an annotation requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Plain,
    Unique,
}

/// A reference that is still to be followed.
struct Pending<'a, 'r> {
    from: Number,
    keyword: &'static str,
    reference: &'a str,
    resolver: Resolver<'r>,
}

/// All schemas of a schema; the whole schema is number 0.
pub(super) struct Subschemas<'a> {
    pub(super) all: Vec<Subschema<'a>>,
    known: HashMap<*const Json, Number>,
}

impl<'a> Subschemas<'a> {
    /// Traverses a schema, given as JSON and as an object.
    pub(super) fn of<'r>(
        json: &'a Json,
        written: &'a Value,
        references: &'r References<'a>,
    ) -> Result<Self>
    where
        'a: 'r,
    {
        let mut traversal = Traversal {
            root: (json, written),
            all: Vec::new(),
            known: HashMap::new(),
            pending: Vec::new(),
            unusual_targets: 0,
            metaschema: None,
            references,
        };
        traversal.visit(json, written, &references.root(), SchemaPath::root())?;
        while let Some(pending) = traversal.pending.pop() {
            traversal.follow(&pending)?;
        }
        traversal.link_metaschema();
        Ok(Self { all: traversal.all, known: traversal.known })
    }

    /// The number of the schema at this address.
    pub(super) fn number_of(&self, json: &Json) -> Option<Number> {
        self.known.get(&std::ptr::from_ref(json)).copied()
    }
}

struct Traversal<'a, 'r> {
    root: (&'a Json, &'a Value),
    all: Vec<Subschema<'a>>,
    known: HashMap<*const Json, Number>,
    pending: Vec<Pending<'a, 'r>>,
    unusual_targets: usize,
    metaschema: Option<Number>,
    references: &'r References<'a>,
}

impl<'a, 'r> Traversal<'a, 'r> {
    /// Adds a schema and all inside of it. The recursion ends, since the depth was checked
    /// before.
    fn visit(
        &mut self,
        json: &'a Json,
        written: &'a Value,
        resolver: &Resolver<'r>,
        place: SchemaPath<'a>,
    ) -> Result<Number> {
        if let Some(number) = self.known.get(&std::ptr::from_ref(json)) {
            return Ok(*number);
        }
        let number = self.push(place)?;
        self.known.insert(json, number);
        self.all[number].json = Some(json);
        let (Json::Object(keywords), Value::Object(written)) = (json, written) else {
            return Ok(number);
        };
        let resource = Draft::Draft202012.create_resource_ref(json);
        let resolver = resolver.in_subresource(resource).map_err(|error| {
            problem(self.text(number, &["$id"]), format!("is not a URI reference: {error}"))
        })?;
        self.all[number].keywords = keywords.len() as u64;
        for (keyword, value) in keywords {
            let Some(written) = written.get(keyword) else { continue };
            self.keyword(number, keyword, value, written, &resolver)?;
        }
        Ok(number)
    }

    fn push(&mut self, place: SchemaPath<'a>) -> Result<Number> {
        if self.all.len() >= SUBSCHEMAS_MAX {
            return Err(problem(
                String::new(),
                format!("has more than {SUBSCHEMAS_MAX} schemas in it; make it smaller"),
            ));
        }
        self.all.push(Subschema {
            place,
            same_value: Vec::new(),
            parts: Vec::new(),
            names: None,
            is_unevaluated: false,
            keywords: 1,
            pattern: None,
            name_patterns: Vec::new(),
            properties: Vec::new(),
            items: None,
            always: Vec::new(),
            default: None,
            index: None,
            json: None,
            reference: None,
            dynamic_reference: None,
            dynamic_anchor: None,
        });
        Ok(self.all.len() - 1)
    }

    fn keyword(
        &mut self,
        number: Number,
        keyword: &'a str,
        value: &'a Json,
        written: &'a Value,
        resolver: &Resolver<'r>,
    ) -> Result<()> {
        match keyword {
            "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" => {
                let found = self.within(number, keyword, value, written, resolver)?;
                let found = found.into_iter().map(|(_, schema)| schema);
                if keyword == "allOf" {
                    self.all[number].always.extend(found.clone());
                }
                self.all[number].same_value.extend(found);
            }
            "properties"
            | "patternProperties"
            | "additionalProperties"
            | "items"
            | "prefixItems"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => {
                let found = self.within(number, keyword, value, written, resolver)?;
                let this = &mut self.all[number];
                this.parts.extend(found.iter().map(|(_, schema)| *schema));
                match keyword {
                    "properties" => this.properties = found,
                    "patternProperties" => {
                        this.name_patterns = found.into_iter().map(|(name, _)| name).collect();
                    }
                    "items" => this.items = found.first().map(|(_, schema)| *schema),
                    "propertyNames" => this.names = found.first().map(|(_, schema)| *schema),
                    "unevaluatedItems" | "unevaluatedProperties" => this.is_unevaluated = true,
                    _ => {}
                }
            }
            "$defs" | "definitions" | "contentSchema" => {
                self.within(number, keyword, value, written, resolver)?;
            }
            "$ref" | "$dynamicRef" => {
                let keyword = if keyword == "$ref" { "$ref" } else { "$dynamicRef" };
                if let Json::String(reference) = value {
                    let resolver = resolver.clone();
                    self.pending.push(Pending { from: number, keyword, reference, resolver });
                }
            }
            _ => self.leaf(number, keyword, value, written)?,
        }
        Ok(())
    }

    /// The keywords whose values have no schema.
    fn leaf(
        &mut self,
        number: Number,
        keyword: &str,
        value: &'a Json,
        written: &'a Value,
    ) -> Result<()> {
        let is_set = || match value {
            Json::Bool(is_set) => Ok(*is_set),
            _ => Err("takes true or false".to_owned()),
        };
        let this = &mut self.all[number];
        let checked = match keyword {
            "default" => {
                this.default = Some(written);
                Ok(())
            }
            "unique" => is_set().map(|set| {
                if set {
                    this.index = Some(Index::Unique);
                }
            }),
            "indexed" => is_set().map(|set| {
                if set {
                    this.index.get_or_insert(Index::Plain);
                }
            }),
            "pattern" => {
                this.pattern = value.as_str();
                Ok(())
            }
            "$dynamicAnchor" => {
                this.dynamic_anchor = value.as_str();
                Ok(())
            }
            _ => super::keywords::check(keyword, value),
        };
        checked.map_err(|text| problem(self.text(number, &[keyword]), text))
    }

    /// Visits the schemas in the value of a keyword, and returns their names.
    fn within(
        &mut self,
        number: Number,
        keyword: &'a str,
        value: &'a Json,
        written: &'a Value,
        resolver: &Resolver<'r>,
    ) -> Result<Vec<(&'a str, Number)>> {
        let place = |step| SchemaPath::within(number, keyword, step);
        let mut found = Vec::new();
        match (keyword, value, written) {
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Json::Array(json), Value::Array(own)) => {
                for (at, (json, own)) in json.iter().zip(own).enumerate() {
                    let schema = self.visit(json, own, resolver, place(Some(at.to_string())))?;
                    found.push(("", schema));
                }
            }
            (
                "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
                Json::Object(json),
                Value::Object(own),
            ) => {
                for (name, json) in json {
                    let Some(own) = own.get(name) else { continue };
                    let schema = self.visit(json, own, resolver, place(Some(name.clone())))?;
                    found.push((name.as_str(), schema));
                }
            }
            (_, json @ (Json::Object(_) | Json::Bool(_)), own) => {
                found.push(("", self.visit(json, own, resolver, place(None))?));
            }
            _ => {}
        }
        Ok(found)
    }

    /// Finds the target of a reference.
    fn follow(&mut self, pending: &Pending<'a, 'r>) -> Result<()> {
        let Pending { from, keyword, reference, resolver } = pending;
        let place = |traversal: &Self| traversal.text(*from, &[keyword]);
        let (json, resolver) = self
            .references
            .resolve(resolver, reference)
            .map_err(|text| problem(place(self), text))?;
        let target = if References::is_metaschema(&resolver) {
            self.metaschema()?
        } else if let Some(number) = self.known.get(&std::ptr::from_ref(json)) {
            *number
        } else {
            self.visit_unusual(json, &resolver, *from, keyword)?
        };
        self.all[*from].same_value.push(target);
        if *keyword == "$ref" {
            self.all[*from].always.push(target);
            self.all[*from].reference = Some(target);
            return Ok(());
        }
        self.all[*from].dynamic_reference = Some(target);
        // The schema of this dynamic anchor depends on the reference path: it may be any of them.
        let Some(anchor) = self.all[target].dynamic_anchor else { return Ok(()) };
        let others = (0..self.all.len())
            .filter(|other| *other != target && self.all[*other].dynamic_anchor == Some(anchor));
        let others: Vec<_> = others.collect();
        self.all[*from].same_value.extend(others);
        Ok(())
    }

    /// Visits a schema at a place where no keyword expects one, such as within an unknown keyword.
    fn visit_unusual(
        &mut self,
        target: &Json,
        resolver: &Resolver<'r>,
        from: Number,
        keyword: &str,
    ) -> Result<Number> {
        self.unusual_targets += 1;
        let mut way = Vec::new();
        let found = find(self.root, target, &mut way);
        let (Some((json, written)), true) = (found, self.unusual_targets <= UNUSUAL_TARGETS_MAX)
        else {
            let text = "leads to a place that is not in $defs or another place for schemas; \
                        put what it leads to into $defs";
            return Err(problem(self.text(from, &[keyword]), text.to_owned()));
        };
        self.visit(json, written, resolver, SchemaPath::at(way))
    }

    /// The metaschema of 2020-12, which represents all of its parts.
    fn metaschema(&mut self) -> Result<Number> {
        if let Some(number) = self.metaschema {
            return Ok(number);
        }
        let number = self.push(SchemaPath::root())?;
        self.metaschema = Some(number);
        let this = &mut self.all[number];
        this.keywords = 500;
        this.dynamic_anchor = Some("meta");
        this.parts.push(number);
        // It has eight parts, each of which refers to further ones.
        for _ in 0..8 {
            let part = self.push(SchemaPath::root())?;
            let outer = self.all.len() - 2;
            self.all[outer].same_value.push(part);
        }
        Ok(number)
    }

    /// Links the metaschema to the schemas that extend it.
    fn link_metaschema(&mut self) {
        let Some(metaschema) = self.metaschema else { return };
        let extending =
            (0..self.all.len()).filter(|other| self.all[*other].dynamic_anchor == Some("meta"));
        self.all[metaschema].parts = extending.collect();
    }

    fn text(&self, number: Number, steps: &[&str]) -> String {
        place_text(&self.all, number, steps)
    }
}

/// The dotted path of a schema, and of something in it.
pub(super) fn place_text(all: &[Subschema<'_>], number: Number, steps: &[&str]) -> String {
    SchemaPath::text(number, steps, |number| &all[number].place)
}

/// Finds a value by its address, with its path.
fn find<'a>(
    (json, written): (&'a Json, &'a Value),
    target: &Json,
    way: &mut Vec<String>,
) -> Option<(&'a Json, &'a Value)> {
    if std::ptr::eq(json, target) {
        return Some((json, written));
    }
    match (json, written) {
        (Json::Array(json), Value::Array(written)) => {
            for (at, inner) in json.iter().zip(written).enumerate() {
                way.push(at.to_string());
                if let Some(found) = find(inner, target, way) {
                    return Some(found);
                }
                way.pop();
            }
        }
        (Json::Object(json), Value::Object(written)) => {
            for (name, json) in json {
                way.push(name.clone());
                if let Some(found) = find((json, written.get(name)?), target, way) {
                    return Some(found);
                }
                way.pop();
            }
        }
        _ => {}
    }
    None
}
