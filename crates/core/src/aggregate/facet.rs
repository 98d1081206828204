//! `$facet`: several pipelines over the same rows. The fields of their input are decided by the
//! outer pipeline, whose needs include theirs.

use std::ops::ControlFlow;

use super::chain::{Chain, Sink};
use super::context::Held;
use super::measure::Measure;
use super::row::{Row, World};
use super::stage::Stages;
use crate::{Object, Result, Value};

/// A running `$facet`.
pub(super) struct Facets<'p> {
    facets: Vec<Facet<'p>>,
    place: &'p str,
    held: Held,
}

struct Facet<'p> {
    name: &'p str,
    chain: Chain<'p>,
    results: Vec<Value>,
    flow: ControlFlow<()>,
}

impl<'p> Facets<'p> {
    pub(super) fn new(facets: &'p [(String, Stages)], place: &'p str) -> Self {
        let start = |(name, stages): &'p (String, Stages)| Facet {
            name,
            chain: Chain::new(&stages.stages),
            results: Vec::new(),
            flow: ControlFlow::Continue(()),
        };
        Self { facets: facets.iter().map(start).collect(), place, held: Held::default() }
    }

    pub(super) fn push(&mut self, row: Row<'_>, world: World<'_>) -> Result<ControlFlow<()>> {
        let mut all = ControlFlow::Break(());
        for facet in self.facets.iter_mut().filter(|facet| facet.flow.is_continue()) {
            facet.flow = facet.run(world, self.place, &mut self.held, |chain, world, sink| {
                chain.push(row.clone(), world, sink)
            })?;
            if facet.flow.is_continue() {
                all = ControlFlow::Continue(());
            }
        }
        Ok(all)
    }

    /// Returns the one row with the results of all pipelines.
    pub(super) fn take(&mut self, world: World<'_>) -> Result<Object> {
        let mut object = Object::with_capacity(self.facets.len());
        for facet in &mut self.facets {
            facet.run(world, self.place, &mut self.held, |chain, world, sink| {
                chain.finish(world, sink)
            })?;
            object.insert(facet.name, std::mem::take(&mut facet.results));
        }
        self.held.clear(world.shared);
        Ok(object)
    }
}

impl<'p> Facet<'p> {
    fn run<T>(
        &mut self,
        world: World<'_>,
        place: &str,
        held: &mut Held,
        run: impl FnOnce(&mut Chain<'p>, World<'_>, Sink<'_>) -> Result<T>,
    ) -> Result<T> {
        let results = &mut self.results;
        run(&mut self.chain, world, &mut |object: Object| {
            let value = Value::Object(object);
            held.add(world.shared, place, Measure::of(&value).bytes)?;
            results.push(value);
            Ok(ControlFlow::Continue(()))
        })
    }
}
