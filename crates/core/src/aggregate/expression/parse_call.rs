//! Parsing the arguments of operators: lists, names, and the rules of those that define variables.
//! Constant arguments are checked here, so that they do not fail row by row.

use super::builtin::Builtin;
use super::calendar::{UNITS, Unit, parse_weekday};
use super::node::Node;
use super::parse::{Parser, has_operators};
use super::zone::Zone;
use super::{format, text};
use crate::error::shortened;
use crate::{Object, Result, Value};

/// The operators with parsing rules of their own.
pub(super) const SPECIAL: [&str; 6] = ["$literal", "$let", "$map", "$filter", "$reduce", "$switch"];

impl Parser {
    /// An operator of [`SPECIAL`].
    pub(super) fn special(&mut self, name: &str, operand: &Value) -> Result<Option<Node>> {
        Ok(Some(match name {
            "$literal" => Node::Literal(operand.clone()),
            "$let" => self.bind(self.arguments(operand, &["vars", "in"])?)?,
            "$map" => self.map(self.arguments(operand, &["input", "as", "in"])?)?,
            "$filter" => {
                self.filter(self.arguments(operand, &["input", "as", "cond", "limit"])?)?
            }
            "$reduce" => self.reduce(self.arguments(operand, &["input", "initialValue", "in"])?)?,
            "$switch" => self.switch(self.arguments(operand, &["branches", "default"])?)?,
            _ => return Ok(None),
        }))
    }

