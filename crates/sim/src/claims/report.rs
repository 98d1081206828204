//! [`Report`]: the reports of a worker to the auditor, one line after every
//! answer.

use std::fmt;
use std::str::FromStr;

use crate::content::OperationId;

/// A report of a worker to the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The folder is open, and its state ends here.
    Opened {
        /// The position of the last command that is in it.
        index: u64,
    },
    /// A claim got a job.
    Claimed {
        /// The claim.
        claim: OperationId,
        /// Its position in the order of all commands.
        index: u64,
        /// The job.
        job: u64,
        /// The version of the job: the fencing token.
        token: u64,
        /// Whether this was the answer to an earlier attempt.
        is_replayed: bool,
    },
    /// A claim found nothing.
    Empty(OperationId),
    /// A job was finished by its claimant.
    Finished {
        /// The claim.
        claim: OperationId,
        /// The position of the completion in the order of all commands.
        index: u64,
        /// The job.
        job: u64,
        /// The new version of the job.
        version: u64,
    },
    /// A job could not be finished, since it is not the claimant's any more.
    Fenced {
        /// The claim.
        claim: OperationId,
        /// The job.
        job: u64,
    },
    /// No claimant finds a job any more.
    Over,
    /// Something that must not happen did.
    Failed(String),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Opened { index } => write!(f, "opened {index}"),
            Report::Claimed { claim, index, job, token, is_replayed } => {
                write!(f, "claimed {} {index} {job} {token} {}", claim.0, u8::from(*is_replayed))
            }
            Report::Empty(claim) => write!(f, "empty {}", claim.0),
            Report::Finished { claim, index, job, version } => {
                write!(f, "finished {} {index} {job} {version}", claim.0)
            }
            Report::Fenced { claim, job } => write!(f, "fenced {} {job}", claim.0),
            Report::Over => write!(f, "over"),
            Report::Failed(message) => write!(f, "failed {}", message.replace('\n', " ")),
        }
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        parse(line).ok_or_else(|| format!("the line {line:?} is not a valid report"))
    }
}

fn parse(line: &str) -> Option<Report> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = rest.split(' ').map(|word| word.parse::<u64>().ok());
    let mut number = || numbers.next().flatten();
    Some(match kind {
        "opened" => Report::Opened { index: number()? },
        "claimed" => Report::Claimed {
            claim: OperationId(number()?),
            index: number()?,
            job: number()?,
            token: number()?,
            is_replayed: number()? == 1,
        },
        "empty" => Report::Empty(OperationId(number()?)),
        "finished" => Report::Finished {
            claim: OperationId(number()?),
            index: number()?,
            job: number()?,
            version: number()?,
        },
        "fenced" => Report::Fenced { claim: OperationId(number()?), job: number()? },
        "over" => Report::Over,
        "failed" => Report::Failed(rest.to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_survives_being_written_as_a_line() {
        let claim = OperationId::new(2, 1, 7);
        for report in [
            Report::Opened { index: 3 },
            Report::Claimed { claim, index: 9, job: 4, token: 3, is_replayed: true },
            Report::Empty(claim),
            Report::Finished { claim, index: 10, job: 4, version: 4 },
            Report::Fenced { claim, job: 4 },
            Report::Over,
            Report::Failed("out of luck".to_owned()),
        ] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        assert!("claimed 1 x".parse::<Report>().is_err());
    }
}
