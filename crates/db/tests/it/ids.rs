//! Ids of every type: one order for all of them, and everything that documents can do.

use std::time::Duration;

use velocitydb::{
    CollectionOptions, Database, Decimal, DocumentId, Documents, Error, IndexSpec, NewIds, Object,
    ObjectId, PageToken, Pipeline, RequestId, Sort, Time, Uuid, Value, WriteBatch, field, object,
    value,
};

use crate::world::in_every_mode;

/// In their order.
fn ids() -> Vec<Value> {
    let long = "x".repeat(512);
    vec![
        value!(f64::NEG_INFINITY),
        value!(i64::MIN),
        value!(-1.5),
        value!(-1),
        value!(0),
        value!(Decimal::new(1, -1).unwrap()),
        value!(0.5),
        value!(1),
        value!(255),
        value!(256),
        value!(u64::MAX),
        value!(f64::INFINITY),
        value!(" "),
        value!("1"),
        value!("a"),
        value!("aa"),
        value!(long),
        value!("é"),
        value!("\u{10ffff}"),
        value!(Uuid::from([0; 16])),
        value!(Uuid::from([1; 16])),
        value!(Uuid::from([255; 16])),
        value!(ObjectId::from([0; 12])),
        value!(ObjectId::from([255; 12])),
        value!(false),
        value!(true),
        value!(Time::MIN),
        value!(Time::UNIX_EPOCH),
        value!(Time::MAX),
    ]
}

fn found(documents: velocitydb::Find) -> Vec<Value> {
    documents.documents().unwrap().iter().map(|document| document.id().to_value()).collect()
}

/// Inserts a document under each id, in another order.
fn fill(docs: &Documents) {
    let mut ids: Vec<(usize, Value)> = ids().into_iter().enumerate().collect();
    ids.sort_by_key(|(n, _)| (n * 7) % 29);
    let documents = ids.into_iter().map(|(n, id)| (id, object! { "n": n, "group": n % 3 }));
    docs.insert_many(documents).unwrap();
}

fn is_healthy(db: &Database) {
    let report = db.snapshot().unwrap().check().unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

#[test]
fn documents_are_found_under_ids_of_every_type() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        fill(&docs);
        for (n, id) in ids().iter().enumerate() {
            let document = docs.get(id).unwrap().unwrap();
            assert!(document.id().to_value().is_identical(id), "{id}");
            assert_eq!(document.field("n").unwrap().unwrap().to_value().unwrap(), value!(n));
            assert!(matches!(docs.insert(id, object! {}), Err(Error::AlreadyExists { .. })));
            assert_eq!(docs.update(id, object! { "seen": true }).unwrap().version, 2);
            let swap = docs.compare_and_swap(id).version(2).update(object! { "seen": 2 });
            assert!(swap.unwrap().is_applied);
            assert_eq!(found(docs.find(object! { "_id": id.clone() })), std::slice::from_ref(id));
        }
        assert_eq!(docs.get(1.0).unwrap().unwrap().id(), &DocumentId::new(1).unwrap());
        assert!(docs.get("255").unwrap().is_none() && docs.get("true").unwrap().is_none());
        let many = docs.get_many(ids()).unwrap();
        assert!(many.iter().all(Option::is_some));
        is_healthy(db);
        // A deleted document leaves a tombstone of its own.
        for id in ids() {
            assert_eq!(docs.delete(&id).unwrap().version, 4);
            assert_eq!(docs.insert(&id, object! {}).unwrap().version, 5);
        }
        is_healthy(db);
    });
}

