//! Why a document violates its schema: a traversal from the document down to the violated rules. It
//! keeps a list of bounded size and takes bounded steps, whatever schema and document are. It is only
//! called for a document that violates its schema.

use std::collections::{BTreeMap, HashSet};

use jsonschema::json::{Array as _, Node as _, Object as _};
use velocitydb_core::limits::{VIOLATIONS_BYTES_MAX, VIOLATIONS_COUNTED_MAX, VIOLATIONS_MAX};
use velocitydb_core::{More, RawObject, Value, Violation, Violations};
use xxhash_rust::xxh3::xxh3_128;

use super::judge::Judge;
use super::meter::{BYTES_PER_STEP, Meter};
use super::problem::Number;
use super::problem::dotted;
use super::rules::{Fields, Keyword, METASCHEMA, Rule, Rules};
use super::values::to_json;
use super::view::View;
use super::violation::{
    TEXT_CHARS_MAX, demand, is_about_value, of_schema, pointer_steps, shorten, shortened, start_of,
};

/// How many pairs of a value and a schema are explained at the most.
const LOOKED_INTO_MAX: usize = 100_000;

/// The largest value, in encoded bytes, for which the library reports violations of the metaschema: it
/// keeps a copy of the value for each of its levels.
const METASCHEMA_BYTES_MAX: usize = 16 * 1024;

/// Explains why a document violates a schema.
pub(super) fn explain(
    rules: &Rules,
    document: RawObject<'_>,
    meter: &Meter,
) -> velocitydb_core::Result<Violations> {
    let mut explanation = Explanation {
        judge: Judge::new(rules, meter),
        places: vec![Location { within: 0, step: Step::Field("") }],
        looked_into: HashSet::new(),
        open: Vec::new(),
        found: Found::default(),
        unclear: None,
    };
    explanation.look_into(0, View::Value(document.as_value(), meter), 0);
    while let Some(open) = explanation.open.pop() {
        if meter.is_exhausted() || explanation.found.is_full() {
            break;
        }
        explanation.explain(&open)?;
    }
    match meter.take_corruption() {
        Some(damage) => Err(damage),
        None => Ok(explanation.end()),
    }
}

struct Explanation<'s, 'd> {
    judge: Judge<'s, 'd>,
    /// The paths of the explained values, each as a link to its parent.
    places: Vec<Location<'d>>,
    looked_into: HashSet<(Number, usize)>,
    open: Vec<Open<'d>>,
    found: Found,
    /// The first rule that cannot be evaluated here, with its value.
    unclear: Option<(usize, &'static str, View<'d>)>,
}

/// A value that violates a schema.
#[derive(Clone, Copy)]
struct Open<'d> {
    schema: Number,
    value: View<'d>,
    place: usize,
}

struct Location<'d> {
    within: usize,
    step: Step<'d>,
}

enum Step<'d> {
    Field(&'d str),
    Item(usize),
}

impl<'s, 'd> Explanation<'s, 'd> {
    /// Adds a value to the list of those to be explained, unless it was added before.
    fn look_into(&mut self, schema: Number, value: View<'d>, place: usize) {
        let Some(address) = value.address() else { return };
        if self.looked_into.len() >= LOOKED_INTO_MAX {
            self.found.is_cut = true;
        } else if self.looked_into.insert((schema, address)) {
            self.open.push(Open { schema, value, place });
        }
    }

    /// Explains a value, unless it satisfies a schema. If that is unknown, it may be known for its
    /// parts.
    fn descend(&mut self, schema: Number, value: View<'d>, place: usize) {
        if self.judge.holds(schema, value) != Some(true) {
            self.look_into(schema, value, place);
        }
    }

    /// As [`Self::descend`], into a part of a value.
    fn descend_to(&mut self, schema: Number, value: View<'d>, within: usize, step: Step<'d>) {
        if self.judge.holds(schema, value) != Some(true) {
            self.places.push(Location { within, step });
            self.look_into(schema, value, self.places.len() - 1);
        }
    }

    fn explain(&mut self, open: &Open<'d>) -> velocitydb_core::Result<()> {
        let rules = self.judge.rules;
        for keyword in rules.of_schema(open.schema) {
            match self.judge.keeps(open.schema, keyword, open.value) {
                Some(true) => {}
                kept => self.explain_keyword(open, keyword, kept.is_none())?,
            }
        }
        Ok(())
    }

