//! Planted bugs: each checker is given states that a broken database would leave, and must report
//! them. A checker that has never detected a bug is not trusted.

use std::time::Instant;

use velocitydb::{Consistency, DocumentId, Mode};

use super::{Known, Violation, check};
use crate::content::OperationId;
use crate::history::History;
use crate::operation::{Compare, Effect, Kind, Operation, Register, Retry, What};
use crate::perform::{BALANCE, account};
use crate::record::Record;
use crate::state::{Account, Entry, Observed, State};
use crate::workload::ACCOUNTS;

const NOTE: Register = Register { kind: Kind::Note, number: 3 };

fn id(sequence: u32) -> OperationId {
    OperationId::new(1, 0, sequence)
}

/// A cycle as clients saw it, built step by step.
struct Cycle {
    history: History,
    after: State,
}

impl Cycle {
    fn new(mode: Mode) -> Self {
        Cycle { history: History::new(mode), after: State::default() }
    }

    fn begin(&mut self, sequence: u32, level: Consistency, what: What) {
        let operation = Operation { id: id(sequence), level, retry: Retry::Unsafe, what };
        self.history.add(Record::Begin(operation), Instant::now());
    }

    fn begin_write(&mut self, sequence: u32, level: Consistency, effect: Effect) {
        let compare = Compare::Nothing;
        self.begin(sequence, level, What::Write { register: NOTE, effect, compare });
    }

    fn applied(&mut self, sequence: u32, index: u64, version: u64) {
        self.history.add(Record::Applied { id: id(sequence), index, version }, Instant::now());
    }

    fn strong(&mut self, sequence: u32, effect: Effect, index: u64, version: u64) {
        self.begin_write(sequence, Consistency::Strong, effect);
        self.applied(sequence, index, version);
    }

    fn local(&mut self, sequence: u32, effect: Effect, index: u64, version: u64) {
        self.begin_write(sequence, Consistency::Local, effect);
        self.applied(sequence, index, version);
    }

    /// The state ends at `index`, and the note is this.
    fn found(&mut self, index: u64, version: u64, trail: &[u32]) {
        self.after.index = index;
        let trail = trail.iter().map(|sequence| id(*sequence)).collect();
        self.after.registers.insert(NOTE, Observed { version, trail });
    }

    fn violations(&mut self) -> Vec<Violation> {
        self.violations_since(&Known::default())
    }

    fn violations_since(&mut self, known: &Known) -> Vec<Violation> {
        self.history.finish();
        check(known, &self.history, &self.after)
    }
}

#[test]
fn an_import_has_exactly_the_version_that_it_asked_for() {
    let version = id(2).imported_version();
    let imported = |version| {
        let mut cycle = Cycle::new(Mode::Persistent);
        cycle.strong(1, Effect::Delete, 1, 1);
        cycle.strong(2, Effect::Import, 2, version);
        cycle.found(2, version, &[2]);
        cycle
    };
    assert_eq!(imported(version).violations(), []);
    assert!(matches!(imported(version + 1).violations()[..], [Violation::Invented { .. }, ..]));
    // Without an answer it may be there, and only with that version.
    for (found, is_sound) in [(version, true), (version - 1, false)] {
        let mut cycle = Cycle::new(Mode::Persistent);
        cycle.begin_write(2, Consistency::Strong, Effect::Import);
        cycle.found(1, found, &[2]);
        assert_eq!(cycle.violations().is_empty(), is_sound, "{:?}", cycle.violations());
    }
    // Versions after an import that was not answered may be high, and otherwise not.
    for (effect, is_sound) in [(Effect::Import, true), (Effect::Insert, false)] {
        let mut cycle = Cycle::new(Mode::Persistent);
        cycle.begin_write(2, Consistency::Strong, effect);
        cycle.strong(3, Effect::Upsert, 2, version + 1);
        cycle.found(2, version + 1, &[3]);
        assert_eq!(cycle.violations().is_empty(), is_sound, "{:?}", cycle.violations());
    }
}

/// An insert at index 1 and two updates, acknowledged at `strong`.
fn three_writes() -> Cycle {
    let mut cycle = Cycle::new(Mode::Persistent);
    cycle.strong(1, Effect::Insert, 1, 1);
    cycle.strong(2, Effect::Update, 2, 2);
    cycle.strong(3, Effect::Update, 3, 3);
    cycle
}

