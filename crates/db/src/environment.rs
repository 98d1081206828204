//! Time and randomness as arguments, so that a test can simulate them.

use std::time::{SystemTime, UNIX_EPOCH};

use velocitydb_core::Time;

/// The source of "now" and of random numbers. They are read when a command is created, never when it
/// is applied.
pub trait Environment: Send + Sync + 'static {
    /// The current time. It may jump; the database does not order writes by it.
    fn now(&self) -> Time;

    /// 128 unpredictable random bits.
    fn random(&self) -> u128;
}

/// The current time, by the clock of the operating system. `core`, where [`Time`] is, has no clock,
/// so that applying a command cannot read one; [`Database::now`](crate::Database::now) is the clock
/// of a database.
///
/// ```
/// use velocitydb::object;
///
/// let seen = object! { "seen": (velocitydb::now()) };
/// ```
pub fn now() -> Time {
    SystemEnvironment.now()
}

/// The clock and the random source of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Time {
        let now = SystemTime::now();
        let clamped = if now < UNIX_EPOCH { Time::UNIX_EPOCH } else { Time::MAX };
        Time::try_from(now).unwrap_or(clamped)
    }

    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has random numbers");
        u128::from_le_bytes(bytes)
    }
}
