//! `claim`, `complete`, `renew`, `release` and `retry`.

use velocitydb::{DocumentId, Filter, Lost, Object, Release, Skipped, object};

use super::explain;
use super::ids::found;
use super::many::with_request;
use crate::args::{self, Shown, Token};
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::{Output, note};

/// Claims documents, and prints them.
pub fn claim(args: args::Claim, output: &mut Output) -> Result {
    let filter = input::filter(&args.filter)?;
    let sort = args.sort.as_deref();
    let sort = sort.map(|text| input::named("--sort", input::sort(text))).transpose()?;
    let release = release_of(&args)?;
    let update = match &args.update {
        Some(text) => input::named_among("--update", input::update(text))?,
        None => input::update_of_fields(args.set),
    };
    let db = args.target.folder.open_existing()?;
    let documents = with_request(args.target.existing(&db)?, args.request_id.as_ref());
    let mut claim = documents.claim(filter).limit(args.limit);
    if let Some(sort) = sort {
        claim = claim.sort(sort);
    }
    if let Some(claimant) = &args.claimant {
        claim = claim.claimant_in(&args.claimant_field, claimant);
    }
    if let (Some(duration), Some(release)) = (args.lease, release) {
        claim = claim.lease(duration, release);
    }
    if args.due {
        claim = claim.due();
    }
    if args.even_if_leased {
        claim = claim.even_if_leased();
    }
    if args.explain {
        let explanation = claim.explain()?;
        return explain::print(&explanation, documents.count()?, output);
    }
    let claimed = claim.update(update)?;
    for Skipped { reason, .. } in &claimed.skipped {
        note(format_args!("skipped: {reason}"))?;
    }
    for Lost { id, version } in &claimed.lost {
        note(format_args!(
            "lost: document {} does not have version {version} any more",
            id.to_value()
        ))?;
    }
    // The version is the token with which a document is completed.
    output.documents(&claimed.documents, Shown { meta: true })?;
    match (claimed.documents.len(), claimed.lost.len()) {
        (0, 0) => Err(Failure::NoneFound { collection: args.target.collection }),
        (0, count) => Err(Failure::Lost { count }),
        _ => Ok(()),
    }
}

/// The release of the lease.
fn release_of(args: &args::Claim) -> Result<Option<Release>> {
    let mut choices = Vec::new();
    for pair in args.release_if.chunks(2) {
        let [filter, update] = pair else { continue };
        let filter = input::named_among("--release-if", Filter::from_json(filter))?;
        choices.push((filter, input::named_among("--release-if", input::update(update))?));
    }
    if let Some(text) = &args.release {
        choices.push((Filter::all(), input::named_among("--release", input::update(text))?));
    }
    let release = choices.into_iter().fold(None, |release: Option<Release>, (filter, update)| {
        Some(match release {
            Some(release) => release.or_when(filter, update),
            None => Release::when(filter, update),
        })
    });
    Ok(release)
}

/// Completes a claimed document.
pub fn complete(args: &args::Complete, output: &mut Output) -> Result {
    let Token { id, version } = &args.token;
    let update = input::update_of(&args.source.read()?, id)?;
    let db = args.target.folder.open_existing()?;
    let documents = with_request(args.target.existing(&db)?, args.request_id.as_ref());
    let completed = documents.complete(id, *version, update);
    output.object(&settled(id, found(&documents, id, completed)?))
}

/// Renews the lease on a claimed document.
pub fn renew(args: &args::Renew, output: &mut Output) -> Result {
    let Token { id, version } = &args.token;
    let db = args.target.folder.open_existing()?;
    let documents = args.target.existing(&db)?;
    let renewed = documents.renew(id, *version, args.lease);
    output.object(&settled(id, found(&documents, id, renewed)?))
}

/// Gives a claimed document back.
pub fn release(args: &args::Release, output: &mut Output) -> Result {
    let Token { id, version } = &args.token;
    let db = args.target.folder.open_existing()?;
    let documents = args.target.existing(&db)?;
    let released = documents.release(id, *version);
    output.object(&settled(id, found(&documents, id, released)?))
}

/// Gives a claimed document back, to be claimed again later.
pub fn retry(args: &args::Retry, output: &mut Output) -> Result {
    let Token { id, version } = &args.token;
    let db = args.target.folder.open_existing()?;
    let not_before = db.now().saturating_add(args.delay);
    let documents = args.target.existing(&db)?;
    let retried = documents.retry(id, *version, not_before, &args.reason);
    output.object(&settled(id, found(&documents, id, retried)?))
}

fn settled(id: &DocumentId, version: u64) -> Object {
    object! { "_id": id, "version": version }
}
