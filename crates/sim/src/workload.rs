//! [`Workload`]: the operations of one thread of clients, decided by a seed and by its reads.

use velocitydb::Consistency;

use crate::Random;
use crate::content::OperationId;
use crate::jobs;
use crate::operation::{Compare, Effect, Job, Kind, Lease, Operation, Register, Retry, What};

/// How many accounts there are.
pub const ACCOUNTS: u8 = 12;

/// The only thread that writes the collection that is dropped now and then: the answer to a drop
/// has no position in the order, so the order within that thread has to suffice.
const TIDE_THREAD: u8 = 0;

/// The operations of one thread of clients.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    cycle: u32,
    thread: u8,
    sequence: u32,
    levels: &'static [Consistency],
    /// Jobs that were claimed, with their versions.
    claimed: Vec<(Job, u64, Lease)>,
}

/// The only thread that creates and drops indexes.
const INDEX_THREAD: u8 = 1;

/// How many claimed jobs one thread remembers at the most.
const CLAIMED_MAX: usize = 16;

/// Mostly `local`, so that many writes are not durable yet.
const MOSTLY_LOCAL: [Consistency; 10] = [
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Local,
    Consistency::Strong,
];

impl Workload {
    /// The operations of one thread in one cycle.
    pub fn new(random: Random, cycle: u32, thread: u8) -> Self {
        Workload {
            random,
            cycle,
            thread,
            sequence: 0,
            levels: &Consistency::ALL,
            claimed: Vec::new(),
        }
    }

    /// The same, with most writes at `local`.
    pub fn mostly_local(self) -> Self {
        Workload { levels: &MOSTLY_LOCAL, ..self }
    }

    /// Remembers that a job was claimed.
    pub fn has_claimed(&mut self, job: Job, version: u64, lease: Lease) {
        if self.claimed.len() < CLAIMED_MAX {
            self.claimed.push((job, version, lease));
        }
    }

    /// The next operation. `read` returns the version and the number of a register, for
    /// comparing.
    pub fn next_operation(
        &mut self,
        read: &mut dyn FnMut(Register) -> Option<(u64, i64)>,
    ) -> Operation {
        self.sequence += 1;
        let id = OperationId::new(self.cycle, self.thread, self.sequence);
        let level = self.random.one_of(self.levels);
        let what = self.what(read);
        // Only its request id distinguishes a document without an id from another one.
        let is_safe =
            what == What::Add || (matches!(what, What::Write { .. }) && self.random.one_in(4));
        let retry = if is_safe { Retry::Safe } else { Retry::Unsafe };
        Operation { id, level, retry, what }
    }

    fn what(&mut self, read: &mut dyn FnMut(Register) -> Option<(u64, i64)>) -> What {
        match self.random.within(0..140) {
            100..130 => self.job(),
            130 => What::Found,
            131..134 => What::Swarm,
            134..136 => What::Glance,
            136..140 => What::Add,
            0..45 => self.note(read),
            45..63 => self.group(read),
            63..75 => self.fleeting(),
            75..90 if self.thread == TIDE_THREAD => self.tide(),
            75..90 => self.note(read),
            90..98 => self.transfer(),
            98 => What::Sync,
            _ => self.group(read),
        }
    }

    fn register(&mut self, kind: Kind) -> Register {
        Register { kind, number: self.random.within(0..u64::from(kind.count())) as u8 }
    }

    fn note(&mut self, read: &mut dyn FnMut(Register) -> Option<(u64, i64)>) -> What {
        let register = self.register(Kind::Note);
        let effect = self.random.one_of(&[
            Effect::Insert,
            Effect::Import,
            Effect::Upsert,
            Effect::Replace,
            Effect::Update,
            Effect::Update,
            Effect::Update,
            Effect::Delete,
        ]);
        let compare = self.compare(register, effect, read);
        What::Write { register, effect, compare }
    }

    fn group(&mut self, read: &mut dyn FnMut(Register) -> Option<(u64, i64)>) -> What {
        let register = self.register(Kind::Group);
        let effect = self.random.one_of(&[
            Effect::Upsert,
            Effect::Upsert,
            Effect::Update,
            Effect::Update,
            Effect::Delete,
        ]);
        let compare = self.compare(register, effect, read);
        What::Write { register, effect, compare }
    }

    /// Half of the writes that can compare do; the compared values may be stale by then.
    fn compare(
        &mut self,
        register: Register,
        effect: Effect,
        read: &mut dyn FnMut(Register) -> Option<(u64, i64)>,
    ) -> Compare {
        if matches!(effect, Effect::Insert | Effect::Import | Effect::Replace)
            || self.random.one_in(2)
        {
            return Compare::Nothing;
        }
        match read(register) {
            None if effect.is_full() => Compare::Absent,
            None => Compare::Nothing,
            Some((version, _)) if self.random.one_in(2) => Compare::Version(version),
            Some((_, number)) => Compare::Number(number),
        }
    }

    fn fleeting(&mut self) -> What {
        let register = self.register(Kind::Fleeting);
        let effect = self.random.one_of(&[
            Effect::UpsertBriefly,
            Effect::UpsertBriefly,
            Effect::UpsertForAnHour,
            Effect::UpsertForAnHour,
            Effect::Upsert,
            Effect::Delete,
        ]);
        What::Write { register, effect, compare: Compare::Nothing }
    }

    fn tide(&mut self) -> What {
        match self.random.within(0..40) {
            0 => return What::Drop,
            1 => return What::Create,
            _ => {}
        }
        let register = self.register(Kind::Tide);
        let effect = self.random.one_of(&[
            Effect::Insert,
            Effect::Upsert,
            Effect::Upsert,
            Effect::Update,
            Effect::Delete,
        ]);
        What::Write { register, effect, compare: Compare::Nothing }
    }

    fn job(&mut self) -> What {
        let kind = self.random.within(0..u64::from(jobs::KINDS)) as u8;
        match self.random.within(0..30) {
            0..2 => What::Offer { kind, slot: self.random.within(0..100) as u8 },
            2..4 if self.thread == INDEX_THREAD => {
                let number = self.random.within(0..u64::from(jobs::INDEXES)) as u8;
                match self.random.one_in(2) {
                    true => What::CreateIndex(number),
                    false => What::DropIndex(number),
                }
            }
            4..12 => match self.claimed.pop() {
                Some((job, version, lease)) => What::Finish { job, version, lease },
                None => What::Claim { kind, lease: Lease::Long },
            },
            place if place % 3 == 0 => What::Claim { kind, lease: Lease::Brief },
            _ => What::Claim { kind, lease: Lease::Long },
        }
    }

    fn transfer(&mut self) -> What {
        let from = self.random.within(0..u64::from(ACCOUNTS)) as u8;
        let distance = self.random.within(1..u64::from(ACCOUNTS)) as u8;
        let amount = self.random.within(1..100) as u8;
        What::Transfer { from, to: (from + distance) % ACCOUNTS, amount }
    }
}
