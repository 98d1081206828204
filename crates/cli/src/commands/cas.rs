//! `cas`: compare-and-swap.

use velocitydb::{CompareAndSwap, DocumentId, Swapped, object};

use crate::args::{Cas, Comparison, Format, Shown};
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::Output;

/// Compares, swaps if the comparison holds, and prints the document as it is afterwards.
pub fn compare_and_swap(args: Cas, output: &mut Output) -> Result {
    let documents = if args.comparison.if_absent {
        args.target.documents(&args.target.folder.open_or_create()?)
    } else {
        args.target.existing(&args.target.folder.open_existing()?)?
    };
    let documents = args.options.apply(documents);
    let compared = compare(documents.compare_and_swap(&args.id), args.comparison, &args.id)?;
    let (swap, shown) = (args.swap, args.shown);
    let swapped = if let Some(text) = &swap.update {
        compared.update(input::update_of(text, &args.id)?)?
    } else if let Some(text) = &swap.replace {
        compared.replace(input::document_of(text, &args.id)?)?
    } else if swap.delete {
        compared.delete()?
    } else if swap.set.is_empty() {
        compared.compare()?
    } else {
        compared.update(input::update_of_fields(swap.set))?
    };
    print(&swapped, shown, output)?;
    match swapped.held {
        true => Ok(()),
        false => Err(Failure::NotSwapped { refusal: swapped.refusal }),
    }
}

fn compare<'a>(
    mut compared: CompareAndSwap<'a>,
    what: Comparison,
    id: &DocumentId,
) -> Result<CompareAndSwap<'a>> {
    if let Some(version) = what.if_version {
        compared = compared.version(version);
    }
    if let Some(text) = &what.if_document {
        compared = compared.document(&input::document_of(text, id)?);
    }
    if what.if_absent {
        compared = compared.absent();
    }
    if let Some(text) = &what.if_matches {
        compared =
            compared.matches(input::named("--if-matches", velocitydb::Filter::from_json(text))?);
    }
    for (path, value) in what.if_field {
        compared = compared.field(&path.to_string(), value);
    }
    for path in what.if_missing {
        compared = compared.missing(&path.to_string());
    }
    Ok(compared)
}

fn print(swapped: &Swapped, shown: Shown, output: &mut Output) -> Result {
    let mut result = object! {
        "held": swapped.held,
        "applied": swapped.is_applied,
        "version": swapped.version,
        "index": swapped.index,
        "replayed": swapped.is_replayed
    };
    match &swapped.refusal {
        Some(refusal) => drop(result.insert("reason", refusal.to_string())),
        None if swapped.is_applied => {}
        None => drop(result.insert("reason", "nothing was to be changed")),
    }
    match output.format() {
        Format::Json => {
            let current = swapped.current.as_ref().map(|one| shown.of(one)).transpose()?;
            result.insert("current", current);
            output.object(&result)
        }
        Format::Table => {
            output.object(&result)?;
            output.documents(swapped.current.as_slice(), shown)
        }
    }
}