    /// Explains a keyword whose rule is violated, or may be.
    fn explain_keyword(
        &mut self,
        open: &Open<'d>,
        keyword: &'s Keyword,
        is_unclear: bool,
    ) -> velocitydb_core::Result<()> {
        let Open { schema, value, place } = *open;
        match &keyword.rule {
            Rule::Same(schema) => self.descend(*schema, value, place),
            Rule::All(schemas) => {
                schemas.iter().for_each(|schema| self.descend(*schema, value, place));
            }
            Rule::If { condition, then, otherwise } => match self.judge.holds(*condition, value) {
                Some(true) => then.iter().for_each(|then| self.descend(*then, value, place)),
                Some(false) => {
                    otherwise.iter().for_each(|other| self.descend(*other, value, place));
                }
                None => self.note_unclear(open, keyword),
            },
            Rule::DependentSchemas(schemas) => {
                let Some(object) = value.as_object() else { return Ok(()) };
                let there = schemas.iter().filter(|(name, _)| object.get(name).is_some());
                there.for_each(|(_, schema)| self.descend(*schema, value, place));
            }
            Rule::Fields(fields) => self.explain_fields(fields, value, place)?,
            Rule::Items { prefix, rest } => {
                let items = value.as_array().into_iter().flat_map(|array| array.elements());
                for (at, item) in items.enumerate() {
                    let Some(schema) = prefix.get(at).or(rest.as_ref()) else { break };
                    self.descend_to(*schema, item, place, Step::Item(at));
                }
            }
            Rule::UnevaluatedProperties(inner) => {
                let others = self.judge.unevaluated_fields(schema, value);
                let is_false = self.judge.rules.is_false(*inner);
                if others.is_none() {
                    self.note_unclear(open, keyword);
                }
                for (name, field) in others.into_iter().flatten() {
                    match is_false {
                        true => self.report_unknown(place, name, keyword.name, field)?,
                        false => self.descend_to(*inner, field, place, Step::Field(name)),
                    }
                }
            }
            Rule::UnevaluatedItems(inner) if !self.judge.rules.is_false(*inner) => {
                match self.judge.unevaluated_items(schema, value) {
                    Some(others) => others.into_iter().for_each(|(at, item)| {
                        self.descend_to(*inner, item, place, Step::Item(at));
                    }),
                    None => self.note_unclear(open, keyword),
                }
            }
            _ if is_unclear => self.note_unclear(open, keyword),
            Rule::Required(names) => {
                for name in names {
                    self.report_missing(place, value, name, keyword.name);
                }
            }
            Rule::DependentRequired(all) => {
                let Some(object) = value.as_object() else { return Ok(()) };
                let there = all.iter().filter(|(name, _)| object.get(name).is_some());
                for name in there.flat_map(|(_, names)| names) {
                    self.report_missing(place, value, name, keyword.name);
                }
            }
            _ => self.report(open, keyword)?,
        }
        Ok(())
    }

    fn explain_fields(
        &mut self,
        fields: &Fields,
        value: View<'d>,
        place: usize,
    ) -> velocitydb_core::Result<()> {
        for (name, field) in value.as_object().into_iter().flat_map(|object| object.members()) {
            for schema in fields.judges(name) {
                if fields.additional == Some(schema) && self.judge.rules.is_false(schema) {
                    self.report_unknown(place, name, "additionalProperties", field)?;
                } else {
                    self.descend_to(schema, field, place, Step::Field(name));
                }
            }
        }
        Ok(())
    }

    fn note_unclear(&mut self, open: &Open<'d>, keyword: &Keyword) {
        self.unclear.get_or_insert((open.place, keyword.name, open.value));
    }

    /// Reports that a value violates the rule of a keyword.
    fn report(&mut self, open: &Open<'d>, keyword: &'s Keyword) -> velocitydb_core::Result<()> {
        let found = open.value.raw().map(shortened).transpose()?;
        let text = found.as_ref().map(|found| shorten(&found.to_json(), TEXT_CHARS_MAX));
        let (name, message) = self.message(open, keyword, &text.unwrap_or_default());
        self.add(open.place, None, name, message, found);
        Ok(())
    }

