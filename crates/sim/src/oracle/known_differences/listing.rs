//! All tables: iterating over them, and writing them for `docs/queries.md`.

use std::fmt::Write as _;

use super::difference::KnownDifference;
use super::{filter, pipeline, projection, sort, update};

/// All known differences.
pub fn all() -> impl Iterator<Item = &'static KnownDifference> {
    tables().into_iter().flat_map(|(_, table)| table)
}

/// The tables, each with its heading.
fn tables() -> [(&'static str, &'static [KnownDifference]); 5] {
    [
        ("Filters", filter::KNOWN),
        ("Sorts", sort::KNOWN),
        ("Projections", projection::KNOWN),
        ("Updates", update::KNOWN),
        ("Pipelines", pipeline::KNOWN),
    ]
}

/// All known differences with their examples, as Markdown.
pub fn listing() -> String {
    let mut text = String::new();
    for (heading, table) in tables() {
        writeln!(text, "### {heading}\n").expect("a string takes all text");
        for known in table {
            let KnownDifference { name, why, example, .. } = known;
            let query = example.query.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(
                text,
                "**{name}.** {}.\n\n```text\ndocuments   {}\nquery       {query}\nmingo       {}\nVelocityDB  {}\n```\n",
                capitalised(why),
                example.documents,
                unquoted(example.mingo),
                unquoted(example.right),
            )
            .expect("a string takes all text");
        }
    }
    text
}

fn unquoted(answer: &str) -> &str {
    answer.trim_matches('"')
}

fn capitalised(text: &str) -> String {
    // A sentence that begins with the name of an operator or a product keeps
    // its case.
    let mut characters = text.chars();
    let first = characters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::oracle::evaluate::{Core, Evaluator};

    /// What mingo answers to the examples is checked whenever the oracle runs.
    #[test]
    fn every_example_is_answered_as_its_table_says() {
        for known in all() {
            let batch = known.batch().unwrap();
            let mut core = Core::default();
            core.load(&batch.documents, 0).unwrap();
            let answer = core.answer(&batch.queries[0]).unwrap();
            known.check_ours(&batch, &answer).unwrap();
        }
    }

    #[test]
    fn every_known_difference_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|known| known.name).collect();
        assert_eq!(names.len(), all().count());
    }
}
