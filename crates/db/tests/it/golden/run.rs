//! Runs the commands of golden scripts on a database, and prints what they answer.
//!
//! ```text
//! insert|replace|upsert C ID OBJECT       ttl=5s level=local request=r1, as for all writes
//! update C ID UPDATE                      insert_many C ID OBJECT ID OBJECT …
//! insert_new C OBJECT                     delete C ID
//! cas C ID [absent] [version=N] [document=OBJECT] [field:PATH=VALUE]… [missing=PATH]
//!          compare | delete | update=UPDATE | replace=OBJECT
//! batch                                   indented: the writes above, and `cas`, in short forms
//! txn                                     indented: get, count, list, find, insert, replace, upsert,
//!                                         update, delete; with `!`: a command of another client
//! get C ID…   count C   list C [backward] offset=N limit=N after=ID     in=SNAPSHOT for all
//! size C ID   create C min_write=LEVEL min_read=LEVEL   drop C   collections
//! and those of `queries`: indexes, schemas, finding, claiming
//! snapshot NAME   forget NAME   advance DURATION   maintain   reopen
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use velocitydb::{
    Action, CollectionOptions, Condition, Document, Documents, Encoded, Error, Filter, Find,
    Outcome, Path, RequestId, Result, Snapshot, Sort, Swapped, Transaction, Update, Value,
    WriteBatch, Written,
};

use super::queries;
use super::script::{Command, duration, object, text};
use crate::world::Home;

/// Bytes of a line that are printed; more says nothing more.
const LINE_BYTES_MAX: usize = 400;

/// Runs commands in one home.
pub struct Runner<'a> {
    home: &'a mut Home,
    snapshots: BTreeMap<String, Snapshot>,
}

impl<'a> Runner<'a> {
    pub fn new(home: &'a mut Home) -> Self {
        Runner { home, snapshots: BTreeMap::new() }
    }

    /// Runs a command, and appends the lines that it prints.
    pub fn run(&mut self, command: &Command, output: &mut String) {
        let lines = match self.answer(command) {
            Ok(lines) => lines,
            Err(error) => format!("error: {error}"),
        };
        for line in lines.lines() {
            let end = line.floor_char_boundary(LINE_BYTES_MAX);
            let rest = if end < line.len() { "…" } else { "" };
            writeln!(output, "{}{rest}", &line[..end]).unwrap();
        }
    }

    fn answer(&mut self, command: &Command) -> Result<String> {
        match command.name.as_str() {
            "advance" => {
                self.home.world.advance(duration(&command.arguments[0]));
                Ok("ok".to_owned())
            }
            "maintain" => self.home.db().maintain().map(|()| "ok".to_owned()),
            "reopen" => {
                self.snapshots.clear();
                self.home.reopen();
                Ok("ok".to_owned())
            }
            "snapshot" => {
                self.snapshots.insert(command.text(0), self.home.db().snapshot()?);
                Ok("ok".to_owned())
            }
            "forget" => {
                self.snapshots.remove(&command.text(0)).expect("there is such a snapshot");
                Ok("ok".to_owned())
            }
            "create" => self.create(command),
            "drop" => self.home.db().drop_collection(&command.text(0)).map(|()| "ok".to_owned()),
            "collections" => self.collections(),
            name if queries::NAMES.contains(&name) => queries::run(self.home.db(), command),
            "get" | "count" | "list" | "size" => self.read(command),
            "cas" => Ok(swapped(&self.compare_and_swap(command)?)),
            "batch" => self.batch(command),
            "txn" => self.transaction(command),
            _ => self.write(command),
        }
    }

    fn documents(&self, command: &Command) -> Result<Documents> {
        let mut documents = self.home.db().documents(&command.text(0));
        if let Some(level) = command.option("level") {
            documents = documents.at(level.parse()?);
        }
        if let Some(ttl) = command.option("ttl") {
            documents = documents.time_to_live(duration(ttl));
        }
        if let Some(request) = command.option("request") {
            documents = documents.request(RequestId::new(&text(request))?);
        }
        Ok(documents)
    }

