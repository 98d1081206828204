//! The report: tables in Markdown for people, every sample in JSON for programs.

use std::fmt::Write;
use std::path::Path;

use crate::Result;
use crate::arguments::Arguments;
use crate::machine::Machine;
use crate::results::{Measurement, Results, Unit, distinct};
use crate::targets::{self, Bound, Target};

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

const BEGIN: &str = "<!-- results -->";
const END: &str = "<!-- end of results -->";

/// The whole report.
pub fn markdown(arguments: &Arguments, machine: &Machine, results: &Results) -> String {
    let mut text = format!("`{}`\n\n{}\n", arguments.command_line(), describe(machine));
    let targets = targets::all(results);
    if !targets.is_empty() {
        text += "\n### Targets\n\n| target | bound | worst case | best case | verdict |\n";
        text += "|---|--:|---|---|---|\n";
        targets.iter().for_each(|target| text += &target_row(target));
    }
    for table in distinct(results.iter().map(|one| one.table.as_str())) {
        let measurements = results.iter().filter(|one| one.table == table);
        text += &table_of(table, &measurements.collect::<Vec<_>>());
    }
    text
}

fn describe(machine: &Machine) -> String {
    let versions = machine.versions.iter().map(|(name, version)| format!("{name} {version}"));
    format!(
        "{} cores of {}, {:.0} GiB of memory; 4 KiB appended and fsynced in {:.0} µs; load average \
         before the run {:.1}; {}; {}.",
        machine.cores,
        machine.processor,
        machine.memory_bytes as f64 / f64::from(1 << 30),
        machine.fsync_us,
        machine.load,
        machine.compiler,
        versions.collect::<Vec<_>>().join(", "),
    )
}

fn target_row(target: &Target) -> String {
    let bound = match target.bound {
        Bound::AtLeast(bound) => format!("≥ {}", number(target.unit, bound)),
        Bound::AtMost(bound) => format!("≤ {}", number(target.unit, bound)),
    };
    let cases = target.worst_first();
    let cell = |case: Option<&&(String, f64)>| {
        case.map_or(String::new(), |(case, found)| {
            format!("{} ({case})", number(target.unit, *found))
        })
    };
    let (worst, best) = (cell(cases.first()), cell(cases.last()));
    format!("| {} | {bound} | {worst} | {best} | {} |\n", target.name, target.verdict())
}

fn table_of(title: &str, measurements: &[&Measurement]) -> String {
    let contestants = distinct(measurements.iter().map(|one| one.contestant.as_str()));
    let is_compared = contestants.iter().any(|one| maker(one) != maker(contestants[0]));
    let mut text = format!("\n### {title}\n\n| |");
    contestants.iter().for_each(|contestant| text += &format!(" {contestant} |"));
    text += if is_compared { " ratio |\n|---|" } else { "\n|---|" };
    text += &"--:|".repeat(contestants.len() + usize::from(is_compared));
    text += "\n";
    for row in distinct(measurements.iter().map(|one| one.row.as_str())) {
        let _ = write!(text, "| {row} |");
        let of_row = measurements.iter().copied().filter(|one| one.row == row);
        let found = |name: &&str| of_row.clone().find(|one| one.contestant == **name);
        let found: Vec<_> = contestants.iter().map(found).collect();
        found.iter().for_each(|one| text += &format!(" {} |", one.map(cell).unwrap_or_default()));
        if is_compared {
            let _ = write!(text, " {} |", ratio(&found).unwrap_or_default());
        }
        text += "\n";
    }
    text
}

/// The maker of a contestant: several can be modes of the same one.
fn maker(contestant: &str) -> &str {
    contestant.split_once(' ').filter(|it| it.0 == "VelocityDB").map_or(contestant, |it| it.0)
}

/// The first contestant's number relative to the best of other makers.
fn ratio(found: &[Option<&Measurement>]) -> Option<String> {
    let own = found.first().copied().flatten().filter(|own| own.absent.is_none())?;
    let peers =
        found.iter().flatten().filter(|one| maker(&one.contestant) != maker(&own.contestant));
    let peers = peers.filter(|one| one.absent.is_none()).map(|one| one.median());
    let best = match own.unit {
        Unit::PerSecond | Unit::Percent => peers.reduce(f64::max)?,
        Unit::Nanoseconds
        | Unit::Seconds
        | Unit::Milliseconds
        | Unit::Bytes
        | Unit::Count
        | Unit::Times => peers.reduce(f64::min)?,
    };
    // Nothing has no multiple.
    (best != 0.0).then(|| number(Unit::Times, own.median() / best))
}

/// The median, with minimum and maximum.
fn cell(measurement: &Measurement) -> String {
    if let Some(why) = &measurement.absent {
        return why.clone();
    }
    let number = |sample| number(measurement.unit, sample);
    let median = number(measurement.median());
    match measurement.samples.len() {
        1 => median,
        _ => format!("{median} ({}–{})", number(measurement.min()), number(measurement.max())),
    }
}

