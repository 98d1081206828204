//! Points in time, to the microsecond, in UTC, with their RFC 3339 text. Owns the calendar
//! arithmetic; reads no clock.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::shortened;
use crate::{Error, Result};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;

/// A point in time: microseconds since the Unix epoch, UTC, in the years 0001 to 9999.
///
/// Its text is RFC 3339. Any offset is read, and `Z` is written. Digits beyond the microsecond
/// are an error, since they would be lost.
///
/// ```
/// use velocitydb_core::Time;
///
/// let time: Time = "2026-11-23T10:15:00.25+01:00".parse()?;
/// assert_eq!(time.to_string(), "2026-11-23T09:15:00.250000Z");
/// assert_eq!(time, Time::from_micros(1_795_425_300_250_000)?);
/// # Ok::<(), velocitydb_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The Unix epoch, 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);
    /// The earliest time, 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// The latest time, 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// The time that many microseconds after the Unix epoch; [`Error::TimeRange`] outside of the
    /// years 0001 to 9999.
    pub const fn from_micros(micros: i64) -> Result<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            return Err(Error::TimeRange);
        }
        Ok(Self(micros))
    }

    /// The time that many milliseconds after the Unix epoch; [`Error::TimeRange`] outside of the
    /// years 0001 to 9999.
    pub const fn from_millis(millis: i64) -> Result<Self> {
        match millis.checked_mul(1_000) {
            Some(micros) => Self::from_micros(micros),
            None => Err(Error::TimeRange),
        }
    }

    /// Microseconds since the Unix epoch, negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded towards the past.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The time `duration` later, or `None` beyond [`Time::MAX`]. Fractions of a microsecond are
    /// truncated.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        Self::from_micros(self.0.checked_add(micros)?).ok()
    }

    /// The time `duration` later, or [`Time::MAX`] if that is beyond it. Fractions of a microsecond
    /// are truncated.
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl TryFrom<SystemTime> for Time {
    type Error = Error;

    /// Truncates fractions of a microsecond.
    fn try_from(time: SystemTime) -> Result<Self> {
        let micros = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()),
            Err(before) => i64::try_from(before.duration().as_micros()).map(|micros| -micros),
        };
        Self::from_micros(micros.map_err(|_| Error::TimeRange)?)
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        let distance = Duration::from_micros(time.0.unsigned_abs());
        if time.0 >= 0 { UNIX_EPOCH + distance } else { UNIX_EPOCH - distance }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match micros {
            0 => f.write_str("Z"),
            _ => write!(f, ".{micros:06}Z"),
        }
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |problem: &'static str| Error::InvalidTime {
            text: shortened(text),
            problem: problem.into(),
        };
        let mut rest = Digits(text.as_bytes());
        let micros = rest.rfc3339().map_err(invalid)?;
        if !rest.0.is_empty() {
            return Err(invalid("there is more text after the offset"));
        }
        Self::from_micros(micros).map_err(|_| invalid("the year is outside of 0001 to 9999"))
    }
}

/// The rest of a text that is being parsed as RFC 3339.
struct Digits<'a>(&'a [u8]);

type Parsed<T> = std::result::Result<T, &'static str>;

