//! Checks of the partitions of an engine: apart from each other, and replaced as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::concurrency::while_writing_rounds;
use super::puppet::Puppet;
use super::suite::Pairs;
use super::{
    Check, FIRST, Model, Random, SECOND, TestEngine, all, commit, get, get_at, number, put, scan,
    snapshot,
};
use crate::{
    Batch, Bounds, Direction, Durability, Engine, Error, Partition, PartitionId, Partitions, Result,
};

pub(super) const CHECKS: &[Check] = &[
    ("partitions_are_apart", partitions_are_apart),
    ("partitions_come_and_go", partitions_come_and_go),
    ("commit_of_several_partitions_is_one", commit_of_several_partitions_is_one),
    ("replacement_is_seen_once_it_is_finished", replacement_is_seen_once_it_is_finished),
    ("replacement_of_any_size", replacement_of_any_size),
    ("readers_see_the_old_or_the_new", readers_see_the_old_or_the_new),
    ("reader_is_overtaken_by_a_replacement", reader_is_overtaken_by_a_replacement),
    ("every_step_may_fail", every_step_may_fail),
    ("partitions_survive_a_restart", partitions_survive_a_restart),
    ("partitions_agree_with_models", partitions_agree_with_models),
    ("other_content_is_refused", other_content_is_refused),
];

/// Everything in a partition.
type Content = [Pairs; 2];

const IDS: [PartitionId; 3] = [PartitionId(3), PartitionId(1), PartitionId(u64::MAX)];

fn open(engine: &Arc<dyn Engine>) -> Arc<Partitions> {
    Partitions::open(Arc::clone(engine)).expect("partitions are opened")
}

fn create(partitions: &Partitions, id: PartitionId) -> Arc<Partition> {
    partitions.create(id).expect("a partition is created")
}

fn content(engine: &dyn Engine) -> Content {
    let snapshot = snapshot(engine);
    [FIRST, SECOND].map(|keyspace| all(&*snapshot, keyspace))
}

/// What partition `id` has in round `round`: some keys of its own and some that all have.
fn content_of(id: PartitionId, round: u64) -> Content {
    let value = [&id.0.to_be_bytes()[..], &round.to_be_bytes()].concat();
    let own = [&b"of "[..], &value].concat();
    let keys = [&b""[..], b"\0", b"key", &own, b"\xFF\xFF\xFF\xFF\xFF"];
    let mut pairs: Pairs = keys.iter().map(|key| (key.to_vec(), value.clone())).collect();
    pairs.sort();
    let second = pairs[..3].to_vec();
    [pairs, second]
}

fn write(batch: &mut Batch, content: &Content) {
    for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(content) {
        pairs.iter().for_each(|(key, value)| batch.put(keyspace, key, value));
    }
}

fn fill(partition: &Partition, content: &Content) {
    let mut batch = Batch::new();
    write(&mut batch, content);
    commit(partition, &batch);
}

fn replace(partitions: &Arc<Partitions>, id: PartitionId, content: &Content) -> Result<()> {
    let mut replacement = partitions.replace(id)?;
    for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(content) {
        // Backwards, since any order will do.
        for (key, value) in pairs.iter().rev() {
            replacement.put(keyspace, key, value)?;
        }
    }
    replacement.finish()
}

fn is_invalid<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Invalid { .. }))
}

/// How many keys an engine has beside those of these contents and the rows of `partitions` partitions.
fn keys_beside(engine: &dyn Engine, partitions: usize, contents: &[Content]) -> usize {
    let expected: usize = contents.iter().flatten().map(Vec::len).sum();
    let found: usize = content(engine).iter().map(Vec::len).sum();
    // The head of the directory is a row too.
    found - expected - partitions - 1
}

