//! A schema as rules: every keyword of every schema in it, with references resolved, for evaluating
//! values. Evaluates nothing itself, and borrows nothing from its source.

use std::collections::HashMap;

use jsonschema::JsonType;
use regex::Regex;
use serde_json::Value as Json;

use super::keywords::{STORED_TYPE, StoredType};
use super::problem::Number;
use super::subschemas::Subschemas;

/// The keyword of a placeholder rule for a schema of the metaschema, which has no rules here.
pub(super) const METASCHEMA: &str = "$schema";

/// The rules of all schemas of a schema; the whole schema is number 0.
pub(super) struct Rules(Vec<Vec<Keyword>>);

/// One keyword of a schema.
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
}

/// What a keyword requires.
pub(super) enum Rule {
    /// No value is valid.
    False,
    Type(Vec<JsonType>),
    Stored(StoredType),
    Enum(Json),
    Const(Json),
    Limit(serde_json::Number),
    MultipleOf(f64),
    /// A minimum of characters, elements or fields.
    SizeMin(u64),
    SizeMax(u64),
    Pattern(Pattern),
    UniqueItems,
    Required(Vec<Box<str>>),
    DependentRequired(Vec<(Box<str>, Vec<Box<str>>)>),
    /// Another schema, for the same value.
    Same(Number),
    /// A reference whose target depends on the reference path, or is outside of the schema.
    Unclear,
    All(Vec<Number>),
    Any(Vec<Number>),
    One(Vec<Number>),
    Not(Number),
    If {
        condition: Number,
        then: Option<Number>,
        otherwise: Option<Number>,
    },
    DependentSchemas(Vec<(Box<str>, Number)>),
    Fields(Fields),
    Names(Number),
    Items {
        prefix: Vec<Number>,
        rest: Option<Number>,
    },
    Contains {
        schema: Number,
        min: u64,
        max: u64,
    },
    UnevaluatedItems(Number),
    UnevaluatedProperties(Number),
}

/// A pattern, as source text and compiled.
pub(super) struct Pattern {
    pub(super) written: String,
    pub(super) regex: Regex,
}

/// The rules for the fields of an object.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) named: HashMap<Box<str>, Number>,
    pub(super) patterns: Vec<(Regex, Number)>,
    pub(super) additional: Option<Number>,
}

impl Rules {
    /// The rules of the schemas. `compiled` has each pattern by its source text.
    pub(super) fn of(schemas: &Subschemas<'_>, compiled: &HashMap<&str, Regex>) -> Self {
        let rules = (0..schemas.all.len()).map(|number| {
            let reader = Reader { schemas, compiled, number };
            reader.keywords()
        });
        Rules(rules.collect())
    }

    /// The keywords of a schema.
    pub(super) fn of_schema(&self, number: Number) -> &[Keyword] {
        &self.0[number]
    }

    /// Whether a schema is `false`, and so accepts no value.
    pub(super) fn is_false(&self, number: Number) -> bool {
        matches!(self.0[number].as_slice(), [Keyword { rule: Rule::False, .. }])
    }
}

/// Reads one schema.
struct Reader<'r, 'a> {
    schemas: &'r Subschemas<'a>,
    compiled: &'r HashMap<&'r str, Regex>,
    number: Number,
}