#[test]
fn an_honest_state_passes() {
    let mut cycle = three_writes();
    cycle.found(3, 3, &[1, 2, 3]);
    assert_eq!(cycle.violations(), []);
}

#[test]
fn what_was_not_answered_may_be_there_or_not() {
    for (version, trail) in [(3, &[1, 2, 3][..]), (4, &[1, 2, 3, 4])] {
        let mut cycle = three_writes();
        cycle.begin_write(4, Consistency::Strong, Effect::Update);
        cycle.found(4, version, trail);
        assert_eq!(cycle.violations(), []);
    }
}

#[test]
fn a_local_suffix_may_be_lost_and_nothing_else() {
    let mut cycle = three_writes();
    cycle.local(4, Effect::Update, 4, 4);
    cycle.local(5, Effect::Update, 5, 5);
    cycle.found(4, 4, &[1, 2, 3, 4]);
    assert_eq!(cycle.violations(), []);
    cycle.found(4, 5, &[1, 2, 3, 4, 5]);
    assert_eq!(cycle.violations(), [Violation::NotAPrefix { register: NOTE, operation: id(5) }]);
}

#[test]
fn a_lost_acknowledged_write_is_noticed() {
    let mut cycle = three_writes();
    cycle.found(3, 2, &[1, 2]);
    let lost = |found| Violation::LostWrite { register: NOTE, operation: id(3), version: 3, found };
    assert_eq!(cycle.violations(), [lost(Some(2))]);
    cycle.after.registers.clear();
    assert_eq!(cycle.violations(), [lost(None)]);
    cycle.found(2, 2, &[1, 2]);
    assert_eq!(cycle.violations(), [Violation::LostDurable { durable: 3, recovered: 2 }]);
}

#[test]
fn a_write_lost_from_the_middle_is_noticed() {
    let mut cycle = three_writes();
    cycle.found(3, 3, &[1, 3]);
    assert!(!cycle.violations().is_empty());
}

#[test]
fn a_delete_that_is_undone_is_noticed() {
    let mut cycle = three_writes();
    cycle.strong(4, Effect::Delete, 4, 4);
    assert_eq!(
        {
            cycle.after.index = 4;
            cycle.violations()
        },
        []
    );
    cycle.found(4, 3, &[1, 2, 3]);
    assert!(matches!(cycle.violations()[..], [Violation::LostWrite { .. }, ..]));
}

#[test]
fn what_was_there_before_must_not_vanish_or_go_back() {
    let mut before = three_writes();
    before.found(3, 3, &[1, 2, 3]);
    before.history.finish();
    let known = Known::default().next(&before.history, &before.after, before.after.clone());
    let mut cycle = Cycle::new(Mode::Persistent);
    cycle.found(3, 3, &[1, 2, 3]);
    assert_eq!(cycle.violations_since(&known), []);
    cycle.after.registers.clear();
    assert!(matches!(cycle.violations_since(&known)[..], [Violation::WentBack { .. }]));
    cycle.found(3, 2, &[1, 2]);
    let violations = cycle.violations_since(&known);
    assert!(violations.iter().any(|one| matches!(one, Violation::WentBack { .. })));
}

#[test]
fn invented_content_is_noticed() {
    for trail in [&[9][..], &[1, 2, 9], &[2, 1, 3]] {
        let mut cycle = three_writes();
        cycle.found(3, 3, trail);
        let violations = cycle.violations();
        let is_invented = |one: &Violation| matches!(one, Violation::Invented { .. });
        assert!(violations.iter().any(is_invented), "{trail:?}: {violations:?}");
    }
}

#[test]
fn a_write_that_is_applied_twice_is_noticed() {
    let mut cycle = three_writes();
    cycle.begin_write(4, Consistency::Strong, Effect::Update);
    cycle.found(5, 5, &[1, 2, 3, 4, 4]);
    assert_eq!(cycle.violations(), [Violation::AppliedTwice { register: NOTE, operation: id(4) }]);
}

