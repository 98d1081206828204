//! Time zones: offsets, and the names of the compiled-in IANA time zone database. The system's
//! database is never read, so that every replica computes the same.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::calendar::{Local, MICROS_PER_SECOND};
use crate::Time;
use crate::error::shortened;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The rule for a local clock's offset from UTC.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::aggregate) enum Zone {
    /// A fixed offset in seconds.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    pub(super) const UTC: Self = Self::Fixed(0);

    /// Reads `Europe/Berlin`, `UTC`, `+01:00`, `+0100` or `+01`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(offset) = text.strip_prefix(['+', '-']) {
            let sign = if text.starts_with('-') { -1 } else { 1 };
            return offset_seconds(offset).map(|seconds| Self::Fixed(sign * seconds)).ok_or_else(
                || {
                    format!(
                        "knows no time zone {:?}; an offset is written as +01:00",
                        shortened(text)
                    )
                },
            );
        }
        if matches!(text, "UTC" | "GMT" | "Z") {
            return Ok(Self::UTC);
        }
        DATABASE.get(text).map(Self::Named).map_err(|_| {
            format!(
                "knows no time zone {:?}; write a name such as \"Europe/Berlin\", or an offset \
                 such as \"+01:00\"",
                shortened(text)
            )
        })
    }

    pub(super) fn is_utc(&self) -> bool {
        *self == Self::UTC
    }

    /// The offset from UTC in seconds at a time.
    pub(super) fn offset_at(&self, time: Time) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => {
                // Rules do not change in the last hours of the year 9999, where the type ends.
                let seconds = time.as_micros().div_euclid(MICROS_PER_SECOND);
                let seconds = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let at = Timestamp::from_second(seconds).expect("it was brought into range");
                zone.to_offset(at).seconds().into()
            }
        }
    }

    /// The local time at a time.
    pub(super) fn local(&self, time: Time) -> Local {
        Local(time.as_micros() + self.offset_at(time) * MICROS_PER_SECOND)
    }

    /// The microseconds since 1970, UTC, of a local time. If it does not exist, since the clock is
    /// put forward, the time as long after the change as it would have been; if it exists twice, the
    /// earlier one.
    pub(super) fn time_of(&self, local: Local) -> i64 {
        let offset = match self.offset_for(local) {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        instant(local, offset)
    }

    /// As [`time_of`](Self::time_of), for the start of a period: if the local time does not exist,
    /// the moment of the change. That is never after a time in the period, also if the clock skips
    /// from before midnight.
    pub(super) fn start_of(&self, local: Local) -> i64 {
        match (self, self.offset_for(local)) {
            (Self::Named(zone), AmbiguousOffset::Gap { before, after }) => {
                // With the later offset, it is before the change; with the earlier one, after it.
                let early = Timestamp::from_microsecond(instant(local, after)).ok();
                let change = early.and_then(|early| zone.following(early).next());
                let late = instant(local, before);
                change.map_or(late, |change| change.timestamp().as_microsecond().min(late))
            }
            _ => self.time_of(local),
        }
    }

    fn offset_for(&self, local: Local) -> AmbiguousOffset {
        match self {
            Self::Fixed(seconds) => {
                let offset =
                    i32::try_from(*seconds).ok().and_then(|it| Offset::from_seconds(it).ok());
                let offset = offset.expect("an offset is shorter than a day");
                AmbiguousOffset::Unambiguous { offset }
            }
            Self::Named(zone) => {
                let civil = local.to_civil().unwrap_or(civil::DateTime::MAX);
                zone.to_ambiguous_timestamp(civil).offset()
            }
        }
    }
}

/// The microseconds since 1970, UTC, of a local time with an offset.
fn instant(local: Local, offset: Offset) -> i64 {
    local.0.saturating_sub(i64::from(offset.seconds()) * MICROS_PER_SECOND)
}

/// The seconds of `01:00`, `0100` or `01`.
fn offset_seconds(text: &str) -> Option<i64> {
    let digits: String = match text.len() {
        2 | 4 => text.to_owned(),
        5 if text.as_bytes()[2] == b':' => [text.get(..2)?, text.get(3..)?].concat(),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{Unit, WEEK};
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_offsets_are_read() {
        let at = time("2026-07-01T00:00:00Z");
        for (text, hours) in [
            ("UTC", 0.0),
            ("Europe/Berlin", 2.0),
            ("america/new_york", -4.0),
            ("Asia/Kolkata", 5.5),
            ("+05:30", 5.5),
            ("-0330", -3.5),
            ("+14", 14.0),
        ] {
            let offset = Zone::parse(text).unwrap().offset_at(at);
            assert_eq!(offset as f64 / 3600.0, hours, "{text}");
        }
        for text in ["", "Europe/Nowhere", "+1", "+01:60", "+24:00", "+é1", "-", "../etc/passwd"] {
            assert!(Zone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_edges_of_time_have_offsets() {
        for text in ["Europe/Berlin", "Pacific/Kiritimati", "America/Adak", "+23:59", "-23:59"] {
            let zone = Zone::parse(text).unwrap();
            for at in [Time::MIN, Time::MAX] {
                assert_eq!(zone.time_of(zone.local(at)), at.as_micros(), "{text} {at}");
            }
        }
    }

    #[test]
    fn clocks_that_are_changed_are_read_as_documented() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let local = |text| Local(time(text).as_micros());
        // 02:30 does not exist on that day, and on the other one it does twice.
        let gap = zone.time_of(local("2026-03-29T02:30:00Z"));
        assert_eq!(gap, time("2026-03-29T01:30:00Z").as_micros());
        let fold = zone.time_of(local("2026-10-25T02:30:00Z"));
        assert_eq!(fold, time("2026-10-25T00:30:00Z").as_micros());
    }

    /// Toronto's clocks leapt from 23:30 over midnight on 1919-03-30, and the day of 04:45Z began at
    /// 05:00Z, after it. Every change of every zone around midnight is tested.
    #[test]
    fn nothing_begins_after_what_is_in_it() {
        const DAY: Unit = Unit::Days(1);
        let months = [1, 3, 12].map(Unit::Months);
        let mut changes = 0;
        for name in DATABASE.available() {
            let zone = Zone::parse(name.as_str()).unwrap();
            let Zone::Named(named) = &zone else { continue };
            let from = Timestamp::from_second(-4_000_000_000).unwrap();
            let until = Timestamp::from_second(2_300_000_000).unwrap();
            for change in named.following(from).take_while(|it| it.timestamp() < until) {
                let at = change.timestamp().as_microsecond();
                let local = |micros| zone.local(Time::from_micros(micros).unwrap());
                if local(at - 1).days() == local(at).days() {
                    continue;
                }
                changes += 1;
                for minutes in [-1440, -61, -1, 0, 1, 15, 29, 59, 61, 1440] {
                    for micros in [at + minutes * 60 * MICROS_PER_SECOND, at - 1] {
                        for unit in [DAY, WEEK].into_iter().chain(months) {
                            let start_of =
                                |micros| zone.start_of(local(micros).truncate(unit, 1, 0).unwrap());
                            let start = start_of(micros);
                            assert!(start <= micros, "{name} {micros} {unit:?}");
                            assert_eq!(start_of(start), start, "{name} {micros} {unit:?}");
                            assert!(start_of(start - 1) < start, "{name} {micros} {unit:?}");
                        }
                    }
                }
            }
        }
        assert!(changes > 1_000, "{changes}");
    }
}
