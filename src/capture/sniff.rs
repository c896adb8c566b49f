//! Telling by its first bytes what a file is: a picture to decode, or what it is instead.

use std::path::Path;

use image::ImageFormat;

use super::container;
use super::error::Reason;

/// The formats that are decoded. Only these, whatever else the `image` crate was built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    Pnm,
}

impl Format {
    /// The name people know it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Pnm => "PNM",
        }
    }
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Jpeg => Self::Jpeg,
            Format::Png => Self::Png,
            Format::WebP => Self::WebP,
            Format::Gif => Self::Gif,
            Format::Bmp => Self::Bmp,
            Format::Tiff => Self::Tiff,
            Format::Pnm => Self::Pnm,
        }
    }
}

/// What the names of files in these formats end in, for finding pictures; a file that is named
/// outright is read whatever its name.
pub const ENDINGS: &[&str] =
    &["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"];

/// Whether a file is called as a picture is.
pub fn is_named_as_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Starts of files in picture formats that are not decoded.
const OTHER_PICTURES: &[(&[u8], &str)] = &[
    (b"\xFF\x0A", "JPEG XL"),
    (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"\0\0\x01\0", "ICO"),
    (b"icns", "ICNS"),
    (b"\x0A\x05\x01", "PCX"),
    (b"DDS ", "DDS"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x76\x2F\x31\x01", "OpenEXR"),
    (b"qoif", "QOI"),
    (b"farbfeld", "farbfeld"),
];

/// Starts of files that are no pictures.
const NO_PICTURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF: export its page as a PNG"),
    (b"%!PS", "a PostScript file: export it as a PNG"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1F\x8B", "a gzip archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1A\x45\xDF\xA3", "a video: save one of its frames as a picture"),
    (b"OggS", "an Ogg sound or video"),
    (b"ID3", "an MP3 sound"),
    (b"fLaC", "a FLAC sound"),
    (b"\x7FELF", "a program"),
    (b"GGUF", "a GGUF model"),
];

/// What to decode `bytes` as.
///
/// # Errors
/// What they are instead, or that they are in no known format.
pub(super) fn recognise(bytes: &[u8]) -> Result<Format, Reason> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok(Format::Jpeg),
        Ok(ImageFormat::Png) => Ok(Format::Png),
        Ok(ImageFormat::WebP) => Ok(Format::WebP),
        Ok(ImageFormat::Gif) => Ok(Format::Gif),
        Ok(ImageFormat::Tiff) if is_camera_raw(bytes) => {
            Err(Reason::UnsupportedFormat("camera raw"))
        }
        Ok(ImageFormat::Tiff) => Ok(Format::Tiff),
        // Two letters are weak evidence: a text may begin with "BMW" or "P2P".
        Ok(ImageFormat::Bmp) if !looks_like_text(bytes) => Ok(Format::Bmp),
        Ok(ImageFormat::Pnm) if is_pnm_header(bytes) => Ok(Format::Pnm),
        _ => Err(what_instead(bytes)),
    }
}

