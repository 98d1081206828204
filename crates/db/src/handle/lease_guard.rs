//! [`LeaseGuard`]: claimed work whose lease is renewed for as long as the guard is held.
//!
//! ```text
//!  Claim::hold ──▶ guard ──complete──▶ done
//!                   │ ▲  ──release, drop──▶ given back
//!      a thread of  │ │  ──retry──▶ given back, for later
//!      the process ─┴─┘
//!         renews it at a third of its time
//! ```
//!
//! A guard never assumes that it holds a lease for longer than the state does. It measures from before the
//! request was sent, by the monotonic clock and by the clock of the database, and goes by the one that
//! expires first. A lease that was reported lost stays lost.
//!
//! CAVEATS. If the clock of the database is set forward, leases may end before their guards can notice.
//! Then the fencing token protects the work: it is checked with every change that the guard makes. Before
//! effects outside of the database, call [`LeaseGuard::is_held`], and if possible fence them with
//! [`LeaseGuard::version`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use velocitydb_core::{CollectionName, DocumentId, Time, Update};

use crate::handle::lease_keeper::{self, Renewal, Renewed};
use crate::{Document, Documents, Error, Result};

/// Claimed work whose lease is renewed automatically while the guard exists; see
/// [`Claim::hold`](crate::Claim::hold).
///
/// ```
/// # fn main() -> velocitydb::Result<()> {
/// use std::time::Duration;
/// use velocitydb::object;
///
/// let db = velocitydb::open_in_memory()?;
/// let jobs = db.documents("jobs");
/// jobs.insert("job1", object! { "state": "waiting" })?;
/// let claim = jobs.claim(object! { "state": "waiting" });
/// let claim = claim.lease(Duration::from_secs(30), object! { "state": "waiting" });
/// for job in claim.hold(object! { "state": "running" })?.documents {
///     // The work, however long it takes, as long as job.is_held().
///     job.complete(object! { "state": "done" })?;
/// }
/// assert_eq!(jobs.find(object! { "state": "done" }).count()?, 1);
/// # Ok(())
/// # }
/// ```
///
/// Dropping the guard gives the work back, as [`release`](Self::release) does. A failure of that is not
/// reported; the lease then expires.
#[must_use = "dropping a guard gives the work back"]
pub struct LeaseGuard<D = Document> {
    held: Arc<Held>,
    document: D,
}

/// What a guard and the renewing thread share.
pub(crate) struct Held {
    collection: CollectionName,
    id: DocumentId,
    duration: Duration,
    /// Locked while the thread or the guard sends a request to the database.
    turn: Mutex<()>,
    /// Locked only briefly, so that asking whether the lease is held waits for no disk.
    state: Mutex<State>,
}

struct State {
    /// `None` once the work was completed or given back.
    documents: Option<Documents>,
    /// The fencing token.
    version: u64,
    bound: Bound,
    /// Why the lease is lost, if it is.
    lost: Option<Error>,
    /// The next renewal that the thread has planned.
    place: Option<Renewal>,
}

/// Until when a lease is held, by two clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    instant: Instant,
    time: Time,
}

/// The moment before a request is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    instant: Instant,
    time: Time,
}

impl Before {
    /// Now, by the clocks of the process and of a database.
    pub(crate) fn now(documents: &Documents) -> Self {
        Before { instant: Instant::now(), time: documents.db.now() }
    }

    /// The bound of a lease of this duration that is requested now.
    pub(crate) fn bound(self, duration: Duration) -> Bound {
        // A time that the clock cannot represent is never reached.
        let instant = self.instant.checked_add(duration).unwrap_or(self.instant + A_YEAR);
        Bound { instant, time: self.time.saturating_add(duration) }
    }

    /// As [`bound`](Self::bound), for a lease that is known to end at `end`.
    pub(crate) fn bound_until(self, duration: Duration, end: Option<Time>) -> Bound {
        let left = end.map_or(duration, |end| end.saturating_since(self.time));
        self.bound(duration.min(left))
    }
}

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A lease is renewed after this part of its duration: after a third, two more attempts are possible.
const RENEWED_AFTER: u32 = 3;

