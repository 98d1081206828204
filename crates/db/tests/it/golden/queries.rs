//! The commands of golden scripts that have to do with queries.
//!
//! ```text
//! create_index C SPEC   drop_index C NAME   indexes C   doctor
//! set_schema C SCHEMA [keep]   remove_schema C   schema C
//! find C FILTER [sort=SORT] [offset=N] [limit=N] [project=OBJECT]
//! pages C FILTER size=N [sort=SORT]     all pages, one after another
//! count_of C FILTER   distinct C FILTER PATH   explain C FILTER [sort=SORT]
//! update_many C FILTER UPDATE   delete_many C FILTER
//! update_one C FILTER UPDATE [sort=SORT]   delete_one C FILTER [sort=SORT]
//! claim C FILTER UPDATE [sort=SORT] [limit=N] [by=NAME] [lease=10s release=UPDATE] [request=R]
//! complete C ID VERSION UPDATE   renew C ID VERSION DURATION   release C ID VERSION
//! ```

use std::fmt::Write;

use velocitydb::schema::Schema;
use velocitydb::{
    Database, Document, Documents, Existing, Filter, Find, IndexBuild, IndexSpec, Modified,
    Pipeline, Projection, RequestId, Result, Sort,
};

use super::run::update;
use super::script::{Command, duration};

pub const NAMES: [&str; 21] = [
    "create_index",
    "drop_index",
    "indexes",
    "doctor",
    "set_schema",
    "remove_schema",
    "schema",
    "find",
    "pages",
    "count_of",
    "distinct",
    "explain",
    "aggregate",
    "update_many",
    "delete_many",
    "update_one",
    "delete_one",
    "claim",
    "complete",
    "renew",
    "release",
];

pub fn run(db: &Database, command: &Command) -> Result<String> {
    if command.name == "doctor" {
        let problems = db.snapshot()?.check()?.problems;
        return Ok(if problems.is_empty() { "healthy".to_owned() } else { problems.join("\n") });
    }
    let name = command.text(0);
    let docs = db.documents(&name);
    let docs = match command.option("request") {
        Some(request) => docs.request(RequestId::new(request)?),
        None => docs,
    };
    match command.name.as_str() {
        "create_index" => {
            db.documents(&name).create_index(IndexSpec::from_object(command.object(1)?)?)?;
            Ok("ok".to_owned())
        }
        "drop_index" => db.documents(&name).drop_index(&command.text(1)).map(|()| "ok".to_owned()),
        "indexes" => indexes(db, &name),
        "set_schema" => {
            let existing = if command.has("keep") { Existing::Keep } else { Existing::Check };
            let schema = Schema::from_object(&command.object(1)?)?;
            Ok(format!("version {}", db.documents(&name).set_schema(&schema, existing)?))
        }
        "remove_schema" => db.documents(&name).remove_schema().map(|()| "ok".to_owned()),
        "schema" => Ok(match db.documents(&name).schema()? {
            Some(found) => {
                format!("version {} {}", found.version, found.schema.to_object().to_json())
            }
            None => "none".to_owned(),
        }),
        "claim" => claim(&docs, command),
        "complete" | "renew" | "release" => settle(&docs, command),
        "update_many" => {
            modified(docs.update_many(filter(command)?, update(&command.arguments[2])?)?)
        }
        "delete_many" => modified(docs.delete_many(filter(command)?)?),
        "update_one" | "delete_one" => {
            let one = docs.find_and_modify(filter(command)?).sort(sort(command)?);
            let found = match command.name.as_str() {
                "update_one" => one.update(update(&command.arguments[2])?)?,
                _ => one.delete()?,
            };
            Ok(found.as_ref().map_or("none".to_owned(), line))
        }
        _ => find(&docs, command),
    }
}

fn filter(command: &Command) -> Result<Filter> {
    Ok(Filter::from_object(command.object(1)?)?)
}

fn sort(command: &Command) -> Result<Sort> {
    Ok(command.option("sort").map(Sort::from_json).transpose()?.unwrap_or_default())
}

fn number(command: &Command, key: &str) -> Option<u64> {
    command.option(key).map(|number| number.parse().unwrap())
}

fn line(document: &Document) -> String {
    let fields = document.fields().unwrap().to_json();
    format!("{} version {} {fields}", document.id(), document.version())
}

