//! The header of a safetensors file: which tensors it holds, and where.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use safetensors::tensor::Metadata;
use thiserror::Error;

/// A header is refused above this many bytes, as the safetensors crate does.
const MOST_BYTES: u64 = 100_000_000;

/// What a safetensors file says of itself; the data it promises is there.
pub struct Header {
    /// The tensors: their types, shapes and places among the data.
    pub metadata: Metadata,
    /// Where in the file the data begins.
    pub data_start: u64,
}

/// Why a file's header could not be taken.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// The system could not read the file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is too short to say anything.
    #[error("the file is empty or cut short")]
    Short,
    /// It says nothing that a safetensors file would.
    #[error("not a safetensors file, or cut short")]
    NotSafetensors,
    /// The header is no list of tensors that fit together.
    #[error("its header cannot be read ({0})")]
    Unreadable(#[from] serde_json::Error),
    /// There is less or more data than the header says.
    #[error("{length} bytes long where its header says {promised}")]
    Length {
        /// How long the file is.
        length: u64,
        /// How long it would be.
        promised: u64,
    },
}

impl Header {
    /// Reads the header of `file`, and holds its length against the file's.
    ///
    /// # Errors
    /// Any [`HeaderError`].
    pub fn read(file: &Path) -> Result<Self, HeaderError> {
        let mut source = File::open(file)?;
        let length = source.metadata()?.len();
        let mut prefix = [0; 8];
        let Some(rest) = length.checked_sub(8) else { return Err(HeaderError::Short) };
        source.read_exact(&mut prefix)?;
        let header_length = u64::from_le_bytes(prefix);
        if header_length > MOST_BYTES.min(rest) {
            return Err(HeaderError::NotSafetensors);
        }
        let mut header = vec![0; header_length as usize];
        source.read_exact(&mut header)?;
        let metadata: Metadata = serde_json::from_slice(&header)?;
        let data_start = 8 + header_length;
        let promised = data_start + metadata.data_len() as u64;
        if promised != length {
            return Err(HeaderError::Length { length, promised });
        }
        Ok(Self { metadata, data_start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a file that holds `bytes`.
    fn read(bytes: &[u8]) -> Result<Header, HeaderError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Header::read(file.path())
    }

    #[test]
    fn a_header_is_read_and_what_breaks_it_is_told_apart() {
        let header = br#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
        let file = [&(header.len() as u64).to_le_bytes(), &header[..], &[0; 8]].concat();
        let found = read(&file).unwrap();
        assert_eq!(found.data_start, 8 + header.len() as u64);
        assert_eq!(found.metadata.info("a").unwrap().shape, [1, 2]);

        let said = |bytes: &[u8]| read(bytes).err().unwrap().to_string();
        assert_eq!(said(&file[..7]), "the file is empty or cut short");
        assert_eq!(said(&file[..20]), "not a safetensors file, or cut short");
        assert_eq!(said(&[&[0xff; 8], &file[8..]].concat()), said(&file[..20]));
        let reason = said(&[&file[..8], b"[", &file[9..]].concat());
        assert!(reason.starts_with("its header cannot be read ("), "{reason}");
        let promised = file.len();
        assert_eq!(
            said(&file[..promised - 1]),
            format!("{} bytes long where its header says {promised}", promised - 1)
        );
    }

    #[test]
    fn no_file_has_no_header() {
        let gone = Header::read(Path::new("no/such/file"));
        assert!(matches!(gone, Err(HeaderError::Io(_))));
    }
}
