//! Golden scripts: text in, text out. A new case is a new line or a new file in `tests/golden`.
//!
//! A line that begins with `> ` is a command, and the lines up to the next empty line or command
//! are what it prints. `UPDATE_GOLDEN=1` writes what the commands print now. The commands are:
//!
//! ```text
//! document JSON   reads a document, and prints its canonical text
//! bytes JSON      the encoding of a document, in hexadecimal
//! value JSON      reads any value, and prints it
//! sort JSON       sorts an array, and prints how its elements compare
//! key JSON        the key encoding of a value, in hexadecimal
//! update JSON     updates the last document at 2026-11-23T09:15:00Z, and prints it
//! ```

use std::fmt::Write as _;
use std::path::Path;

use velocitydb_core::key::{Direction, encode_key_value};
use velocitydb_core::{Encoded, Object, Result, Time, Update, Value};

#[test]
fn scripts_print_what_they_are_said_to_print() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = std::fs::read_to_string(&path).unwrap();
        let printed = Script::default().run(&expected);
        if update {
            std::fs::write(&path, printed).unwrap();
        } else if let Some(difference) = difference(&expected, &printed) {
            wrong.push(format!("{}: {difference}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 takes what is printed", wrong.join("\n"));
}

fn difference(expected: &str, printed: &str) -> Option<String> {
    let lines = expected.lines().zip(printed.lines()).enumerate();
    let (line, (expected, printed)) =
        lines.into_iter().find(|(_, (a, b))| a != b).or_else(|| {
            (expected != printed).then_some((0, ("the text", "a text of another length")))
        })?;
    Some(format!("line {}\n  expected {expected}\n  printed  {printed}", line + 1))
}

#[derive(Default)]
struct Script {
    document: Object,
}

impl Script {
    /// The script as it would be if what its commands print was right.
    fn run(&mut self, script: &str) -> String {
        let mut printed = String::new();
        let mut in_output = false;
        for line in script.lines() {
            if let Some(command) = line.strip_prefix("> ") {
                let output =
                    self.command(command).unwrap_or_else(|error| format!("error: {error}"));
                writeln!(printed, "{line}\n{output}").unwrap();
                in_output = true;
            } else if line.is_empty() || !in_output {
                writeln!(printed, "{line}").unwrap();
                in_output = false;
            }
        }
        printed
    }

    fn command(&mut self, command: &str) -> Result<String> {
        let (name, text) = command.split_once(' ').expect("a command and JSON");
        match name {
            "document" => {
                let encoded = Encoded::from_json(text)?;
                self.document = encoded.to_object()?;
                encoded.to_json()
            }
            "bytes" => Ok(hexadecimal(Encoded::from_json(text)?.as_bytes())),
            "value" => Ok(Value::from_json(text)?.to_json()),
            "sort" => sort(text),
            "key" => {
                let mut key = Vec::new();
                encode_key_value(&Value::from_json(text)?, Direction::Ascending, &mut key);
                Ok(hexadecimal(&key))
            }
            "update" => {
                let now: Time = "2026-11-23T09:15:00Z".parse()?;
                let mut document = self.document.clone();
                let update = Update::from_json(text)?;
                let encoded = Encoded::from_object(&document)?;
                let encoded = update.apply_encoded(encoded.view(), now);
                let applied = update.apply(&mut document, now);
                assert_eq!(encoded, applied.and_then(|()| Encoded::from_object(&document)));
                let printed = encoded?.to_json()?;
                self.document = document;
                Ok(printed)
            }
            other => panic!("there is no command {other:?}"),
        }
    }
}

fn sort(text: &str) -> Result<String> {
    let Value::Array(mut values) = Value::from_json(text)? else { panic!("sort takes an array") };
    values.sort();
    let mut printed = values.first().map(Value::to_json).unwrap_or_default();
    for pair in values.windows(2) {
        let sign = if pair[0] == pair[1] { "=" } else { "<" };
        write!(printed, " {sign} {}", pair[1]).unwrap();
    }
    Ok(printed)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
