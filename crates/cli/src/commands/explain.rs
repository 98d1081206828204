//! `explain`: how a query is executed, and what it reads.

use velocitydb::{Explanation, Object, Value};

use super::aggregate;
use super::find::Question;
use crate::args::{self, Format};
use crate::failure::Result;
use crate::format;
use crate::output::Output;

/// Prints the plan of a query or pipeline, what it was expected to read, and what it read.
pub fn explain(args: &args::Explain, output: &mut Output) -> Result {
    let question = Question::new(&args.selection)?;
    let pipeline = args.pipeline.as_deref();
    let pipeline = pipeline.map(|text| aggregate::pipeline("--pipeline", text)).transpose()?;
    let db = args.target.folder.open_to_read()?;
    let documents = args.target.existing(&db)?;
    let explanation = match pipeline {
        Some(pipeline) => aggregate::of(&documents, pipeline, &args.bounds).explain()?,
        None => question.of(&documents, &args.bounds).explain()?,
    };
    print(&explanation, documents.count()?, output)
}

/// Prints an explanation of a query on a collection of `count` documents.
pub fn print(explanation: &Explanation, count: u64, output: &mut Output) -> Result {
    match output.format() {
        Format::Json => output.object(&explanation.to_object()),
        Format::Table => output.entries(entries(explanation, count)),
    }
}

/// The explanation for people, of a query on a collection of `count` documents.
fn entries(explanation: &Explanation, count: u64) -> Vec<(&'static str, String)> {
    let plan = &explanation.plan;
    let mut entries = vec![("plan", access(plan))];
    let steps = [("filter", "filter by"), ("sort", "sort by"), ("stages", "stages")];
    for (field, name) in steps {
        let Some(value) = plan.get(field) else { continue };
        let is_done = field == "sort" && plan["sorted_by"].as_str() == Some("access");
        let note = if is_done { ", as the plan reads them" } else { "" };
        entries.push((name, format!("{}{note}", value.to_json())));
    }
    if plan["covered"].as_bool() == Some(true) {
        entries.push(("covered", "the index has all that is needed".to_owned()));
    }
    entries.extend(explanation.hints.iter().map(|hint| ("begins at", begin(hint))));
    let Explanation { estimate, keys_examined, documents_examined, .. } = explanation;
    entries.extend([
        ("estimate", format!("{} keys, {} documents", estimate["keys"], estimate["documents"])),
        ("examined", format!("{keys_examined} keys, {documents_examined} of {count} documents")),
        ("passed", format!("{} stored keys", explanation.keys_passed)),
        ("returned", explanation.returned.to_string()),
        ("planning", format::micros(explanation.planning)),
        ("execution", format::micros(explanation.execution)),
    ]);
    let rejected = explanation.rejected.iter();
    entries.extend(
        rejected.map(|plan| ("rejected", format!("{}, cost {}", access(plan), plan["cost"]))),
    );
    entries
}

/// Where the search of a claim begins.
fn begin(hint: &Object) -> String {
    let at = match &hint["begins"] {
        Value::String(place) => format!("the {place}"),
        values => values.to_json(),
    };
    format!("{at}, in {} stretches; {} await a move of a bound", hint["stretches"], hint["waiting"])
}

/// What a plan reads, in words.
fn access(plan: &Object) -> String {
    let text = |name: &str| match &plan[name] {
        Value::String(text) => text.clone(),
        other => other.to_json(),
    };
    match plan["access"].as_str().unwrap_or_default() {
        "nothing" => format!("nothing: {}", text("reason")),
        "ids" => format!("documents by id, {}", text("count")),
        "collection" => {
            let bounded = plan["bounded"].as_bool() == Some(true);
            let part =
                if bounded { "a range of ids of the collection" } else { "the whole collection" };
            format!("{part}, {}", text("direction"))
        }
        "index" => format!("index {}, {}: {}", text("index"), text("direction"), ranges(plan)),
        joined => {
            let parts = plan["parts"].as_array().into_iter().flatten();
            let parts = parts.filter_map(Value::as_object).map(access);
            format!("{joined} of: {}", parts.collect::<Vec<_>>().join("; "))
        }
    }
}

/// Which part of an index is read.
fn ranges(plan: &Object) -> String {
    let number = |name: &str| plan[name].as_i64().unwrap_or_default();
    let count =
        |count: i64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut parts = vec![count(number("ranges"), "range")];
    if number("equal_keys") > 0 {
        parts.push(format!("{} equal", count(number("equal_keys"), "key")));
    }
    if plan["range_key"].as_bool() == Some(true) {
        parts.push("one between bounds".to_owned());
    }
    if plan["merged"].as_bool() == Some(true) {
        parts.push("merged in order".to_owned());
    }
    parts.join(", ")
}
