//! The commands, each with examples.

use clap::{Parser, Subcommand, ValueEnum};

use super::administration::{
    Bench, Collections, CollectionsCommand, Doctor, Index, IndexCommand, Schema, SchemaCommand,
};
use super::documents::{Cas, Change, Count, Delete, Get, Insert, List, Update};
use super::folder::Folder;
use super::many::{DeleteMany, UpdateMany};
use super::query::{Aggregate, Explain, Find};
use super::work::{Claim, Complete, Release, Renew, Retry};
use crate::output::JsonStyle;

const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  not found, or nothing to claim
   2  the command line is wrong
   3  the input is invalid, or violates the schema
   4  it exists already, is not as it was expected, or conflicts with another write
   5  storage is not available: missing, in use, full, or stopped after a failure
   6  the data are corrupt
   7  the consistency level is below the collection's floor
   8  it was stopped at its limit of time or memory, or is more than one command may change
   9  the request id was used for another command before
  10  storage failed, and whether it was done is not known: retry with the same --request-id, or look
  70  a bug in velocitydb
  74  the result could not be written; what was to be changed is changed
 141  the output of a command that changes nothing was closed before its end";

/// A JSON-document database in which every operation chooses its own consistency.
///
/// Each command works on a data folder, without any server. Documents are written to standard
/// output as JSON, one in a line, or as tables on a terminal.
#[derive(Debug, Parser)]
#[command(name = "velocitydb", version, after_help = EXIT_CODES)]
pub struct Args {
    /// JSON lines or tables [default: tables on a terminal, JSON elsewhere]
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,
    /// Breaks lines of JSON and indents them, also on a terminal
    #[arg(long, global = true)]
    pub pretty: bool,
    #[command(flatten)]
    pub folder: Folder,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// How JSON is written.
    pub fn json_style(&self) -> JsonStyle {
        if self.pretty { JsonStyle::Pretty } else { JsonStyle::Line }
    }
}

/// The format of results: one JSON object in a line, or tables for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would show them as a list in every help")]
pub enum Format {
    Json,
    Table,
}

