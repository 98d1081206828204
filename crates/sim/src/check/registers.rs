//! The checker of registers: lost, invented, doubled and torn writes, and versions.
//!
//! A register's trail names the operations that wrote it, one for each of its last versions. Each
//! must have been acknowledged with exactly that version, or never been answered, or be from
//! before the cycle.

use std::collections::BTreeMap;

use super::{Known, Violation};
use crate::content::OperationId;
use crate::history::{Answer, Fate, History};
use crate::operation::{Effect, Kind, Register, What};
use crate::state::{Observed, State};

/// What is known of the version of a register that does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floor {
    /// The version that it has had.
    pub version: u64,
    /// How many more versions it may have had, by unanswered writes.
    pub slack: u64,
}

/// The known versions by register.
pub type Floors = BTreeMap<Register, Floor>;

/// A write of one register, with what its client saw.
#[derive(Debug, Clone, Copy)]
struct Write {
    operation: OperationId,
    /// `None` for a drop of the whole collection.
    effect: Option<Effect>,
    fate: Fate,
    /// Its position in the order; a drop is just after the position before it.
    order: (u64, bool),
    /// 0 when the client got no answer.
    version: u64,
}

/// The data for the checks of one register.
struct Case<'a> {
    register: Register,
    history: &'a History,
    before: Option<&'a Observed>,
    floor: Floor,
    /// In order, and then the unanswered ones.
    writes: Vec<Write>,
    after: Option<&'a Observed>,
}

pub(super) fn check(known: &Known, history: &History, after: &State) -> Vec<Violation> {
    let mut writes = writes_by_register(history, after.index);
    let mut violations = Vec::new();
    for kind in Kind::ALL {
        for number in 0..kind.count() {
            let register = Register { kind, number };
            let case = Case {
                register,
                history,
                before: known.state.registers.get(&register),
                floor: known.floors.get(&register).copied().unwrap_or_default(),
                writes: writes.remove(&register).unwrap_or_default(),
                after: after.registers.get(&register),
            };
            case.check_versions(&mut violations);
            match case.after {
                Some(observed) => case.check_present(observed, &mut violations),
                None => case.check_absent(&mut violations),
            }
        }
    }
    violations
}

pub(super) fn next_floors(
    known: &Known,
    history: &History,
    recovered: &State,
    now: &State,
) -> Floors {
    let writes = writes_by_register(history, recovered.index);
    let mut floors = Floors::new();
    for kind in Kind::ALL {
        for number in 0..kind.count() {
            let register = Register { kind, number };
            if now.registers.contains_key(&register) {
                continue;
            }
            let writes = writes.get(&register).map_or(&[][..], Vec::as_slice);
            let retained = writes.iter().filter(|write| write.fate == Fate::Retained);
            let before = known.state.registers.get(&register);
            let mut floor = known.floors.get(&register).copied().unwrap_or_default();
            let versions = retained.map(|write| write.version);
            let version = versions.chain(before.map(|before| before.version)).max();
            if let Some(version) = version.filter(|version| *version > floor.version) {
                floor = Floor { version, slack: 0 };
            }
            let possible = writes.iter().filter(|write| write.fate == Fate::Possible);
            floor.slack += possible.map(Write::versions_max).sum::<u64>();
            floors.insert(register, floor);
        }
    }
    floors
}

fn writes_by_register(history: &History, recovered: u64) -> BTreeMap<Register, Vec<Write>> {
    let mut writes = BTreeMap::<Register, Vec<Write>>::new();
    for call in &history.calls {
        let fate = history.fate(call, recovered);
        if fate == Fate::Nothing {
            continue;
        }
        let operation = call.operation.id;
        let (place, version) = match call.answer {
            Answer::Applied { index, version } => (index, version),
            _ => (u64::MAX, 0),
        };
        match call.operation.what {
            What::Write { register, effect, .. } => {
                let order = (place, false);
                let write = Write { operation, effect: Some(effect), fate, order, version };
                writes.entry(register).or_default().push(write);
            }
            What::Drop => {
                let order = (place.max(call.index_min), true);
                let write = Write { operation, effect: None, fate, order, version };
                for number in 0..Kind::Tide.count() {
                    let register = Register { kind: Kind::Tide, number };
                    writes.entry(register).or_default().push(write);
                }
            }
            _ => {}
        }
    }
    for writes in writes.values_mut() {
        writes.sort_by_key(|write| write.order);
    }
    writes
}

impl Write {
    fn is_removal(&self) -> bool {
        matches!(self.effect, None | Some(Effect::Delete))
    }

    /// The version that an import asked for.
    fn imported(&self) -> Option<u64> {
        (self.effect == Some(Effect::Import)).then(|| self.operation.imported_version())
    }

    /// How many versions it may have used without an answer.
    fn versions_max(&self) -> u64 {
        self.imported().unwrap_or(1)
    }
}

