//! Running transactions: repeating them after conflicts, and committing them at most once under a request
//! id.

use super::request;
use crate::apply::find_answer;
use crate::{Database, Error, Result, Transaction};

/// How often [`Database::transaction`] runs a closure at the most. After this many conflicts in a row
/// others write the same documents constantly, and more attempts would only add to the load.
const ATTEMPTS_MAX: u32 = 100;

impl Database {
    /// Runs `body` as a transaction and commits it. Both are repeated until there is no conflict, so `body`
    /// should do nothing else that must not be repeated.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("accounts").insert("alice", object! { "balance": 10 })?;
    /// db.documents("accounts").insert("bob", object! { "balance": 0 })?;
    /// db.transaction(|txn| {
    ///     let alice = txn.get("accounts", "alice")?.expect("alice");
    ///     let balance = alice.fields()?["balance"].as_i64().unwrap_or(0);
    ///     txn.update("accounts", "alice", object! { "balance": balance - 5 })?;
    ///     txn.update("accounts", "bob", object! { "balance": 5 })
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With a [request id](Self::request) it is committed at most once. The retry of a committed
    /// transaction is [`Error::AlreadyApplied`], since the value of its closure is not remembered, and
    /// does not run the closure.
    ///
    /// An `Ok` commits, whatever its value. For a closure that can fail with an error type of its own and
    /// must write nothing then, use [`try_transaction`](Self::try_transaction).
    ///
    /// # Errors
    ///
    /// What `body` returns, in which case nothing is written; [`Error::AlreadyApplied`];
    /// [`Error::Contention`] when it conflicted with others in every attempt; and as for all writes.
    pub fn transaction<T>(&self, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        self.run_transaction(body, |error| matches!(error, Error::Conflict))
    }

    /// Like [`transaction`](Self::transaction), for a closure with an error type of its own. If it returns
    /// an error, the transaction ends and writes nothing.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::object;
    ///
    /// #[derive(Debug)]
    /// enum Failure {
    ///     TooLittle(i64),
    ///     Database(velocitydb::Error),
    /// }
    ///
    /// impl From<velocitydb::Error> for Failure {
    ///     fn from(error: velocitydb::Error) -> Self {
    ///         Failure::Database(error)
    ///     }
    /// }
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// db.documents("accounts").insert("alice", object! { "balance": 3 })?;
    /// let paid = db.try_transaction(|txn| {
    ///     txn.insert("orders", "1", object! { "price": 5 })?;
    ///     let alice = txn.get("accounts", "alice")?.expect("alice");
    ///     let balance = alice.fields()?["balance"].as_i64().unwrap_or(0);
    ///     if balance < 5 {
    ///         return Err(Failure::TooLittle(balance));
    ///     }
    ///     txn.update("accounts", "alice", object! { "balance": balance - 5 })?;
    ///     Ok(())
    /// });
    /// assert!(matches!(paid, Err(Failure::TooLittle(3))));
    /// assert_eq!(db.documents("orders").count()?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`transaction`](Self::transaction).
    pub fn try_transaction<T, E: From<Error>>(
        &self,
        body: impl FnMut(&mut Transaction) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.run_transaction(body, |_| false)
    }

    fn run_transaction<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&mut Transaction) -> std::result::Result<T, E>,
        is_conflict: impl Fn(&E) -> bool,
    ) -> std::result::Result<T, E> {
        for _ in 0..ATTEMPTS_MAX {
            let mut transaction = self.begin()?;
            match body(&mut transaction) {
                Ok(value) => match transaction.commit() {
                    Ok(_) => return Ok(value),
                    Err(Error::Conflict) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error),
            }
            // A lease that has expired is read unchanged until it has ended in the log.
            self.core().do_what_is_due()?;
            std::thread::yield_now();
        }
        Err(Error::Contention { attempts: ATTEMPTS_MAX }.into())
    }

    /// Begins a transaction that the caller commits.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyApplied`] when this handle has a [request id](Self::request) under which a
    /// transaction was committed before; and when storage fails.
    pub fn begin(&self) -> Result<Transaction> {
        let snapshot = self.snapshot()?;
        if let Some(request) = request(self)
            && let Some(answer) = find_answer(snapshot.state(), &request)?
            && !answer.is_refused()
        {
            return Err(Error::AlreadyApplied { request: request.id, index: answer.index });
        }
        Ok(Transaction::new(self.clone(), snapshot))
    }
}