impl Reader<'_, '_> {
    fn keywords(&self) -> Vec<Keyword> {
        let schema = &self.schemas.all[self.number];
        let mut keywords = match schema.json {
            Some(Json::Object(_)) => Vec::new(),
            Some(Json::Bool(true)) => return Vec::new(),
            Some(_) => return vec![Keyword { name: "false", rule: Rule::False }],
            None => return vec![Keyword { name: METASCHEMA, rule: Rule::Unclear }],
        };
        let mut push = |name, rule: Option<Rule>| {
            keywords.extend(rule.map(|rule| Keyword { name, rule }));
        };
        push("$ref", schema.reference.map(Rule::Same));
        push("$dynamicRef", self.dynamic_reference());
        push("type", self.types());
        push(
            STORED_TYPE,
            self.get(STORED_TYPE).and_then(|s| StoredType::of(s).ok()).map(Rule::Stored),
        );
        push("enum", self.get("enum").cloned().map(Rule::Enum));
        push("const", self.get("const").cloned().map(Rule::Const));
        for name in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            push(name, self.get(name).and_then(Json::as_number).cloned().map(Rule::Limit));
        }
        push("multipleOf", self.get("multipleOf").and_then(Json::as_f64).map(Rule::MultipleOf));
        for (min, max) in [
            ("minLength", "maxLength"),
            ("minItems", "maxItems"),
            ("minProperties", "maxProperties"),
        ] {
            push(min, self.size(min).map(Rule::SizeMin));
            push(max, self.size(max).map(Rule::SizeMax));
        }
        push("pattern", self.pattern());
        let is_unique = self.get("uniqueItems").and_then(Json::as_bool).unwrap_or_default();
        push("uniqueItems", is_unique.then_some(Rule::UniqueItems));
        push("required", self.get("required").map(|list| Rule::Required(names(list))));
        push("dependentRequired", self.dependent_required());
        push("allOf", self.list("allOf").map(Rule::All));
        push("anyOf", self.list("anyOf").map(Rule::Any));
        push("oneOf", self.list("oneOf").map(Rule::One));
        push("not", self.schema("not").map(Rule::Not));
        push("if", self.condition());
        push("dependentSchemas", self.map("dependentSchemas").map(Rule::DependentSchemas));
        push("properties", self.fields());
        push("propertyNames", self.schema("propertyNames").map(Rule::Names));
        push("items", self.items());
        push("contains", self.contains());
        push("unevaluatedItems", self.schema("unevaluatedItems").map(Rule::UnevaluatedItems));
        let name = "unevaluatedProperties";
        push(name, self.schema(name).map(Rule::UnevaluatedProperties));
        keywords
    }

    fn get(&self, keyword: &str) -> Option<&Json> {
        self.schemas.all[self.number].json?.get(keyword)
    }

    fn schema(&self, keyword: &str) -> Option<Number> {
        self.schemas.number_of(self.get(keyword)?)
    }

    fn list(&self, keyword: &str) -> Option<Vec<Number>> {
        let list = self.get(keyword)?.as_array()?;
        Some(list.iter().filter_map(|schema| self.schemas.number_of(schema)).collect())
    }

    fn map(&self, keyword: &str) -> Option<Vec<(Box<str>, Number)>> {
        let map = self.get(keyword)?.as_object()?.iter();
        let number = |(name, schema): (&String, &Json)| {
            Some((name.as_str().into(), self.schemas.number_of(schema)?))
        };
        Some(map.filter_map(number).collect())
    }

    fn size(&self, keyword: &str) -> Option<u64> {
        let size = self.get(keyword)?;
        size.as_u64().or_else(|| size.as_f64().map(|size| size as u64))
    }

    fn types(&self) -> Option<Rule> {
        let types = match self.get("type")? {
            Json::Array(types) => types.as_slice(),
            one => std::slice::from_ref(one),
        };
        Some(Rule::Type(types.iter().filter_map(|name| name.as_str()?.parse().ok()).collect()))
    }

    fn pattern(&self) -> Option<Rule> {
        let written = self.get("pattern")?.as_str()?;
        let regex = self.compiled.get(written)?.clone();
        Some(Rule::Pattern(Pattern { written: written.to_owned(), regex }))
    }

    fn dependent_required(&self) -> Option<Rule> {
        let map = self.get("dependentRequired")?.as_object()?.iter();
        Some(Rule::DependentRequired(
            map.map(|(name, list)| (name.as_str().into(), names(list))).collect(),
        ))
    }

    /// The schema of a dynamic anchor depends on the reference path, unless there is only one.
    fn dynamic_reference(&self) -> Option<Rule> {
        let all = &self.schemas.all;
        let target = all[self.number].dynamic_reference?;
        let Some(anchor) = all[target].dynamic_anchor else { return Some(Rule::Same(target)) };
        let named = all.iter().filter(|schema| schema.dynamic_anchor == Some(anchor)).count();
        Some(if named == 1 { Rule::Same(target) } else { Rule::Unclear })
    }

    fn condition(&self) -> Option<Rule> {
        let condition = self.schema("if")?;
        Some(Rule::If { condition, then: self.schema("then"), otherwise: self.schema("else") })
    }

    fn fields(&self) -> Option<Rule> {
        let patterns = self.map("patternProperties").unwrap_or_default();
        let fields = Fields {
            named: self.map("properties").unwrap_or_default().into_iter().collect(),
            patterns: patterns
                .into_iter()
                .filter_map(|(written, schema)| {
                    Some((self.compiled.get(&*written)?.clone(), schema))
                })
                .collect(),
            additional: self.schema("additionalProperties"),
        };
        let is_any =
            !fields.named.is_empty() || !fields.patterns.is_empty() || fields.additional.is_some();
        is_any.then_some(Rule::Fields(fields))
    }

    fn items(&self) -> Option<Rule> {
        let (prefix, rest) = (self.list("prefixItems").unwrap_or_default(), self.schema("items"));
        (!prefix.is_empty() || rest.is_some()).then_some(Rule::Items { prefix, rest })
    }

    fn contains(&self) -> Option<Rule> {
        let schema = self.schema("contains")?;
        let min = self.size("minContains").unwrap_or(1);
        Some(Rule::Contains { schema, min, max: self.size("maxContains").unwrap_or(u64::MAX) })
    }
}

fn names(list: &Json) -> Vec<Box<str>> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(Into::into).collect()
}
