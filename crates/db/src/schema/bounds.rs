//! Bounds of the cost of validating, computed from the schema alone, so that a schema that could
//! hang the engine or exhaust its stack is refused when it is set. Reads no document.

use std::collections::HashMap;

use jsonschema::PatternOptions;
use regex::{Regex, RegexBuilder};
use velocitydb_core::limits::{DEPTH_MAX, REGEX_BYTES_MAX};

use super::meter::Weights;
use super::pattern;
use super::problem::{Number, problem};
use super::subschemas::{Subschemas, place_text};
use crate::Result;

/// How often one value may be checked by schemas, at the most.
///
/// `allOf` and references multiply: ten levels of two are a thousand. For any document, this also
/// bounds how long a validation continues after its steps are used up.
pub const CHECKS_PER_VALUE_MAX: u64 = 10_000;

/// How many schemas may be nested while a document of 100 levels is checked: how many checks are begun
/// and not yet ended at one time, at the most.
///
/// Each takes some hundreds of bytes of the stack of the thread that validates.
pub const NESTED_SCHEMAS_MAX: u32 = 1_000;

/// The size classes of compiled patterns, in bytes; the last is the largest allowed.
const PATTERN_SIZES: [usize; 5] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10];

/// The largest size of all compiled patterns of a schema, in bytes.
pub const PATTERNS_BYTES_MAX: usize = 8 << 20;

/// A pattern of this many compiled bytes costs one step for each byte that it is matched against.
///
/// Most patterns take a few nanoseconds a byte whatever their size is. The worst ones, such as
/// `[ab]*a[ab]{50}c`, visit all of their states for each byte: then a step takes about 150.
const PATTERN_BYTES_PER_STEP: usize = 128;

/// The patterns of a schema, by their source text.
#[derive(Default)]
pub(super) struct Patterns<'a> {
    /// The compiled pattern.
    pub(super) compiled: HashMap<&'a str, Regex>,
    /// The pattern in the syntax of the `regex` crate.
    pub(super) translated: HashMap<&'a str, String>,
}

/// Checks the bounds, compiles the patterns, and computes the cost of reading documents.
pub(super) fn check<'a>(schemas: &Subschemas<'a>) -> Result<(Weights, Patterns<'a>)> {
    let order = order(schemas)?;
    let checks = checks_per_value(schemas, &order)?;
    check_nesting(schemas, &order)?;
    let (mut weights, patterns) = patterns(schemas)?;
    let names = schemas.all.iter().filter_map(|schema| schema.names);
    weights.name = names.map(|names| checks[names]).max().unwrap_or_default();
    if schemas.all.iter().any(|schema| schema.names.is_some()) {
        weights.name_byte += weights.string_byte.max(1);
    }
    Ok((weights, patterns))
}

/// The schemas, each after those that it applies to the same value.
pub(super) fn order(schemas: &Subschemas<'_>) -> Result<Vec<Number>> {
    let all = &schemas.all;
    let mut waits_for: Vec<usize> = all.iter().map(|schema| schema.same_value.len()).collect();
    let mut users = vec![Vec::new(); all.len()];
    for (number, schema) in all.iter().enumerate() {
        for same in &schema.same_value {
            users[*same].push(number);
        }
    }
    let mut order: Vec<Number> = (0..all.len()).filter(|number| waits_for[*number] == 0).collect();
    let mut next = 0;
    while let Some(number) = order.get(next).copied() {
        next += 1;
        for user in &users[number] {
            waits_for[*user] -= 1;
            if waits_for[*user] == 0 {
                order.push(*user);
            }
        }
    }
    let Some(stuck) = (0..all.len()).find(|number| waits_for[*number] > 0) else {
        return Ok(order);
    };
    Err(problem(
        place_text(all, in_circle(schemas, &waits_for, stuck), &[]),
        "leads back to itself for the same value, without end; a schema may refer to itself only \
         for parts of a value, such as in properties or items"
            .to_owned(),
    ))
}

/// A schema of the cycle that a schema leads into.
fn in_circle(schemas: &Subschemas<'_>, waits_for: &[usize], start: Number) -> Number {
    let mut at = start;
    for _ in 0..schemas.all.len() {
        let next = schemas.all[at].same_value.iter().find(|same| waits_for[**same] > 0);
        at = *next.expect("a schema that is never ready waits for another such schema");
    }
    at
}

