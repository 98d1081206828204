//! [`Campaign`]: a number of comparisons from a seed. Owns the loop and its counts; [`super::report`]
//! prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::by_the_book;
use super::case::{Answer, Batch, Kind, Query};
use super::compare::{agree, is_identical, keep_order, look_alike};
use super::driver::{Answers, Driver, Questions};
use super::evaluate::Evaluator;
use super::generate::batch;
use super::known_differences::{self, Situation, explain};
use super::shrink::shrink;

/// How many batches mingo may be ahead.
const AHEAD: usize = 4;

/// After how many comparisons the progress of a long campaign is printed.
const PROGRESS: u64 = 100_000;

/// How many batches of each kind there are in a round.
const SCHEDULE: [(Kind, usize); 6] = [
    (Kind::Filter, 8),
    (Kind::Sort, 3),
    (Kind::Projection, 2),
    (Kind::Update, 4),
    (Kind::Pipeline, 3),
    (Kind::Value, 5),
];

/// The names of those that answer beside the evaluators.
const MINGO: &str = "mingo";
const BOOK: &str = "the book";

/// The parameters of a campaign.
pub struct Campaign {
    /// The folder of the driver.
    pub folder: PathBuf,
    /// How many comparisons there are at least.
    pub comparisons: u64,
    /// Decides all documents and queries.
    pub seed: u64,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only the batch with this number.
    pub batch: Option<u64>,
    /// The number of mismatches after which it ends.
    pub mismatches_max: usize,
    /// The evaluators. The first one is compared with mingo or the book, the others with the first.
    pub evaluators: Vec<Box<dyn Evaluator>>,
}

/// What a campaign found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Comparisons by kind.
    pub kinds: BTreeMap<Kind, Tally>,
    /// Comparisons by evaluator, and the time that it took to answer.
    pub evaluators: BTreeMap<String, (u64, Duration)>,
    /// What evaluators noted, and how often.
    pub notes: Vec<(String, u64)>,
    /// How often each known difference explained one.
    pub known: BTreeMap<&'static str, u64>,
    /// Examples of known differences that are wrong.
    pub examples: Vec<String>,
    /// Differences without an explanation.
    pub mismatches: Vec<Mismatch>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The outcome of the comparisons of one kind.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// All.
    pub comparisons: u64,
    /// Those that both refused.
    pub refused: u64,
    /// Those with empty results.
    pub empty: u64,
    /// Those that a known difference explained.
    pub known: u64,
    /// Those that could not be compared, since mingo, the book or all evaluators had no answer.
    pub unanswered: u64,
}

/// Two answers that should agree.
#[derive(Debug)]
pub struct Mismatch {
    /// The number of the batch.
    pub batch: u64,
    /// The query as it was generated.
    pub query: Query,
    /// The smallest case that was found.
    pub small: Batch,
    /// The evaluator with the wrong answer, and that answer.
    pub left: (String, Answer),
    /// The evaluator that it was compared with, and its answer.
    pub right: (String, Answer),
}

