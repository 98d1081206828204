//! Whether a value satisfies a schema, by its rules: the explanation of a violation needs that.
//! Whether a document is valid is decided by the validator, not here. Everything takes steps of the
//! same meter; when they are used up, or a reference is unclear, the answer is unknown.

use std::collections::{HashMap, HashSet};

use jsonschema::JsonType;
use jsonschema::json::{Array as _, JsonNumber as _, Node as _, Object as _};

use super::magnitudes::{is_multiple, is_within};
use super::meter::Meter;
use super::problem::Number;
use super::rules::{Fields, Keyword, Rule, Rules};
use super::view::View;

/// How many answers are remembered, so that a repeated question takes no steps.
const ANSWERS_MAX: usize = 50_000;

/// Judges the values of one document.
pub(super) struct Judge<'s, 'd> {
    pub(super) rules: &'s Rules,
    pub(super) meter: &'d Meter,
    answers: HashMap<(Number, usize), bool>,
}

impl<'s, 'd> Judge<'s, 'd> {
    pub(super) fn new(rules: &'s Rules, meter: &'d Meter) -> Self {
        Judge { rules, meter, answers: HashMap::new() }
    }

    /// Whether a value satisfies a schema; `None` if unknown.
    pub(super) fn holds(&mut self, number: Number, value: View<'d>) -> Option<bool> {
        let key = value.address().map(|address| (number, address));
        if !self.meter.spend(1) {
            return None;
        }
        if let Some(answer) = key.and_then(|key| self.answers.get(&key)) {
            return Some(*answer);
        }
        let rules = self.rules;
        let mut answer = Some(true);
        for keyword in rules.of_schema(number) {
            match self.keeps(number, keyword, value) {
                Some(true) => {}
                Some(false) => {
                    answer = Some(false);
                    break;
                }
                None => answer = None,
            }
        }
        if let (Some(key), Some(answer), true) = (key, answer, self.answers.len() < ANSWERS_MAX) {
            self.answers.insert(key, answer);
        }
        answer
    }

    /// Whether a value satisfies the rule of one keyword; `None` if unknown.
    pub(super) fn keeps(
        &mut self,
        number: Number,
        keyword: &'s Keyword,
        value: View<'d>,
    ) -> Option<bool> {
        let kept = match &keyword.rule {
            Rule::Same(schema) => self.holds(*schema, value),
            Rule::Unclear => None,
            Rule::All(schemas) => every(schemas.iter().map(|schema| self.holds(*schema, value))),
            Rule::Any(schemas) => {
                let fails = schemas.iter().map(|schema| self.holds(*schema, value).map(|is| !is));
                every(fails).map(|fail| !fail)
            }
            Rule::One(schemas) => self.holding(schemas, value).map(|holding| holding == 1),
            Rule::Not(schema) => self.holds(*schema, value).map(|holds| !holds),
            Rule::If { condition, then, otherwise } => {
                let branch = if self.holds(*condition, value)? { then } else { otherwise };
                branch.map_or(Some(true), |branch| self.holds(branch, value))
            }
            Rule::DependentSchemas(schemas) => {
                let object = value.as_object();
                let applies = schemas.iter().filter(|(name, _)| {
                    object.as_ref().is_some_and(|object| object.get(name).is_some())
                });
                every(applies.map(|(_, schema)| self.holds(*schema, value)))
            }
            Rule::Fields(fields) => self.keeps_fields(fields, value),
            Rule::Names(schema) => {
                let names = value.as_object().into_iter().flat_map(|object| object.members());
                every(names.map(|(name, _)| self.holds(*schema, View::Name(name))))
            }
            Rule::Items { prefix, rest } => {
                let items = value.as_array().into_iter().flat_map(|array| array.elements());
                let items = items.enumerate().map_while(|(at, item)| {
                    prefix.get(at).or(rest.as_ref()).map(|schema| (*schema, item))
                });
                every(items.map(|(schema, item)| self.holds(schema, item)))
            }
            Rule::Contains { schema, min, max } => {
                self.containing(*schema, value).map(|count| (*min..=*max).contains(&count))
            }
            Rule::UnevaluatedItems(schema) => {
                let others = self.unevaluated_items(number, value)?;
                every(others.into_iter().map(|(_, item)| self.holds(*schema, item)))
            }
            Rule::UnevaluatedProperties(schema) => {
                let others = self.unevaluated_fields(number, value)?;
                every(others.into_iter().map(|(_, field)| self.holds(*schema, field)))
            }
            simple => Some(keeps_simple(keyword.name, simple, value)),
        };
        // An answer after the steps were used up means nothing.
        kept.filter(|_| !self.meter.is_exhausted())
    }