impl Case<'_> {
    fn retained(&self) -> impl DoubleEndedIterator<Item = &Write> {
        self.writes.iter().filter(|write| write.fate == Fate::Retained)
    }

    fn possible(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(|write| write.fate == Fate::Possible)
    }

    /// Whether versions can increase without writes: by expiring, or by a drop.
    fn has_silent_versions(&self) -> bool {
        matches!(self.register.kind, Kind::Fleeting | Kind::Tide)
    }

    fn base(&self) -> Floor {
        let floor = |before: &Observed| Floor { version: before.version, slack: 0 };
        self.before.map_or(self.floor, floor)
    }

    /// Acknowledged versions increase, by no more than there were writes, but for imports.
    fn check_versions(&self, violations: &mut Vec<Violation>) {
        let base = self.base();
        let possible = base.slack + self.possible().map(Write::versions_max).sum::<u64>();
        let (mut before, mut gaps) = (base.version, 0);
        for write in self.writes.iter().filter(|write| write.version > 0) {
            let (register, operation, version) = (self.register, write.operation, write.version);
            if version <= before {
                violations.push(Violation::VersionReused { register, operation, version, before });
            }
            match write.imported() {
                Some(imported) if imported != version => {
                    violations.push(Violation::Invented { register, operation, version });
                }
                Some(_) => {}
                None => gaps += version.saturating_sub(before + 1),
            }
            before = before.max(version);
        }
        if gaps > possible && !self.has_silent_versions() {
            let register = self.register;
            violations.push(Violation::VersionSkipped { register, gaps, possible });
        }
    }

    fn check_present(&self, after: &Observed, violations: &mut Vec<Violation>) {
        let register = self.register;
        let length = after.trail.len() as u64;
        let Some(start) = (after.version + 1).checked_sub(length) else {
            let what = format!("{register}: version {} with {length} writes", after.version);
            violations.push(Violation::Malformed { what });
            return;
        };
        let mut seen = after.trail.clone();
        seen.sort_unstable();
        for pair in seen.windows(2).filter(|pair| pair[0] == pair[1]) {
            violations.push(Violation::AppliedTwice { register, operation: pair[0] });
        }
        let known = self.known_length(after, start);
        for (position, operation) in after.trail.iter().enumerate().skip(known) {
            let version = start + position as u64;
            violations.extend(self.check_step(*operation, position, version));
        }
        for write in self.retained().filter(|write| write.version >= start) {
            let position = write.version - start;
            let found = after.trail.get(usize::try_from(position).unwrap_or(usize::MAX));
            if write.is_removal() || found != Some(&write.operation) {
                violations.push(self.lost(write));
            }
        }
        if let Some(last) = self.retained().next_back()
            && last.effect.is_none()
            && !self.possible().any(|write| !write.is_removal())
        {
            violations.push(self.lost(last));
        }
        if after.version < self.base().version {
            let (version, found) = (self.base().version, Some(after.version));
            violations.push(Violation::WentBack { register, version, found });
        }
    }

    /// How many of the first operations of the trail are from before the cycle.
    fn known_length(&self, after: &Observed, start: u64) -> usize {
        let Some(before) = self.before else { return 0 };
        let is_same = after.trail.starts_with(&before.trail)
            && start + before.trail.len() as u64 == before.version + 1;
        if is_same { before.trail.len() } else { 0 }
    }

    /// Checks that an operation of the trail has written this version of this register in this
    /// way.
    fn check_step(
        &self,
        operation: OperationId,
        position: usize,
        version: u64,
    ) -> Option<Violation> {
        let register = self.register;
        let invented = Violation::Invented { register, operation, version };
        let Some(call) = self.history.call(operation) else { return Some(invented) };
        let is_its_write = match call.operation.what {
            What::Write { register: its, effect, .. } => {
                let is_fitting =
                    if position == 0 { effect.is_full() } else { effect == Effect::Update };
                its == register && is_fitting
            }
            _ => false,
        };
        let write = self.writes.iter().find(|write| write.operation == operation);
        match write {
            Some(write) if is_its_write => match write.fate {
                Fate::Lost => Some(Violation::NotAPrefix { register, operation }),
                Fate::Retained if write.version != version => Some(invented),
                _ if write.imported().is_some_and(|imported| imported != version) => Some(invented),
                _ => None,
            },
            _ => Some(invented),
        }
    }

    fn check_absent(&self, violations: &mut Vec<Violation>) {
        let may_expire = |write: &Write| write.effect == Some(Effect::UpsertBriefly);
        if self.possible().any(|write| write.is_removal() || may_expire(write)) {
            return;
        }
        match (self.retained().next_back(), self.before) {
            (Some(last), _) if last.is_removal() || may_expire(last) => {}
            (Some(last), _) => violations.push(self.lost(last)),
            (None, Some(before)) => violations.push(Violation::WentBack {
                register: self.register,
                version: before.version,
                found: None,
            }),
            (None, None) => {}
        }
    }

    fn lost(&self, write: &Write) -> Violation {
        Violation::LostWrite {
            register: self.register,
            operation: write.operation,
            version: write.version,
            found: self.after.map(|after| after.version),
        }
    }
}
