//! The outcome of a campaign, as text.

use std::fmt::Write as _;

use velocitydb_core::Object;

use super::campaign::{Campaign, Findings, Mismatch};

/// The report at the end of a campaign.
pub fn report(campaign: &Campaign, findings: &Findings) -> String {
    let mut text = String::new();
    comparisons(findings, &mut text).expect("a string takes all text");
    for mismatch in &findings.mismatches {
        text.push_str(&mismatch_text(campaign, mismatch));
    }
    for example in &findings.examples {
        text.push_str(&format!("\nWRONG {example}\n"));
    }
    let total: u64 = findings.kinds.values().map(|tally| tally.comparisons).sum();
    let (count, wrong) = (findings.mismatches.len(), findings.examples.len());
    let seconds = findings.elapsed.as_secs_f64();
    text.push_str(&format!(
        "\n{total} comparisons, {count} mismatches, {wrong} wrong examples, seed {}, {seconds:.1} s\n",
        campaign.seed
    ));
    text
}

fn comparisons(findings: &Findings, text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "{:<42} {:>11} {:>8} {:>8} {:>8}",
        "kind", "comparisons", "refused", "empty", "known"
    )?;
    for (kind, tally) in &findings.kinds {
        let name = kind.name();
        let (all, refused, empty, known) =
            (tally.comparisons, tally.refused, tally.empty, tally.known);
        writeln!(text, "{name:<42} {all:>11} {refused:>8} {empty:>8} {known:>8}")?;
        if tally.unanswered > 0 {
            writeln!(text, "  not asked: {}", tally.unanswered)?;
        }
    }
    writeln!(text, "\n{:<42} {:>11} {:>8}", "evaluator", "comparisons", "seconds")?;
    for (name, (count, elapsed)) in &findings.evaluators {
        writeln!(text, "{name:<42} {count:>11} {:>8.1}", elapsed.as_secs_f64())?;
    }
    if !findings.notes.is_empty() {
        writeln!(text, "\n{:<42} {:>11}", "access, where it was noted", "queries")?;
    }
    for (note, count) in &findings.notes {
        writeln!(text, "{note:<42} {count:>11}")?;
    }
    if !findings.known.is_empty() {
        writeln!(text, "\n{:<42} {:>11}", "known difference", "comparisons")?;
    }
    for (name, count) in &findings.known {
        writeln!(text, "{name:<42} {count:>11}")?;
    }
    Ok(())
}

fn mismatch_text(campaign: &Campaign, mismatch: &Mismatch) -> String {
    let kind = mismatch.small.kind.name();
    let documents: Vec<String> = mismatch.small.documents.iter().map(Object::to_json).collect();
    format!(
        "\nMISMATCH {kind}\n  documents {}\n  query     {}\n  {:<9} {}\n  {:<9} {}\n  \
         before    {}\n  replay    cargo xtask oracle --seed {} --kind {kind} --batch {}\n",
        documents.join("\n            "),
        mismatch.small.queries[0].to_value(),
        mismatch.right.0,
        mismatch.right.1.to_text(),
        mismatch.left.0,
        mismatch.left.1.to_text(),
        mismatch.query.to_value(),
        campaign.seed,
        mismatch.batch,
    )
}