fn lines(documents: &[Document]) -> String {
    let lines: Vec<_> = documents.iter().map(line).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join("\n") }
}

fn modified(Modified { count, index, is_replayed }: Modified) -> Result<String> {
    let replayed = if is_replayed { ", replayed" } else { "" };
    Ok(format!("{count} documents, index {index}{replayed}"))
}

fn indexes(db: &Database, name: &str) -> Result<String> {
    let mut lines = String::new();
    for index in db.documents(name).indexes()? {
        let state = match index.state {
            IndexBuild::Ready => "ready".to_owned(),
            IndexBuild::Building { done, of } => format!("{done} of {of}"),
            IndexBuild::Failed { reason } => format!("failed: {reason}"),
        };
        let spec = index.spec.to_object().to_json();
        writeln!(lines, "{}: {state}, {} entries, {spec}", index.name, index.entries).unwrap();
    }
    Ok(if lines.is_empty() { "none".to_owned() } else { lines })
}

fn find(docs: &Documents, command: &Command) -> Result<String> {
    let query = |with_sort: bool| -> Result<Find> {
        let mut find = docs.find(filter(command)?);
        if with_sort {
            find = find.sort(sort(command)?);
        }
        if let Some(offset) = number(command, "offset") {
            find = find.offset(offset);
        }
        if let Some(limit) = number(command, "limit") {
            find = find.limit(limit);
        }
        Ok(find)
    };
    Ok(match command.name.as_str() {
        "count_of" => query(false)?.count()?.to_string(),
        "aggregate" => {
            let objects = docs.aggregate(Pipeline::from_json(&command.arguments[1])?).objects()?;
            objects.iter().map(|object| object.to_json() + "\n").collect()
        }
        "distinct" => {
            let values = query(false)?.distinct(&command.text(2))?;
            values.iter().map(|value| value.to_json()).collect::<Vec<_>>().join(", ")
        }
        "explain" => {
            let explained = query(command.option("sort").is_some())?.explain()?;
            let (keys, documents) = (explained.keys_examined, explained.documents_examined);
            let plan = explained.plan.to_json();
            format!("{plan}\n{keys} keys, {documents} documents, {} results", explained.returned)
        }
        "pages" => pages(&query(true)?.limit(number(command, "size").unwrap()))?,
        _ => match command.option("project") {
            Some(projection) => {
                let projection = Projection::from_json(projection)?;
                let objects = query(true)?.project(projection).objects()?;
                objects.iter().map(|object| object.to_json() + "\n").collect()
            }
            None => lines(&query(true)?.documents()?),
        },
    })
}

fn pages(find: &Find) -> Result<String> {
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let find = match next.take() {
            Some(next) => find.clone().after(next),
            None => find.clone(),
        };
        let page = find.page()?;
        let ids: Vec<_> = page.documents.iter().map(|one| one.id().to_string()).collect();
        pages.push(ids.join(" "));
        next = page.next;
        if next.is_none() {
            return Ok(pages.join(" | "));
        }
    }
}

fn claim(docs: &Documents, command: &Command) -> Result<String> {
    let mut claim = docs.claim(filter(command)?).sort(sort(command)?);
    if let Some(limit) = number(command, "limit") {
        claim = claim.limit(limit as u32);
    }
    if let Some(claimant) = command.option("by") {
        claim = claim.claimant(claimant);
    }
    if let Some(lease) = command.option("lease") {
        let release = command.option("release").expect("a lease says what is done at its end");
        claim = claim.lease(duration(lease), update(release)?);
    }
    let claimed = claim.update(update(&command.arguments[2])?)?;
    let replayed = if claimed.is_replayed { "replayed\n" } else { "" };
    Ok(format!("{replayed}{}", lines(&claimed.documents)))
}

fn settle(docs: &Documents, command: &Command) -> Result<String> {
    let (id, version) = (command.text(1), command.text(2).parse().unwrap());
    let version = match command.name.as_str() {
        "complete" => docs.complete(&id, version, update(&command.arguments[3])?)?,
        "renew" => docs.renew(&id, version, duration(&command.arguments[3]))?,
        _ => docs.release(&id, version)?,
    };
    Ok(format!("version {version}"))
}
