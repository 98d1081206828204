//! [`Page`]: a part of the results of a query, and [`PageToken`], where the next one begins.

use std::fmt;
use std::str::FromStr;

use velocitydb_core::document::ID;
use velocitydb_core::{DocumentId, IntoDocumentId, Sort, object};
use xxhash_rust::xxh3::xxh3_64;

use crate::index::append_id;
use crate::keys::Key;
use crate::{Document, Error, Result};

/// A part of the results of a query; see [`Find::page`](crate::Find::page).
#[derive(Debug, Clone, PartialEq)]
pub struct Page<D = Document> {
    /// The documents.
    pub documents: Vec<D>,
    /// Where the next part begins; `None` when there is nothing more.
    pub next: Option<PageToken>,
}

/// A position in the results of a query. It stays valid when documents before it are inserted or removed.
/// Its text can be stored and parsed again, and is valid for queries with the same sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    /// A hash of the sort.
    sort: u64,
    /// The values by which the last document was sorted, and its id.
    place: Vec<u8>,
}

impl PageToken {
    pub(crate) fn new(sort: &Sort, place: Vec<u8>) -> Self {
        PageToken { sort: sort_id(sort), place }
    }

    /// The position after an id in the order of ids of all types, whether or not a document has that id. The
    /// sort is the one of the query, by `_id` alone.
    ///
    /// ```
    /// # fn main() -> velocitydb::Result<()> {
    /// use velocitydb::{PageToken, Sort, object};
    ///
    /// let db = velocitydb::open_in_memory()?;
    /// let users = db.documents("users");
    /// users.insert(7, object! {})?;
    /// users.insert("alice", object! {})?;
    /// let sort = Sort::new().ascending("_id");
    /// let behind = PageToken::after_id(&sort, 7)?;
    /// let rest = users.find(object! {}).sort(sort).after(behind).documents()?;
    /// assert_eq!(rest.iter().map(|user| user.id().as_str()).collect::<Vec<_>>(), [Some("alice")]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::InputError::InvalidQuery) when the sort has other keys, and when the id is not
    /// valid.
    pub fn after_id(sort: &Sort, id: impl IntoDocumentId) -> Result<Self> {
        let id = DocumentId::new(id)?;
        let mut place = Key::from_vec(sort.key_of(&object! { (ID): (id.to_value()) })?);
        match sort.keys() {
            [only] if only.path.to_string() == ID => {
                append_id(id.by_ref(), only.direction, &mut place);
                Ok(Self::new(sort, place.to_vec()))
            }
            _ => Err(token_error("that begins after an id needs a sort by `_id` alone").into()),
        }
    }

    /// The position, for a query with this sort.
    pub(crate) fn place(&self, sort: &Sort) -> Result<&[u8]> {
        if sort_id(sort) == self.sort {
            return Ok(&self.place);
        }
        Err(token_error("belongs to a query with another sort").into())
    }
}

/// Identifies a sort.
fn sort_id(sort: &Sort) -> u64 {
    xxh3_64(sort.to_value().to_json().as_bytes())
}

fn token_error(problem: &str) -> velocitydb_core::Error {
    let (what, place, problem) = ("page token", String::new(), problem.to_owned());
    velocitydb_core::Error::InvalidQuery { what: what.into(), place, problem }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.sort)?;
        self.place.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for PageToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || token_error("is not valid; pass it on unchanged from the page before");
        let (sort, place) = text.split_at_checked(16).ok_or_else(wrong)?;
        let sort = u64::from_str_radix(sort, 16).map_err(|_| wrong())?;
        let digits = place.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let place = digits.collect::<Option<Vec<u8>>>().ok_or_else(wrong)?;
        Ok(PageToken { sort, place })
    }
}
