//! Parsing filters from objects. Owns the grammar, and reports where and why a filter is not
//! valid.

use super::measure::{self, LEVELS_MAX};
use super::pattern::Pattern;
use super::predicate::{Choices, Predicate, Presence, Test};
use super::value_type::ValueType;
use crate::vocabulary::{self, Kind};
use crate::{Error, Object, Path, Result, Value};

const LOGICAL: [&str; 3] = ["$and", "$or", "$nor"];
const OPERATORS: [&str; 16] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$type",
    "$regex",
    "$options",
    "$all",
    "$size",
    "$elemMatch",
    "$not",
];

/// Reads a whole filter.
pub(crate) fn parse_filter(filter: &Object) -> Result<Predicate> {
    let predicate = Parser::default().filter(filter)?;
    measure::check(&predicate)?;
    Ok(predicate)
}

/// Reads the operators of one field, such as `{"$gte": 5}`. There is at least one.
pub(crate) fn parse_operators(operators: &Object) -> Result<Vec<Test>> {
    let tests = Parser::default().operators(operators)?;
    let field = |test: &Test| Predicate::Field {
        path: Path::field("element").expect("it is a name"),
        test: test.clone(),
    };
    measure::check(&Predicate::And(tests.iter().map(field).collect()))?;
    Ok(tests)
}

/// Whether an object is not a plain value, since it has a name that no document can have.
pub(crate) fn has_operators(object: &Object) -> bool {
    object.keys().any(|name| name.starts_with('$'))
}

/// Whether an object has operators that test a value, rather than fields and filters.
pub(crate) fn tests_a_value(object: &Object) -> bool {
    object.keys().any(|name| name.starts_with('$') && !LOGICAL.contains(&name))
}

/// The current path in the filter.
#[derive(Default)]
struct Parser {
    place: Vec<String>,
}

impl Parser {
    fn filter(&mut self, filter: &Object) -> Result<Predicate> {
        let mut parts = Vec::with_capacity(filter.len());
        for (name, operand) in filter {
            self.at(name, |parser| {
                match name {
                    "$and" => parts.push(Predicate::and(parser.filters(operand)?)),
                    "$or" => parts.push(Predicate::or(parser.filters(operand)?)),
                    "$nor" => parts.push(Predicate::nor(parser.filters(operand)?)),
                    operator if operator.starts_with('$') => return Err(parser.misplaced(operator)),
                    _ => parser.field(name, operand, &mut parts)?,
                }
                Ok(())
            })?;
        }
        Ok(Predicate::and(parts))
    }

    /// The operand of `$and`, `$or` and `$nor`.
    fn filters(&mut self, operand: &Value) -> Result<Vec<Predicate>> {
        let Some(filters) = operand.as_array().filter(|filters| !filters.is_empty()) else {
            return Err(self.fail("takes a list of one or more filters, such as [{\"age\": 18}]"));
        };
        let each = filters.iter().enumerate().map(|(at, filter)| {
            self.at(&at.to_string(), |parser| match filter {
                Value::Object(filter) => parser.filter(filter),
                other => Err(parser.fail(format!(
                    "is a value of type {}, not a filter, such as {{\"age\": 18}}",
                    other.kind()
                ))),
            })
        });
        each.collect()
    }

    fn field(&mut self, name: &str, operand: &Value, parts: &mut Vec<Predicate>) -> Result<()> {
        let path: Path =
            name.parse().map_err(|error| self.fail(format!("is not a field: {error}")))?;
        let tests = match operand {
            Value::Object(operators) if has_operators(operators) => self.operators(operators)?,
            value => vec![Test::Eq(self.value(value)?)],
        };
        let field = |test| Predicate::Field { path: path.clone(), test };
        parts.extend(tests.into_iter().map(field));
        Ok(())
    }

    fn operators(&mut self, operators: &Object) -> Result<Vec<Test>> {
        let mut tests = Vec::with_capacity(operators.len());
        // Filters that differ only in order are equal.
        for (operator, operand) in operators.by_name() {
            if operator == "$options" && operators.contains_key("$regex") {
                continue;
            }
            let options = operators.get("$options");
            tests.push(self.at(operator, |parser| parser.test(operator, operand, options))?);
        }
        Ok(tests)
    }