    fn arguments<'v>(&self, operand: &'v Value, known: &[&'static str]) -> Result<&'v Object> {
        let Some(object) = operand.as_object().filter(|object| !has_operators(object)) else {
            return self.refuse(format!("takes an object with {}", names(known)));
        };
        self.only(object, known)?;
        Ok(object)
    }

    /// A required named argument.
    fn argument(&mut self, arguments: &Object, name: &str) -> Result<Node> {
        let value = self.required(arguments, name)?;
        self.within(name, |parser| parser.expression(value))
    }

    fn bind(&mut self, arguments: &Object) -> Result<Node> {
        let Some(variables) = self.required(arguments, "vars")?.as_object() else {
            return self.refuse("takes an object of variables as `vars`");
        };
        let (names, values) = self.within("vars", |parser| parser.bindings(variables))?;
        let body = self.with_variables(names, |parser| parser.argument(arguments, "in"))?;
        Ok(Node::Let { values, body: Box::new(body) })
    }

    /// The names and values of variables.
    pub(in crate::aggregate) fn bindings(
        &mut self,
        variables: &Object,
    ) -> Result<(Vec<String>, Vec<Node>)> {
        let mut names = Vec::with_capacity(variables.len());
        let mut values = Vec::with_capacity(variables.len());
        for (name, value) in variables {
            names.push(self.variable_name(name)?);
            values.push(self.within(name, |parser| parser.expression(value))?);
        }
        Ok((names, values))
    }

    /// The name of the variable for each element.
    fn element(&self, arguments: &Object) -> Result<Vec<String>> {
        let name = match arguments.get("as") {
            None => "this".to_owned(),
            Some(Value::String(name)) => self.variable_name(name)?,
            Some(_) => return self.refuse("takes the name of a variable, a string, as `as`"),
        };
        Ok(vec![name])
    }

    fn map(&mut self, arguments: &Object) -> Result<Node> {
        let input = self.argument(arguments, "input")?;
        let names = self.element(arguments)?;
        let body = self.with_variables(names, |parser| parser.argument(arguments, "in"))?;
        Ok(Node::Map { input: Box::new(input), body: Box::new(body) })
    }

    fn filter(&mut self, arguments: &Object) -> Result<Node> {
        let input = self.argument(arguments, "input")?;
        let limit = match arguments.contains_key("limit") {
            true => Some(Box::new(self.argument(arguments, "limit")?)),
            false => None,
        };
        let names = self.element(arguments)?;
        let condition = self.with_variables(names, |parser| parser.argument(arguments, "cond"))?;
        Ok(Node::Filter { input: Box::new(input), condition: Box::new(condition), limit })
    }

    fn reduce(&mut self, arguments: &Object) -> Result<Node> {
        let input = self.argument(arguments, "input")?;
        let initial = self.argument(arguments, "initialValue")?;
        let names = vec!["this".to_owned(), "value".to_owned()];
        let body = self.with_variables(names, |parser| parser.argument(arguments, "in"))?;
        Ok(Node::Reduce {
            input: Box::new(input),
            initial: Box::new(initial),
            body: Box::new(body),
        })
    }

    fn switch(&mut self, arguments: &Object) -> Result<Node> {
        let branches = match self.required(arguments, "branches")?.as_array() {
            Some(branches) if !branches.is_empty() => branches,
            _ => {
                return self.refuse(
                    "takes a list of at least one {\"case\": …, \"then\": …} as `branches`",
                );
            }
        };
        let mut read = Vec::with_capacity(branches.len());
        for (at, branch) in branches.iter().enumerate() {
            let branch = self.within(format!("branches.{at}"), |parser| {
                let branch = parser.arguments(branch, &["case", "then"])?;
                Ok((parser.argument(branch, "case")?, parser.argument(branch, "then")?))
            })?;
            read.push(branch);
        }
        let default = match arguments.contains_key("default") {
            true => Some(Box::new(self.argument(arguments, "default")?)),
            false => None,
        };
        Ok(Node::Switch { branches: read, default })
    }

    /// An operator of the table.
    pub(super) fn call(&mut self, builtin: &'static Builtin, operand: &Value) -> Result<Node> {
        let named = operand
            .as_object()
            .filter(|object| !builtin.names.is_empty() && !has_operators(object));
        let args = match (named, builtin.list) {
            (Some(arguments), _) => self.named(builtin, arguments)?,
            (None, Some(counts)) => self.positional(counts, operand)?,
            (None, None) => {
                return self.refuse(format!("takes an object with {}", names(builtin.names)));
            }
        };
        self.prepare(builtin, args)
    }

    fn positional(
        &mut self,
        (min, max): (usize, usize),
        operand: &Value,
    ) -> Result<Vec<Option<Node>>> {
        let nodes = match operand {
            Value::Array(items) => self.list(items)?,
            other => vec![self.expression(other)?],
        };
        let found = nodes.len();
        if (min..=max).contains(&found) {
            return Ok(nodes.into_iter().map(Some).collect());
        }
        let plural = |count| if count == 1 { "argument" } else { "arguments" };
        self.refuse(match max {
            usize::MAX => format!("takes at least {min} {}, not {found}", plural(min)),
            _ if min == max => format!("takes {min} {}, not {found}", plural(min)),
            _ => format!("takes {min} to {max} arguments, not {found}"),
        })
    }

    fn named(
        &mut self,
        builtin: &'static Builtin,
        arguments: &Object,
    ) -> Result<Vec<Option<Node>>> {
        self.only(arguments, builtin.names)?;
        let mut args = Vec::with_capacity(builtin.names.len());
        for (at, name) in builtin.names.iter().enumerate() {
            args.push(match arguments.contains_key(name) || at < builtin.required {
                true => Some(self.argument(arguments, name)?),
                false => None,
            });
        }
        Ok(args)
    }

    /// Checks constant arguments, and prepares those that are expensive to parse.
    fn prepare(&mut self, builtin: &'static Builtin, args: Vec<Option<Node>>) -> Result<Node> {
        let mut args = args;
        let options = builtin.names.iter().position(|name| *name == "options");
        let options = match options.and_then(|at| args.get(at)).and_then(Option::as_ref) {
            None => Some(String::new()),
            Some(Node::Literal(Value::String(options))) => Some(options.clone()),
            Some(_) => None,
        };
        for (name, arg) in builtin.names.iter().zip(&mut args) {
            let Some(Node::Literal(Value::String(constant))) = arg else { continue };
            let prepared = match (*name, &options) {
                ("timezone", _) => Zone::parse(constant).map(Node::Zone).map(Some),
                ("regex", Some(options)) => {
                    text::pattern(constant, options).map(Node::Pattern).map(Some)
                }
                ("unit", _) if Unit::parse(constant).is_none() => {
                    return self.within("unit", |parser| {
                        parser.refuse(format!(
                            "names the unknown unit {:?}; there are {}",
                            shortened(constant),
                            UNITS.join(", ")
                        ))
                    });
                }
                ("startOfWeek", _) if parse_weekday(constant).is_none() => Err(format!(
                    "knows no day of the week {:?}; write \"monday\"",
                    shortened(constant)
                )),
                ("format", _) => format::check(constant).map(|()| None),
                _ => Ok(None),
            };
            match prepared {
                Ok(Some(node)) => *arg = Some(node),
                Ok(None) => {}
                Err(problem) => return self.within(*name, |parser| parser.refuse(problem)),
            }
        }
        Ok(Node::Call { builtin, args })
    }
}

/// The names of arguments, for a message.
fn names(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