/// The command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show on the real engine what the database does
    #[command(after_help = "Example:\n  velocitydb demo")]
    Demo,
    /// Print documents
    #[command(after_help = "Examples:
  velocitydb get users alice
  velocitydb get users alice bob --format json")]
    Get(Get),
    /// Create a document, or many
    #[command(
        after_help = r#"Examples:
  velocitydb insert users '{"_id": "alice", "name": "Alice", "age": 28}'
  velocitydb insert users --id bob '{"name": "Bob"}'
  echo '{"note": "its id is made up"}' | velocitydb insert notes -
  velocitydb insert users --many @users.json --errors refused.jsonl
  velocitydb list users --format json | velocitydb insert users --many - --path copy
  velocitydb list users --format json --meta | velocitydb insert users --many - --keep-metadata --path mirror"#,
        override_usage = "velocitydb insert [OPTIONS] <COLLECTION> <JSON|-|--file FILE>"
    )]
    Insert(Insert),
    /// Change some fields of a document
    ///
    /// An object is merged: its fields are set, the others stay. An object of operators does
    /// more: $set, $unset, $inc, $mul, $min, $max, $rename, $push, $pull, $pop, $addToSet,
    /// $currentDate.
    #[command(
        after_help = r#"Examples:
  velocitydb update users alice '{"age": 29}'
  velocitydb update visits home '{"$inc": {"count": 1}}' --upsert
  velocitydb update users alice '{"$inc": {"age": 1}, "$push": {"tags": "admin"}}'"#,
        override_usage = "velocitydb update [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Update(Update),
    /// Replace all fields of a document that exists
    #[command(
        after_help = r#"Example:
  velocitydb replace users alice '{"name": "Alice", "age": 30}'"#,
        override_usage = "velocitydb replace [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Replace(Change),
    /// Create a document, or replace all fields of it
    #[command(
        after_help = r#"Examples:
  velocitydb upsert users alice '{"name": "Alice", "age": 30}'
  velocitydb upsert sessions s1 '{"user": "alice"}' --time-to-live 30m"#,
        override_usage = "velocitydb upsert [OPTIONS] <COLLECTION> <ID> <JSON|-|--file FILE>"
    )]
    Upsert(Change),
    /// Delete a document
    #[command(after_help = "Example:\n  velocitydb delete users bob")]
    Delete(Delete),
    /// Print the documents of a collection, in the order of their ids
    #[command(after_help = "Examples:
  velocitydb list users
  velocitydb list users --limit 10 --after alice
  velocitydb list users --reverse --format json
  velocitydb list users --csv _id,name,address.city > users.csv")]
    List(List),
    /// Print how many documents a collection has
    #[command(after_help = "Example:\n  velocitydb count users")]
    Count(Count),
    /// Print the documents that match a filter
    ///
    /// A filter is a JSON object in MongoDB's language: {"age": {"$gte": 18}}. An index is used
    /// if one fits; `velocitydb explain` shows which.
    #[command(after_help = r#"Examples:
  velocitydb find users '{"age": {"$gte": 18}, "tags": "admin"}'
  velocitydb find users --sort city,-age --limit 10 --project '{"name": 1}'
  velocitydb find users --sort '{"city": 1, "age": -1}' --limit 10 --page
  velocitydb find users '{"city": "Bonn"}' --count
  velocitydb find users --distinct city
  velocitydb find users @filter.json --pretty"#)]
    Find(Box<Find>),
    /// Show how a query is executed, and what it reads
    #[command(after_help = r#"Examples:
  velocitydb explain users '{"city": "Bonn"}' --sort=-age --limit 10
  velocitydb explain users --pipeline '[{"$match": {"city": "Bonn"}}, {"$count": "users"}]'"#)]
    Explain(Box<Explain>),
    /// Run a pipeline on the documents of a collection, and print its results
    ///
    /// A pipeline is a JSON array of stages in MongoDB's language: $match, $group, $sort, $limit,
    /// $skip, $project, $unwind, $bucket, $lookup, $facet, $count and others.
    #[command(
        after_help = r#"Examples:
  velocitydb aggregate orders '[{"$group": {"_id": "$city", "total": {"$sum": "$total"}}}]'
  velocitydb aggregate orders --file report.json --timeout 10s --memory 500MiB"#,
        override_usage = "velocitydb aggregate [OPTIONS] <COLLECTION> <JSON|-|--file FILE>"
    )]
    Aggregate(Aggregate),
    /// Change all documents that match a filter
    ///
    /// Prints how many were changed.
    #[command(
        after_help = r#"Example:
  velocitydb update-many users '{"city": "Bonn"}' '{"$set": {"country": "DE"}}'"#,
        override_usage = "velocitydb update-many [OPTIONS] <COLLECTION> <FILTER> <JSON|-|--file FILE>"
    )]
    UpdateMany(UpdateMany),
    /// Delete all documents that match a filter
    ///
    /// Prints how many were deleted.
    #[command(after_help = r#"Example:
  velocitydb delete-many users '{"city": "Bonn"}'"#)]
    DeleteMany(DeleteMany),
    /// Find documents and claim them, atomically: no other claim gets the same
    ///
    /// Prints the claimed documents. The version of each is its fencing token, which `complete`,
    /// `renew` and `release` need. Exits with 1 when there is nothing to claim. With `--explain`
    /// nothing is claimed, and it shows how documents would be found.
    #[command(after_help = r#"Examples:
  velocitydb claim jobs '{"state": "waiting"}' --set 'state="running"' --sort=-priority,created
  velocitydb claim jobs '{"state": "waiting"}' --update '{"$set": {"state": "running"}}' \
    --claimant executor1 --limit 10 --lease 30s --release '{"$set": {"state": "waiting"}}'"#)]
    Claim(Box<Claim>),
    /// Complete a claimed document, unless the claim is lost
    ///
    /// Changes the document and ends its lease, if it still has the version that the claim gave
    /// it. Exits with 4 when it has another one.
    #[command(
        after_help = r#"Example:
  velocitydb complete jobs job1 2 '{"state": "done"}'"#,
        override_usage = "velocitydb complete [OPTIONS] <COLLECTION> <ID> <VERSION> <JSON|-|--file FILE>"
    )]
    Complete(Complete),
    /// Renew the lease on a claimed document
    ///
    /// Prints the new version, which is the new fencing token.
    #[command(after_help = "Example:\n  velocitydb renew jobs job1 2 --lease 30s")]
    Renew(Renew),
    /// Give a claimed document back, by applying the release of its lease
    #[command(after_help = "Example:\n  velocitydb release jobs job1 2")]
    Release(Release),
    /// Give a claimed document back, to be claimed again later
    ///
    /// Applies the release of its lease, and sets `retry_at` and `retry_reason`. `claim --due`
    /// skips it until then.
    #[command(
        after_help = "Example:\n  velocitydb retry jobs job1 2 --in 30s --reason 'no answer'"
    )]
    Retry(Retry),
    /// Compare a document, and swap in a change if the comparison holds
    ///
    /// Without a comparison the document must exist. Without a swap it is only compared. When the
    /// comparison does not hold, prints the document as it is and exits with 4, or with 1 when there
    /// is none.
    #[command(after_help = r#"Examples:
  velocitydb cas jobs job1 --if-field 'state="waiting"' --set 'state="running"'
  velocitydb cas users alice --if-version 2 --update '{"$inc": {"age": 1}}'
  velocitydb cas locks lock1 --if-absent --replace '{"owner": "me"}' --time-to-live 30s
  velocitydb cas jobs job1 --if-field 'state="done"' --delete"#)]
    Cas(Box<Cas>),
    /// List, create and drop collections
    #[command(after_help = "Examples:
  velocitydb collections
  velocitydb collections create payments --min-write quorum --min-read strong
  velocitydb collections drop payments")]
    Collections(Collections),
    /// Create, list and drop secondary indexes
    #[command(after_help = r#"Examples:
  velocitydb index create users email --unique
  velocitydb index create users '{"city": 1, "age": -1}'
  velocitydb index list users
  velocitydb index drop users email_1"#)]
    Index(Index),
    /// Set, show, remove and check the schemas of collections
    #[command(after_help = r#"Examples:
  velocitydb schema set users '{"properties": {"age": {"type": "integer"}}, "required": ["name"]}'
  velocitydb schema show users
  velocitydb schema check users '{"required": ["email"]}'
  velocitydb schema remove users"#)]
    Schema(Schema),
    /// Print the totals of the database
    #[command(after_help = "Example:\n  velocitydb stats --format table")]
    Stats(Folder),
    /// Check every file and document of a data folder
    ///
    /// Exits with 6 when something is wrong, after printing every problem with its place.
    #[command(after_help = "Examples:
  velocitydb doctor
  velocitydb doctor /var/lib/velocitydb")]
    Doctor(Doctor),
    /// Measure inserts, gets, updates and compare-and-swaps on this machine
    ///
    /// It works in memory, or in a temporary folder beside the data folder: on the same disk, and
    /// touching no data.
    #[command(after_help = "Examples:
  velocitydb bench
  velocitydb bench --mode memory-only --threads 2 --seconds 3
  velocitydb bench --mode persistent --threads 64 --consistency local")]
    Bench(Bench),
}

