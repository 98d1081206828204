//! The table of operators that compute with their evaluated arguments, and the view of a call that
//! they get.

use super::evaluate::Env;
use super::item::{Item, Number};
use super::node::Node;
use super::{arithmetic, array, condition, convert, date, object, summary, text};
use crate::{Error, Kind, Result, Time, Value};

/// An operator.
pub(in crate::aggregate) struct Builtin {
    pub(in crate::aggregate) name: &'static str,
    /// The minimum and maximum number of arguments in a list; `None` if all arguments are named.
    pub(super) list: Option<(usize, usize)>,
    /// The names that arguments can have, in the order in which they are kept.
    pub(super) names: &'static [&'static str],
    /// How many of the names, from the first, are required.
    pub(super) required: usize,
    pub(super) run: Run,
}

pub(super) type Run = for<'e> fn(&Call<'e>) -> Result<Item<'e>>;

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Builtin {
    /// An operator with a list of arguments.
    pub(super) const fn list(name: &'static str, min: usize, max: usize, run: Run) -> Self {
        Self { name, list: Some((min, max)), names: &[], required: 0, run }
    }

    /// An operator with named arguments.
    pub(super) const fn named(
        name: &'static str,
        names: &'static [&'static str],
        required: usize,
        run: Run,
    ) -> Self {
        Self { name, list: None, names, required, run }
    }

    /// An operator whose arguments are a list, or named.
    pub(super) const fn either(
        name: &'static str,
        list: (usize, usize),
        names: &'static [&'static str],
        required: usize,
        run: Run,
    ) -> Self {
        Self { name, list: Some(list), names, required, run }
    }

    pub(super) fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().flat_map(|table| table.iter()).find(|builtin| builtin.name == name)
    }

    pub(super) fn all() -> impl Iterator<Item = &'static str> {
        TABLES.iter().flat_map(|table| table.iter()).map(|builtin| builtin.name)
    }
}

static TABLES: [&[Builtin]; 8] = [
    &arithmetic::BUILTINS,
    &array::BUILTINS,
    &condition::BUILTINS,
    &convert::BUILTINS,
    &date::BUILTINS,
    &object::BUILTINS,
    &summary::BUILTINS,
    &text::BUILTINS,
];

/// One evaluation of an operator.
pub(in crate::aggregate) struct Call<'e> {
    pub(super) builtin: &'static Builtin,
    pub(super) args: &'e [Option<Node>],
    pub(super) env: Env<'e>,
}