/// A number with its unit, to three digits.
fn number(unit: Unit, number: f64) -> String {
    let digits = |number: f64| match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    match unit {
        Unit::PerSecond if number >= 1e6 => format!("{} M/s", digits(number / 1e6)),
        Unit::PerSecond if number >= 1e3 => format!("{} k/s", digits(number / 1e3)),
        Unit::PerSecond => format!("{}/s", digits(number)),
        Unit::Nanoseconds => format!("{} ns", digits(number)),
        Unit::Seconds => format!("{} s", digits(number)),
        Unit::Milliseconds => format!("{} ms", digits(number)),
        Unit::Bytes if number >= MIB => format!("{} MiB", digits(number / MIB)),
        Unit::Bytes if number >= 10.0 * KIB => format!("{} KiB", digits(number / KIB)),
        Unit::Bytes => format!("{number:.0} B"),
        Unit::Count if number.fract() == 0.0 => format!("{number}"),
        Unit::Count => digits(number),
        Unit::Times => format!("× {}", digits(number)),
        Unit::Percent => format!("{number:.0} %"),
    }
}

/// Machine and samples.
pub fn json(machine: &Machine, results: &Results) -> Result<String> {
    let measurements: Vec<_> = results.iter().collect();
    let all = serde_json::json!({ "machine": machine, "measurements": measurements });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// Writes the report between the markers of a document.
pub fn paste(file: &Path, report: &str) -> Result<()> {
    let document = std::fs::read_to_string(file)?;
    let pasted = pasted(&document, report).ok_or_else(|| format!("{BEGIN} … {END} is missing"))?;
    std::fs::write(file, pasted)?;
    Ok(())
}

fn pasted(document: &str, report: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_unit() {
        for (unit, value, text) in [
            (Unit::PerSecond, 5_234_000.0, "5.23 M/s"),
            (Unit::PerSecond, 523_400.0, "523 k/s"),
            (Unit::PerSecond, 52.34, "52.3/s"),
            (Unit::Bytes, 96.4, "96 B"),
            (Unit::Bytes, 204_800.0, "200 KiB"),
            (Unit::Bytes, 1_048_576.0, "1.00 MiB"),
            (Unit::Milliseconds, 1.234, "1.23 ms"),
            (Unit::Count, 2.0, "2"),
            (Unit::Count, 1.98, "1.98"),
            (Unit::Times, 0.512, "× 0.51"),
            (Unit::Percent, 93.6, "94 %"),
        ] {
            assert_eq!(number(unit, value), text);
        }
    }

    #[test]
    fn a_table_has_a_column_by_contestant_and_a_ratio() {
        let mut results = Results::default();
        for (contestant, rates) in [("VelocityDB", [2e6, 4e6]), ("bare map", [10e6, 6e6])] {
            for rate in rates {
                results.record("Speed", "get", contestant, Unit::PerSecond, rate);
            }
        }
        results.record("Speed", "update", "VelocityDB", Unit::PerSecond, 1e6);
        let text = table_of("Speed", &results.iter().collect::<Vec<_>>());
        assert_eq!(
            text,
            "\n### Speed\n\n| | VelocityDB | bare map | ratio |\n|---|--:|--:|--:|\n\
             | get | 3.00 M/s (2.00 M/s–4.00 M/s) | 8.00 M/s (6.00 M/s–10.0 M/s) | × 0.38 |\n\
             | update | 1.00 M/s |  |  |\n"
        );
    }

    #[test]
    fn nothing_has_no_multiple() {
        let mut results = Results::default();
        for (contestant, threads) in [("VelocityDB", 2.0), ("SQLite", 0.0)] {
            results.record("Many", "threads", contestant, Unit::Count, threads);
        }
        let text = table_of("Many", &results.iter().collect::<Vec<_>>());
        assert!(text.ends_with("| threads | 2 | 0 |  |\n"), "{text}");
    }

    #[test]
    fn a_table_says_why_a_contestant_is_absent() {
        let mut results = Results::default();
        results.record("Speed", "get", "VelocityDB", Unit::Seconds, 1.5);
        results.absent("Speed", "get", "PostgreSQL", Unit::Seconds, "not installed");
        let text = table_of("Speed", &results.iter().collect::<Vec<_>>());
        assert!(text.ends_with("| get | 1.50 s | not installed |  |\n"), "{text}");
    }

    #[test]
    fn the_report_replaces_what_was_between_the_markers() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n");
        assert_eq!(pasted(&document, "new\n"), Some(expected.clone()));
        assert_eq!(pasted(&expected, "new"), Some(expected));
        assert_eq!(pasted("a", "new"), None);
    }
}
