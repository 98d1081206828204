//! [`Told`]: what a worker tells the auditor, a line each, after every answer.

use std::fmt;
use std::str::FromStr;

use crate::content::OperationId;

/// What a worker tells the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The folder is open, and its state ends here.
    Opened {
        /// The place of the last command that is in it.
        index: u64,
    },
    /// A claim got a job.
    Claimed {
        /// The claim.
        claim: OperationId,
        /// Its place in the order of all commands.
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
    /// A job was finished by whoever had claimed it.
    Finished {
        /// The claim.
        claim: OperationId,
        /// The place of the finish in the order of all commands.
        index: u64,
        /// The job.
        job: u64,
        /// The version of the job from here on.
        version: u64,
    },
    /// A job could not be finished, since it is not the claimant's any more.
    Fenced {
        /// The claim.
        claim: OperationId,
        /// The job.
        job: u64,
    },
    /// No claimant finds anything any more.
    Over,
    /// Something that must not happen did.
    Failed(String),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Opened { index } => write!(f, "opened {index}"),
            Told::Claimed { claim, index, job, token, is_replayed } => {
                write!(f, "claimed {} {index} {job} {token} {}", claim.0, u8::from(*is_replayed))
            }
            Told::Empty(claim) => write!(f, "empty {}", claim.0),
            Told::Finished { claim, index, job, version } => {
                write!(f, "finished {} {index} {job} {version}", claim.0)
            }
            Told::Fenced { claim, job } => write!(f, "fenced {} {job}", claim.0),
            Told::Over => write!(f, "over"),
            Told::Failed(message) => write!(f, "failed {}", message.replace('\n', " ")),
        }
    }
}

impl FromStr for Told {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        parse(line).ok_or_else(|| format!("the line {line:?} tells nothing"))
    }
}

fn parse(line: &str) -> Option<Told> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = rest.split(' ').map(|word| word.parse::<u64>().ok());
    let mut number = || numbers.next().flatten();
    Some(match kind {
        "opened" => Told::Opened { index: number()? },
        "claimed" => Told::Claimed {
            claim: OperationId(number()?),
            index: number()?,
            job: number()?,
            token: number()?,
            is_replayed: number()? == 1,
        },
        "empty" => Told::Empty(OperationId(number()?)),
        "finished" => Told::Finished {
            claim: OperationId(number()?),
            index: number()?,
            job: number()?,
            version: number()?,
        },
        "fenced" => Told::Fenced { claim: OperationId(number()?), job: number()? },
        "over" => Told::Over,
        "failed" => Told::Failed(rest.to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_survives_being_written_as_a_line() {
        let claim = OperationId::new(2, 1, 7);
        for told in [
            Told::Opened { index: 3 },
            Told::Claimed { claim, index: 9, job: 4, token: 3, is_replayed: true },
            Told::Empty(claim),
            Told::Finished { claim, index: 10, job: 4, version: 4 },
            Told::Fenced { claim, job: 4 },
            Told::Over,
            Told::Failed("out of luck".to_owned()),
        ] {
            assert_eq!(told.to_string().parse(), Ok(told));
        }
        assert!("claimed 1 x".parse::<Told>().is_err());
    }
}