impl Campaign {
    /// Runs the campaign. Fails if mingo cannot be run.
    pub fn run(&mut self) -> io::Result<Findings> {
        let started = Instant::now();
        let mut findings = Findings { examples: self.check_examples()?, ..Findings::default() };
        let Driver { questions, mut answers } = Driver::start(&self.folder)?;
        let (seed, only, one) = (self.seed, self.kind, self.batch);
        let comparisons = self.comparisons;
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || match one {
                Some(number) => {
                    produce(seed, only, number..number + 1, u64::MAX, questions, &sender)
                }
                None => produce(seed, only, 0..u64::MAX, comparisons, questions, &sender),
            });
            self.compare_all(&receiver, &mut answers, &mut findings)
        })?;
        findings.notes = self.evaluators.iter().flat_map(|it| it.notes()).collect();
        findings.elapsed = started.elapsed();
        Ok(findings)
    }

    /// Checks that both sides still answer the examples as the tables say.
    fn check_examples(&mut self) -> io::Result<Vec<String>> {
        let mut driver = Driver::start(&self.folder)?;
        let mut wrong = Vec::new();
        for known in known_differences::all() {
            let batch = match known.batch() {
                Ok(batch) => batch,
                Err(problem) => {
                    wrong.push(problem);
                    continue;
                }
            };
            let mingo = driver.ask(&batch)?.remove(0);
            wrong.extend(known.check_mingo(&batch, &mingo).err());
            let evaluator = &mut self.evaluators[0];
            if let Some(ours) = answers_of(evaluator.as_mut(), &batch, 0).remove(0) {
                wrong.extend(known.check_ours(&batch, &ours).err());
            }
        }
        Ok(wrong)
    }

    fn compare_all(
        &mut self,
        batches: &Receiver<(u64, Batch)>,
        answers: &mut Answers,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let (started, mut shown) = (Instant::now(), 0);
        for (number, batch) in batches {
            let right = if batch.kind.is_for_mingo() {
                answers
                    .receive(&batch)?
                    .into_iter()
                    .map(|it| Some((MINGO.to_owned(), it)))
                    .collect()
            } else {
                let answers = by_the_book::answers(&batch).into_iter();
                answers.map(|it| Some((BOOK.to_owned(), it?))).collect()
            };
            self.compare(number, &batch, right, findings)?;
            let total: u64 = findings.kinds.values().map(|tally| tally.comparisons).sum();
            if total / PROGRESS > shown {
                shown = total / PROGRESS;
                eprintln!("{total} comparisons, {:.0} s", started.elapsed().as_secs_f64());
            }
            if findings.mismatches.len() >= self.mismatches_max {
                break;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        number: u64,
        batch: &Batch,
        mut reference: Vec<Option<(String, Answer)>>,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let tally = findings.kinds.entry(batch.kind).or_default();
        tally.unanswered += reference.iter().filter(|it| it.is_none()).count() as u64;
        // Several evaluators often have the same mismatch; one report is enough.
        let mut wrong = BTreeSet::new();
        for (at, (ours, elapsed)) in self.answers(batch, number).into_iter().enumerate() {
            let name = self.evaluators[at].name();
            findings.evaluators.entry(name.clone()).or_default().1 += elapsed;
            for (query, answer) in ours.into_iter().enumerate() {
                let right = reference[query].clone();
                let is_first = right.as_ref().is_none_or(|(who, _)| is_beside(who));
                let Some(answer) = answer else {
                    if is_first && right.is_some() && at + 1 == self.evaluators.len() {
                        let tally = findings.kinds.entry(batch.kind).or_default();
                        tally.unanswered += 1;
                    }
                    continue;
                };
                findings.evaluators.entry(name.clone()).or_default().0 += 1;
                let left = (name.clone(), answer);
                let is_wrong =
                    |right: &(String, Answer)| !judge(batch, query, &left.1, right, findings);
                let right = right.filter(is_wrong);
                let is_new = right.is_some() && wrong.insert(query);
                if let Some(right) = right
                    && is_new
                    && findings.mismatches.len() < self.mismatches_max
                {
                    let mismatch = self.mismatch(number, batch, query, at, left.clone(), right)?;
                    findings.mismatches.push(mismatch);
                }
                if is_first {
                    reference[query] = Some(left);
                }
            }
        }
        Ok(())
    }

    /// The answers of all evaluators, with their times. They run concurrently, since some wait for
    /// a disk.
    fn answers(&mut self, batch: &Batch, number: u64) -> Vec<(Vec<Option<Answer>>, Duration)> {
        thread::scope(|scope| {
            let ask = |evaluator: &mut dyn Evaluator| {
                let started = Instant::now();
                let answers = answers_of(evaluator, batch, number);
                (answers, started.elapsed())
            };
            let threads: Vec<_> = self
                .evaluators
                .iter_mut()
                .map(|evaluator| scope.spawn(move || ask(evaluator.as_mut())))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|answers| answers.expect("an evaluator panicked, and said why")).collect()
        })
    }

    /// Shrinks a mismatch by evaluating both sides repeatedly.
    fn mismatch(
        &mut self,
        number: u64,
        batch: &Batch,
        query: usize,
        at: usize,
        left: (String, Answer),
        right: (String, Answer),
    ) -> io::Result<Mismatch> {
        let mut driver = Driver::start(&self.folder)?;
        let mut last = (left, right);
        let query = batch.queries[query].clone();
        let whole = Batch { queries: vec![query.clone()], ..batch.clone() };
        let evaluators = &mut self.evaluators;
        let small = shrink(whole, &mut |candidate| {
            let Some(ours) = answers_of(evaluators[at].as_mut(), candidate, number).remove(0)
            else {
                return false;
            };
            let theirs = match evaluators.iter_mut().find(|it| it.name() == last.1.0) {
                Some(other) => answers_of(other.as_mut(), candidate, number).remove(0),
                None if last.1.0 == BOOK => by_the_book::answers(candidate).remove(0),
                None => driver.ask(candidate).ok().map(|mut answers| answers.remove(0)),
            };
            let Some(theirs) = theirs else { return false };
            let is_alike = ours.is_refused() == last.0.1.is_refused()
                && theirs.is_refused() == last.1.1.is_refused();
            let is_mismatch = is_alike && !is_explained(candidate, &ours, &theirs, &last.1.0);
            if is_mismatch {
                last.0.1 = ours;
                last.1.1 = theirs;
            }
            is_mismatch
        });
        Ok(Mismatch { batch: number, query, small, left: last.0, right: last.1 })
    }
}

