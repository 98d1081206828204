//! The states of the stages of one pipeline, through which rows pass.

use std::ops::ControlFlow;

use super::expression::Node;
use super::facet::Facets;
use super::group::Grouper;
use super::lookup::Lookup;
use super::matching::Match;
use super::projection::Projection;
use super::row::{Row, World};
use super::sorter::Sorter;
use super::stage::{Kind, Stage};
use super::unwind::Unwind;
use crate::{Error, Object, Result, Value};

/// The receiver of results. It breaks when it needs no more.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Object) -> Result<ControlFlow<()>>;

/// The states of the stages of one pipeline.
pub(super) struct Chain<'p>(Vec<State<'p>>);

enum State<'p> {
    Match(&'p Match),
    Project(&'p Projection),
    Replace { operator: &'static str, root: &'p Node },
    Unwind(&'p Unwind),
    Lookup { lookup: &'p Lookup, place: &'p str },
    Limit { left: u64 },
    Skip { left: u64 },
    Count { name: &'p str, count: u64 },
    Sort(Sorter<'p>),
    Group(Box<Grouper<'p>>),
    Facet(Facets<'p>),
}

impl<'p> Chain<'p> {
    pub(super) fn new(stages: &'p [Stage]) -> Self {
        let start = |(at, stage): (usize, &'p Stage)| State::new(stage, &stages[at + 1..]);
        Self(stages.iter().enumerate().map(start).collect())
    }

    /// Processes a row. Breaks when no further row can change the results.
    pub(super) fn push(
        &mut self,
        row: Row<'_>,
        world: World<'_>,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        advance(&mut self.0, row, world, sink)
    }

    /// Passes on everything that was held until all rows are known.
    pub(super) fn finish(&mut self, world: World<'_>, sink: Sink<'_>) -> Result<()> {
        for at in 0..self.0.len() {
            let (done, rest) = self.0.split_at_mut(at + 1);
            let next = |row: Row<'_>| advance(rest, row, world, sink);
            done[at].drain(world, next)?;
        }
        Ok(())
    }
}

impl<'p> State<'p> {
    fn new(stage: &'p Stage, rest: &'p [Stage]) -> Self {
        let place = &*stage.place;
        match &stage.kind {
            Kind::Match(filter) => Self::Match(filter),
            Kind::Project(projection) => Self::Project(projection),
            Kind::Replace { operator, root } => Self::Replace { operator, root },
            Kind::Unwind(unwind) => Self::Unwind(unwind),
            Kind::Lookup(lookup) => Self::Lookup { lookup, place },
            Kind::Limit(left) => Self::Limit { left: *left },
            Kind::Skip(left) => Self::Skip { left: *left },
            Kind::Count(name) => Self::Count { name, count: 0 },
            Kind::Sort { sort, .. } => Self::Sort(Sorter::new(sort, place, first_rows(rest))),
            Kind::Group(group) => Self::Group(Box::new(Grouper::new(group, place))),
            Kind::Facet(facets) => Self::Facet(Facets::new(facets, place)),
        }
    }

    fn drain(
        &mut self,
        world: World<'_>,
        mut next: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match self {
            Self::Sort(sorter) => sorter.drain(world.shared, next),
            Self::Group(grouper) => grouper.drain(world.shared, next),
            Self::Facet(facets) => next(facets.take(world)?.into()).map(drop),
            Self::Count { count: 0, .. } => Ok(()),
            Self::Count { name, count } => {
                let object = Object::from([(*name, *count)]);
                next(object.into()).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// How many of the sorted rows the stages after the sort need.
fn first_rows(rest: &[Stage]) -> Option<usize> {
    let mut skipped = 0_u64;
    for stage in rest {
        match stage.kind {
            Kind::Skip(count) => skipped = skipped.saturating_add(count),
            Kind::Limit(count) => return usize::try_from(skipped.saturating_add(count)).ok(),
            _ => return None,
        }
    }
    None
}

/// Passes a row through as many stages as possible.
fn advance(
    states: &mut [State<'_>],
    mut row: Row<'_>,
    world: World<'_>,
    sink: Sink<'_>,
) -> Result<ControlFlow<()>> {
    let mut flow = ControlFlow::Continue(());
    let mut rest = states;
    while let Some((state, behind)) = rest.split_first_mut() {
        match state {
            State::Match(filter) => {
                if !filter.passes(&row, world)? {
                    return Ok(flow);
                }
            }
            State::Project(projection) => row = projection.apply(row, world)?.into(),
            State::Replace { operator, root } => row = replace(operator, root, &row, world)?.into(),
            State::Lookup { lookup, place } => row = lookup.join(row, place, world)?.into(),
            State::Unwind(unwind) => {
                let next = |row: Row<'_>| advance(behind, row, world, sink);
                return Ok(either(flow, unwind.each(row, world, next)?));
            }
            State::Limit { left } => {
                if *left == 0 {
                    return Ok(ControlFlow::Break(()));
                }
                *left -= 1;
                if *left == 0 {
                    flow = ControlFlow::Break(());
                }
            }
            State::Skip { left } => {
                if *left > 0 {
                    *left -= 1;
                    return Ok(flow);
                }
            }
            State::Count { count, .. } => {
                *count += 1;
                return Ok(flow);
            }
            State::Sort(sorter) => return sorter.push(row, world.shared).map(|()| flow),
            State::Group(grouper) => return grouper.push(&row, world).map(|()| flow),
            State::Facet(facets) => return Ok(either(flow, facets.push(row, world)?)),
        }
        rest = behind;
    }
    let result = sink(row.into_object(world.input)?)?;
    Ok(either(flow, result))
}

/// Breaks if either breaks.
fn either(a: ControlFlow<()>, b: ControlFlow<()>) -> ControlFlow<()> {
    if a.is_break() { a } else { b }
}

fn replace(operator: &'static str, root: &Node, row: &Row<'_>, world: World<'_>) -> Result<Object> {
    let item = root.eval(world.env(row))?;
    let found = item.kind_name();
    match item.into_value()? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::Expression {
            operator: operator.into(),
            problem: format!("takes an object, and found a value of type {found}"),
        }),
    }
}
