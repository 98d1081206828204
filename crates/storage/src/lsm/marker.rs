//! [`Marker`]: the file that makes a folder a data folder, and names its format.
//!
//! ```text
//! offset  bytes
//!      0      8  "VELOCITY"
//!      8      4  format, little-endian as all numbers here
//!     12      1  state: 1 while the folder is created, 2 from then on
//!     13      8  commits that the folder has at least
//!     21      1  how many keyspaces follow
//!     22      …  by keyspace: one byte of length, the name
//!    end      8  xxh3-64 of everything before
//! ```
//!
//! Magic, format and the checksum at the end keep their places in every later format.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::error;
use crate::{Error, Result};

pub(super) const FILE_NAME: &str = "VELOCITYDB";
/// The temporary file that is renamed to [`FILE_NAME`] once it is complete.
pub(super) const NEW_FILE_NAME: &str = "VELOCITYDB.new";

const MAGIC: &[u8; 8] = b"VELOCITY";

/// The format that this version writes, and the only one that it works with.
pub(super) const FORMAT: u32 = 6;

/// The format that this version can [migrate](super::migrate()).
pub(crate) const FORMAT_BEFORE: u32 = 5;

const STATE_CREATING: u8 = 1;
const STATE_READY: u8 = 2;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) format: u32,
    /// Whether creating the folder was completed. Nothing was acknowledged before that.
    pub(super) is_ready: bool,
    pub(super) commits: u64,
    pub(super) keyspaces: Vec<String>,
}

impl Marker {
    /// Reads the marker of `folder`; `None` when there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        match Self::read_known(folder)? {
            Some(marker) if marker.format != FORMAT => Err(unsupported(folder, marker.format)),
            marker => Ok(marker),
        }
    }

    /// Reads the marker of `folder`, also of one that has to be migrated.
    pub(super) fn read_known(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE_NAME);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|error| error::io("reading", &path, &error))?,
        };
        let corrupt = |what: &str| Error::Corrupt {
            place: path.display().to_string(),
            what: what.to_owned(),
        };
        let content = checked(&bytes).map_err(corrupt)?;
        let format = u32::from_le_bytes(*content.1);
        if !matches!(format, FORMAT_BEFORE | FORMAT) {
            return Err(unsupported(folder, format));
        }
        let marker = decode(format, content.0);
        marker.map(Some).ok_or_else(|| corrupt("its fields do not fit its length"))
    }

    /// Replaces the marker of `folder` atomically.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let new = folder.join(NEW_FILE_NAME);
        self.write_new(&new).map_err(|error| error::io("writing", &new, &error))?;
        let path = folder.join(FILE_NAME);
        fs::rename(&new, &path)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| error::io("replacing", &path, &error))
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.encode())?;
        file.sync_all()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.format.to_le_bytes());
        bytes.push(if self.is_ready { STATE_READY } else { STATE_CREATING });
        bytes.extend_from_slice(&self.commits.to_le_bytes());
        bytes.push(self.keyspaces.len() as u8);
        for name in &self.keyspaces {
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes
    }
}

fn unsupported(folder: &Path, found: u32) -> Error {
    Error::Format { path: folder.to_owned(), found, supported: FORMAT }
}

/// The bytes between format and checksum, and the format, if magic and checksum are right.
fn checked(bytes: &[u8]) -> std::result::Result<(&[u8], &[u8; 4]), &'static str> {
    let (content, checksum) = bytes.split_last_chunk::<8>().ok_or("it is too short")?;
    if xxh3_64(content) != u64::from_le_bytes(*checksum) {
        return Err("its checksum is wrong");
    }
    let content = content.strip_prefix(MAGIC).ok_or("it does not begin with VELOCITY")?;
    let (format, fields) = content.split_first_chunk::<4>().ok_or("it is too short")?;
    Ok((fields, format))
}

fn decode(format: u32, fields: &[u8]) -> Option<Marker> {
    let (state, fields) = fields.split_first()?;
    let (commits, fields) = fields.split_first_chunk::<8>()?;
    let (count, mut fields) = fields.split_first()?;
    let mut keyspaces = Vec::new();
    for _ in 0..*count {
        let (length, rest) = fields.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        keyspaces.push(String::from_utf8(name.to_vec()).ok()?);
        fields = rest;
    }
    let is_known = fields.is_empty() && matches!(*state, STATE_CREATING | STATE_READY);
    is_known.then_some(Marker {
        format,
        is_ready: *state == STATE_READY,
        commits: u64::from_le_bytes(*commits),
        keyspaces,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        Marker {
            format: FORMAT,
            is_ready: true,
            commits: 7,
            keyspaces: vec!["documents".to_owned(), "indexes".to_owned()],
        }
    }

    #[test]
    fn is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Marker::read(folder.path()).unwrap(), None);
        marker().write(folder.path()).unwrap();
        assert_eq!(Marker::read(folder.path()).unwrap(), Some(marker()));
    }

    #[test]
    fn no_bit_can_change() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = marker().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(folder.path().join(FILE_NAME), flipped).unwrap();
            let error = Marker::read(folder.path()).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "bit {bit}: {error}");
        }
    }

    /// Format 1 is that of versions before the first release, for which there is no migration.
    #[test]
    fn another_format_is_refused_and_the_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for (found, advice) in [
            (FORMAT + 1, "use a newer version"),
            (FORMAT_BEFORE, "`velocitydb collections --path "),
            (1, "import them into a new"),
        ] {
            Marker { format: found, ..marker() }.write(folder.path()).unwrap();
            let error = Marker::read(folder.path()).unwrap_err();
            assert!(error.to_string().contains(&format!("has format {found}")), "{error}");
            assert!(error.to_string().contains(advice), "{error}");
            assert!(
                matches!(error, Error::Format { found: number, supported: FORMAT, .. } if number == found),
                "{error}"
            );
        }
    }
}
