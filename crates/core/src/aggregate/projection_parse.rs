//! Parsing `$project`, `$addFields`, `$set` and `$unset`.

use super::expression::{Node, Parser, has_operators};
use super::projection::{Branch, Computed, Mode, Part, Projection};
use crate::{Object, Path, Result, Value};

/// A projection that is being parsed.
struct Reader<'p> {
    parser: &'p mut Parser,
    projection: Projection,
    /// The names of the current path.
    names: Vec<String>,
    keeps: bool,
    drops: bool,
}

impl Projection {
    /// `$project`.
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let Some(fields) = operand.as_object().filter(|fields| !fields.is_empty()) else {
            return parser.refuse("takes an object of fields, at least one, such as {\"name\": 1}");
        };
        let mut reader = Reader::new(parser, Mode::Include, "$project");
        reader.fields(fields)?;
        let Reader { keeps, drops, mut projection, .. } = reader;
        if keeps && drops {
            return parser.refuse(
                "keeps some fields and drops others; only `_id` can be dropped beside fields that \
                 are kept",
            );
        }
        let id = projection.root.0.iter().position(|(name, _)| name == "_id");
        let id_is_dropped = id.is_some_and(|at| matches!(projection.root.0[at].1, Part::Drop));
        let only_id_is_kept = !keeps && !drops && id.is_some() && !id_is_dropped;
        if keeps || only_id_is_kept {
            match id {
                None => projection.root.0.push(("_id".to_owned(), Part::Keep)),
                Some(at) if id_is_dropped => drop(projection.root.0.remove(at)),
                Some(_) => {}
            }
        } else {
            projection.mode = Mode::Exclude;
        }
        Ok(projection)
    }

    /// `$addFields` and `$set`.
    pub(super) fn add(
        parser: &mut Parser,
        operator: &'static str,
        operand: &Value,
    ) -> Result<Self> {
        let Some(fields) = operand.as_object().filter(|fields| !fields.is_empty()) else {
            return parser.refuse(
                "takes an object of fields and expressions, at least one, such as {\"total\": \
                 {\"$add\": [\"$a\", \"$b\"]}}",
            );
        };
        let mut reader = Reader::new(parser, Mode::Add, operator);
        reader.fields(fields)?;
        Ok(reader.projection)
    }

    /// `$unset`.
    pub(super) fn unset(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let wrong = "takes a path without `$`, or a list of at least one";
        let paths = match operand {
            Value::String(path) => vec![path.as_str()],
            Value::Array(paths) if !paths.is_empty() => {
                let paths: Option<_> = paths.iter().map(Value::as_str).collect();
                paths.ok_or_else(|| parser.error(wrong))?
            }
            _ => return parser.refuse(wrong),
        };
        let mut reader = Reader::new(parser, Mode::Exclude, "$unset");
        for path in paths {
            if path.starts_with('$') {
                return reader.parser.refuse(wrong);
            }
            reader.at(path, |reader| reader.put(Part::Drop))?;
        }
        Ok(reader.projection)
    }
}

impl<'p> Reader<'p> {
    fn new(parser: &'p mut Parser, mode: Mode, operator: &'static str) -> Self {
        let projection =
            Projection { mode, operator, root: Branch::default(), computed: Vec::new() };
        Self { parser, projection, names: Vec::new(), keeps: false, drops: false }
    }

    fn fields(&mut self, fields: &Object) -> Result<()> {
        for (path, value) in fields {
            self.at(path, |reader| reader.field(value))?;
        }
        Ok(())
    }

    /// Parses something at a path below the current one.
    fn at(&mut self, path: &str, read: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let parsed: Path = path
            .parse()
            .map_err(|error| self.parser.error(format!("has a wrong path: {error}")))?;
        let depth = self.names.len();
        self.names.extend(parsed.segments().iter().map(|segment| segment.name().to_owned()));
        self.parser.enter(path);
        let result = read(self);
        self.parser.leave();
        self.names.truncate(depth);
        result
    }

    fn field(&mut self, value: &Value) -> Result<()> {
        let is_add = self.projection.mode == Mode::Add;
        match value {
            Value::Object(fields) if !fields.is_empty() && !has_operators(fields) => {
                return self.fields(fields);
            }
            Value::Object(fields) if fields.is_empty() && !is_add => {
                return self
                    .parser
                    .refuse("takes 1, 0, an expression, or an object of fields that is not empty");
            }
            Value::Bool(keep) if !is_add => return self.keep(*keep),
            number if !is_add && number.kind().is_number() => {
                return self.keep(*value != Value::Int(0));
            }
            _ => {}
        }
        let node = self.parser.expression(value)?;
        self.compute(node)
    }

    fn keep(&mut self, keep: bool) -> Result<()> {
        if self.names != ["_id"] {
            self.keeps |= keep;
            self.drops |= !keep;
        }
        self.put(if keep { Part::Keep } else { Part::Drop })
    }

    fn compute(&mut self, node: Node) -> Result<()> {
        self.keeps = true;
        let at = self.projection.computed.len();
        self.projection.computed.push(Computed { node, depth: self.names.len() });
        self.put(Part::Compute(at))
    }

    fn put(&mut self, part: Part) -> Result<()> {
        let (last, way) = self.names.split_last().expect("a path has a segment");
        let mut branch = &mut self.projection.root;
        for name in way {
            let found = branch.0.iter().position(|(other, _)| other == name);
            let at = found.unwrap_or_else(|| {
                branch.0.push((name.clone(), Part::Branch(Branch::default())));
                branch.0.len() - 1
            });
            match &mut branch.0[at].1 {
                Part::Branch(inner) => branch = inner,
                _ => return self.parser.refuse("is inside of another field that is named too"),
            }
        }
        if branch.0.iter().any(|(name, _)| name == last) {
            return self
                .parser
                .refuse("is named twice, or has fields inside of it that are named too");
        }
        branch.0.push((last.clone(), part));
        Ok(())
    }
}