/// What is written to, deleted from, and removed from one partition is in no other one, whatever their
/// keys; and scans end where the partition does, in both directions.
fn partitions_are_apart(test: TestEngine) {
    let partitions = open(&test.engine);
    let handles = IDS.map(|id| create(&partitions, id));
    let check = |expected: &[Content; 3]| {
        for (handle, expected) in handles.iter().zip(expected) {
            assert_eq!(content(&**handle), *expected, "partition {}", handle.id());
            let held = snapshot(&**handle);
            for (direction, last) in [(Direction::Forward, false), (Direction::Backward, true)] {
                let found = scan(&*held, FIRST, Bounds { start: b"key", end: None }, direction);
                let mut within = expected[0].clone();
                within.retain(|(key, _)| key[..] >= b"key"[..]);
                if last {
                    within.reverse();
                }
                assert_eq!(found, within);
            }
        }
    };
    let mut expected = IDS.map(|id| content_of(id, 0));
    handles.iter().zip(&expected).for_each(|(handle, content)| fill(handle, content));
    check(&expected);
    let mut batch = Batch::new();
    batch.delete(FIRST, b"");
    batch.delete(SECOND, b"never there");
    commit(&*handles[1], &batch);
    expected[1][0].remove(0);
    check(&expected);
    handles[1].remove_range(FIRST, Bounds::ALL).expect("a range is removed");
    expected[1][0].clear();
    check(&expected);
    assert_eq!(keys_beside(&*test.engine, 3, &expected), 0);
}

/// A partition is created once, listed, and gone when it was dropped; its snapshots stay.
fn partitions_come_and_go(test: TestEngine) {
    let partitions = open(&test.engine);
    assert_eq!(partitions.list(), []);
    assert!(is_invalid(partitions.remove(IDS[0])) && is_invalid(partitions.replace(IDS[0])));
    let handles = IDS.map(|id| create(&partitions, id));
    assert!(is_invalid(partitions.create(IDS[1])));
    assert_eq!(partitions.list(), [IDS[1], IDS[0], IDS[2]]);
    let expected = IDS.map(|id| content_of(id, 0));
    handles.iter().zip(&expected).for_each(|(handle, content)| fill(handle, content));
    let held = snapshot(&*handles[1]);
    partitions.remove(IDS[1]).expect("a partition is dropped");
    assert!(partitions.get(IDS[1]).is_none() && is_invalid(partitions.remove(IDS[1])));
    assert_eq!(partitions.list(), [IDS[0], IDS[2]]);
    assert!(is_invalid(handles[1].get(FIRST, b"key")) && is_invalid(handles[1].snapshot()));
    assert!(is_invalid(handles[1].commit(&Batch::new(), Durability::Memory)));
    let again = create(&partitions, IDS[1]);
    assert_eq!(content(&*again), Content::default());
    assert_eq!(partitions.leftovers(), 1);
    partitions.remove_leftovers().expect("leftovers are removed");
    assert_eq!(partitions.leftovers(), 0);
    assert_eq!([FIRST, SECOND].map(|keyspace| all(&*held, keyspace)), expected[1]);
    assert_eq!(get_at(&*held, FIRST, b"key").as_ref(), Some(&expected[1][0][2].1));
    assert_eq!(keys_beside(&*test.engine, 3, &[expected[0].clone(), expected[2].clone()]), 0);
    for index in [0, 2] {
        assert_eq!(content(&*handles[index]), expected[index]);
    }
}

/// Batches of several partitions are there together or not at all, and count as one commit of each.
fn commit_of_several_partitions_is_one(test: TestEngine) {
    let partitions = open(&test.engine);
    let handles = IDS.map(|id| create(&partitions, id));
    let expected = IDS.map(|id| content_of(id, 1));
    let mut batches = [Batch::new(), Batch::new(), Batch::new()];
    batches.iter_mut().zip(&expected).for_each(|(batch, content)| write(batch, content));
    let pairs: Vec<(&Partition, &Batch)> =
        handles.iter().map(|handle| &**handle).zip(&batches).collect();
    let replacement = partitions.replace(IDS[2]).expect("a replacement begins");
    let commits = test.engine.stats().commits;
    assert!(is_invalid(partitions.commit_all(&pairs, Durability::Memory)));
    drop(replacement);
    assert!(handles.iter().all(|handle| content(&**handle) == Content::default()));
    partitions.commit_all(&pairs, Durability::Memory).expect("a commit succeeds");
    assert_eq!(test.engine.stats().commits - commits, 1);
    for (handle, expected) in handles.iter().zip(&expected) {
        assert_eq!(content(&**handle), *expected);
        assert_eq!(handle.stats().commits, 1);
    }
    // Two batches of one partition, the later of which wins.
    let mut later = Batch::new();
    later.put(FIRST, b"key", b"later");
    let pairs = [(&*handles[0], &batches[0]), (&*handles[1], &later), (&*handles[0], &later)];
    partitions.commit_all(&pairs, Durability::Memory).expect("a commit succeeds");
    assert_eq!(get(&*handles[0], FIRST, b"key").as_deref(), Some(&b"later"[..]));
    assert_eq!(handles[0].stats().commits, 2);
}

