//! The Node process that runs mingo: starting it, and exchanging lines with it. Knows no
//! semantics.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::case::{Answer, Batch};
use super::differently::for_mingo;

/// The two ends of a running process. They are separate, so that one thread can send while
/// another reads: neither side waits for the other between batches.
#[derive(Debug)]
pub struct Driver {
    /// The sender of batches.
    pub questions: Questions,
    /// The receiver of answers.
    pub answers: Answers,
}

/// The sender of batches. The process ends after this is dropped and all batches are
/// answered.
#[derive(Debug)]
pub struct Questions(ChildStdin);

/// The receiver of answers.
#[derive(Debug)]
pub struct Answers {
    lines: BufReader<ChildStdout>,
    process: Child,
}

impl Driver {
    /// Starts Node with the driver in `folder`, where mingo is installed.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let mut process = Command::new("node")
            .arg("driver.mjs")
            .current_dir(folder)
            // Mingo parses local times while it computes with zones.
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let text = format!("could not start `node driver.mjs` in {folder:?}: {error}");
                io::Error::new(error.kind(), text)
            })?;
        let questions = process.stdin.take().expect("it is piped");
        let lines = BufReader::new(process.stdout.take().expect("it is piped"));
        Ok(Self { questions: Questions(questions), answers: Answers { lines, process } })
    }

    /// Sends a batch, and waits for the answers.
    pub fn ask(&mut self, batch: &Batch) -> io::Result<Vec<Answer>> {
        self.questions.send(batch)?;
        self.answers.receive(batch)
    }
}

impl Questions {
    /// Sends a batch.
    pub fn send(&mut self, batch: &Batch) -> io::Result<()> {
        let documents: Vec<String> =
            batch.documents.iter().map(velocitydb_core::Object::to_json).collect();
        let queries: Vec<String> =
            batch.queries.iter().map(|query| for_mingo(&query.to_value()).to_json()).collect();
        let (documents, queries) = (documents.join(","), queries.join(","));
        let line = format!("{{\"documents\":[{documents}],\"queries\":[{queries}]}}\n");
        self.0.write_all(line.as_bytes())?;
        self.0.flush()
    }
}

impl Answers {
    /// Reads the answers to a batch, which has been sent.
    pub fn receive(&mut self, batch: &Batch) -> io::Result<Vec<Answer>> {
        batch.queries.iter().map(|_| self.receive_one()).collect()
    }

    fn receive_one(&mut self) -> io::Result<Answer> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            let text = "the driver stopped; what it wrote to standard error says why";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        Answer::from_json(line.trim_end()).ok_or_else(|| {
            let text = format!("the driver wrote a line that is no answer: {}", line.trim_end());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // It may still be writing answers, which are not read any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