/// How long the thread waits after a failed renewal that may succeed later, as a part of the duration.
const RETRIED_AFTER: u32 = 10;

/// The longest such wait.
const RETRIED_AFTER_MAX: Duration = Duration::from_secs(1);

impl Renewed for Held {
    fn renew(&self) -> Option<Instant> {
        let _turn = self.turn.lock();
        let (documents, version) = {
            let mut state = self.state.lock();
            state.place = None;
            if self.find_loss(&mut state).is_some() {
                return None;
            }
            (state.documents.clone()?, state.version)
        };
        let before = Before::now(&documents);
        let renewed = documents.renew(&self.id, version, self.duration);
        // Dropping what comes next may close the database.
        drop(documents);
        let mut state = self.state.lock();
        match renewed {
            Ok(version) => {
                state.version = version;
                // The lease may have expired meanwhile, and that may have been reported.
                if state.lost.is_some() {
                    return None;
                }
                state.bound = before.bound(self.duration);
                Some(self.next_renewal(before))
            }
            Err(error) if error.is_retryable() => {
                let pause = (self.duration / RETRIED_AFTER).min(RETRIED_AFTER_MAX);
                Some(before.instant + pause)
            }
            Err(error) => {
                state.lost.get_or_insert_with(|| self.lost(Some(error)));
                None
            }
        }
    }

    fn set_place(&self, place: Renewal) -> Option<Renewal> {
        let mut state = self.state.lock();
        let is_open = state.documents.is_some() && state.lost.is_none();
        if is_open { state.place.replace(place) } else { Some(place) }
    }
}

impl Held {
    fn next_renewal(&self, before: Before) -> Instant {
        before.instant.checked_add(self.duration / RENEWED_AFTER).unwrap_or(before.instant + A_YEAR)
    }

    /// Plans the next renewal.
    fn keep_until(self: &Arc<Self>, at: Instant) {
        let held: Arc<dyn Renewed> = self.clone();
        lease_keeper::keep(&held, at);
    }

    /// Why the lease is lost, if it has been lost by now.
    fn find_loss<'s>(&self, state: &'s mut State) -> Option<&'s Error> {
        let bound = state.bound;
        if let (None, Some(documents)) = (&state.lost, &state.documents)
            && (Instant::now() >= bound.instant || documents.db.now() >= bound.time)
        {
            state.lost = Some(self.lost(None));
        }
        state.lost.as_ref()
    }

    fn lost(&self, cause: Option<Error>) -> Error {
        let (collection, id) = (self.collection.clone(), self.id.clone());
        Error::LeaseLost { collection, id, cause: cause.map(Box::new) }
    }

    /// Reads the state of a lease that is held.
    fn look<T>(&self, see: impl FnOnce(&Documents, &State) -> T) -> Result<T> {
        let mut state = self.state.lock();
        if let Some(lost) = self.find_loss(&mut state) {
            return Err(lost.clone());
        }
        let documents = state.documents.as_ref().expect("a guard that was settled is gone");
        Ok(see(documents, &state))
    }

    /// Completes the work or gives it back, if the lease is held. The guard ends, whatever the result.
    fn settle<T>(&self, act: impl FnOnce(&Documents, u64) -> Result<T>) -> Result<T> {
        let turn = self.turn.lock();
        let held = self.look(|documents, state| (documents.clone(), state.version));
        let result = held.and_then(|(documents, version)| act(&documents, version));
        drop(turn);
        self.let_go();
        result
    }

    /// Ends the renewals and releases the database.
    fn let_go(&self) {
        let place = {
            let mut state = self.state.lock();
            state.documents = None;
            state.place.take()
        };
        if let Some(place) = place {
            lease_keeper::forget(place);
        }
    }
}

impl<D> LeaseGuard<D> {
    /// A guard of a lease that is held until a bound.
    pub(crate) fn new(
        documents: &Documents,
        (id, version): (DocumentId, u64),
        duration: Duration,
        (before, bound): (Before, Bound),
        document: D,
    ) -> Result<Self> {
        let collection = documents.name()?.clone();
        let state = State {
            documents: Some(documents.without_request()),
            version,
            bound,
            lost: None,
            place: None,
        };
        let (turn, state) = (Mutex::new(()), Mutex::new(state));
        let held = Arc::new(Held { collection, id, duration, turn, state });
        held.keep_until(held.next_renewal(before));
        Ok(LeaseGuard { held, document })
    }