/// A replacement is invisible until it is finished, and afterwards the old content is only in earlier
/// snapshots. An abandoned one has no effect.
fn replacement_is_seen_once_it_is_finished(test: TestEngine) {
    let partitions = open(&test.engine);
    let handles = IDS.map(|id| create(&partitions, id));
    let mut expected = IDS.map(|id| content_of(id, 0));
    handles.iter().zip(&expected).for_each(|(handle, content)| fill(handle, content));
    let mut held = Vec::new();
    for round in 1..6 {
        let new = content_of(IDS[1], round);
        let mut replacement = partitions.replace(IDS[1]).expect("a replacement begins");
        assert!(is_invalid(partitions.replace(IDS[1])) && is_invalid(partitions.remove(IDS[1])));
        for (keyspace, pairs) in [FIRST, SECOND].into_iter().zip(&new) {
            for (key, value) in pairs {
                replacement.put(keyspace, key, b"an earlier value").expect("a key is put");
                replacement.put(keyspace, key, value).expect("a key is put");
                assert_eq!(content(&*handles[1]), expected[1]);
            }
        }
        assert!(is_invalid(handles[1].commit(&Batch::new(), Durability::Memory)));
        assert!(is_invalid(handles[1].remove_range(FIRST, Bounds::ALL)));
        put(&*handles[0], FIRST, b"a key", b"of another partition");
        expected[0] = content(&*handles[0]);
        held.push((snapshot(&*handles[1]), expected[1].clone()));
        if round % 2 == 0 {
            drop(replacement);
        } else {
            replacement.finish().expect("a replacement is finished");
            assert!(is_invalid(replacement.put(FIRST, b"key", b"")));
            expected[1] = new;
        }
        assert_eq!(content(&*handles[1]), expected[1]);
        if round == 3 {
            partitions.remove_leftovers().expect("leftovers are removed");
        }
        for (held, expected) in &held {
            assert_eq!([FIRST, SECOND].map(|keyspace| all(&**held, keyspace)), *expected);
        }
        put(&*handles[1], FIRST, b"a later key", b"value");
        expected[1] = content(&*handles[1]);
        assert_eq!(content(&*handles[0]), expected[0]);
        assert_eq!(content(&*handles[2]), expected[2]);
    }
    assert_eq!(partitions.leftovers(), 2);
    partitions.remove_leftovers().expect("leftovers are removed");
    assert_eq!(keys_beside(&*test.engine, 3, &expected), 0);
}

/// Much more than a step, in no order, of which only the last value of each key stays.
fn replacement_of_any_size(test: TestEngine) {
    const KEYS: u64 = 30_000;
    let partitions = open(&test.engine);
    let handle = create(&partitions, IDS[0]);
    fill(&handle, &content_of(IDS[0], 0));
    let mut replacement = partitions.replace(IDS[0]).expect("a replacement begins");
    for round in 0..2_u64 {
        for index in 0..KEYS {
            let key = (index * 7_919 % KEYS).to_be_bytes();
            let value = [&round.to_be_bytes()[..], &[7; 100]].concat();
            replacement.put(FIRST, &key, &value).expect("a key is put");
        }
    }
    replacement.put(SECOND, &[7; 30_000], &vec![7; 3 << 20]).expect("a key is put");
    replacement.finish().expect("a replacement is finished");
    let [first, second] = content(&*handle);
    assert!(first.iter().map(|(key, _)| number(key)).eq(0..KEYS));
    assert!(first.iter().all(|(_, value)| value[7] == 1 && value.len() == 108));
    assert_eq!(second, [(vec![7; 30_000], vec![7; 3 << 20])]);
    partitions.remove_leftovers().expect("leftovers are removed");
    assert_eq!(keys_beside(&*test.engine, 1, &[[first, second]]), 0);
}