#[test]
fn a_version_that_is_reused_or_skipped_is_noticed() {
    let mut cycle = three_writes();
    cycle.strong(4, Effect::Upsert, 4, 3);
    cycle.found(4, 3, &[4]);
    let violations = cycle.violations();
    assert!(violations.iter().any(|one| matches!(one, Violation::VersionReused { .. })));

    let mut cycle = three_writes();
    cycle.strong(4, Effect::Upsert, 4, 6);
    cycle.found(4, 6, &[4]);
    assert!(matches!(cycle.violations()[..], [Violation::VersionSkipped { gaps: 2, .. }]));
}

#[test]
fn versions_go_on_after_a_deletion_in_an_earlier_cycle() {
    let mut before = three_writes();
    before.strong(4, Effect::Delete, 4, 4);
    before.after.index = 4;
    before.history.finish();
    let known = Known::default().next(&before.history, &before.after, before.after.clone());
    let mut cycle = Cycle::new(Mode::Persistent);
    cycle.strong(11, Effect::Insert, 5, 5);
    cycle.found(5, 5, &[11]);
    assert_eq!(cycle.violations_since(&known), []);
    let mut cycle = Cycle::new(Mode::Persistent);
    cycle.strong(11, Effect::Insert, 5, 1);
    cycle.found(5, 1, &[11]);
    assert!(matches!(cycle.violations_since(&known)[..], [Violation::VersionReused { .. }, ..]));
}

#[test]
fn a_drop_that_is_undone_is_noticed() {
    let register = Register { kind: Kind::Tide, number: 0 };
    let (effect, compare) = (Effect::Upsert, Compare::Nothing);
    let mut cycle = Cycle::new(Mode::Hybrid);
    cycle.begin(1, Consistency::Strong, What::Write { register, effect, compare });
    cycle.applied(1, 1, 1);
    cycle.begin(2, Consistency::Strong, What::Drop);
    cycle.applied(2, 0, 0);
    cycle.after.index = 2;
    assert_eq!(cycle.violations(), []);
    cycle.after.registers.insert(register, Observed { version: 1, trail: vec![id(1)] });
    assert!(matches!(cycle.violations()[..], [Violation::LostWrite { .. }, ..]));
}

#[test]
fn a_wrong_count_a_torn_batch_and_complaints_of_clients_are_noticed() {
    let mut cycle = three_writes();
    cycle.found(3, 3, &[1, 2, 3]);
    cycle.after.counts.insert("notes".to_owned(), (2, 1));
    cycle.after.malformed.push("half of a batch".to_owned());
    cycle.history.add(Record::Failed { message: "no".to_owned() }, Instant::now());
    assert!(matches!(
        cycle.violations()[..],
        [Violation::Failed { .. }, Violation::Malformed { .. }, Violation::Count { .. }]
    ));
}

/// A transfer of 7 from account 0 to account 1 that was acknowledged, and is in the state.
fn transferred() -> Cycle {
    let mut cycle = Cycle::new(Mode::Hybrid);
    cycle.begin(1, Consistency::Strong, What::Transfer { from: 0, to: 1, amount: 7 });
    cycle.applied(1, 2, 0);
    cycle.after.index = 2;
    let fresh = Account { version: 1, balance: BALANCE };
    cycle.after.accounts = (0..ACCOUNTS).map(|number| (account(number), fresh)).collect();
    cycle.after.accounts.insert(account(0), Account { version: 2, balance: BALANCE - 7 });
    cycle.after.accounts.insert(account(1), Account { version: 2, balance: BALANCE + 7 });
    cycle.after.ledger.insert(id(1), Entry { from: 0, to: 1, amount: 7 });
    cycle
}

#[test]
fn half_of_a_transaction_is_noticed() {
    assert_eq!(transferred().violations(), []);

    let mut cycle = transferred();
    cycle.after.accounts.insert(account(1), Account { version: 1, balance: BALANCE });
    assert!(matches!(cycle.violations()[..], [Violation::Balance { expected: 1_007, .. }]));

    let mut cycle = transferred();
    cycle.after.ledger.clear();
    let violations = cycle.violations();
    assert!(matches!(violations[0], Violation::Ledger { .. }), "{violations:?}");
    assert_eq!(violations.len(), 3);

    let mut cycle = transferred();
    cycle.after.accounts.remove(&account(3));
    assert!(matches!(cycle.violations()[..], [Violation::Accounts { found: 11, .. }]));
}

