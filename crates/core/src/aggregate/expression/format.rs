//! Writing times by a format such as `%Y-%m-%d`.

use std::fmt::Write as _;

use super::calendar::Local;
use super::date::clock;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Writes a local time by a format. `offset` is its offset from UTC in seconds.
pub(super) fn format(format: &str, local: Local, offset: i64) -> Result<String, String> {
    let mut text = String::with_capacity(format.len() * 2);
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let specifier = chars.next().ok_or("found a format that ends with a lone %; write %%")?;
        if !write(&mut text, specifier, local, offset) {
            return Err(format!(
                "knows the format specifiers %b %B %d %G %H %j %L %m %M %S %u %U %V %w %Y %z %Z \
                 and %%, not \"%{specifier}\""
            ));
        }
    }
    Ok(text)
}

/// Checks a format.
pub(super) fn check(text: &str) -> Result<(), String> {
    format(text, Local(0), 0).map(drop)
}

/// Whether there is such a specifier.
fn write(text: &mut String, specifier: char, local: Local, offset: i64) -> bool {
    let (year, month, day) = local.date();
    let (hour, minute, second, millisecond) = clock(local);
    let name = MONTHS[(month - 1) as usize];
    let written = match specifier {
        'b' => text.write_str(&name[..3]),
        'B' => text.write_str(name),
        'd' => write!(text, "{day:02}"),
        'G' => write!(text, "{:04}", local.iso_week().0),
        'H' => write!(text, "{hour:02}"),
        'j' => write!(text, "{:03}", local.day_of_year()),
        'L' => write!(text, "{millisecond:03}"),
        'm' => write!(text, "{month:02}"),
        'M' => write!(text, "{minute:02}"),
        'S' => write!(text, "{second:02}"),
        'u' => write!(text, "{}", local.weekday() + 1),
        'U' => write!(text, "{:02}", week_of_year(local)),
        'V' => write!(text, "{:02}", local.iso_week().1),
        'w' => write!(text, "{}", (local.weekday() + 1) % 7 + 1),
        'Y' => write!(text, "{year:04}"),
        'z' => {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            write!(text, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
        }
        'Z' => write!(text, "{}", offset / 60),
        '%' => text.write_str("%"),
        _ => return false,
    };
    written.expect("a string takes any text");
    true
}

/// The week of the year, weeks beginning on Sunday, and the days before the first being week 0.
fn week_of_year(local: Local) -> i64 {
    let sunday_based = (local.weekday() + 1) % 7;
    (local.day_of_year() + 6 - sunday_based) / 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    #[test]
    fn every_specifier_is_written() {
        let time: Time = "2026-01-04T03:07:09.005Z".parse().unwrap();
        let written = format(
            "%Y-%m-%d %H:%M:%S.%L %j|%G-W%V-%u|%U %w|%b %B|%z %Z|%%é",
            Local(time.as_micros()),
            -(3 * 3600 + 30 * 60),
        );
        let expected = "2026-01-04 03:07:09.005 004|2026-W01-7|01 1|Jan January|-0330 -210|%é";
        assert_eq!(written.as_deref(), Ok(expected));
        assert!(check("%").is_err() && check("%Q").is_err() && check("%q%").is_err());
    }
}