/// Readers beside replacements, and beside the removal of what was replaced, see one content as a
/// whole, never an older one than before, and never none.
fn readers_see_the_old_or_the_new(test: TestEngine) {
    let partitions = open(&test.engine);
    let handle = create(&partitions, IDS[0]);
    let keys: Vec<[u8; 2]> = (0..40_u16).map(u16::to_be_bytes).collect();
    let newest = AtomicU64::new(0);
    let write = |round: u64| {
        let mut replacement = partitions.replace(IDS[0]).expect("a replacement begins");
        for key in &keys {
            replacement.put(FIRST, key, &round.to_be_bytes()).expect("a key is put");
            replacement.put(SECOND, key, &round.to_be_bytes()).expect("a key is put");
        }
        replacement.finish().expect("a replacement is finished");
        newest.store(round, Ordering::SeqCst);
        partitions.remove_leftovers().expect("leftovers are removed");
    };
    write(0);
    while_writing_rounds(60..3_000, write, |random| {
        let mut seen = newest.load(Ordering::SeqCst);
        for _ in 0..8 {
            let key = &keys[random.within(0..40) as usize];
            let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
            let round = number(&get(&*handle, keyspace, key).expect("the key stays"));
            assert!(round >= seen, "round {round} after {seen}");
            seen = round;
        }
        let [first, second] = content(&*handle);
        assert_eq!(first.len(), keys.len());
        assert!(number(&first[0].1) >= seen);
        assert!(first.iter().all(|(_, value)| *value == first[0].1));
        assert_eq!(first, second);
    });
}

/// A reader that knows which range it is to read, and comes to it when that was replaced and removed.
fn reader_is_overtaken_by_a_replacement(test: TestEngine) {
    let puppet = Arc::new(Puppet::new(Arc::clone(&test.engine)));
    let engine: Arc<dyn Engine> = Arc::clone(&puppet) as _;
    let partitions = open(&engine);
    let handle = create(&partitions, IDS[0]);
    fill(&handle, &content_of(IDS[0], 0));
    let overtake = |round| {
        let partitions = Arc::clone(&partitions);
        puppet.before_next_read(move || {
            replace(&partitions, IDS[0], &content_of(IDS[0], round)).expect("it is replaced");
            partitions.remove_leftovers().expect("leftovers are removed");
        });
    };
    overtake(1);
    let expected = content_of(IDS[0], 1);
    assert_eq!(get(&*handle, FIRST, b"").as_ref(), Some(&expected[0][0].1));
    overtake(2);
    assert_eq!(content(&*handle), content_of(IDS[0], 2));
    let dropped = Arc::clone(&partitions);
    puppet.before_next_read(move || dropped.remove(IDS[0]).expect("a partition is dropped"));
    assert!(is_invalid(handle.get(FIRST, b"")));
}

/// Whichever commit of a replacement fails, of the removal of its leftovers, of a creation, or of a
/// drop: a partition has the old content or the new one, and nothing is left in the end.
fn every_step_may_fail(test: TestEngine) {
    let puppet = Arc::new(Puppet::new(Arc::clone(&test.engine)));
    let engine: Arc<dyn Engine> = Arc::clone(&puppet) as _;
    let partitions = open(&engine);
    let handles = IDS.map(|id| create(&partitions, id));
    let mut expected = IDS.map(|id| content_of(id, 0));
    handles.iter().zip(&expected).for_each(|(handle, content)| fill(handle, content));
    let other = PartitionId(77);
    for step in 0.. {
        let mut new = content_of(IDS[1], step + 1);
        // Several steps of removal.
        new[1].extend((0..2_500_u32).map(|key| (key.to_be_bytes().to_vec(), vec![])));
        new[1].sort();
        puppet.fail_after(step);
        let replaced = replace(&partitions, IDS[1], &new);
        if replaced.is_ok() {
            expected[1] = new;
        }
        assert!(replaced.is_ok() || replaced.is_err_and(|error| error.is_retryable()));
        assert!(content(&*handles[1]) == expected[1], "step {step}");
        let _ = partitions.remove_leftovers();
        let created = partitions.create(other).map(|other| fill_or_fail(&other));
        let removed = partitions.remove(other);
        assert!(created.is_ok() || is_invalid(removed));
        let is_over = !puppet.has_failed();
        puppet.fail_after(u64::MAX);
        if partitions.get(other).is_some() {
            partitions.remove(other).expect("a partition is dropped");
        }
        for (handle, expected) in handles.iter().zip(&expected) {
            assert!(content(&**handle) == *expected, "step {step} of {}", handle.id());
        }
        partitions.remove_leftovers().expect("leftovers are removed");
        assert_eq!(keys_beside(&*engine, 3, &expected), 0, "step {step}");
        put(&*handles[1], FIRST, b"a later key", b"value");
        expected[1] = content(&*handles[1]);
        if is_over {
            assert!(step > 8, "there were only {step} steps");
            return;
        }
    }
}