    fn write(&self, command: &Command) -> Result<String> {
        let documents = self.documents(command)?;
        let one = match command.name.as_str() {
            "insert" => documents.insert(command.text(1), command.object(2)?)?,
            "insert_new" => documents.insert_new(command.object(1)?)?,
            "replace" => documents.replace(command.text(1), command.object(2)?)?,
            "upsert" => documents.upsert(command.text(1), command.object(2)?)?,
            "update" => documents.update(command.text(1), update(&command.arguments[2])?)?,
            "delete" => documents.delete(command.text(1))?,
            "insert_many" => {
                let many = command.arguments[1..].chunks(2);
                let many = many.map(|pair| Ok((text(&pair[0]), object(&pair[1])?)));
                let many = documents.insert_many(many.collect::<Result<Vec<_>>>()?)?;
                return Ok(many
                    .iter()
                    .map(|one| format!("{}: {}\n", one.id, written(one)))
                    .collect());
            }
            name => panic!("{name} is no command"),
        };
        match command.name.as_str() {
            "insert_new" => Ok(format!("{}: {}", one.id, written(&one))),
            _ => Ok(written(&one)),
        }
    }

    fn read(&self, command: &Command) -> Result<String> {
        let name = command.text(0);
        let ids = || (1..command.arguments.len()).map(|position| command.text(position));
        if let Some(snapshot) = command.option("in") {
            let snapshot = &self.snapshots[snapshot];
            return match command.name.as_str() {
                "get" => found(snapshot.get(&name, command.text(1))?.as_ref()),
                "count" => Ok(snapshot.count(&name)?.to_string()),
                _ => page(snapshot.find(&name, part(command)?), command),
            };
        }
        let documents = self.documents(command)?;
        match command.name.as_str() {
            "get" if command.arguments.len() == 2 => {
                found(documents.get(command.text(1))?.as_ref())
            }
            "get" => {
                let ids: Vec<_> = ids().collect();
                let many = documents.get_many(ids.iter().map(String::as_str))?;
                let lines = many.iter().map(|document| Ok(found(document.as_ref())? + "\n"));
                lines.collect()
            }
            "size" => {
                let document = documents.get(command.text(1))?.expect("it exists");
                Ok(document.raw()?.to_encoded().as_bytes().len().to_string())
            }
            "count" => Ok(documents.count()?.to_string()),
            _ => page(documents.find(part(command)?), command),
        }
    }

    fn create(&self, command: &Command) -> Result<String> {
        let level = |key| command.option(key).map(str::parse).transpose();
        let options = CollectionOptions {
            min_write: level("min_write")?,
            min_read: level("min_read")?,
            ..CollectionOptions::default()
        };
        self.home.db().create_collection(&command.text(0), options)?;
        Ok("ok".to_owned())
    }

    fn collections(&self) -> Result<String> {
        let mut lines = String::new();
        for one in self.home.db().collections()? {
            let (count, writes, tombstones) = (one.count, one.writes, one.tombstones);
            write!(lines, "{}: {count} documents, {writes} writes", one.name).unwrap();
            writeln!(lines, ", {tombstones} tombstones, {} bytes", one.bytes).unwrap();
        }
        Ok(if lines.is_empty() { "none".to_owned() } else { lines })
    }

    fn compare_and_swap(&self, command: &Command) -> Result<Swapped> {
        let documents = self.documents(command)?;
        let id = command.text(1);
        let mut swap = documents.compare_and_swap(&id);
        for (key, operand) in &command.options {
            swap = match key.as_str() {
                "version" => swap.version(operand.parse().unwrap()),
                "document" => swap.document(&object(operand)?),
                "missing" => swap.missing(operand),
                key => match key.strip_prefix("field:") {
                    Some(path) => swap.field(path, Value::from_json(operand)?),
                    None => swap,
                },
            };
        }
        if command.has("absent") {
            swap = swap.absent();
        }
        if let Some(operand) = command.option("update") {
            swap.update(update(operand)?)
        } else if let Some(fields) = command.option("replace") {
            swap.replace(object(fields)?)
        } else if command.has("delete") {
            swap.delete()
        } else {
            swap.compare()
        }
    }