/// The answers of one evaluator to all queries of a batch.
fn answers_of(evaluator: &mut dyn Evaluator, batch: &Batch, number: u64) -> Vec<Option<Answer>> {
    if let Err(problem) = evaluator.load(&batch.documents, number) {
        return batch.queries.iter().map(|_| Some(Answer::Refused(problem.clone()))).collect();
    }
    batch.queries.iter().map(|query| evaluator.answer(query)).collect()
}

/// Whether this is the name of one that answers beside the evaluators.
fn is_beside(who: &str) -> bool {
    who == MINGO || who == BOOK
}

/// Counts a comparison, and returns whether it is not a mismatch.
fn judge(
    batch: &Batch,
    query: usize,
    ours: &Answer,
    (who, theirs): &(String, Answer),
    findings: &mut Findings,
) -> bool {
    let question = &batch.queries[query];
    if !is_beside(who) {
        return look_alike(ours, theirs, question.order());
    }
    let agrees = match who == BOOK {
        true => is_identical(ours, theirs, question.order()),
        false => agrees(batch, question, ours, theirs),
    };
    let tally = findings.kinds.entry(batch.kind).or_default();
    tally.comparisons += 1;
    tally.refused += u64::from(ours.is_refused() && theirs.is_refused());
    tally.empty += u64::from(is_empty(theirs));
    if !by_the_book::is_in_order(question, &batch.documents, ours) {
        return false;
    }
    if agrees || who == BOOK {
        return agrees;
    }
    let situation = Situation { documents: &batch.documents, query: question, ours, mingo: theirs };
    let Some(known) = explain(situation) else { return false };
    tally.known += 1;
    *findings.known.entry(known.name).or_default() += 1;
    true
}

/// Whether two answers to the only query of a batch agree, or differ in a known way.
fn is_explained(batch: &Batch, ours: &Answer, theirs: &Answer, who: &str) -> bool {
    let query = &batch.queries[0];
    match who {
        MINGO => {}
        BOOK => return is_identical(ours, theirs, query.order()),
        _ => return look_alike(ours, theirs, query.order()),
    }
    if !by_the_book::is_in_order(query, &batch.documents, ours) {
        return false;
    }
    agrees(batch, query, ours, theirs)
        || (explain(Situation { documents: &batch.documents, query, ours, mingo: theirs })
            .is_some())
}

/// Whether an answer agrees with mingo's. It appends new fields in the order in which they are
/// written, and VelocityDB, as MongoDB, in the order of their paths; those that were there keep theirs.
fn agrees(batch: &Batch, query: &Query, ours: &Answer, theirs: &Answer) -> bool {
    let keeps_order = || match query {
        Query::Update { document, .. } => keep_order(&batch.documents[*document], ours, theirs),
        _ => true,
    };
    agree(ours, theirs, query.order()) && keeps_order()
}

fn is_empty(answer: &Answer) -> bool {
    match answer {
        Answer::Ids(ids) => ids.is_empty(),
        Answer::Documents(values) | Answer::Values(values) => values.is_empty(),
        Answer::Count(count) => *count == 0,
        Answer::Refused(_) => false,
    }
}

/// Generates batches and sends them to mingo and to the comparing thread, until there are enough
/// or the receiver is gone.
fn produce(
    seed: u64,
    only: Option<Kind>,
    numbers: std::ops::Range<u64>,
    comparisons: u64,
    mut questions: Questions,
    sender: &SyncSender<(u64, Batch)>,
) {
    let schedule: Vec<Kind> =
        SCHEDULE.iter().flat_map(|(kind, times)| std::iter::repeat_n(*kind, *times)).collect();
    let mut asked = 0;
    for number in numbers {
        let kind = only.unwrap_or(schedule[number as usize % schedule.len()]);
        let batch = batch(kind, seed, number);
        asked += batch.queries.len() as u64;
        let is_asked = !batch.kind.is_for_mingo() || questions.send(&batch).is_ok();
        if !is_asked || sender.send((number, batch)).is_err() {
            return;
        }
        if asked >= comparisons {
            return;
        }
    }
}
