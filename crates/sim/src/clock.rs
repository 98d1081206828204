//! [`Ahead`]: the system's clock, moved ahead. So a test can open a folder after any expiry without
//! waiting.

use std::sync::Arc;
use std::time::Duration;

use velocitydb::{Environment, SystemEnvironment, Time};

/// The system's clock, moved ahead.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    by: Duration,
}

impl Ahead {
    /// Ahead by a number of hours.
    pub fn by_hours(hours: u64) -> Self {
        Ahead { by: Duration::from_secs(hours * 60 * 60) }
    }

    /// As an environment of a database.
    pub fn environment(self) -> Arc<dyn Environment> {
        Arc::new(self)
    }
}

impl Environment for Ahead {
    fn now(&self) -> Time {
        SystemEnvironment.now().checked_add(self.by).unwrap_or(Time::MAX)
    }

    fn random(&self) -> u128 {
        SystemEnvironment.random()
    }
}