impl Digits<'_> {
    fn rfc3339(&mut self) -> Parsed<i64> {
        let (year, month, day) = (self.number(4)?, self.after(b"-")?, self.after(b"-")?);
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return Err("there is no such day");
        }
        self.any_of(b"Tt ").ok_or("a `T` is missing between date and time")?;
        let (hour, minute, second) = (self.number(2)?, self.after(b":")?, self.after(b":")?);
        if hour > 23 || minute > 59 || second > 59 {
            return Err("there is no such time of day (leap seconds are not counted)");
        }
        let micros = if self.any_of(b".").is_some() { self.fraction()? } else { 0 };
        let offset = self.offset()?;
        let days = days_from_civil(year, month, day);
        let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
        Ok(seconds * MICROS_PER_SECOND + micros)
    }

    /// The text's offset from UTC in seconds.
    fn offset(&mut self) -> Parsed<i64> {
        let sign = match self.any_of(b"Zz+-").ok_or("`Z` or an offset such as +01:00 is missing")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let (hour, minute) = (self.number(2)?, self.after(b":")?);
        if hour > 23 || minute > 59 {
            return Err("there is no such offset");
        }
        Ok(sign * (hour * 3600 + minute * 60))
    }

    /// The microseconds of a decimal fraction.
    fn fraction(&mut self) -> Parsed<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        if digits.is_empty() {
            return Err("digits are missing after the decimal point");
        }
        if digits.iter().skip(6).any(|digit| *digit != b'0') {
            return Err("it is finer than a microsecond");
        }
        self.0 = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
        Ok(padded.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0')))
    }

    /// A two-digit number after a separator.
    fn after(&mut self, separator: &'static [u8]) -> Parsed<i64> {
        self.any_of(separator).ok_or("it is not of the form 2026-11-23T09:15:00Z")?;
        self.number(2)
    }

    /// A number of exactly `count` digits.
    fn number(&mut self, count: usize) -> Parsed<i64> {
        let (digits, rest) =
            self.0.split_at_checked(count).ok_or("it is not of the form 2026-11-23T09:15:00Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err("it is not of the form 2026-11-23T09:15:00Z");
        }
        self.0 = rest;
        Ok(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn any_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Both conversions count years from
/// March in eras of 400 years (Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468
}

/// The date (year, month, day) that many days after 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn text_round_trips() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1582-10-15T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00Z",
            "2000-02-29T12:00:00.000001Z",
            "2026-11-23T09:15:00.250000Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(time(text).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_the_calendar_round_trips() {
        for days in Time::MIN.0 / 86_400_000_000..=Time::MAX.0 / 86_400_000_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((1..=9999).contains(&year) && day <= days_in_month(year, month));
        }
    }

    #[test]
    fn offsets_are_converted() {
        assert_eq!(time("2026-01-01T00:30:00+01:00"), time("2025-12-31T23:30:00Z"));
        assert_eq!(time("2026-01-01t00:30:00.5-00:30"), time("2026-01-01 01:00:00.5z"));
        assert_eq!(time("1970-01-01T00:00:00.100000000Z").as_micros(), 100_000);
    }

    #[test]
    fn wrong_text_is_refused_with_the_reason() {
        for (text, problem) in [
            ("", "it is not of the form"),
            ("2026-11-23", "a `T` is missing"),
            ("2026-11-23T09:15:00", "`Z` or an offset"),
            ("2026-02-29T00:00:00Z", "no such day"),
            ("2026-13-01T00:00:00Z", "no such day"),
            ("2026-01-01T24:00:00Z", "no such time"),
            ("2026-01-01T00:00:60Z", "no such time"),
            ("2026-01-01T00:00:00.Z", "digits are missing"),
            ("2026-01-01T00:00:00.0000001Z", "finer than a microsecond"),
            ("2026-01-01T00:00:00Z ", "more text"),
            ("2026-01-01T00:00:00+24:00", "no such offset"),
            ("0000-12-31T23:59:59Z", "outside of 0001"),
            ("9999-12-31T23:59:59-00:01", "outside of 0001"),
            ("２026-01-01T00:00:00Z", "it is not of the form"),
        ] {
            let error = text.parse::<Time>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn system_time_round_trips() {
        for micros in [Time::MIN.0, -1, 0, 1, Time::MAX.0] {
            let time = Time::from_micros(micros).unwrap();
            assert_eq!(Time::try_from(SystemTime::from(time)), Ok(time));
        }
        assert_eq!(Time::from_micros(Time::MAX.0 + 1), Err(Error::TimeRange));
        assert_eq!(Time::from_millis(i64::MAX), Err(Error::TimeRange));
        assert_eq!(Time::MAX.checked_add(Duration::from_micros(1)), None);
        assert_eq!(Time::MAX.saturating_add(Duration::from_micros(1)), Time::MAX);
        assert_eq!(Time::UNIX_EPOCH.saturating_add(Duration::MAX), Time::MAX);
        assert_eq!(Time::UNIX_EPOCH.saturating_since(Time::MAX), Duration::ZERO);
    }
}
