//! Local times and calendar arithmetic. Knows no time zones.

use jiff::civil;

use crate::time::{civil_from_days, days_from_civil, days_in_month};

pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A local time: microseconds since 1970 on the local clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local(pub(super) i64);

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A unit with a fixed number of microseconds.
    Exact(i64),
    /// A number of days.
    Days(i64),
    /// A number of months.
    Months(i64),
}

pub(super) const UNITS: [&str; 9] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"];

pub(super) const WEEK: Unit = Unit::Days(7);

impl Unit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "year" => Self::Months(12),
            "quarter" => Self::Months(3),
            "month" => Self::Months(1),
            "week" => WEEK,
            "day" => Self::Days(1),
            "hour" => Self::Exact(3_600 * MICROS_PER_SECOND),
            "minute" => Self::Exact(60 * MICROS_PER_SECOND),
            "second" => Self::Exact(MICROS_PER_SECOND),
            "millisecond" => Self::Exact(1_000),
            _ => return None,
        })
    }
}

/// A day of the week, Monday being 0.
pub(super) fn parse_weekday(text: &str) -> Option<i64> {
    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let lower = text.to_ascii_lowercase();
    let matches = |day: &&str| lower == **day || lower == day[..3];
    DAYS.iter().position(matches).map(|day| day as i64)
}

/// The days from 1970-01-01 to 2000-01-01, where bins of several units begin.
const DAYS_TO_2000: i64 = 10_957;
/// The months from the year 0 to 2000-01.
const MONTHS_TO_2000: i64 = 2_000 * 12;

impl Local {
    pub(super) fn days(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    pub(super) fn time_of_day(self) -> i64 {
        self.0.rem_euclid(MICROS_PER_DAY)
    }

    /// Year, month and day.
    pub(super) fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.days())
    }

    fn months(self) -> i64 {
        let (year, month, _) = self.date();
        year * 12 + month - 1
    }

    fn at_month(months: i64) -> Option<Self> {
        if !(0..=10_000 * 12).contains(&months) {
            return None;
        }
        let days = days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1, 1);
        days.checked_mul(MICROS_PER_DAY).map(Self)
    }

    /// The day of the week, Monday being 0.
    pub(super) fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.days() + 3).rem_euclid(7)
    }

    /// The day of the year, from 1.
    pub(super) fn day_of_year(self) -> i64 {
        self.days() - days_from_civil(self.date().0, 1, 1) + 1
    }

    /// The ISO year and week: weeks begin on Monday, and belong to the year of their Thursday.
    pub(super) fn iso_week(self) -> (i64, i64) {
        let thursday = self.days() - self.weekday() + 3;
        let year = civil_from_days(thursday).0;
        (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
    }

    /// The start of the bin of `bin` units that this is in; `None` on overflow.
    pub(super) fn truncate(self, unit: Unit, bin: i64, week_start: i64) -> Option<Self> {
        let floor = |value: i64, origin: i64, size: i64| {
            let from_origin = value.checked_sub(origin)?;
            (from_origin - from_origin.rem_euclid(size)).checked_add(origin)
        };
        match unit {
            Unit::Exact(micros) => {
                let size = micros.checked_mul(bin)?;
                floor(self.0, DAYS_TO_2000 * MICROS_PER_DAY, size).map(Self)
            }
            Unit::Days(days) => {
                let origin = if unit == WEEK { first_week(week_start) } else { DAYS_TO_2000 };
                let day = floor(self.days(), origin, days.checked_mul(bin)?)?;
                day.checked_mul(MICROS_PER_DAY).map(Self)
            }
            Unit::Months(months) => {
                Self::at_month(floor(self.months(), MONTHS_TO_2000, months.checked_mul(bin)?)?)
            }
        }
    }

    /// How many boundaries of units lie between the two.
    pub(super) fn units_until(self, end: Self, unit: Unit, week_start: i64) -> i64 {
        let weeks = |local: Self| (local.days() - first_week(week_start)).div_euclid(7);
        match unit {
            Unit::Exact(micros) => end.0.div_euclid(micros) - self.0.div_euclid(micros),
            WEEK => weeks(end) - weeks(self),
            Unit::Days(_) => end.days() - self.days(),
            Unit::Months(months) => {
                end.months().div_euclid(months) - self.months().div_euclid(months)
            }
        }
    }

    /// The time `amount` calendar units later. If the month lacks the day, its last day.
    pub(super) fn plus(self, unit: Unit, amount: i64) -> Option<Self> {
        match unit {
            Unit::Exact(micros) => self.0.checked_add(micros.checked_mul(amount)?).map(Self),
            Unit::Days(days) => {
                let micros = days.checked_mul(amount)?.checked_mul(MICROS_PER_DAY)?;
                self.0.checked_add(micros).map(Self)
            }
            Unit::Months(months) => {
                let months = self.months().checked_add(months.checked_mul(amount)?)?;
                let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
                if !(0..=10_000).contains(&year) {
                    return None;
                }
                let day = self.date().2.min(days_in_month(year, month));
                let days = days_from_civil(year, month, day);
                Some(Self(days.checked_mul(MICROS_PER_DAY)? + self.time_of_day()))
            }
        }
    }

    /// The same as a type of the time zone library; `None` outside of its years.
    pub(super) fn to_civil(self) -> Option<civil::DateTime> {
        let (year, month, day) = self.date();
        let micros = self.time_of_day();
        let second = micros / MICROS_PER_SECOND;
        civil::DateTime::new(
            year.try_into().ok()?,
            month as i8,
            day as i8,
            (second / 3600) as i8,
            (second / 60 % 60) as i8,
            (second % 60) as i8,
            (micros % MICROS_PER_SECOND * 1_000) as i32,
        )
        .ok()
    }
}

/// The first day on or after 2000-01-01, a Saturday, that a week starts with.
fn first_week(week_start: i64) -> i64 {
    DAYS_TO_2000 + (week_start - 5).rem_euclid(7)
}
