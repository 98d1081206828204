//! The measurements: samples by table, row and contestant, and their medians.

use serde::Serialize;

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Operations per second.
    PerSecond,
    /// Nanoseconds.
    Nanoseconds,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// A number of things, or of things by another.
    Count,
    /// The ratio of two numbers.
    Times,
    /// The ratio of two numbers, in percent.
    Percent,
}

/// Every sample of one contestant in one row of one table.
#[derive(Debug, Serialize)]
pub struct Measurement {
    /// The title of the table.
    pub table: String,
    /// The title of the row.
    pub row: String,
    /// The contestant.
    pub contestant: String,
    /// The unit of the samples.
    pub unit: Unit,
    /// One per round; empty for a contestant that is absent.
    pub samples: Vec<f64>,
    /// Why the contestant is absent.
    pub absent: Option<String>,
}

impl Measurement {
    /// The middle sample, or the mean of the two in the middle. There must be one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() % 2 {
            1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
        }
    }

    /// The smallest sample.
    pub fn min(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest sample.
    pub fn max(&self) -> f64 {
        self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

/// Every measurement, in the order of their first samples.
#[derive(Debug, Default)]
pub struct Results {
    measurements: Vec<Measurement>,
}

impl Results {
    /// Adds a sample.
    pub fn record(&mut self, table: &str, row: &str, contestant: &str, unit: Unit, sample: f64) {
        let known = self
            .measurements
            .iter_mut()
            .find(|one| one.table == table && one.row == row && one.contestant == contestant);
        match known {
            Some(measurement) => measurement.samples.push(sample),
            None => self.measurements.push(Measurement {
                table: table.to_owned(),
                row: row.to_owned(),
                contestant: contestant.to_owned(),
                unit,
                samples: vec![sample],
                absent: None,
            }),
        }
    }

    /// Records that a contestant cannot be measured, and why, unless it is
    /// recorded already.
    pub fn absent(&mut self, table: &str, row: &str, contestant: &str, unit: Unit, why: &str) {
        let is_same = |one: &Measurement| {
            one.table == table && one.row == row && one.contestant == contestant
        };
        if self.measurements.iter().any(is_same) {
            return;
        }
        self.measurements.push(Measurement {
            table: table.to_owned(),
            row: row.to_owned(),
            contestant: contestant.to_owned(),
            unit,
            samples: Vec::new(),
            absent: Some(why.to_owned()),
        });
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Measurement> {
        self.measurements.iter()
    }

    /// One of them, if it has samples.
    pub fn find(&self, table: &str, row: &str, contestant: &str) -> Option<&Measurement> {
        self.iter()
            .filter(|one| one.absent.is_none())
            .find(|one| one.table == table && one.row == row && one.contestant == contestant)
    }
}

/// The items without duplicates, in their order.
pub fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        let mut results = Results::default();
        for (samples, median) in
            [(vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 100.0, 2.0], 3.0)]
        {
            let row = format!("{samples:?}");
            for sample in &samples {
                results.record("table", &row, "somebody", Unit::PerSecond, *sample);
            }
            let found = results.find("table", &row, "somebody").unwrap();
            assert_eq!(found.median(), median);
            assert_eq!(found.samples, samples);
            assert!(found.min() <= median && median <= found.max());
        }
        assert_eq!(results.iter().count(), 3);
    }
}