    fn batch(&self, command: &Command) -> Result<String> {
        let mut batch = WriteBatch::new();
        for line in &command.lines {
            let (collection, id) = (line.text(0), line.text(1));
            match line.name.as_str() {
                "insert" => batch.insert(&collection, &id, line.object(2)?)?,
                "replace" => batch.replace(&collection, &id, line.object(2)?)?,
                "upsert" => batch.upsert(&collection, &id, line.object(2)?)?,
                "update" => batch.update(&collection, &id, update(&line.arguments[2])?)?,
                "delete" => batch.delete(&collection, &id)?,
                "cas" => {
                    batch.compare_and_swap(&collection, &id, condition(line)?, action(line)?)?
                }
                name => panic!("{name} is no part of a batch"),
            }
        }
        let level = command.option("level").map(str::parse).transpose()?.unwrap_or_default();
        let request = command.option("request").map(RequestId::new).transpose()?;
        let result = self.home.db().write_for_outcomes(batch, level, request)?;
        let verb = if result.is_applied { "applied" } else { "not applied" };
        let replayed = if result.is_replayed { ", replayed" } else { "" };
        let mut lines = format!("{verb}, index {}{replayed}\n", result.index);
        for outcome in &result.outcomes {
            writeln!(lines, "  {}", describe(outcome)).unwrap();
        }
        Ok(lines)
    }

    fn transaction(&mut self, command: &Command) -> Result<String> {
        let mut txn = self.home.db().begin()?;
        let mut lines = String::new();
        for line in &command.lines {
            if line.name == "!" {
                let (name, arguments) = line.arguments.split_first().expect("a command");
                let other = Command {
                    name: name.clone(),
                    arguments: arguments.to_vec(),
                    options: line.options.clone(),
                    lines: Vec::new(),
                };
                let answer = self.answer(&other)?;
                writeln!(lines, "  ! {answer}").unwrap();
            } else {
                writeln!(lines, "  {}", in_transaction(&mut txn, line)?).unwrap();
            }
        }
        match txn.commit() {
            Ok(index) => writeln!(lines, "committed, index {index}").unwrap(),
            Err(error @ Error::Conflict) => writeln!(lines, "{error}").unwrap(),
            Err(error) => return Err(error),
        }
        Ok(lines)
    }
}

fn in_transaction(txn: &mut Transaction, line: &Command) -> Result<String> {
    let collection = line.text(0);
    if line.name == "find" {
        return in_one_line(&txn.find(&collection, line.object(1)?)?);
    }
    match line.name.as_str() {
        "get" => {
            let found = txn.get(&collection, line.text(1))?;
            return found.map_or(Ok("none".to_owned()), |one| Ok(one.fields()?.to_json()));
        }
        "count" => return Ok(txn.count(&collection)?.to_string()),
        "list" => {
            return in_one_line(&txn.find(&collection, Filter::all())?);
        }
        "insert" => txn.insert(&collection, line.text(1), line.object(2)?)?,
        "replace" => txn.replace(&collection, line.text(1), line.object(2)?)?,
        "upsert" => txn.upsert(&collection, line.text(1), line.object(2)?)?,
        "update" => txn.update(&collection, line.text(1), update(&line.arguments[2])?)?,
        "delete" => {
            let existed = txn.delete(&collection, line.text(1))?;
            return Ok(if existed { "existed" } else { "was missing" }.to_owned());
        }
        name => panic!("{name} is no part of a transaction"),
    }
    Ok("ok".to_owned())
}