fn fill_or_fail(partition: &Partition) {
    let mut batch = Batch::new();
    write(&mut batch, &content_of(partition.id(), 0));
    let _ = partition.commit(&batch, Durability::Memory);
}

/// After a restart there are the same partitions, and what was not finished is found and removed.
fn partitions_survive_a_restart(test: TestEngine) {
    let TestEngine { mut engine, reopen } = test;
    let Some(reopen) = reopen else { return };
    let mut expected: BTreeMap<PartitionId, Content> = BTreeMap::new();
    for round in 0..4_u64 {
        let partitions = open(&engine);
        let ids: Vec<_> = expected.keys().copied().collect();
        assert_eq!(partitions.list(), ids);
        for (id, expected) in &expected {
            let handle = partitions.get(*id).expect("it is on the list");
            assert_eq!(content(&*handle), *expected, "round {round}");
        }
        assert_eq!(partitions.leftovers() > 0, round % 2 == 1);
        partitions.remove_leftovers().expect("leftovers are removed");
        let contents: Vec<_> = expected.values().cloned().collect();
        assert_eq!(keys_beside(&*engine, contents.len(), &contents), 0);
        let id = PartitionId(round);
        fill(&create(&partitions, id), &content_of(id, round));
        expected.insert(id, content_of(id, round));
        if round % 2 == 0 {
            let mut replacement = partitions.replace(id).expect("a replacement begins");
            replacement.put(FIRST, b"never seen", &vec![7; 2 << 20]).expect("a key is put");
            replacement.put(FIRST, b"nor this", b"").expect("a key is put");
            let other = create(&partitions, PartitionId(100));
            fill(&other, &content_of(id, 100));
            partitions.remove(PartitionId(100)).expect("a partition is dropped");
        } else {
            replace(&partitions, PartitionId(0), &content_of(id, 77)).expect("it is replaced");
            expected.insert(PartitionId(0), content_of(id, 77));
            partitions.remove_leftovers().expect("leftovers are removed");
        }
        engine.sync().expect("a sync succeeds");
        drop(partitions);
        engine = reopen(engine);
    }
}

/// Random commits, replacements, removals and drops give what a model for each partition gives, also
/// in snapshots that are held, and after restarts.
fn partitions_agree_with_models(test: TestEngine) {
    let TestEngine { mut engine, reopen } = test;
    let mut random = Random::announced("contract");
    let mut partitions = open(&engine);
    let mut models = IDS.map(|_| Model::new(2));
    IDS.iter().for_each(|id| drop(create(&partitions, *id)));
    let mut held = Vec::new();
    for _ in 0..600 {
        let index = random.within(0..3) as usize;
        let handle = partitions.get(IDS[index]).expect("it was created");
        match random.within(0..20) {
            0..8 => {
                let batches = [random_batch(&mut random), random_batch(&mut random)];
                let other = random.within(0..3) as usize;
                let neighbour = partitions.get(IDS[other]).expect("it was created");
                let pairs = [(&*handle, &batches[0]), (&*neighbour, &batches[1])];
                partitions.commit_all(&pairs, Durability::Memory).expect("a commit succeeds");
                commit(&models[index], &batches[0]);
                commit(&models[other], &batches[1]);
            }
            8..11 => {
                let batch = random_batch(&mut random);
                commit(&*handle, &batch);
                commit(&models[index], &batch);
            }
            11..14 => {
                if let Some(model) = random_replacement(&partitions, IDS[index], &mut random) {
                    models[index] = model;
                }
            }
            14 => {
                let (start, end) = (random.bytes(2), random.bytes(2));
                let bounds = Bounds { start: &start, end: random.one_in(2).then_some(&end[..]) };
                handle.remove_range(FIRST, bounds).expect("a range is removed");
                models[index].remove_range(FIRST, bounds).expect("a range is removed");
            }
            15 => partitions.remove_leftovers().expect("leftovers are removed"),
            16 => held.push((snapshot(&*handle), snapshot(&models[index]))),
            17 if random.one_in(4) => {
                partitions.remove(IDS[index]).expect("a partition is dropped");
                create(&partitions, IDS[index]);
                models[index] = Model::new(2);
            }
            18 if random.one_in(6) => {
                if let Some(reopen) = &reopen {
                    engine.sync().expect("a sync succeeds");
                    held.clear();
                    drop((handle, partitions));
                    engine = reopen(engine);
                    partitions = open(&engine);
                }
            }
            _ => {
                held.truncate(4);
                assert_eq!(content(&*handle), content(&models[index]));
                for (found, expected) in &held {
                    let (found, expected) = (all(&**found, FIRST), all(&**expected, FIRST));
                    assert_eq!(found, expected);
                }
                let probe = random.bytes(2);
                assert_eq!(get(&*handle, SECOND, &probe), get(&models[index], SECOND, &probe));
            }
        }
    }
}