    /// The violated keyword, which can be another one of the schema, and the end of the sentence.
    fn message(
        &mut self,
        open: &Open<'d>,
        keyword: &'s Keyword,
        found: &str,
    ) -> (&'static str, String) {
        let value = open.value;
        match &keyword.rule {
            Rule::Any(schemas) => {
                let either = self.either(schemas, value);
                let count = schemas.len();
                let message =
                    format!("must satisfy one of {count} schemas ({either}), and is {found}");
                (keyword.name, message)
            }
            Rule::One(schemas) => {
                let count = schemas.len();
                let message = if self.judge.holding(schemas, value) == Some(0) {
                    let either = self.either(schemas, value);
                    format!(
                        "must satisfy exactly one of {count} schemas ({either}), and is {found}"
                    )
                } else {
                    format!(
                        "must satisfy exactly one of {count} schemas, not several, and is {found}"
                    )
                };
                (keyword.name, message)
            }
            Rule::Contains { schema, min, max } => {
                let is_few =
                    self.judge.containing(*schema, value).is_some_and(|count| count < *min);
                let name = match (is_few, *min, *max) {
                    (true, 1, _) => "contains",
                    (true, ..) => "minContains",
                    (false, ..) => "maxContains",
                };
                (name, format!("must have as many matching elements as {name} requires"))
            }
            Rule::Names(schema) if self.judge.rules.is_false(*schema) => {
                (keyword.name, "must have no fields".to_owned())
            }
            Rule::Names(schema) => {
                let one = self.name_demand(*schema, value);
                (keyword.name, format!("must have field names that fit: one {one}"))
            }
            Rule::UnevaluatedItems(_) => {
                let others = self.judge.unevaluated_items(open.schema, value).unwrap_or_default();
                let others = others.iter().filter_map(|(_, item)| item.raw()).take(3);
                let texts = others.filter_map(|item| Some(shortened(item).ok()?.to_json()));
                let texts = shorten(&texts.collect::<Vec<_>>().join(", "), TEXT_CHARS_MAX);
                let message =
                    format!("must have no elements that the schema does not know, such as {texts}");
                (keyword.name, message)
            }
            rule => {
                let demand = demand(keyword.name, rule, value);
                let is_about_value = is_about_value(keyword.name);
                let message =
                    if is_about_value { format!("{demand}, and is {found}") } else { demand };
                (keyword.name, message)
            }
        }
    }

    /// What `propertyNames` requires of the first name that violates it, and that name.
    fn name_demand(&mut self, schema: Number, value: View<'d>) -> String {
        let object = value.as_object().into_iter();
        let mut names = object.flat_map(|object| object.members()).map(|(name, _)| name);
        let name = names.find(|name| self.judge.holds(schema, View::Name(name)) == Some(false));
        let name = name.unwrap_or_default();
        let demand = self.first_demand(schema, View::Name(name));
        format!("{demand}, and is {}", shorten(&Value::from(name).to_json(), TEXT_CHARS_MAX))
    }

    /// The requirements of some of the schemas of which one has to be satisfied.
    fn either(&mut self, schemas: &[Number], value: View<'d>) -> String {
        let mut texts: Vec<String> = Vec::new();
        for schema in schemas.iter().take(3) {
            texts.push(self.first_demand(*schema, value));
        }
        if schemas.len() > 3 {
            texts.push("…".to_owned());
        }
        texts.dedup();
        texts.join(", or ")
    }

