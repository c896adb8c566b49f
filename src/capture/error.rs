//! Why a picture could not be taken in, in words for the person who offered it.

use std::io;

use thiserror::Error;
use values::frame::Source;
use values::text::brief;

use super::{MAX_FILE_BYTES, MAX_PIXELS};

/// A picture that could not be taken in: which one, and why.
///
/// `Display` is one line that names the picture and the reason, and says what to do about it where
/// something can be done. It needs no words around it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}: {reason}")]
pub struct CaptureError {
    name: String,
    reason: Reason,
}

impl CaptureError {
    pub(super) fn new(source: &Source, reason: Reason) -> Self {
        Self { name: source.location(), reason }
    }

    /// The path as it was given, or what the source calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// What is wrong with a picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// Nothing is there.
    #[error("no such file")]
    NotFound,
    /// The path names a folder.
    #[error("it is a folder: name one picture inside it")]
    IsFolder,
    /// The system does not let this process read it.
    #[error("permission denied: you may not read this file")]
    PermissionDenied,
    /// Reading failed in another way, told in the system's words.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// There are no bytes.
    #[error("it is empty")]
    Empty,
    /// There are too many bytes; how many, where that is known.
    #[error("{}", too_many_bytes(*.0))]
    TooManyBytes(Option<u64>),
    /// The content is no picture; what it looks like, where that can be told.
    #[error("{}", not_a_picture(*.0))]
    NotAPicture(Option<&'static str>),
    /// A picture in a format that is not read.
    #[error("{0} pictures are not supported: convert it to JPEG or PNG")]
    UnsupportedFormat(&'static str),
    /// A rare variant of a format that is read otherwise.
    #[error("this kind of {format} is not supported ({detail}): convert it to an ordinary PNG")]
    UnsupportedVariant {
        /// The format's name.
        format: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// The data stop before the picture is complete.
    #[error("the file ends early: copy or download it again")]
    EndsEarly,
    /// More pixels than [`MAX_PIXELS`].
    #[error("{}", too_many_pixels(*.width, *.height))]
    TooManyPixels {
        /// The claimed width in pixels.
        width: u32,
        /// The claimed height in pixels.
        height: u32,
    },
    /// Within the limit on pixels, but so deep that decoding needs too much memory.
    #[error("decoding it takes too much memory: make it smaller, or convert it to 8 bits")]
    TooMuchMemory,
    /// The width or the height is zero.
    #[error("it has no pixels: its width or height is zero")]
    ZeroSized,
    /// The decoder found an error in the data.
    #[error("the {format} data are damaged ({detail})")]
    Damaged {
        /// The format's name.
        format: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// The decoder itself failed. The data are damaged in a way it does not expect.
    #[error("the {format} decoder failed on it: the file is damaged or very unusual")]
    DecoderFailed {
        /// The format's name.
        format: &'static str,
    },
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::IsFolder,
            _ => Self::Unreadable(brief(&error)),
        }
    }
}

fn too_many_bytes(bytes: Option<u64>) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    match bytes {
        Some(bytes) => {
            format!("{} MiB is over the limit of {} MiB", mib(bytes), mib(MAX_FILE_BYTES))
        }
        None => format!("it is over the limit of {} MiB", mib(MAX_FILE_BYTES)),
    }
}

fn not_a_picture(looks_like: Option<&str>) -> String {
    match looks_like {
        Some(kind) => format!("not a picture: it looks like {kind}"),
        None => "not a picture in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, PNM)".to_owned(),
    }
}

fn too_many_pixels(width: u32, height: u32) -> String {
    // Rounded up, so that a picture just over the limit is not said to be as large as the limit.
    let megapixels = (u64::from(width) * u64::from(height)).div_ceil(10_000) as f64 / 100.0;
    let limit = MAX_PIXELS / 1_000_000;
    format!("{width}×{height} ({megapixels} megapixels) is over the limit of {limit} megapixels")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn message(reason: Reason) -> String {
        CaptureError::new(&Source::File(PathBuf::from("pictures/cat.jpg")), reason).to_string()
    }

    #[test]
    fn messages_name_the_file_and_the_reason() {
        let wanted = [
            (Reason::NotFound, "no such file"),
            (Reason::IsFolder, "it is a folder: name one picture inside it"),
            (Reason::Empty, "it is empty"),
            (Reason::NotAPicture(Some("a text file")), "not a picture: it looks like a text file"),
            (
                Reason::UnsupportedFormat("HEIC"),
                "HEIC pictures are not supported: convert it to JPEG or PNG",
            ),
            (Reason::EndsEarly, "the file ends early: copy or download it again"),
            (
                Reason::TooManyPixels { width: 30_000, height: 30_000 },
                "30000×30000 (900 megapixels) is over the limit of 100 megapixels",
            ),
            (
                Reason::TooManyPixels { width: 100_000_001, height: 1 },
                "100000001×1 (100.01 megapixels) is over the limit of 100 megapixels",
            ),
            (Reason::TooManyBytes(Some((256 << 20) + 1)), "257 MiB is over the limit of 256 MiB"),
            (Reason::TooManyBytes(None), "it is over the limit of 256 MiB"),
        ];
        for (reason, text) in wanted {
            assert_eq!(message(reason), format!("pictures/cat.jpg: {text}"));
        }
    }

    #[test]
    fn system_errors_become_reasons() {
        let reason = |kind| Reason::from(io::Error::from(kind));
        assert_eq!(reason(io::ErrorKind::NotFound), Reason::NotFound);
        assert_eq!(reason(io::ErrorKind::PermissionDenied), Reason::PermissionDenied);
        assert_eq!(reason(io::ErrorKind::IsADirectory), Reason::IsFolder);
        assert!(matches!(reason(io::ErrorKind::TimedOut), Reason::Unreadable(_)));
    }

    #[test]
    fn foreign_words_stay_on_one_line() {
        let reason = Reason::from(io::Error::other("two\nlines"));
        let error = CaptureError::new(&Source::Memory("a\nb".into()), reason);
        assert_eq!(error.to_string(), "a\\nb: it cannot be read: two lines");
    }
}