/// Replaces a partition's content, and returns a model of the new one, or gives up before the end.
fn random_replacement(
    partitions: &Arc<Partitions>,
    id: PartitionId,
    random: &mut Random,
) -> Option<Model> {
    let (batch, mut puts) = (random_batch(random), Batch::new());
    let mut replacement = partitions.replace(id).expect("it begins");
    for write in batch.writes() {
        if let Some(value) = write.value {
            replacement.put(write.keyspace, write.key, value).expect("a key is put");
            puts.put(write.keyspace, write.key, value);
        }
    }
    if random.one_in(4) {
        return None;
    }
    replacement.finish().expect("a replacement is finished");
    let model = Model::new(2);
    commit(&model, &puts);
    Some(model)
}

fn random_batch(random: &mut Random) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..random.within(0..12) {
        let keyspace = [FIRST, SECOND][random.within(0..2) as usize];
        match random.one_in(4) {
            true => batch.delete(keyspace, &random.bytes(4)),
            false => batch.put(keyspace, &random.bytes(4), &random.bytes(20)),
        }
    }
    batch
}

/// An engine with other keys has no partitions, and a directory that contradicts itself is corrupt.
fn other_content_is_refused(test: TestEngine) {
    let engine = &test.engine;
    for (keyspace, key) in [(FIRST, &b""[..]), (SECOND, b"key"), (FIRST, b"\0\0\0\0")] {
        put(&**engine, keyspace, key, b"value");
        assert!(is_invalid(Partitions::open(Arc::clone(engine))), "{key:?}");
        engine.remove_range(keyspace, Bounds::ALL).expect("a range is removed");
    }
    let partitions = open(engine);
    IDS.iter().for_each(|id| drop(create(&partitions, *id)));
    drop(partitions);
    let rows = all(&*snapshot(&**engine), FIRST);
    let changed: [(&[u8], &[u8]); 6] = [
        // A number of a range that was not given yet, none, one of another partition.
        (&rows[1].0, &[9, 0, 0, 0]),
        (&rows[1].0, &[0, 0, 0, 0]),
        (&rows[1].0, &rows[2].1),
        (&rows[1].0, b"no number"),
        // A leftover that is a partition's, and a row of no kind.
        (&[0, 0, 0, 0, 2, 0, 0, 0, 1], b""),
        (&[0, 0, 0, 0, 7], b""),
    ];
    for (key, value) in changed {
        let before = get(&**engine, FIRST, key);
        put(&**engine, FIRST, key, value);
        let opened = Partitions::open(Arc::clone(engine));
        assert!(matches!(opened, Err(Error::Corrupt { .. })), "{key:?} with {value:?}");
        let mut batch = Batch::new();
        match before {
            Some(before) => batch.put(FIRST, key, &before),
            None => batch.delete(FIRST, key),
        }
        commit(&**engine, &batch);
    }
    assert_eq!(open(engine).list().len(), 3);
}
