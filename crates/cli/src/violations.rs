//! Violations of schemas, in lines for people.

use velocitydb::{Error, More, Violations};

/// All violations of a failure, one per line, with the documents if there are several. Empty if
/// there are no violations.
pub fn lines(error: &Error) -> Vec<String> {
    match error {
        Error::SchemaViolation { violations, .. } => of_one(violations),
        Error::Unfinished { cause, .. } => lines(cause),
        Error::SchemaViolated { count, offenders, .. } => {
            let mut lines = Vec::new();
            for (id, violations) in offenders {
                lines.push(format!("document {:?}:", id.by_ref()));
                lines.extend(of_one(violations).into_iter().map(|line| format!("  {line}")));
            }
            let further = count.saturating_sub(offenders.len() as u64);
            if further > 0 {
                lines.push(format!("and {further} more documents"));
            }
            lines
        }
        _ => Vec::new(),
    }
}

/// The sentence above the violations of a failure; `None` if there are no violations.
pub fn heading(error: &Error) -> Option<String> {
    match error {
        Error::SchemaViolation { collection, id, .. } => {
            let (id, collection) = (id.by_ref(), collection.as_str());
            Some(format!("document {id:?} violates the schema of collection {collection:?}:"))
        }
        Error::Unfinished { changed, last, cause, .. } => {
            let (heading, last) = (heading(cause)?, last.by_ref());
            let documents = if *changed == 1 { "document was" } else { "documents were" };
            Some(format!(
                "{changed} {documents} changed, up to {last:?} in the order of ids; {heading}"
            ))
        }
        Error::SchemaViolated { collection, count, .. } => {
            let collection = collection.as_str();
            let documents = if *count == 1 { "document" } else { "documents" };
            let verb = if *count == 1 { "violates" } else { "violate" };
            Some(format!("{count} {documents} of collection {collection:?} {verb} the schema:"))
        }
        _ => None,
    }
}

fn of_one(violations: &Violations) -> Vec<String> {
    let listed = violations.as_slice();
    let mut lines: Vec<_> = listed
        .iter()
        .map(|violation| {
            let value = violation.value.as_ref();
            let value = value.map(|value| format!(", value: {value}")).unwrap_or_default();
            format!("{violation} (rule: {}{value})", violation.rule)
        })
        .collect();
    match violations.more() {
        More::None => {}
        More::Count(count) => lines.push(format!("and {count} more")),
        More::AtLeast(count) => lines.push(format!("and more, at least {count}")),
        More::Unknown => lines.push("there may be more, which were not looked for".to_owned()),
    }
    lines
}