    fn test(&mut self, operator: &str, operand: &Value, options: Option<&Value>) -> Result<Test> {
        Ok(match operator {
            "$eq" => Test::Eq(self.value(operand)?),
            "$ne" => Test::Ne(self.value(operand)?),
            "$gt" => Test::Gt(self.value(operand)?),
            "$gte" => Test::Gte(self.value(operand)?),
            "$lt" => Test::Lt(self.value(operand)?),
            "$lte" => Test::Lte(self.value(operand)?),
            "$in" => Test::In(self.choices(operand)?),
            "$nin" => Test::Nin(self.choices(operand)?),
            "$exists" => Test::Exists(self.presence(operand)?),
            "$type" => Test::Type(self.types(operand)?),
            "$regex" => Test::Regex(self.pattern(operand, options)?),
            "$all" => self.all(operand)?,
            "$size" => Test::Size(self.size(operand)?),
            "$elemMatch" => self.elem_match(operand)?,
            "$not" => match operand {
                Value::Object(operators) if has_operators(operators) => {
                    Test::Not(self.operators(operators)?)
                }
                _ => {
                    return Err(
                        self.fail("takes operators, such as {\"$gt\": 5}; use $ne for a value")
                    );
                }
            },
            "$options" => return Err(self.fail("stands only beside $regex")),
            other => return Err(self.unknown(other)),
        })
    }

    /// A value to compare with.
    fn value(&mut self, value: &Value) -> Result<Value> {
        measure::check_operand(value).map_err(|problem| self.fail(problem))?;
        Ok(value.clone())
    }

    fn choices(&mut self, operand: &Value) -> Result<Choices> {
        let Some(choices) = operand.as_array() else {
            return Err(self.fail("takes a list of values, such as [1, 2]"));
        };
        let (mut values, mut patterns) = (Vec::with_capacity(choices.len()), Vec::new());
        for (at, choice) in choices.iter().enumerate() {
            self.at(&at.to_string(), |parser| {
                match choice {
                    Value::Object(object) if has_operators(object) => {
                        match parser.regex_choice(object)? {
                            Some(pattern) => patterns.push(pattern),
                            None => {
                                return Err(parser.fail("takes values and {\"$regex\": …} only"));
                            }
                        }
                    }
                    value => values.push(parser.value(value)?),
                }
                Ok(())
            })?;
        }
        Ok(Choices::new(values, patterns))
    }

    /// `{"$regex": …}` in a list.
    fn regex_choice(&mut self, object: &Object) -> Result<Option<Pattern>> {
        let only = object.keys().all(|name| matches!(name, "$regex" | "$options"));
        match object.get("$regex").filter(|_| only) {
            Some(source) => self.pattern(source, object.get("$options")).map(Some),
            None => Ok(None),
        }
    }

    fn pattern(&mut self, source: &Value, options: Option<&Value>) -> Result<Pattern> {
        let Some(source) = source.as_str() else {
            return Err(self.fail("takes a pattern as a string, such as \"^a\""));
        };
        let Some(options) = options.map_or(Some(""), Value::as_str) else {
            return Err(self.fail("takes $options as a string, such as \"i\""));
        };
        Pattern::new(source, options).map_err(|problem| self.fail(problem))
    }

    fn all(&mut self, operand: &Value) -> Result<Test> {
        let Some(choices) = operand.as_array() else {
            return Err(self.fail("takes a list of values, such as [1, 2]"));
        };
        let each = choices.iter().enumerate().map(|(at, choice)| {
            self.at(&at.to_string(), |parser| match choice {
                Value::Object(object) if has_operators(object) => {
                    if let Some(pattern) = parser.regex_choice(object)? {
                        return Ok(Test::Regex(pattern));
                    }
                    match object.get("$elemMatch").filter(|_| object.len() == 1) {
                        Some(operand) => {
                            parser.at("$elemMatch", |parser| parser.elem_match(operand))
                        }
                        None => Err(parser
                            .fail("takes values, {\"$regex\": …} and {\"$elemMatch\": …} only")),
                    }
                }
                value => parser.value(value).map(Test::Eq),
            })
        });
        each.collect::<Result<_>>().map(Test::All)
    }

