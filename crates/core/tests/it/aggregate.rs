//! Pipelines: golden scripts, bounds and errors. `tests/pipelines` has the scripts; a line that
//! begins with `> ` is a command, and the lines up to the next empty line or command are what it
//! prints. `UPDATE_GOLDEN=1` writes what the commands print now. The commands are:
//!
//! ```text
//! documents JSON          reads an array of documents, which are the rows from then on
//! collection NAME JSON    reads the documents of another collection
//! pipeline JSON           runs over the rows, and prints the results, one in a line
//! is JSON                 the value of an expression on the first row
//! ```
//!
//! Every pipeline runs over encoded and over decoded rows, which must give the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;
use velocitydb_core::aggregate::{Accumulator, Context, Pipeline, Row};
use velocitydb_core::{
    DocumentView, Encoded, Error, Filter, Header, Object, Result, Time, Value, object, value,
};

use crate::random;
use crate::random_pipelines::{documents, stage};

#[test]
fn scripts_print_what_they_are_said_to_print() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = std::fs::read_to_string(&path).unwrap();
        let printed = Script::default().run(&expected);
        let difference = expected.lines().zip(printed.lines()).find(|(a, b)| a != b);
        if update {
            std::fs::write(&path, printed).unwrap();
        } else if let Some((expected, printed)) = difference {
            wrong.push(format!("{}:\n  expected {expected}\n  printed  {printed}", path.display()));
        } else if expected.lines().count() != printed.lines().count() {
            wrong.push(format!("{}: the number of lines differs", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 takes what is printed", wrong.join("\n"));
}

/// A document with its id, as it is stored.
pub struct Stored {
    pub id: String,
    pub header: Header,
    pub fields: Encoded,
}

impl Stored {
    pub fn new(document: &Object, at: usize) -> Self {
        let mut fields = document.clone();
        let id = match fields.remove("_id") {
            Some(Value::String(id)) => id,
            _ => format!("d{at}"),
        };
        let created = Time::from_micros(1_000_000 * at as i64).unwrap();
        let header = Header {
            version: at as u64 + 1,
            created,
            modified: created,
            expires: None,
            lease: None,
        };
        Self { id, header, fields: Encoded::from_object(&fields).unwrap() }
    }

    pub fn view(&self) -> DocumentView<'_> {
        DocumentView {
            id: velocitydb_core::IdRef::of_text(&self.id),
            header: self.header,
            fields: self.fields.view(),
        }
    }
}

/// Other collections, and a fixed time.
#[derive(Default)]
pub struct Others {
    collections: BTreeMap<String, Vec<Stored>>,
    memory_bytes_max: Option<usize>,
}

impl Context for Others {
    fn lookup(
        &self,
        collection: &str,
        filter: &Filter,
        found: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        for document in self.collections.get(collection).into_iter().flatten() {
            if filter.matches(&document.view())? && found(document.view().into())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        "2026-11-23T09:15:00Z".parse().unwrap()
    }

    fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max.unwrap_or(100 << 20)
    }
}

/// Runs over encoded and over decoded rows.
pub fn run_both(
    pipeline: &Pipeline,
    context: &dyn Context,
    rows: &[Stored],
) -> Result<Vec<Object>, Error> {
    let encoded = pipeline.run(context, rows.iter().map(|row| Row::Document(row.view())));
    let decoded = rows.iter().map(|row| pipeline.materialise(&row.view()).unwrap());
    let decoded = pipeline.run(context, decoded);
    match (&encoded, &decoded) {
        (Ok(encoded), Ok(decoded)) => {
            let same = encoded.len() == decoded.len()
                && encoded.iter().zip(decoded).all(|(a, b)| a.is_identical(b));
            assert!(same, "{pipeline:?} gives\n{encoded:?} and\n{decoded:?}");
        }
        _ => assert_eq!(encoded, decoded, "{pipeline:?}"),
    }
    encoded
}

#[derive(Default)]
struct Script {
    rows: Vec<Stored>,
    others: Others,
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
                writeln!(printed, "{line}").unwrap();
                if !output.is_empty() {
                    writeln!(printed, "{output}").unwrap();
                }
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
            "documents" => {
                self.rows = stored(text)?;
                Ok(String::new())
            }
            "collection" => {
                let (name, text) = text.split_once(' ').expect("a name and JSON");
                self.others.collections.insert(name.to_owned(), stored(text)?);
                Ok(String::new())
            }
            "pipeline" => {
                let pipeline = Pipeline::from_json(text)?;
                assert_eq!(Pipeline::from_value(&pipeline.to_value())?, pipeline);
                let results = run_both(&pipeline, &self.others, &self.rows)?;
                let lines: Vec<String> = results.iter().map(Object::to_json).collect();
                Ok(lines.join("\n"))
            }
            "is" => {
                let expression = Value::from_json(text)?;
                let pipeline =
                    Pipeline::from_value(&value!([{ "$replaceWith": { "is": expression } }]))?;
                let results = run_both(&pipeline, &self.others, &self.rows[..1])?;
                Ok(results[0].get("is").map_or("missing".to_owned(), Value::to_json))
            }
            other => panic!("there is no command {other:?}"),
        }
    }
}

