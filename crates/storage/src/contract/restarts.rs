//! Checks of engines that persist: what was synced is there after a restart. Without a
//! `reopen` these checks do nothing.

use super::{
    Check, FIRST, SECOND, TestEngine, all, commit, delete, get, get_at, number, put, snapshot,
};
use crate::{Batch, Durability};

pub(super) const CHECKS: &[Check] = &[
    ("synced_state_survives_a_restart", synced_state_survives_a_restart),
    ("disk_commits_survive_a_restart", disk_commits_survive_a_restart),
    ("state_continues_over_restarts", state_continues_over_restarts),
];

/// After a sync and a restart every keyspace is as it was, deletes included.
fn synced_state_survives_a_restart(test: TestEngine) {
    let Some(reopen) = test.reopen else { return };
    let mut batch = Batch::new();
    for number in 0..1_000_u32 {
        batch.put(FIRST, &number.to_be_bytes(), b"first");
        batch.put(SECOND, &number.to_be_bytes(), &[7; 3_000]);
    }
    batch.put(FIRST, b"", b"the empty key");
    batch.put(SECOND, b"an empty value", b"");
    commit(&*test.engine, &batch);
    put(&*test.engine, FIRST, &5_u32.to_be_bytes(), b"overwritten");
    delete(&*test.engine, SECOND, &6_u32.to_be_bytes());
    let before = snapshot(&*test.engine);
    let expected = (all(&*before, FIRST), all(&*before, SECOND));
    drop(before);
    test.engine.sync().expect("a sync succeeds");
    let engine = reopen(test.engine);
    let after = snapshot(&*engine);
    assert!((all(&*after, FIRST), all(&*after, SECOND)) == expected);
    assert_eq!(get(&*engine, FIRST, b"").as_deref(), Some(&b"the empty key"[..]));
    assert_eq!(get_at(&*after, SECOND, &6_u32.to_be_bytes()), None);
}

/// A commit with the durability of the disk needs no sync to survive a restart.
fn disk_commits_survive_a_restart(test: TestEngine) {
    let Some(reopen) = test.reopen else { return };
    let mut batch = Batch::new();
    batch.put(FIRST, b"key", b"value");
    test.engine.commit(&batch, Durability::Disk).expect("a commit succeeds");
    let engine = reopen(test.engine);
    assert_eq!(get(&*engine, FIRST, b"key").as_deref(), Some(&b"value"[..]));
}

/// Writes of several runs are kept, in their order.
fn state_continues_over_restarts(test: TestEngine) {
    let TestEngine { mut engine, reopen } = test;
    let Some(reopen) = reopen else { return };
    for run in 0..5_u64 {
        let before = get(&*engine, FIRST, b"run").map(|run| number(&run));
        assert_eq!(before, run.checked_sub(1));
        put(&*engine, FIRST, b"run", &run.to_be_bytes());
        put(&*engine, SECOND, &run.to_be_bytes(), b"of this run");
        delete(&*engine, SECOND, &run.wrapping_sub(1).to_be_bytes());
        engine.sync().expect("a sync succeeds");
        engine = reopen(engine);
        let found = all(&*snapshot(&*engine), SECOND);
        assert_eq!(found, [(run.to_be_bytes().to_vec(), b"of this run".to_vec())]);
    }
}