/// What a file that is not decoded is, in the words of a reason.
fn what_instead(bytes: &[u8]) -> Reason {
    if bytes.is_empty() {
        return Reason::Empty;
    }
    if let Some(reason) = media_container(bytes) {
        return reason;
    }
    let named = |table: &[(&[u8], &'static str)]| {
        table.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
    };
    if let Some(name) = named(OTHER_PICTURES) {
        return Reason::UnsupportedFormat(name);
    }
    // The one format of these that is known by its end.
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return Reason::UnsupportedFormat("TGA");
    }
    if let Some(name) = named(NO_PICTURES) {
        return Reason::NotAPicture(Some(name));
    }
    if is_start_of_picture(bytes) {
        return Reason::EndsEarly;
    }
    if !looks_like_text(bytes) {
        return Reason::NotAPicture(None);
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_ascii_lowercase();
    let html = head.contains("<!doctype html") || head.contains("<html");
    if html {
        // The usual way to one: saving the page around a picture, or a server's error page.
        Reason::NotAPicture(Some("a web page: download the picture itself"))
    } else if head.contains("<svg") {
        Reason::UnsupportedFormat("SVG")
    } else {
        Reason::NotAPicture(Some("a text file"))
    }
}

/// Boxed media files (ISO 14496-12: `ftyp` and the major brand at byte 4) and RIFF files.
fn media_container(bytes: &[u8]) -> Option<Reason> {
    let brand = bytes.get(8..12)?;
    if bytes.starts_with(b"RIFF") {
        return Some(Reason::NotAPicture(Some(match brand {
            b"WAVE" => "a WAV sound",
            b"AVI " => "a video: save one of its frames as a picture",
            _ => return None,
        })));
    }
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    Some(match brand {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => {
            Reason::UnsupportedFormat("HEIC")
        }
        b"avif" | b"avis" => Reason::UnsupportedFormat("AVIF"),
        // A generic brand: the compatible brands after it say which.
        b"mif1" | b"msf1" => {
            let brands = bytes.get(12..64.min(bytes.len())).unwrap_or_default();
            let avif = brands.chunks_exact(4).any(|brand| brand == b"avif");
            Reason::UnsupportedFormat(if avif { "AVIF" } else { "HEIC" })
        }
        b"crx " => Reason::UnsupportedFormat("camera raw"),
        b"M4A " => Reason::NotAPicture(Some("an MP4 sound")),
        _ => Reason::NotAPicture(Some("a video: save one of its frames as a picture")),
    })
}

/// Whether a TIFF is the raw file of a camera, of which only a preview could be decoded.
fn is_camera_raw(bytes: &[u8]) -> bool {
    let canon = bytes.starts_with(b"II*\0") && bytes.get(8..10) == Some(b"CR");
    canon || container::tiff_is_preview(bytes)
}

/// Whether this is a file cut off within the magic bytes of a format that is decoded.
fn is_start_of_picture(bytes: &[u8]) -> bool {
    // A single byte is shared by too many formats to say anything.
    bytes.len() >= 2
        && (b"\xFF\xD8\xFF".starts_with(bytes)
            || b"\x89PNG\r\n\x1A\n".starts_with(bytes)
            || b"GIF89a".starts_with(bytes)
            || b"GIF87a".starts_with(bytes)
            || (bytes.starts_with(b"RIFF") && bytes.len() < 12)
            || b"RIFF".starts_with(bytes)
            || b"II*\0".starts_with(bytes)
            || b"MM\0*".starts_with(bytes))
}

/// Whether `P1` to `P7` is followed by what a header has there, and not by prose.
fn is_pnm_header(bytes: &[u8]) -> bool {
    let rest = &bytes[2.min(bytes.len())..];
    let fields = rest.trim_ascii_start();
    let separated = fields.len() < rest.len() || fields.starts_with(b"#");
    let keyword = bytes.starts_with(b"P7");
    separated
        && match fields.first() {
            Some(b'#') | None => true,
            Some(byte) => byte.is_ascii_digit() || (keyword && byte.is_ascii_uppercase()),
        }
}

/// Whether the start reads as text: UTF-8 without control characters, or UTF-16 with its mark.
fn looks_like_text(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return true;
    }
    let head = &bytes[..bytes.len().min(1024)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0C'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_decoded() {
        let starts: [(&[u8], Format); 9] = [
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", Format::Jpeg),
            (b"\x89PNG\r\n\x1A\n\0\0\0\x0D", Format::Png),
            (b"RIFF\x10\0\0\0WEBPVP8L", Format::WebP),
            (b"GIF87a\x01\0", Format::Gif),
            (b"BM\x46\0\0\0\0\0\0\0", Format::Bmp),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"MM\0*\0\0\0\x08", Format::Tiff),
            (b"P3#made by hand\n1 1 255 1 2 3", Format::Pnm),
            (b"P7\nWIDTH 1\n", Format::Pnm),
        ];
        for (bytes, format) in starts {
            assert_eq!(recognise(bytes), Ok(format), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn pictures_that_are_not_decoded_are_called_by_their_names() {
        let starts: [(&[u8], &str); 16] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
            (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "AVIF"),
            (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01crx ", "camera raw"),
            (b"II*\0\x10\0\0\0CR\x02\0", "camera raw"),
            (b"\xFF\x0A\xFA\x1F", "JPEG XL"),
            (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
            (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
            (b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg width='1'/>", "SVG"),
            (b"\0\0\x01\0\x01\0", "ICO"),
            (b"8BPS\0\x01", "Photoshop"),
            (b"qoif\0\0\0\x01", "QOI"),
            (b"DDS \x7C\0\0\0", "DDS"),
            (b"\0\0\x02\0\0\0....TRUEVISION-XFILE.\0", "TGA"),
        ];
        for (bytes, name) in starts {
            let reason = Reason::UnsupportedFormat(name);
            assert_eq!(recognise(bytes), Err(reason), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_picture_is_called_what_it_is() {
        let starts: [(&[u8], &str); 13] = [
            (b"Dear diary, today I saw a cat.\n", "a text file"),
            ("Über Katzen: 猫".as_bytes(), "a text file"),
            (b"\xFF\xFEh\0i\0", "a text file"),
            (b"BMW is the maker of this car", "a text file"),
            (b"P2P networks", "a text file"),
            (b"P1 is the first of the points", "a text file"),
            (b"P5", "a text file"),
            (b"<!DOCTYPE html><html><svg></svg>", "a web page"),
            (b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", "a PDF"),
            (b"PK\x03\x04\x14\0", "a ZIP archive"),
            (b"\0\0\0\x18ftypisom\0\0\x02\0", "a video"),
            (b"RIFF\x24\0\0\0AVI LIST", "a video"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "a WAV sound"),
        ];
        for (bytes, kind) in starts {
            match recognise(bytes) {
                Err(Reason::NotAPicture(Some(told))) if told.starts_with(kind) => {}
                other => panic!("{}: {other:?}", bytes.escape_ascii()),
            }
        }
        assert_eq!(recognise(&[0; 64]), Err(Reason::NotAPicture(None)));
        assert_eq!(recognise(b"\x93NUMPY\x01\0v\0"), Err(Reason::NotAPicture(None)));
        assert_eq!(recognise(b""), Err(Reason::Empty));
    }

    #[test]
    fn a_text_may_end_its_first_kilobyte_within_a_character() {
        let text = format!("{}é and more", "x".repeat(1023));
        assert!(looks_like_text(text.as_bytes()));
        assert!(!looks_like_text(b"text with a \0 in it"));
        assert!(!looks_like_text(b"latin-1 \xE9 is not UTF-8"));
    }

    #[test]
    fn files_cut_off_within_their_first_bytes_end_early() {
        for start in [&b"\xFF\xD8"[..], b"\x89PN", b"GIF8", b"RIFF\x10\0\0\0WE", b"MM\0"] {
            assert_eq!(recognise(start), Err(Reason::EndsEarly), "{}", start.escape_ascii());
        }
    }

    #[test]
    fn every_format_that_is_decoded_has_an_ending_and_every_ending_one() {
        let formats = [
            Format::Jpeg,
            Format::Png,
            Format::WebP,
            Format::Gif,
            Format::Bmp,
            Format::Tiff,
            Format::Pnm,
        ];
        let of = |ending: &&str| {
            let format = ImageFormat::from_extension(ending);
            formats.into_iter().find(|known| format == Some((*known).into()))
        };
        let found: Vec<Format> = ENDINGS.iter().map(|ending| of(ending).unwrap()).collect();
        assert!(formats.iter().all(|format| found.contains(format)));
        assert!(is_named_as_picture(Path::new("a/b.JPeG")));
        assert!(!is_named_as_picture(Path::new("jpg")) && !is_named_as_picture(Path::new("a.txt")));
    }
}
