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
//! filter JSON     reads a filter, and prints whether the last document satisfies it
//! normal JSON     reads a filter, and prints its normal form
//! documents JSON  reads a list of documents
//! find JSON       reads a filter, and prints which documents of the list satisfy it
//! order JSON      reads a sort, and prints the list in its order, `=` where it does not tell apart
//! project JSON    reads a projection, and prints what it makes of the last document
//! leaves PATH     the leaves of the last document at a path, as an index sees them
//! query JSON      reads JSON whose sorts keep their order, and prints it
//! ```
//!
//! To queries, a document has the id "doc", version 7, and was created, modified and expires in the
//! first three minutes of 2026.

use std::fmt::Write as _;
use std::path::Path;

use velocitydb_core::key::{Direction, encode_key_value};
use velocitydb_core::{
    DocumentView, Encoded, Filter, Header, Object, Projection, Result, Sort, Time, Update, Value,
};

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
    documents: Vec<Object>,
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
            "filter" => {
                let filter = Filter::from_json(text)?;
                let yes = satisfies(&filter, &self.document)?;
                assert_eq!(satisfies(&!filter, &self.document), Ok(!yes));
                Ok(if yes { "yes" } else { "no" }.to_owned())
            }
            "normal" => Ok(Filter::from_json(text)?.to_json()),
            "documents" => {
                let list: Vec<Value> = Value::from_json(text)?.try_into()?;
                self.documents = list.into_iter().map(Object::try_from).collect::<Result<_>>()?;
                Ok(format!("{} documents", self.documents.len()))
            }
            "find" => {
                let filter = Filter::from_json(text)?;
                let mut found = Vec::new();
                for document in &self.documents {
                    if satisfies(&filter, document)? {
                        found.push(document.to_json());
                    }
                }
                Ok(found.join("\n"))
            }
            "order" => order(text, &self.documents),
            "project" => project(text, &self.document),
            "leaves" => {
                let encoded = Encoded::from_object(&self.document)?;
                let mut leaves = Vec::new();
                let fanout = view(&encoded).for_each_leaf(&text.parse()?, |leaf| {
                    leaves
                        .push(leaf.to_value()?.map_or("missing".to_owned(), |leaf| leaf.to_json()));
                    Ok(())
                })?;
                assert_eq!(fanout.leaves, leaves.len());
                leaves.extend(fanout.multikey.then(|| "(multikey)".to_owned()));
                Ok(leaves.join(" "))
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

/// The document as queries see it.
fn view(encoded: &Encoded) -> DocumentView<'_> {
    let minute =
        |minute: i64| Time::from_micros(1_767_225_600_000_000 + minute * 60_000_000).unwrap();
    let (created, modified, expires) = (minute(0), minute(1), Some(minute(2)));
    let header = Header { version: 7, created, modified, expires, lease: None };
    DocumentView { id: velocitydb_core::IdRef::of_text("doc"), header, fields: encoded.view() }
}

/// Asks the filter in every form, and after every trip.
fn satisfies(filter: &Filter, document: &Object) -> Result<bool> {
    let encoded = Encoded::from_object(document)?;
    let view = view(&encoded);
    let yes = filter.matches(&view)?;
    assert_eq!(filter.matches_object(&view.to_object()?), yes);
    let mut bytes = Vec::new();
    filter.encode_into(&mut bytes)?;
    for again in [Filter::decode(&bytes)?, Filter::from_json(&filter.to_json())?] {
        assert_eq!(again, *filter);
        assert_eq!(again.matches(&view)?, yes);
    }
    Ok(yes)
}

fn order(text: &str, documents: &[Object]) -> Result<String> {
    let sort = Sort::from_json(text)?;
    assert_eq!(Sort::from_value(&sort.to_value())?, sort);
    let mut keyed = Vec::new();
    for document in documents {
        let (encoded, mut key) = (Encoded::from_object(document)?, Vec::new());
        sort.encode_key(&view(&encoded), &mut key)?;
        assert_eq!(sort.key_of(&view(&encoded).to_object()?)?, key);
        keyed.push((key, document));
    }
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut printed = String::new();
    for (at, (key, document)) in keyed.iter().enumerate() {
        let sign = match at.checked_sub(1).map(|before| keyed[before].0 == *key) {
            None => "",
            Some(true) => " = ",
            Some(false) => " < ",
        };
        write!(printed, "{sign}{document}").unwrap();
    }
    Ok(printed)
}

fn project(text: &str, document: &Object) -> Result<String> {
    let projection = Projection::from_json(text)?;
    assert_eq!(Projection::from_object(projection.to_object())?, projection);
    let encoded = Encoded::from_object(document)?;
    let projected = projection.apply(&view(&encoded))?;
    Encoded::from_object(&projected)?.to_json()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
