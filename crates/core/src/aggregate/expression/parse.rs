//! Parsing expressions, with the path of mistakes in a pipeline. Operators with parsing rules of
//! their own are in `parse_call`.

use super::builtin::Builtin;
use super::node::Node;
use super::path::FieldPath;
use crate::error::shortened;
use crate::limits::{DEPTH_MAX, QUERY_NODES_MAX};
use crate::vocabulary::{self, Kind};
use crate::{Error, Object, Result, Value};

/// The state of parsing a pipeline: the current path, and the variables in scope.
#[derive(Debug, Clone, Default)]
pub(in crate::aggregate) struct Parser {
    place: Vec<String>,
    /// How many stages there are so far.
    pub(in crate::aggregate) stages: usize,
    /// The names of variables, by the frame that holds their values.
    scopes: Vec<Vec<String>>,
}

/// How many levels of stages and operators there may be around a value of the maximum depth.
const OPERATOR_LEVELS: usize = 20;

impl Parser {
    /// Checks the size and depth of a whole pipeline, so that reading it can recurse.
    pub(in crate::aggregate) fn admit(&self, pipeline: &Value) -> Result<()> {
        let mut nodes = 0;
        self.count(pipeline, 0, &mut nodes)
    }

    fn count(&self, value: &Value, depth: usize, nodes: &mut usize) -> Result<()> {
        *nodes += 1;
        if *nodes > QUERY_NODES_MAX {
            return self.too_large("number of operators and values", *nodes, QUERY_NODES_MAX);
        }
        if depth > DEPTH_MAX + OPERATOR_LEVELS {
            return self.too_large("nesting depth", depth, DEPTH_MAX + OPERATOR_LEVELS);
        }
        match value {
            Value::Array(items) => {
                items.iter().try_for_each(|item| self.count(item, depth + 1, nodes))
            }
            Value::Object(object) => {
                object.values().try_for_each(|value| self.count(value, depth + 1, nodes))
            }
            _ => Ok(()),
        }
    }

    fn too_large<T>(&self, what: &str, found: usize, max: usize) -> Result<T> {
        self.refuse(format!("has a {what} of {found}, and at most {max} is allowed"))
    }

    /// Parses something inside of a part of the current path.
    pub(in crate::aggregate) fn within<T>(
        &mut self,
        part: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.enter(part);
        let result = read(self);
        self.leave();
        result
    }

    /// Enters a part of the current path, until [`Parser::leave`].
    pub(in crate::aggregate) fn enter(&mut self, part: impl Into<String>) {
        self.place.push(part.into());
    }

    pub(in crate::aggregate) fn leave(&mut self) {
        self.place.pop();
    }

    /// Parses something with these variables in scope.
    pub(in crate::aggregate) fn with_variables<T>(
        &mut self,
        names: Vec<String>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.scopes.push(names);
        let result = read(self);
        self.scopes.pop();
        result
    }

    /// The current path.
    pub(in crate::aggregate) fn place(&self) -> String {
        self.place.join(".")
    }

    /// An error at the current path.
    pub(in crate::aggregate) fn refuse<T>(&self, problem: impl Into<String>) -> Result<T> {
        Err(self.error(problem))
    }

    pub(in crate::aggregate) fn error(&self, problem: impl Into<String>) -> Error {
        Error::InvalidQuery {
            what: "pipeline".into(),
            place: self.place(),
            problem: problem.into(),
        }
    }

    /// The error for an unknown operator.
    pub(in crate::aggregate) fn unknown<T>(
        &self,
        kind: Kind,
        name: &str,
        known: &[&'static str],
    ) -> Result<T> {
        self.refuse(vocabulary::unknown(kind, name, known))
    }

    /// Checks that an object has no fields but these.
    pub(in crate::aggregate) fn only(&self, object: &Object, known: &[&'static str]) -> Result<()> {
        match object.keys().find(|name| !known.contains(name)) {
            Some(name) => {
                let of = self.place.last().map_or("", String::as_str);
                self.refuse(vocabulary::unknown_argument(of, name, known))
            }
            None => Ok(()),
        }
    }

    /// A required field.
    pub(in crate::aggregate) fn required<'v>(
        &self,
        object: &'v Object,
        name: &str,
    ) -> Result<&'v Value> {
        object.get(name).ok_or_else(|| self.error(format!("needs `{name}`")))
    }

    /// A path as text, without a `$` before it.
    pub(in crate::aggregate) fn path(&self, text: &str) -> Result<FieldPath> {
        FieldPath::parse(text).map_err(|error| self.error(format!("has a wrong path: {error}")))
    }

