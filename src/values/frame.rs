//! A frame: one still picture, the thing a question is asked about.
//!
//! Whatever a picture came from, the rest of the program sees this one plain value: upright RGB
//! pixels, a number that names them, where they came from and when.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use image::RgbImage;
use sha2::{Digest, Sha256};

use crate::text::one_line;

/// The number of a frame, unique within this run of the program.
///
/// Numbers grow with time, so that of two frames the one with the greater number is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(u64);

impl FrameId {
    /// The next unused number.
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number itself, for logs and saved sessions.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a frame came from.
///
/// `Display` gives the short name a person would use: see [`Source::name`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A file on disk.
    File(PathBuf),
    /// The standard input of the process.
    Stdin,
    /// A camera, by its name.
    Camera(String),
    /// Bytes that were already in memory, with a name for messages.
    Memory(String),
}

impl Source {
    /// The short name: `cat.jpg` for `/home/me/cat.jpg`, `stdin`, or the name the bytes were given.
    ///
    /// Always one printable line.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => match path.file_name() {
                Some(name) => one_line(&name.to_string_lossy()),
                None => self.location(),
            },
            Self::Stdin | Self::Camera(_) | Self::Memory(_) => self.location(),
        }
    }

    /// The full name: a file's path as it was given, otherwise the same as [`Source::name`].
    ///
    /// Always one printable line.
    pub fn location(&self) -> String {
        match self {
            Self::File(path) => one_line(&path.to_string_lossy()),
            Self::Stdin => "stdin".to_owned(),
            Self::Camera(name) | Self::Memory(name) => one_line(name),
        }
    }

    /// The name to keep: of a file the last part of its path, of a camera no name, which is often
    /// its owner's.
    pub fn kept_name(&self) -> String {
        match self {
            Self::Camera(_) => "camera".to_owned(),
            Self::File(_) | Self::Stdin | Self::Memory(_) => without_folders(&self.name()),
        }
    }
}

/// The last part of what may be a path of any system, as one line.
pub fn without_folders(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("picture");
    one_line(last)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// One still picture.
///
/// A plain value, cheap to clone: the pixels are shared and never changed. They are upright (a
/// camera's orientation tag has been applied), opaque, and at least 1×1: `capture` makes no empty
/// frame.
#[derive(Clone)]
pub struct Frame {
    /// The pixels, 8 bits per channel, rows from the top.
    pub pixels: Arc<RgbImage>,
    /// The number that names this frame.
    pub id: FrameId,
    /// Where the pixels came from.
    pub source: Source,
    /// When the program took the picture in. Not the time at which a photograph was shot.
    pub time: SystemTime,
    /// Computed once for all clones.
    sha256: Arc<OnceLock<Arc<str>>>,
}

impl Frame {
    /// A new frame, numbered and dated now.
    pub fn new(pixels: impl Into<Arc<RgbImage>>, source: Source) -> Self {
        Self {
            pixels: pixels.into(),
            id: FrameId::next(),
            source,
            time: SystemTime::now(),
            sha256: Arc::default(),
        }
    }

    /// SHA-256, in hexadecimal, over the width and the height as 32-bit little-endian numbers and
    /// the RGB bytes, rows from the top: it names the pixels, whatever they were read from.
    ///
    /// Computed when it is first asked for, which for a large picture is not to be waited for.
    pub fn sha256(&self) -> &Arc<str> {
        self.sha256.get_or_init(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.pixels.width().to_le_bytes());
            hasher.update(self.pixels.height().to_le_bytes());
            hasher.update(self.pixels.as_raw());
            format!("{:x}", hasher.finalize()).into()
        })
    }

    /// The width in pixels.
    pub fn width(&self) -> u32 {
        self.pixels.width()
    }

    /// The height in pixels.
    pub fn height(&self) -> u32 {
        self.pixels.height()
    }
}

/// The pixels are left out: a derived `Debug` would print every one of them.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("id", &self.id)
            .field("size", &format_args!("{}×{}", self.width(), self.height()))
            .field("source", &self.source)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_has_its_own_growing_number() {
        let batch = || {
            let frame = || Frame::new(RgbImage::new(1, 1), Source::Stdin).id;
            let ids: Vec<_> = (0..100).map(|_| frame()).collect();
            assert!(ids.is_sorted(), "numbers grow with time: {ids:?}");
            ids
        };
        let mut ids: Vec<_> = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(batch));
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 400);
    }

    #[test]
    fn a_clone_is_the_same_frame_and_shares_its_pixels() {
        let frame = Frame::new(RgbImage::new(3, 2), Source::Memory("test card".into()));
        let copy = frame.clone();
        assert!(Arc::ptr_eq(&frame.pixels, &copy.pixels));
        assert_eq!((copy.id, copy.width(), copy.height()), (frame.id, 3, 2));
    }

    #[test]
    fn equal_pixels_of_one_size_have_one_name() {
        let name = |w, h| Frame::new(RgbImage::new(w, h), Source::Stdin).sha256().clone();
        assert_eq!((name(2, 3), name(2, 3).len()), (name(2, 3), 64));
        assert_ne!(name(2, 3), name(3, 2));
    }

    #[test]
    fn sources_have_short_and_full_names() {
        let file = Source::File(PathBuf::from("pictures/cat.jpg"));
        assert_eq!(file.name(), "cat.jpg");
        assert_eq!(file.location(), "pictures/cat.jpg");
        assert_eq!(Source::File(PathBuf::from("..")).name(), "..");
        assert_eq!(Source::Stdin.to_string(), "stdin");
        assert_eq!(Source::Memory("camera test".into()).to_string(), "camera test");
        assert_eq!(format!("[{:>7}]", Source::Stdin), "[  stdin]");
    }

    #[test]
    fn names_tell_no_folders_and_no_owner() {
        let file = Source::File(PathBuf::from("/home/me/cat.jpg"));
        assert_eq!(file.kept_name(), "cat.jpg");
        assert_eq!(Source::Memory("C:\\Users\\me\\cat.jpg".into()).kept_name(), "cat.jpg");
        assert_eq!(Source::Memory("pasted picture".into()).kept_name(), "pasted picture");
        assert_eq!(Source::Camera("Max's Phone".into()).kept_name(), "camera");
        assert_eq!(Source::Stdin.kept_name(), "stdin");
    }

    #[test]
    fn names_cannot_break_out_of_their_line() {
        let nasty = Source::File(PathBuf::from("a\n\u{1b}[2Jb\u{202e}gpj.exe"));
        let name = nasty.name();
        assert!(!name.chars().any(|c| c.is_control() || c == '\u{202e}'), "{name:?}");
    }

    #[test]
    fn debug_does_not_print_the_pixels() {
        let frame = Frame::new(RgbImage::new(640, 480), Source::Stdin);
        let text = format!("{frame:?}");
        assert!(text.len() < 200 && text.contains("640×480"), "{text}");
    }
}