fn stored(text: &str) -> Result<Vec<Stored>> {
    let documents: Vec<Value> = Value::from_json(text)?.try_into()?;
    let store = |(at, document): (usize, Value)| Ok(Stored::new(&document.try_into()?, at));
    documents.into_iter().enumerate().map(store).collect()
}

fn error(text: &str) -> String {
    let pipeline = Pipeline::from_json(text);
    pipeline
        .map(|pipeline| format!("{pipeline:?} was taken"))
        .unwrap_or_else(|error| error.to_string())
}

fn rows(count: i64) -> Vec<Stored> {
    let document = |at| object! { "a": at, "s": ("x".repeat(100)), "l": [at, 1, 2] };
    (0..count).map(|at| Stored::new(&document(at), at as usize)).collect()
}

#[test]
fn memory_is_bounded_in_every_stage_that_holds_rows() {
    let context = Others {
        memory_bytes_max: Some(20_000),
        collections: [("other".to_owned(), rows(500))].into(),
    };
    for (text, place) in [
        (r#"[{"$sort": {"a": 1}}]"#, "0.$sort"),
        (r#"[{"$limit": 400}, {"$group": {"_id": "$a"}}]"#, "1.$group"),
        (r#"[{"$group": {"_id": null, "all": {"$push": "$s"}}}]"#, "0.$group"),
        (r#"[{"$group": {"_id": null, "all": {"$addToSet": "$l"}}}]"#, "0.$group"),
        (r#"[{"$unwind": "$l"}, {"$unwind": "$l"}, {"$sortByCount": "$a"}]"#, "2.$sortByCount"),
        (r#"[{"$facet": {"x": [], "y": [{"$count": "n"}]}}]"#, "0.$facet"),
        (r#"[{"$facet": {"x": [{"$sort": {"s": 1}}]}}]"#, "0.$facet.x.0.$sort"),
        (r#"[{"$lookup": {"from": "other", "pipeline": [], "as": "x"}}]"#, "0.$lookup"),
        (r#"[]"#, "results"),
        (r#"[{"$set": {"x": {"$range": [0, 100000]}}}]"#, "$range"),
        (
            r#"[{"$set": {"x": {"$map": {"input": {"$range": [0, 300]}, "in": {"$range": [0, 300]}}}}}]"#,
            "$map",
        ),
        (
            r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 100]}, "initialValue": ["$s"],
                "in": {"$concatArrays": ["$$value", "$$value"]}}}}}]"#,
            "$concatArrays",
        ),
        (
            r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "$s",
                "in": {"$concat": ["$$value", "$$value"]}}}}}]"#,
            "$reduce",
        ),
        (
            r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "$s",
                "in": ["$$value", "$$value"]}}}}]"#,
            "an array",
        ),
        (
            r#"[{"$set": {"x": {"$split": [{"$replaceAll": {"input": "$s", "find": "x",
            "replacement": "yyyyyyyyyy"}}, "y"]}}}]"#,
            "$split",
        ),
    ] {
        let pipeline = Pipeline::from_json(text).unwrap();
        let rows = rows(500);
        let result = pipeline.run(&context, rows.iter().map(|row| Row::Document(row.view())));
        let error = result.unwrap_err().to_string();
        let expected = format!("query memory in bytes at \"{place}\" is ");
        assert!(error.starts_with(&expected), "{text}: {error}");
        assert!(error.ends_with("and at most 20000 is allowed"), "{text}: {error}");
    }
    for text in [
        r#"[{"$sort": {"a": -1}}, {"$skip": 3}, {"$limit": 5}, {"$count": "n"}]"#,
        r#"[{"$group": {"_id": null, "n": {"$sum": "$a"}, "s": {"$last": "$s"}}}]"#,
        r#"[{"$facet": {"n": [{"$count": "n"}]}}]"#,
        r#"[{"$set": {"x": {"$range": [0, 300]}}}, {"$count": "n"}]"#,
    ] {
        let pipeline = Pipeline::from_json(text).unwrap();
        assert_eq!(run_both(&pipeline, &context, &rows(500)).unwrap().len(), 1, "{text}");
    }
}

