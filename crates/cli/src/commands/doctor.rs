//! `doctor`: checks a data folder.

use velocitydb::{Value, doctor_within, object};

use crate::args::{self, Format};
use crate::failure::{Failure, Result};
use crate::output::Output;

/// Prints what was checked, and every problem.
pub fn check(args: &args::Doctor, output: &mut Output) -> Result {
    let path = args.checked.as_ref().unwrap_or(&args.path);
    if !path.exists() {
        return Err(Failure::NoFolder { path: path.clone() });
    }
    let report = doctor_within(path, args.patience.wait)?;
    let mut object = object! {
        "healthy": report.is_healthy(),
        "files": report.files,
        "collections": report.collections,
        "documents": report.documents
    };
    match output.format() {
        Format::Json => {
            object.insert("problems", report.problems.clone());
            output.object(&object)?;
        }
        Format::Table => {
            output.object(&object)?;
            let problems = report.problems.iter().map(|problem| {
                object! { "problem": Value::from(problem.as_str()) }
            });
            output.objects(&problems.collect::<Vec<_>>())?;
        }
    }
    match report.problem_count {
        0 => Ok(()),
        count => Err(Failure::Unhealthy { count }),
    }
}
