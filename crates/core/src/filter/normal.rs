//! The normal form of predicates.

use super::predicate::Predicate;

impl Predicate {
    /// All of them.
    pub(super) fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::True => {}
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        order(&mut flat);
        match flat.len() {
            0 => Self::True,
            1 => flat.remove(0),
            _ => Self::And(flat),
        }
    }

    /// One of them at least.
    pub(super) fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = alternatives(parts);
        match flat.len() {
            0 => Self::never(),
            1 => flat.remove(0),
            _ if flat.contains(&Self::True) => Self::True,
            _ => Self::Or(flat),
        }
    }

    /// None of them.
    pub(super) fn nor(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = alternatives(parts);
        match flat.is_empty() {
            true => Self::True,
            false if flat.contains(&Self::True) => Self::never(),
            false => Self::Nor(flat),
        }
    }

    /// A predicate that no document satisfies.
    pub(super) fn never() -> Self {
        Self::Nor(vec![Self::True])
    }
}

fn alternatives(parts: impl IntoIterator<Item = Predicate>) -> Vec<Predicate> {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Predicate::Or(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    order(&mut flat);
    flat
}

/// Sorts parts by the objects that they are written as.
fn order(parts: &mut Vec<Predicate>) {
    if parts.len() > 1 {
        parts.sort_by_cached_key(Predicate::to_object);
        parts.dedup();
    }
}