impl Command {
    /// Whether a command only prints a result, and changes nothing: then it may stop when its
    /// output is closed. The doctor also has an exit code as its result.
    pub fn is_for_its_result(&self) -> bool {
        match self {
            Command::Demo
            | Command::Get(_)
            | Command::List(_)
            | Command::Count(_)
            | Command::Find(_)
            | Command::Explain(_)
            | Command::Aggregate(_)
            | Command::Stats(_)
            | Command::Bench(_) => true,
            Command::Collections(args) => {
                matches!(args.command, None | Some(CollectionsCommand::List))
            }
            Command::Index(args) => matches!(args.command, IndexCommand::List { .. }),
            Command::Schema(args) => {
                matches!(args.command, SchemaCommand::Show { .. } | SchemaCommand::Check { .. })
            }
            Command::Insert(_)
            | Command::Update(_)
            | Command::Replace(_)
            | Command::Upsert(_)
            | Command::Delete(_)
            | Command::UpdateMany(_)
            | Command::DeleteMany(_)
            | Command::Claim(_)
            | Command::Complete(_)
            | Command::Renew(_)
            | Command::Release(_)
            | Command::Retry(_)
            | Command::Cas(_)
            | Command::Doctor(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        fn check(command: &clap::Command) {
            for command in command.get_subcommands() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("velocitydb "), "{} shows no example", command.get_name());
                check(command);
            }
        }
        check(&Args::command());
    }
}