    /// The document as it was claimed.
    pub fn document(&self) -> &D {
        &self.document
    }

    /// The document's id.
    pub fn id(&self) -> &DocumentId {
        &self.held.id
    }

    /// The document's version: the fencing token, which rises with every renewal. Once the lease is lost,
    /// it is the last token of this guard.
    pub fn version(&self) -> u64 {
        self.held.state.lock().version
    }

    /// Whether the lease is still held. Once it is not, it never is again: stop the work then, since
    /// another claimant may have it. This call does not block.
    pub fn is_held(&self) -> bool {
        self.check().is_ok()
    }

    /// As [`is_held`](Self::is_held), with the reason.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`] when the lease is lost: it has expired, someone else has changed the work, or
    /// it could not be renewed.
    pub fn check(&self) -> Result<()> {
        self.held.look(|_, _| ())
    }

    /// How long the lease is held if it is not renewed again; zero once it is lost.
    pub fn time_left(&self) -> Duration {
        let left = self.held.look(|documents, state| {
            let by_clock = state.bound.time.saturating_since(documents.db.now());
            by_clock.min(state.bound.instant.saturating_duration_since(Instant::now()))
        });
        left.unwrap_or_default()
    }

    /// Renews the lease now, as the thread does automatically after a third of its duration.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check). It is no error if the renewal fails and may succeed later.
    pub fn renew(&self) -> Result<()> {
        let place = self.held.state.lock().place.take();
        place.into_iter().for_each(lease_keeper::forget);
        if let Some(next) = self.held.renew() {
            self.held.keep_until(next);
        }
        self.check()
    }

    /// Changes some fields of the document, for instance to show progress. The lease stays.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check), and as for all writes.
    pub fn update(&self, update: impl Into<Update>) -> Result<()> {
        let held = &self.held;
        let _turn = held.turn.lock();
        let (documents, version) =
            held.look(|documents, state| (documents.clone(), state.version))?;
        let swapped = documents.compare_and_swap(&held.id).version(version).update(update)?;
        let mut state = held.state.lock();
        let Some(refusal) = swapped.refusal else {
            state.version = swapped.version;
            return Ok(());
        };
        let (collection, id) = (held.collection.clone(), held.id.clone());
        let cause = Error::refused(collection, id, refusal, None);
        let lost = state.lost.get_or_insert_with(|| held.lost(Some(cause)));
        Err(lost.clone())
    }

    /// Completes the work: applies an update and ends the lease. Returns the new version.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`] when the lease is lost, and [`Error::VersionMismatch`] when the document has
    /// another version: nothing was changed. And as for all writes. The guard is gone after an error too,
    /// and the lease then expires.
    pub fn complete(self, update: impl Into<Update>) -> Result<u64> {
        self.held.settle(|documents, version| documents.complete(&self.held.id, version, update))
    }

    /// Gives the work back: ends the lease, and applies its release. Returns the new version.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    pub fn release(self) -> Result<u64> {
        self.held.settle(|documents, version| documents.release(&self.held.id, version))
    }

    /// Gives the work back, to be tried again at a later time, with the reason. See [`Documents::retry`].
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    pub fn retry(self, not_before: Time, reason: &str) -> Result<u64> {
        let id = &self.held.id;
        self.held.settle(|documents, version| documents.retry(id, version, not_before, reason))
    }

    /// Ends the guard and keeps the lease, which is no longer renewed automatically. Returns the fencing
    /// token.
    pub fn detach(self) -> u64 {
        let version = self.version();
        self.held.let_go();
        version
    }
}

impl<D> Drop for LeaseGuard<D> {
    fn drop(&mut self) {
        if self.held.state.lock().documents.is_some() {
            // The lease expires if this fails.
            let _ =
                self.held.settle(|documents, version| documents.release(&self.held.id, version));
        }
    }
}

impl<D: fmt::Debug> fmt::Debug for LeaseGuard<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("LeaseGuard");
        out.field("version", &self.version()).field("document", &self.document).finish()
    }
}