    /// The first violated requirement of a schema, if it is about the value itself: others would need a
    /// path and a longer text.
    fn first_demand(&mut self, schema: Number, value: View<'d>) -> String {
        let mut schema = schema;
        // This follows references and `allOf`, which have no cycles: that was checked before.
        'lead: loop {
            for keyword in self.judge.rules.of_schema(schema) {
                if self.judge.keeps(schema, keyword, value) != Some(false) {
                    continue;
                }
                match &keyword.rule {
                    Rule::Same(next) => {
                        schema = *next;
                        continue 'lead;
                    }
                    Rule::All(schemas) => {
                        let next = schemas
                            .iter()
                            .find(|next| self.judge.holds(**next, value) == Some(false));
                        let Some(next) = next else { continue };
                        schema = *next;
                        continue 'lead;
                    }
                    Rule::Any(_)
                    | Rule::One(_)
                    | Rule::If { .. }
                    | Rule::DependentSchemas(_)
                    | Rule::Fields(_)
                    | Rule::Items { .. } => {}
                    rule => return demand(keyword.name, rule, value),
                }
                return "something within it".to_owned();
            }
            return "something within it".to_owned();
        }
    }

    fn report_missing(&mut self, place: usize, value: View<'d>, name: &str, rule: &'static str) {
        let Some(object) = value.as_object() else { return };
        if object.get(&name.into()).is_none() {
            let message = "is missing, and has to be there".to_owned();
            self.add(place, Some(name), rule, message, None);
        }
    }

    fn report_unknown(
        &mut self,
        place: usize,
        name: &str,
        rule: &'static str,
        value: View<'d>,
    ) -> velocitydb_core::Result<()> {
        let message = "is a field that the schema does not know, and it takes no others".to_owned();
        let value = value.raw().map(shortened).transpose()?;
        self.add(place, Some(name), rule, message, value);
        Ok(())
    }

    /// Adds a violation, unless the steps are used up.
    fn add(
        &mut self,
        place: usize,
        name: Option<&str>,
        rule: &str,
        message: String,
        value: Option<Value>,
    ) {
        let path = self.path(place, name);
        if !self.found.is_full() && self.judge.meter.spend(1 + path.len() as u64 / BYTES_PER_STEP) {
            self.found.add(Violation { path, rule: rule.to_owned(), message, value });
        }
    }

    fn path(&self, place: usize, name: Option<&str>) -> String {
        let mut steps = Vec::new();
        let mut at = place;
        while at != 0 {
            steps.push(match self.places[at].step {
                Step::Field(name) => name.to_owned(),
                Step::Item(item) => item.to_string(),
            });
            at = self.places[at].within;
        }
        dotted(steps.iter().rev().map(String::as_str).chain(name))
    }

    fn end(self) -> Violations {
        let is_stopped = self.judge.meter.is_exhausted();
        if self.found.kept.is_empty() {
            return match self.unclear {
                Some((place, rule, value)) if !is_stopped => self.unclear(place, rule, value),
                _ => {
                    let text = "breaks the schema, and is too large to say where".to_owned();
                    Violations::whole("steps", text)
                }
            };
        }
        let further = self.found.seen.len() - self.found.kept.len();
        let more = match further {
            _ if is_stopped => More::Unknown,
            further if self.found.is_cut => More::AtLeast(further.max(1)),
            0 => More::None,
            further => More::Count(further),
        };
        Violations::new(self.found.into_vec(), more)
    }

    /// A violation of a rule that cannot be evaluated here: of the metaschema, which only the library
    /// knows, or of a reference whose target depends on the reference path.
    fn unclear(&self, place: usize, rule: &str, value: View<'d>) -> Violations {
        let outer = self.path(place, None);
        let small = value.raw().filter(|raw| raw.as_encoded().len() <= METASCHEMA_BYTES_MAX);
        if let (METASCHEMA, Some(raw)) = (rule, small)
            && let Ok(value) = raw.to_value()
        {
            let value = to_json(&value);
            let metaschema = jsonschema::draft202012::meta::validator();
            let errors = metaschema.iter_errors(&value).take(VIOLATIONS_MAX + 1);
            let violation = |error: jsonschema::ValidationError<'_>| {
                let steps = pointer_steps(error.instance_path().as_str());
                let inner = dotted(steps.iter().map(String::as_str));
                let separator = if outer.is_empty() || inner.is_empty() { "" } else { "." };
                let found = start_of(error.instance(), TEXT_CHARS_MAX);
                Violation {
                    path: format!("{outer}{separator}{inner}"),
                    rule: error.kind().keyword().to_owned(),
                    message: of_schema(&error, &found),
                    value: None,
                }
            };
            let all: Vec<_> = errors.map(violation).collect();
            if !all.is_empty() {
                let more = if all.len() > VIOLATIONS_MAX { More::Unknown } else { More::None };
                return Violations::new(all, more);
            }
        }
        let message = format!("breaks the schema, at its keyword {rule}");
        let rule = rule.to_owned();
        let all = vec![Violation { path: outer, rule, message, value: None }];
        Violations::new(all, More::Unknown)
    }
}

/// The first violations by path and rule, and how many there were.
#[derive(Default)]
struct Found {
    kept: BTreeMap<(String, String, String), Option<Value>>,
    bytes: usize,
    seen: HashSet<u128>,
    /// Whether violations were left out without being counted.
    is_cut: bool,
}

impl Found {
    fn is_full(&self) -> bool {
        self.is_cut && self.seen.len() >= VIOLATIONS_COUNTED_MAX
    }

    fn add(&mut self, violation: Violation) {
        let Violation { path, rule, message, value } = violation;
        let identity = xxh3_128(format!("{path}\n{rule}\n{message}").as_bytes());
        if self.seen.contains(&identity) {
            return;
        }
        if self.seen.len() >= VIOLATIONS_COUNTED_MAX {
            self.is_cut = true;
            return;
        }
        self.seen.insert(identity);
        self.bytes += path.len() + rule.len() + message.len();
        self.kept.insert((path, rule, message), value);
        while self.kept.len() > VIOLATIONS_MAX
            || (self.bytes > VIOLATIONS_BYTES_MAX && self.kept.len() > 1)
        {
            let Some(((path, rule, message), _)) = self.kept.pop_last() else { break };
            self.bytes -= path.len() + rule.len() + message.len();
        }
    }

    fn into_vec(self) -> Vec<Violation> {
        let kept = self.kept.into_iter();
        kept.map(|((path, rule, message), value)| Violation { path, rule, message, value })
            .collect()
    }
}