    /// How many of the schemas a value satisfies; 2 means two or more.
    pub(super) fn holding(&mut self, schemas: &[Number], value: View<'d>) -> Option<usize> {
        let (mut holding, mut is_known) = (0, true);
        for schema in schemas {
            match self.holds(*schema, value) {
                Some(holds) => holding += usize::from(holds),
                None => is_known = false,
            }
            if holding > 1 {
                return Some(holding);
            }
        }
        is_known.then_some(holding)
    }

    /// How many elements satisfy a schema; a value that is not an array satisfies any number.
    pub(super) fn containing(&mut self, schema: Number, value: View<'d>) -> Option<u64> {
        let Some(array) = value.as_array() else { return Some(1) };
        let mut count = 0;
        for item in array.elements() {
            count += u64::from(self.holds(schema, item)?);
        }
        Some(count)
    }

    fn keeps_fields(&mut self, fields: &Fields, value: View<'d>) -> Option<bool> {
        let mut answer = Some(true);
        for (name, field) in value.as_object().into_iter().flat_map(|object| object.members()) {
            let judges: Vec<_> = fields.judges(name).collect();
            match every(judges.into_iter().map(|schema| self.holds(schema, field))) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => answer = None,
            }
        }
        answer
    }

    /// The fields that no other keyword of a schema evaluates; `None` if unknown.
    pub(super) fn unevaluated_fields(
        &mut self,
        number: Number,
        value: View<'d>,
    ) -> Option<Vec<(&'d str, View<'d>)>> {
        let Some(object) = value.as_object() else { return Some(Vec::new()) };
        let mut evaluated = Evaluated::default();
        self.evaluate(number, value, Whose::Own, &mut evaluated)?;
        if evaluated.all {
            return Some(Vec::new());
        }
        Some(object.members().filter(|(name, _)| !evaluated.names.contains(name)).collect())
    }

    /// The elements that no other keyword of a schema evaluates; `None` if unknown.
    pub(super) fn unevaluated_items(
        &mut self,
        number: Number,
        value: View<'d>,
    ) -> Option<Vec<(usize, View<'d>)>> {
        let Some(array) = value.as_array() else { return Some(Vec::new()) };
        let mut evaluated = Evaluated::default();
        self.evaluate(number, value, Whose::Own, &mut evaluated)?;
        if evaluated.all {
            return Some(Vec::new());
        }
        let items = array.elements().enumerate().skip(evaluated.first);
        Some(items.filter(|(at, _)| !evaluated.items.contains(at)).collect())
    }

    /// Notes what the keywords of a schema evaluate of a value that satisfies it.
    fn evaluate(
        &mut self,
        number: Number,
        value: View<'d>,
        whose: Whose,
        evaluated: &mut Evaluated<'d>,
    ) -> Option<()> {
        let rules = self.rules;
        for keyword in rules.of_schema(number) {
            self.meter.spend(1).then_some(())?;
            match &keyword.rule {
                Rule::Fields(fields) => {
                    for (name, _) in
                        value.as_object().into_iter().flat_map(|object| object.members())
                    {
                        if fields.judges(name).next().is_some() {
                            evaluated.names.insert(name);
                        }
                    }
                }
                Rule::Items { prefix, rest } if value.as_array().is_some() => {
                    evaluated.all |= rest.is_some();
                    evaluated.first = evaluated.first.max(prefix.len());
                }
                Rule::Contains { schema, .. } => {
                    self.evaluate_contained(*schema, value, evaluated)?;
                }
                Rule::UnevaluatedProperties(_) if matches!(whose, Whose::Others) => {
                    evaluated.all |= value.as_object().is_some();
                }
                Rule::UnevaluatedItems(_) if matches!(whose, Whose::Others) => {
                    evaluated.all |= value.as_array().is_some();
                }
                Rule::Same(schema) => self.evaluate(*schema, value, Whose::Others, evaluated)?,
                Rule::Unclear => return None,
                Rule::All(schemas) => {
                    for schema in schemas {
                        self.evaluate(*schema, value, Whose::Others, evaluated)?;
                    }
                }
                Rule::Any(schemas) | Rule::One(schemas) => {
                    for schema in schemas {
                        if self.holds(*schema, value)? {
                            self.evaluate(*schema, value, Whose::Others, evaluated)?;
                        }
                    }
                }
                Rule::If { condition, then, otherwise } => {
                    let holds = self.holds(*condition, value)?;
                    let condition = holds.then_some(*condition);
                    let branch = if holds { *then } else { *otherwise };
                    for schema in condition.into_iter().chain(branch) {
                        self.evaluate(schema, value, Whose::Others, evaluated)?;
                    }
                }
                Rule::DependentSchemas(schemas) => {
                    let Some(object) = value.as_object() else { continue };
                    for (name, schema) in schemas {
                        if object.get(name).is_some() {
                            self.evaluate(*schema, value, Whose::Others, evaluated)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Notes the items that satisfy a schema.
    fn evaluate_contained(
        &mut self,
        schema: Number,
        value: View<'d>,
        evaluated: &mut Evaluated<'d>,
    ) -> Option<()> {
        let items = value.as_array().into_iter().flat_map(|array| array.elements());
        for (at, item) in items.enumerate() {
            if self.holds(schema, item)? {
                evaluated.items.insert(at);
            }
        }
        Some(())
    }
}

/// Whose keywords count: those of the schema with the `unevaluated` keyword, or of the schemas in
/// it.
#[derive(Clone, Copy)]
enum Whose {
    Own,
    Others,
}

/// The evaluated fields of an object, or elements of an array.
#[derive(Default)]
struct Evaluated<'d> {
    all: bool,
    names: HashSet<&'d str>,
    first: usize,
    items: HashSet<usize>,
}

impl Fields {
    /// The schemas that apply to the field with this name.
    pub(super) fn judges(&self, name: &str) -> impl Iterator<Item = Number> {
        let named = self.named.get(name).copied();
        let matching = self.patterns.iter().filter(move |(regex, _)| regex.is_match(name));
        let mut known = named.into_iter().chain(matching.map(|(_, schema)| *schema)).peekable();
        let additional = if known.peek().is_none() { self.additional } else { None };
        known.chain(additional)
    }
}

/// Whether all answers are true; a single false one decides, whatever is unknown.
fn every(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for answer in answers {
        match answer {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// The rules that need only the value itself.
fn keeps_simple(name: &str, rule: &Rule, value: View<'_>) -> bool {
    match rule {
        Rule::False => false,
        Rule::Type(types) => {
            let found = value.json_type();
            types.iter().any(|wanted| match wanted {
                JsonType::Integer => value.as_number().is_some_and(|number| number.is_integer()),
                wanted => *wanted == found,
            })
        }
        Rule::Stored(stored) => stored.takes(value.stored_kind()),
        Rule::Enum(options) => {
            let mut options = options.as_array().into_iter().flatten();
            options.any(|option| value.equals_value(option))
        }
        Rule::Const(expected) => value.equals_value(expected),
        Rule::Limit(limit) => value.as_number().is_none_or(|number| is_within(name, number, limit)),
        Rule::MultipleOf(divisor) => {
            value.as_number().is_none_or(|number| is_multiple(number, *divisor))
        }
        Rule::SizeMin(min) => size_of(name, value).is_none_or(|size| size >= *min),
        Rule::SizeMax(max) => size_of(name, value).is_none_or(|size| size <= *max),
        Rule::Pattern(pattern) => {
            value.as_string().is_none_or(|text| pattern.regex.is_match(&text))
        }
        Rule::UniqueItems => value.as_array().is_none_or(|array| array.is_unique()),
        Rule::Required(names) => value
            .as_object()
            .is_none_or(|object| names.iter().all(|name| object.get(name).is_some())),
        Rule::DependentRequired(all) => value.as_object().is_none_or(|object| {
            all.iter().all(|(name, names)| {
                object.get(name).is_none() || names.iter().all(|name| object.get(name).is_some())
            })
        }),
        // The other rules need more than the value itself.
        _ => true,
    }
}

/// The size that a keyword bounds.
fn size_of(name: &str, value: View<'_>) -> Option<u64> {
    match name {
        "minLength" | "maxLength" => value.string_length(),
        "minItems" | "maxItems" => value.as_array().map(|array| array.len() as u64),
        _ => value.as_object().map(|object| object.len() as u64),
    }
}
