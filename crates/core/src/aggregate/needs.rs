//! Which fields of its input a pipeline reads, so that no others are decoded.

use super::expression::Needs;
use super::group::GroupKey;
use super::row::Input;
use super::stage::{Kind, Stage, parent};
use crate::document::META;

/// The fields of its input rows that a list of stages needs.
pub(super) fn input(stages: &[Stage]) -> Input {
    let mut needs = Needs::default();
    collect(stages, &mut needs);
    let meta = META.into_iter().filter(|name| *name == "_id" || needs.fields.contains(*name));
    Input { meta: meta.collect(), needed: (!needs.whole).then_some(needs.fields) }
}

fn collect(stages: &[Stage], needs: &mut Needs) {
    for stage in stages {
        of_stage(&stage.kind, needs);
        let makes_new_rows = match &stage.kind {
            Kind::Group(_) | Kind::Replace { .. } | Kind::Facet(_) | Kind::Count(_) => true,
            Kind::Project(projection) => projection.is_inclusion(),
            _ => false,
        };
        if makes_new_rows {
            return;
        }
    }
    needs.whole = true;
}

fn of_stage(kind: &Kind, needs: &mut Needs) {
    let mut field = |name: &str| needs.fields.extend([name.to_owned()]);
    match kind {
        Kind::Match(filter) => filter.collect_needs(needs),
        Kind::Group(group) => {
            match &group.key {
                GroupKey::Single(node) => node.collect_needs(needs),
                GroupKey::Object(fields) => {
                    fields.iter().for_each(|(_, node)| node.collect_needs(needs));
                }
                GroupKey::Bucket(bucket) => bucket.by.collect_needs(needs),
            }
            let accumulators = group.fields.iter();
            accumulators.for_each(|(_, accumulator)| accumulator.input.collect_needs(needs));
        }
        Kind::Sort { fields: Some(fields), .. } => fields.iter().for_each(|name| field(name)),
        Kind::Sort { fields: None, .. } => needs.whole = true,
        Kind::Project(projection) => projection.collect_needs(needs),
        Kind::Replace { root, .. } => root.collect_needs(needs),
        Kind::Unwind(unwind) => {
            field(unwind.path.first());
            unwind.index.iter().filter_map(parent).for_each(field);
        }
        Kind::Lookup(lookup) => {
            lookup.local.iter().for_each(|path| field(path.first()));
            parent(&lookup.into).into_iter().for_each(field);
            lookup.variables.iter().for_each(|node| node.collect_needs(needs));
        }
        Kind::Facet(facets) => facets.iter().for_each(|(_, facet)| collect(&facet.stages, needs)),
        Kind::Limit(_) | Kind::Skip(_) | Kind::Count(_) => {}
    }
}