    fn elem_match(&mut self, operand: &Value) -> Result<Test> {
        let Value::Object(object) = operand else {
            let expected =
                "takes a filter, such as {\"sku\": \"a\"}, or operators, such as {\"$gt\": 5}";
            return Err(self.fail(expected));
        };
        if tests_a_value(object) {
            return self.operators(object).map(Test::ElemMatchValue);
        }
        self.filter(object).map(|predicate| Test::ElemMatch(Box::new(predicate)))
    }

    fn presence(&mut self, operand: &Value) -> Result<Presence> {
        let present = match operand {
            Value::Bool(present) => *present,
            operand if operand.kind().is_number() => *operand != Value::Int(0),
            _ => return Err(self.fail("takes true or false")),
        };
        Ok(if present { Presence::Present } else { Presence::Missing })
    }

    fn size(&mut self, operand: &Value) -> Result<u64> {
        let whole = || operand.to_whole().and_then(|size| size.try_into().ok());
        let size = operand.as_u64().or_else(whole);
        size.ok_or_else(|| self.fail("takes a whole number that is not negative"))
    }

    fn types(&mut self, operand: &Value) -> Result<Vec<ValueType>> {
        let mut types = Vec::new();
        match operand {
            Value::Array(names) if !names.is_empty() => {
                for (at, name) in names.iter().enumerate() {
                    self.at(&at.to_string(), |parser| {
                        types.extend(parser.types_named(name)?);
                        Ok(())
                    })?;
                }
            }
            name => types.extend(self.types_named(name)?),
        }
        types.sort_unstable();
        types.dedup();
        Ok(types)
    }

    fn types_named(&mut self, name: &Value) -> Result<Vec<ValueType>> {
        if let Value::String(name) = name {
            return ValueType::named(name).map(<[_]>::to_vec).ok_or_else(|| {
                self.fail(vocabulary::unknown(Kind::Type, name, &ValueType::names()))
            });
        }
        let Some(number) = name.to_whole() else {
            return Err(
                self.fail("takes the name of a type, such as \"string\", or a list of names")
            );
        };
        match ValueType::numbered(number) {
            Some(numbered) => Ok(vec![numbered]),
            None => Err(self.fail(format!(
                "names the unknown type {number}; there are 1 double, 2 string, 3 object, 4 array, \
                 5 binData, 7 objectId, 8 bool, 9 date, 10 null, 16 int, 18 long, 19 decimal, and more \
                 that have a name: minKey, undefined, regex, dbPointer, javascript, symbol, \
                 javascriptWithScope, timestamp and maxKey"
            ))),
        }
    }

    /// Goes one step into the filter. After an error the path is not restored, and is not used.
    fn at<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.place.push(step.to_owned());
        if self.place.len() > LEVELS_MAX {
            let what = "depth of a filter";
            let found = self.place.len();
            return Err(Error::LimitExceeded {
                what: what.into(),
                path: String::new(),
                found,
                max: LEVELS_MAX,
            });
        }
        let read = read(self)?;
        self.place.pop();
        Ok(read)
    }

    /// An operator where a field or `$and`, `$or`, `$nor` is expected.
    fn misplaced(&self, operator: &str) -> Error {
        match OPERATORS.contains(&operator) {
            true if operator == "$not" => self.fail(
                "stands inside of a field, as in {\"age\": {\"$not\": {\"$gt\": 5}}}; use $nor for filters",
            ),
            true => self.fail(format!(
                "stands inside of a field, as in {{\"age\": {{\"{operator}\": …}}}}"
            )),
            false => self.unknown_of(operator, &[&LOGICAL[..], &OPERATORS[..]].concat()),
        }
    }

    /// The error for an unknown operator of a field.
    fn unknown(&self, name: &str) -> Error {
        if LOGICAL.contains(&name) {
            return self.fail(format!(
                "stands outside of fields, as in {{\"{name}\": [{{\"age\": 18}}]}}"
            ));
        }
        if !name.starts_with('$') {
            return self.fail("is a field beside operators; a field takes a value or operators");
        }
        self.unknown_of(name, &OPERATORS)
    }

    fn unknown_of(&self, name: &str, known: &[&'static str]) -> Error {
        self.fail(vocabulary::unknown(Kind::Filter, name, known))
    }

    fn fail(&self, problem: impl Into<String>) -> Error {
        let place = self.place.join(".");
        Error::InvalidQuery { what: "filter".into(), place, problem: problem.into() }
    }
}
