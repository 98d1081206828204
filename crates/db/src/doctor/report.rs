//! [`Report`]: what the doctor found.

/// How many problems a [`Report`] lists; more of them would not help.
pub const PROBLEMS_MAX: usize = 1_000;

/// What [`doctor`](crate::doctor()) found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What is wrong, each with its place: the first [`PROBLEMS_MAX`]. Empty for a healthy folder.
    pub problems: Vec<String>,
    /// How many problems there are.
    pub problem_count: u64,
    /// Files whose every byte agrees with its checksum.
    pub files: u64,
    /// Documents that were checked.
    pub documents: u64,
    /// Collections that were checked.
    pub collections: u64,
    /// Indexes that were checked.
    pub indexes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.problem_count == 0
    }

    pub(super) fn note(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    pub(super) fn note_all(&mut self, problems: impl IntoIterator<Item = String>) {
        problems.into_iter().for_each(|problem| self.note(problem));
    }
}