impl<'e> Call<'e> {
    pub(super) fn name(&self) -> &'static str {
        self.builtin.name
    }

    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    pub(super) fn node(&self, at: usize) -> Option<&'e Node> {
        self.args.get(at)?.as_ref()
    }

    /// An argument; missing if it is not given.
    #[inline]
    pub(super) fn item(&self, at: usize) -> Result<Item<'e>> {
        self.node(at).map_or(Ok(Item::Missing), |node| node.eval(self.env))
    }

    /// An error of this operator.
    pub(super) fn fail(&self, problem: impl Into<String>) -> Error {
        Error::Expression { operator: self.name().into(), problem: problem.into() }
    }

    /// The error with the expected and the found type.
    pub(super) fn mismatch(&self, expected: &str, found: &Item<'_>) -> Error {
        self.fail(format!("takes {expected}, and found a value of type {}", found.kind_name()))
    }

    /// A number; `None` if it is null or missing.
    pub(super) fn number(&self, at: usize) -> Result<Option<Number>> {
        self.number_of(&self.item(at)?)
    }

    /// The number that an argument is; `None` if it is null or missing.
    pub(super) fn number_of(&self, item: &Item<'_>) -> Result<Option<Number>> {
        match item.number()? {
            None if !item.is_nullish() => Err(self.mismatch("numbers", item)),
            number => Ok(number),
        }
    }

    /// An integer, also one written as a float; `None` if it is null or missing.
    pub(super) fn whole(&self, at: usize, what: &str) -> Result<Option<i64>> {
        self.whole_of(&self.item(at)?, what)
    }

    /// The argument as an integer, also if it is written as a float; `None` if it is null or
    /// missing.
    pub(super) fn whole_of(&self, item: &Item<'_>, what: &str) -> Result<Option<i64>> {
        if item.is_nullish() {
            return Ok(None);
        }
        match item.number()?.and_then(Number::as_whole) {
            Some(whole) => Ok(Some(whole)),
            None => Err(self.mismatch(&format!("an integer as {what}"), item)),
        }
    }

    /// A text; `None` if it is null or missing.
    pub(super) fn text(&self, at: usize, what: &str) -> Result<Option<String>> {
        let item = self.item(at)?;
        match item.text()? {
            Some(text) => Ok(Some(text.to_owned())),
            None if item.is_nullish() => Ok(None),
            None => Err(self.mismatch(&format!("a string as {what}"), &item)),
        }
    }

    /// An array; `None` if it is null or missing.
    pub(super) fn array(&self, at: usize) -> Result<Option<Vec<Value>>> {
        self.array_of(self.item(at)?)
    }

    /// The array that an argument is; `None` if it is null or missing.
    pub(super) fn array_of(&self, item: Item<'_>) -> Result<Option<Vec<Value>>> {
        match item.kind() {
            None | Some(Kind::Null) => Ok(None),
            Some(Kind::Array) => match item.into_value()? {
                Value::Array(items) => Ok(Some(items)),
                _ => Ok(None),
            },
            Some(_) => Err(self.mismatch("an array", &item)),
        }
    }

    /// A time; `None` if it is null or missing.
    pub(super) fn time(&self, at: usize) -> Result<Option<Time>> {
        self.time_of(&self.item(at)?)
    }

    /// The time that an argument is; `None` if it is null or missing.
    pub(super) fn time_of(&self, item: &Item<'_>) -> Result<Option<Time>> {
        match item.time()? {
            None if !item.is_nullish() => Err(self.mismatch("a time", item)),
            time => Ok(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::ControlFlow;

    use super::*;
    use crate::aggregate::context::STEPS_PER_CHECK;
    use crate::aggregate::{Context, Pipeline, Row};
    use crate::{Filter, Object, object, value};

    /// Counts how often the deadline is checked.
    #[derive(Default)]
    struct Checks(Cell<usize>);

    impl Context for Checks {
        fn lookup(
            &self,
            _: &str,
            _: &Filter,
            _: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
        ) -> Result<()> {
            Ok(())
        }

        fn now(&self) -> Time {
            Time::MIN
        }

        fn check(&self) -> Result<()> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }
    }

    /// `$divide`, `$mod` and `$pow` evaluated their operands twice, so that nested ones took two
    /// to the power of their depth, which no deadline ended.
    #[test]
    fn no_operator_evaluates_an_operand_twice() {
        let time = Value::Time("2026-11-23T09:15:00Z".parse().unwrap());
        let mut computed = 0;
        for builtin in TABLES.iter().flat_map(|table| table.iter()) {
            for operand in
                [value!(2), value!("a"), value!([1, 2]), value!({ "a": 1 }), time.clone()]
            {
                // Takes as many steps as one check has.
                let operand = value!({ "$reduce": {
                    "input": { "$range": [0, STEPS_PER_CHECK] },
                    "initialValue": { "$literal": operand },
                    "in": "$$value",
                } });
                let list = builtin.list.map(|(min, max)| {
                    let count = max.min(min.max(3));
                    (Value::from(vec![operand.clone(); count]), count)
                });
                let named = builtin.names.iter().map(|name| (*name, operand.clone()));
                let named = (Value::from(named.collect::<Object>()), builtin.names.len());
                for (operands, count) in list.into_iter().chain([named]) {
                    let call = Object::from([(builtin.name, operands)]);
                    let stages = value!([{ "$replaceWith": { "is": call } }]);
                    let Ok(pipeline) = Pipeline::from_value(&stages) else { continue };
                    let checks = Checks::default();
                    computed += usize::from(pipeline.run(&checks, [Row::from(object! {})]).is_ok());
                    let checks = checks.0.get();
                    // The first is due at once.
                    assert!(
                        checks <= count + 1,
                        "{builtin:?} evaluates {count} operands too often"
                    );
                }
            }
        }
        assert!(computed > 100, "{computed} calls had a value");
    }
}