#[test]
fn ids_of_every_type_are_in_one_order() {
    in_every_mode(|home| {
        let docs = home.db().documents("docs");
        fill(&docs);
        let ids = ids();
        let reversed: Vec<Value> = ids.iter().rev().cloned().collect();
        let (up, down) = (Sort::new().ascending("_id"), Sort::new().descending("_id"));
        assert_eq!(found(docs.find(object! {}).sort(up.clone())), ids);
        assert_eq!(found(docs.find(object! {}).sort(down.clone())), reversed);
        for (sort, expected) in [(up, &ids), (down, &reversed)] {
            // What is after each id, of whatever type, and after one that no document has.
            for (at, id) in expected.iter().enumerate() {
                let after = |id: Value| PageToken::after_id(&sort, id).unwrap();
                let rest = || docs.find(object! {}).sort(sort.clone());
                assert_eq!(found(rest().after(after(id.clone()))), expected[at + 1..], "{id}");
                docs.delete(id).unwrap();
                assert_eq!(found(rest().after(after(id.clone()))), expected[at + 1..], "{id}");
                docs.insert(id, object! {}).unwrap();
            }
            // Pages, of every size, in both directions.
            for size in 1..6 {
                let (mut seen, mut after) = (Vec::new(), None);
                loop {
                    let find = docs.find(object! {}).sort(sort.clone()).limit(size);
                    let page = match &after {
                        Some(token) => find.after(PageToken::clone(token)).page().unwrap(),
                        None => find.page().unwrap(),
                    };
                    seen.extend(page.documents.iter().map(|one| one.id().to_value()));
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                assert_eq!(&seen, expected, "{size}");
            }
        }
    });
}

/// Comparisons find ids of the type of their operand, as with any other field.
#[test]
fn ranges_of_ids_stay_within_their_type() {
    in_every_mode(|home| {
        let docs = home.db().documents("docs");
        fill(&docs);
        let plain = home.db().documents("plain");
        for id in ids() {
            plain.insert_new(object! { "key": id }).unwrap();
        }
        let operands = ids().into_iter().chain([value!(null), value!(2), value!("b"), value!([1])]);
        for operand in operands {
            for operator in ["$lt", "$lte", "$gt", "$gte", "$eq", "$ne"] {
                let test = object! { operator: operand.clone() };
                let by_id = found(
                    docs.find(object! { "_id": test.clone() }).sort(Sort::new().ascending("_id")),
                );
                let find = plain.find(object! { "key": test }).sort(Sort::new().ascending("key"));
                let by_key: Vec<Value> = find
                    .documents()
                    .unwrap()
                    .iter()
                    .map(|one| one.field("key").unwrap().unwrap().to_value().unwrap())
                    .collect();
                assert_eq!(by_id, by_key, "{operator} {operand}");
            }
        }
        let some = value!([1, "a", true, null, "missing", 255.0]);
        let of_list =
            docs.find(object! { "_id": { "$in": some } }).sort(Sort::new().descending("_id"));
        assert_eq!(found(of_list), [value!(true), value!("a"), value!(255), value!(1)]);
        assert_eq!(docs.find(field("_id").gte(0).and(field("_id").lt(256))).count().unwrap(), 5);
        assert_eq!(docs.find(object! { "_id": { "$type": "number" } }).count().unwrap(), 12);
    });
}

/// An index keeps the id behind its keys, in both directions, and in the value where it is unique.
#[test]
fn indexes_lead_to_ids_of_every_type() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        for spec in [
            IndexSpec::new(Sort::new().ascending("group")),
            IndexSpec::new(Sort::new().descending("group")).named("down"),
            IndexSpec::new(Sort::new().ascending("n")).unique(),
            IndexSpec::new(Sort::new().ascending("half")).unique().sparse().named("inexact"),
        ] {
            docs.create_index(spec).unwrap();
        }
        fill(&docs);
        for (n, id) in ids().iter().enumerate() {
            docs.update(id, object! { "half": n as f64 }).unwrap();
        }
        is_healthy(db);
        for group in 0..3_usize {
            let of_group: Vec<Value> = ids()
                .into_iter()
                .enumerate()
                .filter(|(n, _)| n % 3 == group)
                .map(|(_, id)| id)
                .collect();
            for (sort, index) in [
                (Sort::new().ascending("group"), "group_1"),
                (Sort::new().descending("group"), "down"),
            ] {
                let is_down = index == "down";
                let mut expected = of_group.clone();
                if is_down {
                    expected.reverse();
                }
                assert_eq!(
                    found(docs.find(object! { "group": group }).sort(sort)),
                    expected,
                    "{index}"
                );
            }
        }
        for (n, id) in ids().iter().enumerate() {
            assert_eq!(found(docs.find(object! { "n": n })), std::slice::from_ref(id));
            assert_eq!(found(docs.find(object! { "half": n as f64 })), std::slice::from_ref(id));
            let refused = docs.insert("other", object! { "n": n });
            let Err(Error::Duplicate { other, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(other.to_value(), *id);
        }
        ids().iter().for_each(|id| drop(docs.delete(id).unwrap()));
        is_healthy(db);
    });
}

#[test]
fn claims_leases_and_expiry_know_ids_of_every_type() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        fill(&docs);
        let claim = || {
            docs.claim(object! { "state": { "$exists": false } })
                .lease(Duration::from_secs(10), object! { "$unset": { "state": 1 } })
        };
        for id in ids() {
            let claimed = claim().update(object! { "state": "running" }).unwrap();
            let job = claimed.first().unwrap();
            assert_eq!(job.id().to_value(), id);
            let version = docs.renew(job.id(), job.version(), Duration::from_secs(20)).unwrap();
            if job.id().as_str().is_some() {
                docs.complete(job.id(), version, object! { "state": "done" }).unwrap();
            }
        }
        is_healthy(db);
        home.world.advance(Duration::from_secs(30));
        db.maintain().unwrap();
        let is_free = |id: &Value| id.as_str().is_none();
        let free: Vec<Value> = ids().into_iter().filter(is_free).collect();
        assert_eq!(
            found(
                docs.find(object! { "state": { "$exists": false } })
                    .sort(Sort::new().ascending("_id"))
            ),
            free
        );
        for id in ids() {
            docs.time_to_live(Duration::from_secs(5)).upsert(&id, object! {}).unwrap();
        }
        home.world.advance(Duration::from_secs(6));
        db.maintain().unwrap();
        assert_eq!(docs.count().unwrap(), 0);
        is_healthy(db);
    });
}

