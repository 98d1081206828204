//! [`Error`]: the failures of tasks, for all commands; `main` prints them.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a task failed.
#[derive(Debug)]
pub enum Error {
    /// The command line was not understood.
    Usage {
        /// What was wrong with it.
        problem: String,
    },
    /// A program that the task needs could not be started.
    Start {
        /// The command line.
        command: String,
        /// Why it could not be started.
        source: io::Error,
    },
    /// A command ran, and failed.
    Failed {
        /// The command line, to be pasted into a shell at the top of the repository.
        command: String,
    },
    /// A check found violations; each has been printed.
    Violations {
        /// The name of the check.
        check: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A file or folder of the repository could not be read.
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },
    /// The answer of `cargo metadata` was not what is documented.
    Metadata {
        /// What was missing or malformed.
        problem: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { problem } => write!(f, "{problem}"),
            Self::Start { command, source } => write!(f, "could not start `{command}`: {source}"),
            Self::Failed { command } => write!(f, "failed, reproduce with: {command}"),
            Self::Violations { check, count: 1 } => {
                write!(f, "1 violation, reproduce with: cargo xtask {check}")
            }
            Self::Violations { check, count } => {
                write!(f, "{count} violations, reproduce with: cargo xtask {check}")
            }
            Self::Read { path, source } => write!(f, "could not read {}: {source}", path.display()),
            Self::Metadata { problem } => write!(f, "unexpected `cargo metadata`: {problem}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Read { source, .. } => Some(source),
            Self::Usage { .. }
            | Self::Failed { .. }
            | Self::Violations { .. }
            | Self::Metadata { .. } => None,
        }
    }
}
