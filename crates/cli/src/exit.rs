//! The end of a command: its failure on standard error, and an exit code by the kind of
//! failure.

use std::io;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::ContextValue;
use velocitydb::{ErrorClass, Refusal};

use crate::failure::Failure;
use crate::output;
use crate::streams::{self, escape};

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Code {
    NotFound = 1,
    Usage = 2,
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

/// Writes what is wrong with the command line to standard error, or the help that was asked for to
/// standard output, and returns the exit code.
pub fn usage(mut error: clap::Error) -> ExitCode {
    // Its lines are its layout, and an argument must not look like one of them.
    let arguments: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in arguments {
        let escaped = |text: &str| escape(text).into_owned();
        let styled = |text: &StyledStr| StyledStr::from(escaped(&text.to_string()));
        error.insert(
            kind,
            match value {
                ContextValue::String(text) => ContextValue::String(escaped(&text)),
                ContextValue::Strings(texts) => {
                    ContextValue::Strings(texts.iter().map(|text| escaped(text)).collect())
                }
                ContextValue::StyledStrs(texts) => {
                    ContextValue::StyledStrs(texts.iter().map(styled).collect())
                }
                value => value,
            },
        );
    }
    let (text, is_wrong) = (error.render().to_string(), error.use_stderr());
    let text = text.trim_end_matches('\n');
    // If the stream is closed, nobody reads it.
    if is_wrong {
        let _ = streams::stderr().lines(text);
        return ExitCode::from(Code::Usage as u8);
    }
    let mut out = streams::stdout();
    let _ = out.lines(text).and_then(|()| out.finish());
    ExitCode::SUCCESS
}

fn code(failure: &Failure) -> Code {
    match failure {
        Failure::Database(error) => code_of(error),
        Failure::Line { source, .. } => code(source),
        Failure::Argument { source, .. } => code_of(source),
        Failure::NotFound { .. }
        | Failure::NoCollection { .. }
        | Failure::NoneFound { .. }
        | Failure::NoSchema { .. }
        | Failure::NotSwapped { refusal: Some(Refusal::Missing) | None } => Code::NotFound,
        Failure::Document { refusal, .. } => match **refusal {
            Refusal::Update(_) | Refusal::Schema(_) => Code::InvalidInput,
            _ => Code::Conflict,
        },
        Failure::NotSwapped { refusal: Some(_) } | Failure::Lost { .. } => Code::Conflict,
        Failure::Input { .. }
        | Failure::Read { .. }
        | Failure::NotUtf8 { .. }
        | Failure::Refused { .. }
        | Failure::TooLong { .. }
        | Failure::Violated { .. } => Code::InvalidInput,
        Failure::NoFolder { .. } | Failure::TemporaryFolder { .. } | Failure::Errors { .. } => {
            Code::Unavailable
        }
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
