//! The end of a command: its failure on standard error, and an exit code by the kind of
//! failure.

use std::io;
use std::process::ExitCode;

use velocitydb::{ErrorClass, Refusal};

use crate::failure::Failure;
use crate::output;

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Code {
    NotFound = 1,
    InvalidInput = 3,
    Conflict = 4,
    Unavailable = 5,
    Corrupt = 6,
    TooWeak = 7,
    Stopped = 8,
    Reused = 9,
    Unknown = 10,
    Bug = 70,
    Unwritten = 74,
    /// The exit code of a program that is killed by SIGPIPE.
    ReaderGone = 141,
}

/// Writes a failure to standard error, and returns the exit code of its kind.
pub fn report(failure: &Failure) -> ExitCode {
    let code = code(failure);
    // If the output was closed on purpose, no message is needed.
    if code != Code::ReaderGone && !matches!(failure, Failure::NotSwapped { .. }) {
        output::error(&failure.sentence(), &failure.details(), failure.remedy());
    }
    ExitCode::from(code as u8)
}

fn code(failure: &Failure) -> Code {
    match failure {
        Failure::Database(error) => code_of(error),
        Failure::Line { source, .. } => code(source),
        Failure::Argument { source, .. } => code_of(source),
        Failure::NotFound { .. }
        | Failure::NoneFound { .. }
        | Failure::NoSchema { .. }
        | Failure::NotSwapped { refusal: Some(Refusal::Missing) | None } => Code::NotFound,
        Failure::NotSwapped { refusal: Some(_) } | Failure::Lost { .. } => Code::Conflict,
        Failure::Input { .. }
        | Failure::Read { .. }
        | Failure::TooLong { .. }
        | Failure::Violated { .. } => Code::InvalidInput,
        Failure::NoFolder { .. } | Failure::TemporaryFolder { .. } => Code::Unavailable,
        Failure::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => Code::ReaderGone,
        Failure::Write(_) | Failure::Unwritten(_) => Code::Unwritten,
        Failure::Unhealthy { .. } => Code::Corrupt,
        Failure::Demo { .. } => Code::Bug,
    }
}

fn code_of(error: &velocitydb::Error) -> Code {
    use velocitydb::Error as Db;
    match (error, error.class()) {
        (Db::Unfinished { cause, .. }, _) => code_of(cause),
        (Db::RequestReused { .. } | Db::AlreadyApplied { .. }, _) => Code::Reused,
        (Db::ConsistencyTooWeak { .. }, _) => Code::TooWeak,
        (_, ErrorClass::Invalid) => Code::InvalidInput,
        (_, ErrorClass::NotFound) => Code::NotFound,
        (_, ErrorClass::Conflict) => Code::Conflict,
        (_, ErrorClass::Unavailable) => Code::Unavailable,
        (_, ErrorClass::Timeout | ErrorClass::ResourceLimit) => Code::Stopped,
        (_, ErrorClass::UnknownOutcome) => Code::Unknown,
        (_, ErrorClass::Corrupt) => Code::Corrupt,
    }
}
