//! The stages of a pipeline.

use super::expression::{FieldPath, Node};
use super::group::Group;
use super::lookup::Lookup;
use super::matching::Match;
use super::projection::Projection;
use super::row::Input;
use super::unwind::Unwind;
use crate::Sort;

/// The stages of a pipeline, or of a pipeline inside of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stages {
    pub(super) stages: Vec<Stage>,
    /// The fields that they need of their input rows.
    pub(super) input: Input,
}

/// A stage.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// Its path, as in `1.$group`.
    pub(super) place: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Match(Match),
    Group(Group),
    Sort { sort: Sort, fields: Option<Vec<String>> },
    Limit(u64),
    Skip(u64),
    Project(Projection),
    Replace { operator: &'static str, root: Node },
    Unwind(Unwind),
    Lookup(Box<Lookup>),
    Facet(Vec<(String, Stages)>),
    Count(String),
}

impl Stages {
    pub(super) fn new(stages: Vec<Stage>) -> Self {
        let input = super::needs::input(&stages);
        Self { stages, input }
    }

    /// Adds a stage at the end.
    pub(super) fn push(&mut self, stage: Stage) {
        self.stages.push(stage);
        self.input = super::needs::input(&self.stages);
    }

    /// Adds the collections that `$lookup` stages read.
    pub(super) fn collect_collections<'s>(
        &'s self,
        names: &mut std::collections::BTreeSet<&'s str>,
    ) {
        for stage in &self.stages {
            match &stage.kind {
                Kind::Lookup(lookup) => {
                    names.insert(&lookup.from);
                    lookup.stages.iter().for_each(|stages| stages.collect_collections(names));
                }
                Kind::Facet(facets) => {
                    facets.iter().for_each(|(_, stages)| stages.collect_collections(names));
                }
                _ => {}
            }
        }
    }
}

/// The first name of a path, if the path has more.
pub(super) fn parent(path: &FieldPath) -> Option<&str> {
    path.is_nested().then(|| path.first())
}
