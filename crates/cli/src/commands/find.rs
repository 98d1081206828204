//! `find`: queries.

use velocitydb::{Documents, Filter, Find, Object, PageToken, Projection, Sort, Value};

use super::rows::Rows;
use crate::args::{self, Bounds, Format, Selection, Shown};
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::{self, Output};

/// A parsed query, ready for a collection.
pub struct Question {
    filter: Filter,
    sort: Option<Sort>,
    limit: Option<u64>,
    offset: u64,
    after: Option<PageToken>,
    projection: Option<Projection>,
}

impl Question {
    /// Parses the query of the command line.
    pub fn new(selection: &Selection) -> Result<Self> {
        let filter = selection.filter.as_deref();
        let sort = selection.sort.as_deref();
        let after = selection.after.as_deref();
        let projection = selection.project.as_deref();
        Ok(Question {
            filter: filter.map_or(Ok(Filter::all()), input::filter)?,
            sort: sort.map(|text| input::named("--sort", input::sort(text))).transpose()?,
            limit: selection.limit,
            offset: selection.offset,
            after: after.map(|text| input::named("--after", text.parse())).transpose()?,
            projection: projection
                .map(|text| input::named("--project", Projection::from_json(text)))
                .transpose()?,
        })
    }

    /// Applies it to a collection.
    pub fn of(self, documents: &Documents, bounds: &Bounds) -> Find {
        let mut find = documents.find(self.filter).offset(self.offset);
        if let Some(sort) = self.sort {
            find = find.sort(sort);
        }
        if let Some(limit) = self.limit {
            find = find.limit(limit);
        }
        if let Some(after) = self.after {
            find = find.after(after);
        }
        if let Some(projection) = self.projection {
            find = find.project(projection);
        }
        if let Some(timeout) = bounds.timeout {
            find = find.deadline(timeout);
        }
        if let Some(bytes) = bounds.memory {
            find = find.memory_limit(bytes);
        }
        find
    }
}

/// Prints the documents that match a filter, or their count or distinct values.
pub fn find(args: &args::Find, output: &mut Output) -> Result {
    let question = Question::new(&args.selection)?;
    let projection = question.projection.clone();
    let db = args.target.folder.open_to_read()?;
    let find = question.of(&args.target.existing(&db)?, &args.bounds);
    if args.count {
        output.line(find.count()?)
    } else if let Some(path) = &args.distinct {
        input::named("--distinct", path.parse::<velocitydb::Path>())?;
        distinct(path, &find.distinct(path)?, output)
    } else if args.page {
        page(find, projection.as_ref(), args.shown, output)
    } else if args.first {
        first(find.limit(1), projection.is_some(), args, output)
    } else if projection.is_some() {
        let mut rows = Rows::of(args.csv.columns.as_ref(), output)?;
        let result = find.each_object(|object| Ok(rows.push(object)));
        rows.finish(result)
    } else {
        let (csv, shown) = (args.csv.columns.as_ref(), args.shown.with(&args.csv));
        let mut rows = Rows::of(csv, output)?;
        let result = find.each(|document| Ok(rows.push(shown.of(&document)?)));
        rows.finish(result)
    }
}

fn first(find: Find, is_projected: bool, args: &args::Find, output: &mut Output) -> Result {
    let found = match is_projected {
        true => find.objects()?.pop(),
        false => find.first()?.map(|one| args.shown.of(&one)).transpose()?,
    };
    let collection = args.target.collection.clone();
    output.objects(&[found.ok_or(Failure::NoneFound { collection })?])
}

/// Prints one page, and on standard error the argument for the next one: standard output has
/// only documents.
fn page(find: Find, projection: Option<&Projection>, shown: Shown, output: &mut Output) -> Result {
    let page = find.page()?;
    match projection {
        None => output.documents(&page.documents, shown)?,
        Some(projection) => {
            let objects = page.documents.iter().map(|one| one.project(projection));
            output.objects(&objects.collect::<velocitydb::Result<Vec<_>>>()?)?;
        }
    }
    match page.next {
        None => Ok(()),
        Some(next) => output::note(format_args!("--after {next}")).map_err(Failure::from),
    }
}

/// Prints values: one in a line, or in a column with the name of their path.
fn distinct(path: &str, values: &[Value], output: &mut Output) -> Result {
    match output.format() {
        Format::Json => values.iter().try_for_each(|value| output.json(value)),
        Format::Table => {
            let rows = values.iter().map(|value| Object::from([(path, value.clone())]));
            output.objects(&rows.collect::<Vec<_>>())
        }
    }
}