#[test]
fn values_do_not_grow_deeper_than_documents() {
    let context = Others::default();
    for text in [
        r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 200]}, "initialValue": 1, "in": ["$$value"]}}}}]"#,
        r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 200]}, "initialValue": {}, "in": {"y": "$$value"}}}}}]"#,
        r#"[{"$set": {"x": {"$reduce": {"input": {"$range": [0, 200]}, "initialValue": 1, "in": {"$map": {"input": [1], "as": "i", "in": "$$value"}}}}}}]"#,
    ] {
        let pipeline = Pipeline::from_json(text).unwrap();
        let error = run_both(&pipeline, &context, &rows(1)).unwrap_err().to_string();
        assert!(error.contains("nesting depth of a value"), "{error}");
    }
    // Each stage wraps the row once more.
    for stage in [
        value!({ "$replaceWith": { "y": "$$ROOT" } }),
        value!({ "$set": { "y.y.y": ["$y"] } }),
        value!({ "$group": { "_id": ["$_id"] } }),
        value!({ "$group": { "_id": null, "y": { "$push": "$y" } } }),
        value!({ "$facet": { "y": [] } }),
    ] {
        let pipeline = Pipeline::from_value(&Value::Array(vec![stage.clone(); 150]));
        let run = pipeline.and_then(|pipeline| run_both(&pipeline, &context, &rows(1)));
        let error = run.unwrap_err().to_string();
        assert!(error.contains("nesting depth"), "{stage}: {error}");
    }
}

