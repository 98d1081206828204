//! Accumulators: what a group computes from its rows. Owns reading and building them; their state
//! is in `state`.

use super::expression::{Node, Parser};
use crate::vocabulary::Kind as Vocabulary;
use crate::{Object, Result, Value, value};

/// What is computed from the rows of a group.
///
/// ```
/// use velocitydb_core::aggregate::{Accumulator, Pipeline, SingleCollection};
/// use velocitydb_core::{Time, object};
///
/// let pipeline = Pipeline::new()
///     .group("$city", [("people", Accumulator::count()), ("oldest", Accumulator::max("$age"))]);
/// let rows = [
///     object! { "city": "Berlin", "age": 28 },
///     object! { "city": "Aachen", "age": 35 },
///     object! { "city": "Berlin", "age": 41 },
/// ];
/// let expected = [
///     object! { "_id": "Aachen", "oldest": 35, "people": 1 },
///     object! { "_id": "Berlin", "oldest": 41, "people": 2 },
/// ];
/// assert_eq!(pipeline.run(&SingleCollection(Time::UNIX_EPOCH), rows)?, expected);
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Accumulator(pub(super) Value);

macro_rules! accumulators {
    ($($(#[$doc:meta])* $function:ident, $operator:literal;)*) => {
        impl Accumulator {
            $(
                $(#[$doc])*
                pub fn $function(expression: impl Into<Value>) -> Self {
                    Self(value!({ ($operator): (expression.into()) }))
                }
            )*
        }
    };
}

accumulators! {
    /// The sum of the numbers: `$sum`.
    sum, "$sum";
    /// The average of the numbers: `$avg`.
    avg, "$avg";
    /// The least value: `$min`.
    min, "$min";
    /// The greatest value: `$max`.
    max, "$max";
    /// The value of the first row: `$first`.
    first, "$first";
    /// The value of the last row: `$last`.
    last, "$last";
    /// The values of all rows: `$push`.
    push, "$push";
    /// The distinct values, in ascending order: `$addToSet`.
    add_to_set, "$addToSet";
    /// The standard deviation, the rows being the whole population: `$stdDevPop`.
    std_dev_pop, "$stdDevPop";
    /// The standard deviation, the rows being a sample: `$stdDevSamp`.
    std_dev_samp, "$stdDevSamp";
    /// All fields of objects, those of later rows replacing earlier ones: `$mergeObjects`.
    merge_objects, "$mergeObjects";
}

impl Accumulator {
    /// The number of rows: `$count`.
    pub fn count() -> Self {
        Self(value!({ "$count": {} }))
    }

    /// Percentiles, each from 0 to 1, by discrete nearest rank: `$percentile`.
    pub fn percentile(
        expression: impl Into<Value>,
        percentiles: impl IntoIterator<Item = f64>,
    ) -> Self {
        let p: Value = percentiles.into_iter().collect();
        let input = expression.into();
        Self(value!({ "$percentile": { "input": input, "p": p, "method": "approximate" } }))
    }

    /// The median, by discrete nearest rank: `$median`.
    pub fn median(expression: impl Into<Value>) -> Self {
        let input = expression.into();
        Self(value!({ "$median": { "input": input, "method": "approximate" } }))
    }
}

/// A parsed accumulator.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) input: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Push,
    AddToSet,
    Count,
    StdDevPop,
    StdDevSamp,
    MergeObjects,
    Percentile(Vec<f64>),
    Median,
}

static OPERATORS: [(&str, Kind); 14] = [
    ("$sum", Kind::Sum),
    ("$avg", Kind::Avg),
    ("$min", Kind::Min),
    ("$max", Kind::Max),
    ("$first", Kind::First),
    ("$last", Kind::Last),
    ("$push", Kind::Push),
    ("$addToSet", Kind::AddToSet),
    ("$count", Kind::Count),
    ("$stdDevPop", Kind::StdDevPop),
    ("$stdDevSamp", Kind::StdDevSamp),
    ("$mergeObjects", Kind::MergeObjects),
    ("$percentile", Kind::Percentile(Vec::new())),
    ("$median", Kind::Median),
];

impl Plan {
    /// Reads `{"$sum": "$x"}`.
    pub(super) fn parse(parser: &mut Parser, value: &Value) -> Result<Self> {
        let wrong = "takes an accumulator, such as {\"$sum\": \"$x\"}";
        let Some(object) = value.as_object().filter(|object| object.len() == 1) else {
            return parser.refuse(wrong);
        };
        let Some((name, operand)) = object.iter().next().filter(|(name, _)| name.starts_with('$'))
        else {
            return parser.refuse(wrong);
        };
        parser.within(name, |parser| {
            let found = OPERATORS.iter().find(|(operator, _)| *operator == name);
            match found {
                Some((_, kind)) => Self::with_operand(parser, kind, operand),
                None => parser.unknown(
                    Vocabulary::Accumulator,
                    name,
                    &OPERATORS.each_ref().map(|(name, _)| *name),
                ),
            }
        })
    }

    fn with_operand(parser: &mut Parser, kind: &Kind, operand: &Value) -> Result<Self> {
        match kind {
            Kind::Count if operand.as_object().is_some_and(Object::is_empty) => {
                Ok(Self { kind: Kind::Count, input: Node::Literal(Value::Null) })
            }
            Kind::Count => parser.refuse("takes an empty object, {}"),
            Kind::Percentile(_) => Self::percentile(parser, operand),
            Kind::Median => {
                let operand = arguments(parser, operand, &["input", "method"])?;
                let input = parser.required(operand, "input")?;
                let input = parser.within("input", |parser| parser.expression(input))?;
                Ok(Self { kind: Kind::Median, input })
            }
            _ if operand.as_array().is_some() => parser.refuse(
                "takes one expression here, not a list; $add values, and make an array of them by \
                 {\"$concatArrays\": [[…]]}",
            ),
            kind => Ok(Self { kind: kind.clone(), input: parser.expression(operand)? }),
        }
    }

    fn percentile(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let operand = arguments(parser, operand, &["input", "p", "method"])?;
        let wrong = "takes a list of constant numbers from 0 to 1, not empty, as `p`";
        let Some(list) = parser.required(operand, "p")?.as_array().filter(|p| !p.is_empty()) else {
            return parser.refuse(wrong);
        };
        let mut percentiles = Vec::with_capacity(list.len());
        for p in list {
            let p = super::expression::Number::of(p).map(|number| number.to_f64());
            match p.filter(|p| (0.0..=1.0).contains(p)) {
                Some(p) => percentiles.push(p),
                None => return parser.refuse(wrong),
            }
        }
        let input = parser.required(operand, "input")?;
        let input = parser.within("input", |parser| parser.expression(input))?;
        Ok(Self { kind: Kind::Percentile(percentiles), input })
    }
}

fn arguments<'v>(
    parser: &Parser,
    operand: &'v Value,
    known: &[&'static str],
) -> Result<&'v Object> {
    let Some(operand) = operand.as_object() else {
        return parser.refuse("takes an object with `input` and `method`");
    };
    parser.only(operand, known)?;
    match parser.required(operand, "method")?.as_str() {
        Some("approximate") => Ok(operand),
        _ => parser.refuse("knows only the `method` \"approximate\""),
    }
}
