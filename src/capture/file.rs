//! Reading pictures from files, streams and bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use values::frame::{Frame, Source};

use super::decode;
use super::error::{CaptureError, Reason};

/// The most bytes a picture file may have: 256 MiB.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// Loads the picture at `path`.
///
/// # Errors
/// Whatever keeps it from becoming a frame: see [`Reason`].
pub fn load(path: &Path) -> Result<Frame, CaptureError> {
    let source = Source::File(path.to_owned());
    match read_file(path) {
        Ok(bytes) => load_bytes(source, &bytes),
        Err(reason) => Err(CaptureError::new(&source, reason)),
    }
}

/// Loads a picture from a stream, such as the standard input, reading to its end.
///
/// # Errors
/// Whatever keeps it from becoming a frame: see [`Reason`].
pub fn load_reader(source: Source, reader: impl Read) -> Result<Frame, CaptureError> {
    match read_bounded(reader, 0, MAX_FILE_BYTES) {
        Ok(bytes) => load_bytes(source, &bytes),
        Err(reason) => Err(CaptureError::new(&source, reason)),
    }
}

/// Loads a picture from the bytes of a picture file.
///
/// # Errors
/// Whatever keeps them from becoming a frame: see [`Reason`].
pub fn load_bytes(source: Source, bytes: &[u8]) -> Result<Frame, CaptureError> {
    match decode::decode(bytes) {
        Ok(pixels) => Ok(Frame::new(pixels, source)),
        Err(reason) => Err(CaptureError::new(&source, reason)),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Reason> {
    let file = File::open(path).map_err(|error| {
        // Windows calls opening a folder a lack of permission; elsewhere reading it fails, by name.
        if path.is_dir() { Reason::IsFolder } else { Reason::from(error) }
    })?;
    let metadata = file.metadata()?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Reason::TooManyBytes(Some(metadata.len())));
    }
    read_bounded(file, metadata.len(), MAX_FILE_BYTES)
}

/// Reads to the end, or fails as soon as there are more than `limit` bytes. `expected` bytes are
/// made room for beforehand.
fn read_bounded(reader: impl Read, expected: u64, limit: u64) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    // One more than expected, so that finding the end does not grow the buffer.
    let room = usize::try_from(expected.min(limit) + 1).unwrap_or(0);
    bytes.try_reserve_exact(room).map_err(|_| Reason::TooMuchMemory)?;
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Reason::TooManyBytes(None));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Cursor};
    use std::path::PathBuf;

    use super::*;

    /// The smallest of pictures: one red pixel.
    const RED: &[u8] = b"P6 1 1 255\n\xFF\x00\x00";

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn reason(path: &Path) -> Reason {
        load(path).unwrap_err().reason().clone()
    }

    #[test]
    fn a_file_becomes_a_frame_whatever_it_is_called() {
        let folder = folder();
        let path = file(&folder, "really a ppm.jpg", RED);
        let frame = load(&path).unwrap();
        assert_eq!(frame.pixels.as_raw(), &[255, 0, 0]);
        assert_eq!(frame.source, Source::File(path));
        assert_eq!(frame.source.name(), "really a ppm.jpg");
        assert_ne!(load(&folder.path().join("really a ppm.jpg")).unwrap().id, frame.id);
    }

    #[test]
    fn files_that_cannot_be_read() {
        let folder = folder();
        assert_eq!(reason(&folder.path().join("none.png")), Reason::NotFound);
        assert_eq!(reason(Path::new("")), Reason::NotFound);
        assert_eq!(reason(folder.path()), Reason::IsFolder);
        assert_eq!(reason(&file(&folder, "empty.jpg", b"")), Reason::Empty);
        let text = reason(&file(&folder, "notes.jpg", b"not a picture at all"));
        assert_eq!(text, Reason::NotAPicture(Some("a text file")));
    }

    #[test]
    fn an_error_gives_the_path_as_it_was_written() {
        let error = load(Path::new("no/such/cat.jpg")).unwrap_err();
        assert_eq!(error.name(), "no/such/cat.jpg");
        assert_eq!(error.to_string(), "no/such/cat.jpg: no such file");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_permission() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let path = file(&folder, "secret.png", RED);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser may read everything.
        if File::open(&path).is_err() {
            assert_eq!(reason(&path), Reason::PermissionDenied);
        }
    }

    #[test]
    fn a_huge_file_is_refused_by_its_length() {
        let folder = folder();
        let path = file(&folder, "huge.tif", b"II*\0");
        // A hole: it takes no room on most disks.
        File::options().write(true).open(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(reason(&path), Reason::TooManyBytes(Some(MAX_FILE_BYTES + 1)));
    }

    #[test]
    fn a_stream_becomes_a_frame() {
        let frame = load_reader(Source::Stdin, RED).unwrap();
        assert_eq!((frame.width(), frame.height(), frame.source), (1, 1, Source::Stdin));
        let error = load_reader(Source::Stdin, io::empty()).unwrap_err();
        assert_eq!(error.to_string(), "stdin: it is empty");
    }

    #[test]
    fn a_stream_is_read_no_further_than_the_limit() {
        let read =
            |length: usize, expected| read_bounded(Cursor::new(vec![7; length]), expected, 10);
        assert_eq!(read(10, 0).unwrap().len(), 10);
        assert_eq!(read(10, 10).unwrap().len(), 10);
        assert_eq!(read(11, 0), Err(Reason::TooManyBytes(None)));
        // A file that has grown since it was measured.
        assert_eq!(read(11, 3), Err(Reason::TooManyBytes(None)));
        assert_eq!(read_bounded(io::repeat(1), 0, 10), Err(Reason::TooManyBytes(None)));
    }

    #[test]
    fn a_stream_that_breaks_is_reported() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the cable came out"))
            }
        }
        let error = load_reader(Source::Stdin, Broken).unwrap_err();
        assert_eq!(error.to_string(), "stdin: it cannot be read: the cable came out");
    }
}