fn condition(line: &Command) -> Result<Condition> {
    let mut fields = Vec::new();
    for (key, operand) in &line.options {
        match key.as_str() {
            "version" => return Ok(Condition::Version(operand.parse().unwrap())),
            "document" => return Ok(Condition::Document(Encoded::from_object(&object(operand)?)?)),
            "missing" => fields.push((operand.parse()?, None)),
            key => {
                if let Some(path) = key.strip_prefix("field:") {
                    fields.push((path.parse::<Path>()?, Some(Value::from_json(operand)?)));
                }
            }
        }
    }
    Ok(if line.has("absent") { Condition::Absent } else { Condition::Fields(fields) })
}

fn action(line: &Command) -> Result<Action> {
    Ok(if let Some(operand) = line.option("update") {
        Action::Update(update(operand)?)
    } else if let Some(fields) = line.option("replace") {
        Action::Upsert(Encoded::from_object(&object(fields)?)?)
    } else if line.has("delete") {
        Action::Delete
    } else {
        Action::Compare
    })
}

pub(super) fn update(text: &str) -> Result<Update> {
    Ok(Update::from_json(text)?)
}

fn in_one_line(documents: &[Document]) -> Result<String> {
    let shown = documents.iter().map(|one| Ok(format!("{} {}", one.id(), one.fields()?.to_json())));
    Ok(shown.collect::<Result<Vec<_>>>()?.join(", "))
}

/// What is behind the id that a listing begins after.
fn part(command: &Command) -> Result<Filter> {
    let behind = if command.has("backward") { "$lt" } else { "$gt" };
    let rest = |id: &str| Filter::from(velocitydb::object! { "_id": { (behind): (text(id)) } });
    Ok(command.option("after").map_or(Filter::all(), rest))
}

fn written(one: &Written) -> String {
    let existed = if one.existed { ", existed" } else { "" };
    let replayed = if one.is_replayed { ", replayed" } else { "" };
    let level = one.consistency;
    format!("version {}{existed}, index {}, at {level}{replayed}", one.version, one.index)
}

fn swapped(one: &Swapped) -> String {
    let verb = match (one.is_applied, one.held) {
        (true, _) => "applied",
        (false, true) => "held",
        (false, false) => "not applied",
    };
    let replayed = if one.is_replayed { ", replayed" } else { "" };
    let why = one.refusal.as_ref().map_or(String::new(), |refusal| format!(": {refusal}"));
    let current = one.current.as_ref().map(|document| document.fields().unwrap().to_json());
    let current = current.unwrap_or("none".to_owned());
    format!(
        "{verb}{why}, version {}, index {}{replayed}, current {current}",
        one.version, one.index
    )
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { version, existed: true } => format!("version {version}, existed"),
        Outcome::Applied { version, existed: false } => format!("version {version}"),
        Outcome::Held { version } => format!("held at version {version}"),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
        Outcome::Abandoned => "abandoned".to_owned(),
    }
}

fn found(document: Option<&Document>) -> Result<String> {
    document.map_or(Ok("none".to_owned()), |one| Ok(one.to_object_with_meta()?.to_json()))
}

fn page(find: Find, command: &Command) -> Result<String> {
    let number = |key| command.option(key).map(|number| number.parse::<u64>().unwrap());
    let sort = if command.has("backward") { Sort::new().descending("_id") } else { Sort::new() };
    let mut find = find.sort(sort).offset(number("offset").unwrap_or(0));
    if let Some(limit) = number("limit") {
        find = find.limit(limit);
    }
    if let Some(bytes) = number("bytes") {
        find = find.page_bytes(usize::try_from(bytes).unwrap());
    }
    let page = find.page()?;
    let mut lines = String::new();
    for document in &page.documents {
        let (id, version) = (document.id(), document.version());
        writeln!(lines, "{id} version {version} {}", document.fields()?.to_json()).unwrap();
    }
    let last = page.documents.last().filter(|_| page.next.is_some());
    let next = last.map_or("end".to_owned(), |last| format!("next: {}", last.id()));
    lines.push_str(&next);
    Ok(lines)
}