#[test]
fn hostile_pipelines_are_refused_while_they_are_read() {
    let mut deep = value!("$a");
    for _ in 0..5_000 {
        deep = value!({ "$not": deep });
    }
    let error_of = |value: &Value| Pipeline::from_value(value).unwrap_err().to_string();
    let refused = error_of(&value!([{ "$set": { "x": deep } }]));
    assert!(refused.contains("nesting depth"), "{refused}");
    let wide = value!([{ "$set": { "x": { "$add": (vec![1; 20_000]) } } }]);
    assert!(error_of(&wide).contains("number of operators and values"), "{}", error_of(&wide));
    let long: Value = vec![value!({ "$skip": 1 }); 201].into();
    assert!(error_of(&long).contains("the 200 that are allowed"), "{}", error_of(&long));
    let text = "[{\"$set\": {\"x\": ".to_owned() + &"[".repeat(10_000);
    assert!(Pipeline::from_json(&text).is_err());
    assert!(
        error(r#"[{"$set": {"x": {"$regexMatch": {"input": "$a", "regex": "(a{1000}){1000}"}}}}]"#)
            .contains("cannot use the pattern")
    );
}

#[test]
fn unwinding_again_and_again_stops_at_the_deadline() {
    struct Deadline(std::cell::Cell<u32>);
    impl Context for Deadline {
        fn lookup(
            &self,
            _collection: &str,
            _filter: &Filter,
            _found: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>>,
        ) -> Result<()> {
            Ok(())
        }

        fn now(&self) -> Time {
            Time::UNIX_EPOCH
        }

        fn check(&self) -> Result<()> {
            self.0.set(self.0.get() + 1);
            if self.0.get() > 20 { Err(Error::DeadlineExceeded) } else { Ok(()) }
        }
    }
    let mut stages = vec![value!({ "$set": { "l": { "$range": [0, 1_000] } } })];
    for _ in 0..5 {
        stages.extend([value!({ "$set": { "k": "$l" } }), value!({ "$unwind": "$k" })]);
    }
    let loops = value!([{ "$set": { "x": { "$map": {
        "input": { "$range": [0, 1_000] },
        "in": { "$sum": { "$map": { "input": { "$range": [0, 1_000] }, "in": 1 } } },
    } } } }]);
    for pipeline in [Value::Array(stages), loops] {
        let pipeline = Pipeline::from_value(&pipeline).unwrap().count("n");
        let result = pipeline.run(&Deadline(0.into()), [object! { "a": 1 }]);
        assert_eq!(result, Err(Error::DeadlineExceeded));
    }
}

#[test]
fn a_run_says_when_it_has_enough_and_streams() {
    let pipeline = Pipeline::new().skip(1).limit(2);
    let mut given = Vec::new();
    let context = Others::default();
    let mut run = pipeline
        .start(&context, |object| {
            given.push(object["a"].clone());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    let push = |at: i64| run.push(object! { "a": at }).unwrap().is_break();
    assert_eq!([1, 2, 3, 4].map(push), [false, false, true, true]);
    run.finish().unwrap();
    assert_eq!(given, [value!(2), value!(3)]);

    let pipeline =
        Pipeline::from_json(r#"[{"$facet": {"a": [{"$limit": 1}], "b": [{"$limit": 2}]}}]"#);
    let pipeline = pipeline.unwrap();
    let mut run = pipeline.start(&context, |_| Ok(ControlFlow::Continue(()))).unwrap();
    assert!(run.push(object! {}).unwrap().is_continue());
    assert!(run.push(object! {}).unwrap().is_break());
    run.finish().unwrap();

    let mut count = 0;
    let pipeline = Pipeline::new().sort([("a", 1)]);
    let mut run = pipeline
        .start(&context, |_| {
            count += 1;
            Ok(ControlFlow::Break(()))
        })
        .unwrap();
    (0..5).for_each(|at| drop(run.push(object! { "a": at })));
    run.finish().unwrap();
    assert_eq!(count, 1);
}

#[test]
fn a_planner_is_told_what_it_can_do() {
    let pipeline = Pipeline::from_json(
        r#"[{"$match": {"a": 1}}, {"$sort": {"b": 1}}, {"$skip": 2}, {"$limit": 3},
            {"$lookup": {"from": "other", "localField": "c.d", "foreignField": "x", "as": "e"}},
            {"$group": {"_id": "$f.g", "n": {"$sum": "$h"}}}, {"$project": {"i": 1}}]"#,
    );
    let pipeline = pipeline.unwrap();
    let leading = pipeline.leading();
    assert!(leading.filter.is_some() && leading.sort.is_some());
    assert_eq!((leading.skip, leading.limit), (2, Some(3)));
    assert_eq!((leading.filter_stages, leading.sort_stages, leading.limit_stages), (1, 2, 4));
    let fields: Vec<_> = pipeline.fields().unwrap().iter().map(String::as_str).collect();
    assert_eq!(fields, ["a", "b", "c", "f", "h"]);
    assert_eq!(pipeline.collections().into_iter().collect::<Vec<_>>(), ["other"]);

    let whole = Pipeline::from_json(r#"[{"$match": {"a": 1, "$expr": "$b"}}, {"$set": {"c": 1}}]"#);
    let whole = whole.unwrap();
    assert_eq!(whole.fields(), None);
    let leading = whole.leading();
    assert_eq!((leading.filter.is_some(), leading.filter_stages), (true, 0));

    let context = Others::default();
    let stored = rows(9);
    let mut rest = Vec::new();
    let mut run = pipeline
        .start_after(4, &context, |object| {
            rest.push(object);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    stored.iter().for_each(|row| assert!(run.push(row.view()).unwrap().is_continue()));
    run.finish().unwrap();
    assert_eq!(rest, [object! { "_id": null }]);
}

#[test]
fn building_is_as_writing() {
    let filter = object! { "a": { "$gt": 1 } };
    let filter = Filter::from_object(&filter).unwrap();
    let built = Pipeline::new()
        .matching(&filter)
        .unwind("$l")
        .set(object! { "b": { "$add": ["$a", 1] } })
        .lookup("other", "a", "b", "c")
        .group(
            "$l",
            [
                ("n", Accumulator::count()),
                ("p", Accumulator::percentile("$a", [0.5])),
                ("m", Accumulator::median("$a")),
                ("s", Accumulator::std_dev_samp("$a")),
            ],
        )
        .facet([("x", Pipeline::new().limit(1)), ("y", Pipeline::new().count("n"))])
        .project(object! { "x": 1 })
        .replace_with("$$ROOT")
        .sort([("x", 1), ("y", -1)])
        .skip(1)
        .limit(2);
    built.check().unwrap();
    assert_eq!(Pipeline::from_value(&built.to_value()), Ok(built.clone()));
    assert_eq!(Pipeline::from_json(&built.to_value().to_json()), Ok(built));

    let wrong = Pipeline::new().limit(1).set(object! { "x": { "$ad": 1 } }).limit(0);
    let problem = wrong.check().unwrap_err();
    assert!(problem.to_string().contains("\"1.$set.x.$ad\""), "{problem}");
    assert_eq!(wrong.run(&Others::default(), [object! {}]), Err(problem.clone()));
    let outer = Pipeline::new().facet([("f", wrong)]);
    assert!(outer.check().is_err());
}

#[test]
fn encoded_and_decoded_rows_give_the_same_and_reading_again_changes_nothing() {
    random::check((documents(), documents(), vec(stage(), 0..5)), |(rows, others, stages)| {
        let store = |documents: &[Object]| {
            documents.iter().enumerate().map(|(at, row)| Stored::new(row, at)).collect::<Vec<_>>()
        };
        let mut context = Others::default();
        context.collections.insert("other".to_owned(), store(&others));
        let Ok(pipeline) = Pipeline::from_value(&stages.clone().into()) else {
            prop_assert!(false, "{:?}: {:?}", stages, Pipeline::from_value(&stages.clone().into()));
            return Ok(());
        };
        let results = run_both(&pipeline, &context, &store(&rows));
        let again = Pipeline::from_json(&pipeline.to_value().to_json()).unwrap();
        prop_assert_eq!(&run_both(&again, &context, &store(&rows)), &results);
        for result in results.into_iter().flatten() {
            Encoded::from_object(&result).unwrap();
        }
        Ok(())
    });
}
