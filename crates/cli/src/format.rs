//! Parsing and formatting of small values: durations, rates, sizes, `PATH=JSON`.

use std::time::Duration;

use velocitydb::{DocumentId, Expiry, InputError, JsonMistake, Path, Value};

use crate::streams::escape;

const UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

const SIZES: [(&str, usize); 5] =
    [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// The longest time to live: a hundred years.
const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The longest that one kind of operation is measured: an hour.
const SECONDS_MAX: f64 = 3_600.0;

/// Reads a duration such as `500ms`, `30s` or `1.5h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        "a number above 0 with a unit is needed, such as 500ms, 30s, 15m, 12h or 7d, up to 100 \
         years"
            .to_owned()
    };
    let unit_start = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_start);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    if duration.is_zero() || duration > DURATION_MAX { Err(wrong()) } else { Ok(duration) }
}

/// Reads a duration that may be 0.
pub fn parse_wait(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) }
}

/// Reads when a document expires: after a duration, or `never`.
pub fn parse_expiry(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry::Never),
        text => parse_duration(text).map(Expiry::After),
    }
}

/// Reads a number of bytes such as `500000`, `64KiB` or `1GiB`.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let wrong = || "a number of bytes is needed, such as 500000, 64KiB, 100MiB or 1GiB".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (_, size) =
        SIZES.iter().find(|(name, _)| *name == &text[digits.len()..]).ok_or_else(wrong)?;
    let count: usize = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(*size).ok_or_else(wrong)
}

/// Reads a number of seconds, which may have a fraction.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= SECONDS_MAX => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("a number above 0 and up to {SECONDS_MAX} is needed")),
    }
}

/// The prefix of an id that is written as JSON.
pub const JSON_ID: &str = "json:";

/// Reads an id: text, or behind `json:` a value of any type.
pub fn parse_id(text: &str) -> Result<DocumentId, String> {
    let id = match text.strip_prefix(JSON_ID) {
        Some(json) => Value::from_json(json).and_then(DocumentId::new),
        None => DocumentId::new(text),
    };
    id.map_err(|error| error.to_string())
}

/// An id as [`parse_id`] reads it.
pub fn id_argument(id: &DocumentId) -> String {
    match id.as_str() {
        Some(text) if !text.starts_with(JSON_ID) => text.to_owned(),
        _ => format!("{JSON_ID}{}", id.to_value().to_json()),
    }
}

/// Reads `PATH=JSON`.
pub fn parse_assignment(text: &str) -> Result<(Path, Value), String> {
    let (path, json) = text.split_once('=').ok_or(
        "a path, `=` and a JSON value are needed, such as age=29 or, for a string, name=\"Alice\"",
    )?;
    let path: Path = path.parse().map_err(|error: velocitydb::InputError| error.to_string())?;
    let value = Value::from_json(json).map_err(|error| match error {
        InputError::InvalidJson { mistake: JsonMistake::UnquotedText, .. } => {
            let string = escape(&format!("{path}=\"{json}\"")).into_owned();
            format!(
                "{} is not a JSON value; a string is put in double quotes: '{string}'",
                escape(json)
            )
        }
        error => error.to_string(),
    })?;
    Ok((path, value))
}

/// A rate with three digits: `652 k/s`.
pub fn rate(per_second: f64) -> String {
    let (value, unit) = match per_second {
        ..1e3 => (per_second, ""),
        ..1e6 => (per_second / 1e3, "k"),
        _ => (per_second / 1e6, "M"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}/s")
}

/// A short time in microseconds: `45.2 µs`.
pub fn micros(duration: Duration) -> String {
    format!("{:.1} µs", duration.as_secs_f64() * 1e6)
}

/// A size in binary units: `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = "B";
    while value >= 1024.0
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_number_and_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "5", "s", "0s", "-1s", "5 parsecs", "1e400d", "nand", "infs", "1000000d"]
        {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_whole_numbers_of_known_units() {
        assert_eq!(parse_bytes("500000"), Ok(500_000));
        assert_eq!(parse_bytes("7B"), Ok(7));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1GiB"), Ok(1 << 30));
        for wrong in ["", "KiB", "1.5MiB", "-1", "1MB", "1 MiB", "99999999999999999999", "1é"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
        assert!(parse_bytes("18446744073709551615GiB").is_err());
    }

    #[test]
    fn assignments_keep_types_apart() {
        let value = |text| parse_assignment(text).map(|(_, value)| value);
        assert_eq!(value("a.b=1"), Ok(Value::from(1)));
        assert_eq!(value("a=\"1=1\""), Ok(Value::from("1=1")));
        assert!(value("a=waiting").unwrap_err().contains("'a=\"waiting\"'"));
        assert!(value("a").is_err());
        assert!(value("=1").is_err());
    }

    #[test]
    fn rates_and_sizes_are_short() {
        let rates = [0.0, 5.25, 99.9, 652_000.0, 5_100_000.0].map(rate);
        assert_eq!(rates, ["0.00 /s", "5.25 /s", "99.9 /s", "652 k/s", "5.10 M/s"]);
        assert_eq!(
            [0, 1023, 1536, 256 << 20].map(bytes),
            ["0 B", "1023 B", "1.5 KiB", "256.0 MiB"]
        );
    }
}