/// How often each schema checks its value, including the schemas that it applies to the same value.
fn checks_per_value(schemas: &Subschemas<'_>, order: &[Number]) -> Result<Vec<u64>> {
    let mut checks = vec![0u64; schemas.all.len()];
    for number in order {
        let schema = &schemas.all[*number];
        let same = schema.same_value.iter().map(|same| checks[*same]);
        let same = same.fold(0, u64::saturating_add);
        let times = if schema.is_unevaluated { 3 } else { 1 };
        checks[*number] = same.saturating_mul(times).saturating_add(schema.keywords);
        if checks[*number] > CHECKS_PER_VALUE_MAX {
            return Err(problem(
                place_text(&schemas.all, *number, &[]),
                format!(
                    "has to check one value {} times, through allOf, anyOf, oneOf, references \
                     and the like, and at most {CHECKS_PER_VALUE_MAX} is allowed",
                    checks[*number]
                ),
            ));
        }
    }
    Ok(checks)
}

/// Checks how many schemas can be nested while checking: level by level, from the innermost of a
/// document.
fn check_nesting(schemas: &Subschemas<'_>, order: &[Number]) -> Result<()> {
    let mut below = vec![0u32; schemas.all.len()];
    for _ in 0..=DEPTH_MAX {
        let mut nested = vec![0u32; schemas.all.len()];
        for number in order {
            let schema = &schemas.all[*number];
            let same = schema.same_value.iter().map(|same| nested[*same]);
            let parts = schema.parts.iter().map(|part| below[*part]);
            nested[*number] = 1 + same.chain(parts).max().unwrap_or_default();
        }
        below = nested;
    }
    if below[0] <= NESTED_SCHEMAS_MAX {
        return Ok(());
    }
    Err(problem(
        String::new(),
        format!(
            "nests {} schemas to check a document of {DEPTH_MAX} levels, and at \
             most {NESTED_SCHEMAS_MAX} is allowed; shorten the chains of references",
            below[0]
        ),
    ))
}

/// Compiles all patterns, and computes their costs.
fn patterns<'a>(schemas: &Subschemas<'a>) -> Result<(Weights, Patterns<'a>)> {
    let mut patterns = Patterns::default();
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    let mut total = 0;
    let mut weights = Weights::default();
    let mut size_of = |pattern: &'a str, place: &dyn Fn() -> String| {
        if let Some(size) = sizes.get(pattern) {
            return Ok(*size);
        }
        let (translated, regex, size) = compiled(pattern).map_err(|text| problem(place(), text))?;
        total += size;
        if total > PATTERNS_BYTES_MAX {
            let text = format!(
                "is one pattern too many: compiled, all take more than {PATTERNS_BYTES_MAX} bytes"
            );
            return Err(problem(place(), text));
        }
        sizes.insert(pattern, size);
        patterns.compiled.insert(pattern, regex);
        patterns.translated.insert(pattern, translated);
        Ok(size)
    };
    let steps = |size: usize| (size / PATTERN_BYTES_PER_STEP) as u64;
    for (number, schema) in schemas.all.iter().enumerate() {
        if let Some(pattern) = schema.pattern {
            let place = || place_text(&schemas.all, number, &["pattern"]);
            let size = size_of(pattern, &place)?;
            weights.string_byte = weights.string_byte.max(steps(size));
        }
        let mut names = 0;
        for pattern in &schema.name_patterns {
            let place = || place_text(&schemas.all, number, &["patternProperties", pattern]);
            names += steps(size_of(pattern, &place)?);
        }
        weights.name_byte = weights.name_byte.max(names);
    }
    Ok((weights, patterns))
}

/// A pattern in the syntax of the `regex` crate, compiled, and its compiled size; or what is wrong
/// with it, as the end of a sentence.
fn compiled(pattern: &str) -> std::result::Result<(String, Regex, usize), String> {
    if pattern.len() > REGEX_BYTES_MAX {
        let length = pattern.len();
        return Err(format!("has {length} bytes, and at most {REGEX_BYTES_MAX} is allowed"));
    }
    let translated = pattern::translate(pattern)?;
    for size in PATTERN_SIZES {
        match RegexBuilder::new(&translated).size_limit(size).build() {
            Ok(regex) => return Ok((translated, regex, size)),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().last().unwrap_or_default();
                return Err(format!("is not a regular expression of ECMA-262: {line}"));
            }
        }
    }
    let largest = PATTERN_SIZES[PATTERN_SIZES.len() - 1];
    if Regex::new(&translated).is_err() {
        return Err("is far too large when it is compiled; simplify it".to_owned());
    }
    Err(format!("takes more than {largest} bytes when it is compiled; simplify it"))
}

/// The options for patterns that have passed [`check`].
pub(super) fn pattern_options() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(PATTERN_SIZES[PATTERN_SIZES.len() - 1])
}
