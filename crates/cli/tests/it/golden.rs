//! Golden scripts: each file of `tests/golden` is a session in a folder of its own. A line that
//! begins with `$ ` is run by a shell; what it has to print follows, standard error after `! `, and
//! the exit code unless it is 0. An empty line of output is written as `~`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p velocitydb-cli golden` writes down what is printed now. Times,
//! made-up ids and rates differ in every run, and are masked.

use std::fs;
use std::path::Path;
use std::thread;

use crate::program::shell;

/// An empty line of output, since one in a script is only there for its readers.
const EMPTY: &str = "~";

#[test]
fn golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut scripts: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    // They wait for the disk most of the time.
    let wrong: Vec<_> = thread::scope(|scope| {
        let checks: Vec<_> =
            scripts.iter().map(|script| scope.spawn(move || check(script))).collect();
        checks.into_iter().filter_map(|check| check.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Replays a script; says what is wrong, or writes down what is printed now.
fn check(script: &Path) -> Option<String> {
    let expected = fs::read_to_string(script).unwrap();
    let found = replay(&expected);
    // Users see values, and not how the program keeps them.
    assert!(!found.contains("Some("), "{}: {found}", script.display());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(script, &found).unwrap();
        return None;
    }
    (found != expected).then(|| difference(script, &expected, &found))
}

/// Runs the commands of a script, and writes down what they print now.
fn replay(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut found = String::new();
    for line in script.lines() {
        if line.is_empty() || line.starts_with('#') {
            found += &format!("{line}\n");
        }
        let Some(command) = line.strip_prefix("$ ") else { continue };
        found += &format!("{line}\n");
        let outcome = shell(folder.path(), command);
        for line in outcome.stdout.lines() {
            let line = mask(line);
            let line = line.trim_end();
            found += &format!("{}\n", if line.is_empty() { EMPTY } else { line });
        }
        for line in outcome.stderr.lines() {
            found += &format!("! {}\n", mask(line));
        }
        match outcome.code {
            Some(0) => {}
            Some(code) => found += &format!("[exit {code}]\n"),
            None => found += "[killed]\n",
        }
    }
    found
}

fn difference(script: &Path, expected: &str, found: &str) -> String {
    let same = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str| text.lines().nth(same).unwrap_or("the end").to_owned();
    format!(
        "{}, line {}:\n  expected: {}\n  found:    {}",
        script.display(),
        same + 1,
        show(expected),
        show(found)
    )
}

/// Replaces what differs in every run. In a pattern, `9` is a digit and `x` a hexadecimal one.
fn mask(line: &str) -> String {
    const PATTERNS: [(&str, &str); 2] =
        [("9999-99-99T99:99:99.999999Z", "TIME"), ("xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx", "UUID")];
    const UNITS: [&str; 6] = [" /s", " k/s", " M/s", " ms", " µs", " times"];
    const FIELDS: [&str; 7] = [
        ", cost ",
        "\"cost\":",
        "\"operations\":",
        "\"per_second\":",
        "\"seconds\":",
        "\"planning_us\":",
        "\"execution_us\":",
    ];
    let mut masked = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let number =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        if let Some((pattern, name)) = PATTERNS.iter().find(|(pattern, _)| fits(rest, pattern)) {
            masked += name;
            rest = &rest[pattern.len()..];
        } else if let Some(unit) =
            UNITS.iter().find(|unit| number > 0 && rest[number..].starts_with(**unit))
        {
            masked += "N";
            masked += if unit.ends_with("/s") { " RATE" } else { unit };
            rest = &rest[number + unit.len()..];
        } else if number > 0 && FIELDS.iter().any(|field| masked.ends_with(field)) {
            masked += "N";
            rest = &rest[number..];
        } else if number > 0 {
            masked += &rest[..number];
            rest = &rest[number..];
        } else {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    masked
}

fn fits(text: &str, pattern: &str) -> bool {
    text.len() >= pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(found, expected)| match expected {
            b'9' => found.is_ascii_digit(),
            b'x' => found.is_ascii_hexdigit(),
            expected => found == expected,
        })
}