#[test]
fn ledger_entries_that_nobody_wrote_or_that_are_changed_are_noticed() {
    for (entry, amount) in [(id(9), 7), (id(1), 8)] {
        let mut cycle = transferred();
        cycle.after.ledger.insert(entry, Entry { from: 0, to: 1, amount });
        let violations = cycle.violations();
        assert!(matches!(violations[0], Violation::Ledger { .. }), "{violations:?}");
    }
}

#[test]
fn memory_first_may_lose_a_bounded_suffix_only() {
    let register = Register { kind: Kind::Group, number: 7 };
    let (effect, compare) = (Effect::Upsert, Compare::Nothing);
    let large = (1..).filter(|sequence| (8_000..10_000).contains(&id(*sequence).pad().len()));
    let mut cycle = Cycle::new(Mode::MemoryFirst);
    for (version, sequence) in (1..).zip(large.take(30)) {
        assert!(version > 20 || cycle.violations().is_empty(), "lost {version}");
        cycle.begin(sequence, Consistency::Strong, What::Write { register, effect, compare });
        cycle.applied(sequence, version, version);
        if version == 20 {
            // What was synced must be there, in this mode too.
            cycle.begin(100_000, Consistency::Strong, What::Sync);
        }
    }
    assert!(matches!(cycle.violations()[..], [Violation::TooFarBehind { .. }]));
    cycle.applied(100_000, 0, 0);
    let violations = cycle.violations();
    assert_eq!(violations[0], Violation::LostDurable { durable: 20, recovered: 0 });
}

fn named(id: &str) -> DocumentId {
    DocumentId::new(id).expect("it is short")
}

/// The violations if a document with a generated id was inserted and answered, and these were
/// found.
fn added(document: &str, found: &[&str], recovered: u64) -> Vec<Violation> {
    let mut cycle = Cycle::new(Mode::Persistent);
    cycle.begin(1, Consistency::Strong, What::Add);
    let record = Record::Added { id: id(1), index: 1, version: 1, document: named(document) };
    cycle.history.add(record, Instant::now());
    cycle.after.index = recovered;
    if !found.is_empty() {
        cycle.after.added.insert(id(1), found.iter().map(|it| named(it)).collect());
    }
    cycle.violations()
}

#[test]
fn a_document_without_an_id_that_is_lost_doubled_or_another_is_noticed() {
    assert_eq!(added("one", &["one"], 1), []);
    let is_about = |violations: &[Violation]| {
        !violations.is_empty()
            && violations.iter().all(|violation| matches!(violation, Violation::Added { .. }))
    };
    for found in [&[][..], &["other"], &["one", "other"]] {
        let violations = added("one", found, 1);
        assert!(is_about(&violations), "{found:?}: {violations:?}");
    }
}

#[test]
fn a_document_without_an_id_that_nobody_inserted_or_that_goes_is_noticed() {
    let known = |documents: &[&str]| {
        let mut known = Known::default();
        let documents = documents.iter().map(|it| named(it)).collect();
        known.state.added.insert(id(1), documents);
        known
    };
    let mut cycle = Cycle::new(Mode::Persistent);
    assert!(matches!(cycle.violations_since(&known(&["one"]))[..], [Violation::Added { .. }]));
    cycle.after = known(&["one"]).state;
    assert_eq!(cycle.violations_since(&known(&["one"])), []);
    assert!(matches!(cycle.violations()[..], [Violation::Added { .. }]));
}

#[test]
fn an_insert_that_was_not_answered_may_have_left_one_document() {
    for (found, is_fine) in [(&[][..], true), (&["one"], true), (&["one", "other"], false)] {
        let mut cycle = Cycle::new(Mode::Persistent);
        cycle.begin(1, Consistency::Strong, What::Add);
        cycle.after.index = 1;
        if !found.is_empty() {
            cycle.after.added.insert(id(1), found.iter().map(|it| named(it)).collect());
        }
        assert_eq!(cycle.violations().is_empty(), is_fine, "{found:?}");
    }
}