#[test]
fn transactions_batches_and_pipelines_know_ids_of_every_type() {
    in_every_mode(|home| {
        let db = home.db();
        let docs = db.documents("docs");
        fill(&docs);
        for id in ids() {
            let outcome = db.transaction(|txn| {
                let document = txn.get("docs", &id)?.expect("it was inserted");
                txn.insert("copies", &id, object! { "of": id.clone(), "n": document.version() })?;
                txn.update("docs", &id, object! { "copied": true })
            });
            outcome.unwrap();
        }
        let copies = db.documents("copies");
        assert_eq!(copies.count().unwrap(), ids().len() as u64);
        let joined = copies.aggregate(Pipeline::from_json(
            r#"[{"$lookup": {"from": "docs", "localField": "of", "foreignField": "_id", "as": "docs"}},
                {"$match": {"docs": {"$size": 1}}}, {"$sort": {"_id": 1}}, {"$project": {"_id": 1}}]"#,
        ).unwrap());
        let joined: Vec<Object> = joined.objects().unwrap();
        let joined: Vec<Value> = joined.iter().map(|row| row["_id"].clone()).collect();
        assert_eq!(joined, ids());
        let modified = docs.update_many(object! { "copied": true }, object! { "n": 0 }).unwrap();
        assert_eq!(modified.count, ids().len() as u64);
        assert_eq!(docs.delete_many(object! {}).unwrap().count, ids().len() as u64);
        is_healthy(db);
    });
}

#[test]
fn what_cannot_be_an_id_is_refused() {
    let db = velocitydb::open_in_memory().unwrap();
    let docs = db.documents("docs");
    for id in [value!(null), value!([1]), value!({ "a": 1 }), value!(f64::NAN), value!("")] {
        let error = docs.insert(&id, object! {}).unwrap_err();
        assert!(error.to_string().contains("id"), "{error}");
        assert!(docs.get(&id).is_err());
        assert_eq!(docs.find(object! { "_id": id }).count().unwrap(), 0);
    }
}

/// What a collection gives to documents without an id: made of the command and the state, the same for a
/// retry, and above all integers that were ids.
#[test]
fn collections_choose_the_ids_of_new_documents() {
    in_every_mode(|home| {
        for kind in NewIds::ALL {
            let name = kind.as_str();
            let options = CollectionOptions { ids: kind, ..CollectionOptions::default() };
            home.db().create_collection(name, options).unwrap();
            let docs = home.db().documents(name);
            let request = RequestId::new(&format!("of {name}")).unwrap();
            let first = docs.request(request.clone()).insert_new(object! { "n": 1 }).unwrap();
            let again = docs.request(request).insert_new(object! { "n": 1 }).unwrap();
            assert!(again.is_replayed && again.id == first.id, "{again:?}");
            let many = docs.insert_many_new([object! { "n": 2 }, object! { "n": 3 }]).unwrap();
            let in_transaction = home.db().transaction(|txn| {
                Ok([
                    txn.insert_new(name, object! { "n": 4 })?,
                    txn.insert_new(name, object! { "n": 5 })?,
                ])
            });
            let mut batch = WriteBatch::new();
            batch.insert_new(name, home.db().new_id(), object! { "n": 6 }).unwrap();
            let of_batch = home.db().write(batch).unwrap().new_ids;
            drop(docs);
            home.reopen();
            let docs = home.db().documents(name);
            let last = docs.insert_new(object! { "n": 7 }).unwrap();
            let ids: Vec<DocumentId> = [first.id]
                .into_iter()
                .chain(many.into_iter().map(|one| one.id))
                .chain(in_transaction.unwrap())
                .chain(of_batch)
                .chain([last.id])
                .collect();
            // Generated ones rise within one opening of the database.
            let rising = if kind == NewIds::Integer { &ids[..] } else { &ids[..ids.len() - 1] };
            assert!(rising.is_sorted_by(|one, other| one < other), "{ids:?}");
            for (n, id) in (1..).zip(&ids) {
                let document = docs.get(id).unwrap().unwrap();
                assert_eq!(document.field("n").unwrap().unwrap().as_i64().unwrap(), Some(n));
                let value = id.to_value();
                assert!(match kind {
                    NewIds::Text => value.as_str().is_some(),
                    NewIds::ObjectId => value.as_object_id().is_some(),
                    NewIds::Uuid => value.as_uuid().is_some(),
                    NewIds::Integer => value == value!(n),
                });
            }
            is_healthy(home.db());
        }
        let numbers = home.db().documents("integer");
        numbers.insert(100, object! {}).unwrap();
        numbers.delete(100).unwrap();
        assert_eq!(numbers.insert_new(object! {}).unwrap().id.to_value(), value!(101));
        numbers.insert(i64::MAX, object! {}).unwrap();
        let error = numbers.insert_new(object! {}).unwrap_err();
        assert!(error.to_string().contains("an id of its own"), "{error}");
        home.db().drop_collection("integer").unwrap();
        home.db().maintain().unwrap();
        is_healthy(home.db());
    });
}
