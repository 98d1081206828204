//! Parsing the stages of a pipeline. The content of each stage is parsed in the
//! module of that stage.

use super::bucket::Bucket;
use super::expression::Parser;
use super::group::Group;
use super::lookup::Lookup;
use super::matching::Match;
use super::projection::Projection;
use super::stage::{Kind, Stage, Stages};
use super::unwind::Unwind;
use crate::limits::PIPELINE_STAGES_MAX;
use crate::vocabulary::Kind as Vocabulary;
use crate::{Error, Path, Result, Sort, Value};

const STAGES: [&str; 17] = [
    "$addFields",
    "$bucket",
    "$count",
    "$facet",
    "$group",
    "$limit",
    "$lookup",
    "$match",
    "$project",
    "$replaceRoot",
    "$replaceWith",
    "$set",
    "$skip",
    "$sort",
    "$sortByCount",
    "$unset",
    "$unwind",
];

impl Parser {
    /// Reads a list of stages.
    pub(super) fn stages(&mut self, value: &Value) -> Result<Stages> {
        let Some(list) = value.as_array() else {
            return self.refuse("takes a list of stages, such as [{\"$match\": {\"age\": 28}}]");
        };
        let read = |(at, stage): (usize, &Value)| self.stage(at, stage);
        Ok(Stages::new(list.iter().enumerate().map(read).collect::<Result<_>>()?))
    }

    /// Parses one stage, at a position.
    pub(super) fn stage(&mut self, at: usize, value: &Value) -> Result<Stage> {
        self.within(at.to_string(), |parser| {
            parser.count_stage()?;
            let stage = value.as_object().filter(|stage| stage.len() == 1);
            let Some((name, operand)) = stage.and_then(|stage| stage.iter().next()) else {
                return parser
                    .refuse("takes a stage: an object with one field, such as {\"$limit\": 10}");
            };
            parser.within(name, |parser| {
                let kind = parser.kind(name, operand)?;
                Ok(Stage { place: parser.place(), kind })
            })
        })
    }

    fn kind(&mut self, name: &str, operand: &Value) -> Result<Kind> {
        Ok(match name {
            "$addFields" => Kind::Project(Projection::add(self, "$addFields", operand)?),
            "$set" => Kind::Project(Projection::add(self, "$set", operand)?),
            "$project" => Kind::Project(Projection::parse(self, operand)?),
            "$unset" => Kind::Project(Projection::unset(self, operand)?),
            "$bucket" => Kind::Group(Bucket::parse(self, operand)?),
            "$group" => Kind::Group(Group::parse(self, operand)?),
            "$sortByCount" => Kind::Group(Group::by_count(self, operand)?),
            "$match" => Kind::Match(Match::parse(self, operand)?),
            "$lookup" => Kind::Lookup(Box::new(Lookup::parse(self, operand)?)),
            "$unwind" => Kind::Unwind(Unwind::parse(self, operand)?),
            "$facet" => self.facet(operand)?,
            "$sort" => self.sort(operand)?,
            "$limit" => match self.whole(operand)? {
                0 => return self.refuse("takes a positive integer; a limit of 0 is not one"),
                limit => Kind::Limit(limit),
            },
            "$skip" => Kind::Skip(self.whole(operand)?),
            "$count" => match operand.as_str() {
                Some(name) if is_field_name(name) => Kind::Count(name.to_owned()),
                _ => {
                    return self.refuse(
                        "takes the name of a field, a string without dots and `$` that is not empty",
                    );
                }
            },
            "$replaceRoot" => {
                let Some(options) = operand.as_object() else {
                    return self.refuse("takes an object with `newRoot`");
                };
                self.only(options, &["newRoot"])?;
                let root = self.required(options, "newRoot")?;
                let root = self.within("newRoot", |parser| parser.expression(root))?;
                Kind::Replace { operator: "$replaceRoot", root }
            }
            "$replaceWith" => {
                Kind::Replace { operator: "$replaceWith", root: self.expression(operand)? }
            }
            _ => return self.unknown(Vocabulary::Stage, name, &STAGES),
        })
    }

    fn whole(&self, operand: &Value) -> Result<u64> {
        let number = super::expression::Number::of(operand).and_then(|number| number.as_whole());
        match number.and_then(|number| u64::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => self.refuse("takes an integer that is not negative"),
        }
    }

    fn sort(&mut self, operand: &Value) -> Result<Kind> {
        let sort = Sort::from_value(operand).map_err(|error| self.relocate(error))?;
        if sort.is_empty() {
            return self.refuse("takes at least one path with a direction, such as {\"age\": 1}");
        }
        Ok(Kind::Sort { sort, fields: sort_fields(operand) })
    }

    fn facet(&mut self, operand: &Value) -> Result<Kind> {
        let Some(facets) = operand.as_object().filter(|facets| !facets.is_empty()) else {
            return self.refuse("takes an object of pipelines by name, at least one");
        };
        let mut read = Vec::with_capacity(facets.len());
        for (name, stages) in facets {
            let stages = self.within(name, |parser| {
                if !is_field_name(name) {
                    return parser.refuse(
                        "is no name of a field: it is empty, has a dot or begins with `$`",
                    );
                }
                parser.stages(stages)
            })?;
            if let Some(inner) =
                stages.stages.iter().find(|stage| matches!(stage.kind, Kind::Facet(_)))
            {
                return Err(Error::InvalidQuery {
                    what: "pipeline".into(),
                    place: inner.place.clone(),
                    problem: "is inside of another $facet, which is not allowed".to_owned(),
                });
            }
            read.push((name.to_owned(), stages));
        }
        Ok(Kind::Facet(read))
    }

    /// An error of a filter or a sort, with its place in the pipeline.
    pub(super) fn relocate(&self, error: Error) -> Error {
        match error {
            Error::InvalidQuery { what, place, problem } => {
                let own = self.place();
                let place = if place.is_empty() { own } else { format!("{own}.{place}") };
                Error::InvalidQuery { what, place, problem }
            }
            other => other,
        }
    }

    fn count_stage(&mut self) -> Result<()> {
        self.stages += 1;
        if self.stages > PIPELINE_STAGES_MAX {
            return self.refuse(format!(
                "is one stage more than the {PIPELINE_STAGES_MAX} that are allowed"
            ));
        }
        Ok(())
    }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}

/// The top-level fields that a sort reads; `None` if they are not known.
fn sort_fields(operand: &Value) -> Option<Vec<String>> {
    let first = |path: &str| {
        let path: Path = path.parse().ok()?;
        Some(path.segments().first()?.name().to_owned())
    };
    match operand {
        Value::Object(keys) => keys.keys().map(first).collect(),
        Value::Array(keys) => {
            let objects: Option<Vec<_>> = keys.iter().map(Value::as_object).collect();
            objects?.into_iter().flat_map(|key| key.keys()).map(first).collect()
        }
        _ => None,
    }
}