    /// Reads an expression.
    pub(in crate::aggregate) fn expression(&mut self, value: &Value) -> Result<Node> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => self.array(items),
            Value::Object(object) if has_operators(object) => {
                let mut fields = object.iter();
                match (fields.next(), fields.next()) {
                    (Some((name, operand)), None) => {
                        self.within(name, |parser| parser.operator(name, operand))
                    }
                    _ => self.refuse(
                        "has an operator and other fields in one expression; an operator stands \
                         alone in its object",
                    ),
                }
            }
            Value::Object(object) => self.object(object),
            other => Ok(Node::Literal(other.clone())),
        }
    }

    fn array(&mut self, items: &[Value]) -> Result<Node> {
        let nodes = self.list(items)?;
        if !nodes.iter().all(Node::is_literal) {
            return Ok(Node::Array(nodes));
        }
        Ok(Node::Literal(nodes.into_iter().filter_map(Node::into_literal).collect()))
    }

    pub(super) fn list(&mut self, items: &[Value]) -> Result<Vec<Node>> {
        let read = |(at, item): (usize, &Value)| {
            self.within(at.to_string(), |parser| parser.expression(item))
        };
        items.iter().enumerate().map(read).collect()
    }

    fn object(&mut self, object: &Object) -> Result<Node> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, value) in object {
            let node = self.within(name, |parser| {
                if name.is_empty() || name.contains('.') {
                    return parser.refuse(
                        "is no name of a field here: names in expressions are not empty and have \
                         no dots; write {\"a\": {\"b\": …}}",
                    );
                }
                parser.expression(value)
            })?;
            fields.push((name.to_owned(), node));
        }
        if !fields.iter().all(|(_, node)| node.is_literal()) {
            return Ok(Node::Object(fields));
        }
        let literals = fields
            .into_iter()
            .filter_map(|(name, node)| node.into_literal().map(|value| (name, value)));
        Ok(Node::Literal(Value::Object(literals.collect())))
    }

    /// A path, a variable, or a literal string.
    fn text(&mut self, text: &str) -> Result<Node> {
        if let Some(variable) = text.strip_prefix("$$") {
            return self.variable(variable);
        }
        match text.strip_prefix('$') {
            Some("") => {
                self.refuse("has a `$` without a path; write \"$field\", or {\"$literal\": \"$\"}")
            }
            Some(path) => self.path(path).map(Node::Field),
            None => Ok(Node::Literal(text.into())),
        }
    }

    fn variable(&mut self, text: &str) -> Result<Node> {
        let (name, path) =
            text.split_once('.').map_or((text, None), |(name, path)| (name, Some(path)));
        match (name, path) {
            ("ROOT" | "CURRENT", None) => return Ok(Node::Root),
            ("ROOT" | "CURRENT", Some(path)) => return self.path(path).map(Node::Field),
            ("NOW", None) => return Ok(Node::Now),
            ("REMOVE", None) => return Ok(Node::Remove),
            // A time has no fields, nor has a missing value.
            ("NOW" | "REMOVE", Some(path)) => return self.path(path).map(|_| Node::Remove),
            _ => {}
        }
        let frames = self.scopes.iter().rev().enumerate();
        let found = frames
            .into_iter()
            .find_map(|(out, names)| Some((out, names.iter().position(|known| known == name)?)));
        let Some((out, at)) = found else {
            if Kind::Variable.has(name) {
                return self.refuse(vocabulary::unknown(Kind::Variable, name, &[]));
            }
            return self.refuse(format!(
                "uses the unknown variable \"$${}\"; there are {}",
                shortened(name),
                self.variables()
            ));
        };
        // A path has its first name separately, which does not matter here.
        let path = path.map(|path| self.path(path)).transpose()?;
        let names = path.iter().flat_map(|path| {
            std::iter::once(path.first().into()).chain(path.rest().iter().cloned())
        });
        Ok(Node::Variable { out, at, path: names.collect() })
    }

    /// The variables in scope, for a message.
    fn variables(&self) -> String {
        let own = self.scopes.iter().flatten().map(|name| format!("$${name}"));
        let all: Vec<String> = ["$$ROOT", "$$CURRENT", "$$NOW", "$$REMOVE"]
            .map(String::from)
            .into_iter()
            .chain(own)
            .collect();
        all.join(", ")
    }

    /// Checks the name of a variable that is being defined.
    pub(in crate::aggregate) fn variable_name(&self, name: &str) -> Result<String> {
        let mut chars = name.chars();
        let good = chars.next().is_some_and(|first| first.is_lowercase())
            && chars.all(|char| char.is_alphanumeric() || char == '_');
        if !good || name.len() > 128 {
            return self.refuse(format!(
                "defines the variable {:?}; a name begins with a lower-case letter, and goes on \
                 with letters, digits and `_`",
                shortened(name)
            ));
        }
        Ok(name.to_owned())
    }

    fn operator(&mut self, name: &str, operand: &Value) -> Result<Node> {
        if let Some(node) = self.special(name, operand)? {
            return Ok(node);
        }
        match Builtin::find(name) {
            Some(builtin) => self.call(builtin, operand),
            None => {
                let known: Vec<&'static str> =
                    Builtin::all().chain(super::parse_call::SPECIAL).collect();
                self.unknown(Kind::Expression, name, &known)
            }
        }
    }
}

impl Node {
    pub(in crate::aggregate) fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    pub(in crate::aggregate) fn into_literal(self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }
}

/// Whether an object is an operator with its operand, or has an operator where it must not.
pub(in crate::aggregate) fn has_operators(object: &Object) -> bool {
    object.keys().any(|name| name.starts_with('$'))
}
