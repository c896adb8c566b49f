//! Pictures in: from files, from the standard input, from bytes in memory, from a camera.
//!
//! Whatever arrives is outside data and may be anything at all. What leaves is a
//! [`Frame`](values::frame::Frame) of upright, opaque RGB pixels, or a [`CaptureError`] that says in
//! one line what is wrong with which file.
//!
//! * Formats: JPEG, PNG, WebP, GIF and animated pictures (the first frame), BMP, TIFF, PNM. They
//!   are told by their content, never by the file's name, and nothing outside this list is handed to
//!   a decoder, even where other crates of the build switch more decoders on.
//! * The size is read and checked before any pixel is decoded: [`MAX_FILE_BYTES`], [`MAX_PIXELS`].
//! * A file that ends early is refused. Half a picture with a grey rest is no ground for an answer.
//! * An orientation tag (EXIF or TIFF) is applied.
//! * Transparent parts are laid over white. Most pictures with transparency are logos, drawings and
//!   diagrams made for a light page, often black on nothing; browsers show them so too.
//! * 16-bit and floating-point samples become 8-bit, grey and CMYK become RGB. Colour profiles are
//!   not applied: samples are taken as sRGB.

mod camera;
mod container;
mod decode;
mod error;
mod file;
mod orient;
mod sniff;
#[cfg(test)]
mod unit_tests;

pub use camera::{
    Camera, CameraChoice, CameraDevice, CameraError, CameraFeed, CameraFormatInfo, CameraState,
    ListedCamera, PixelFormat, UnknownFormat, list_cameras, take_picture,
};
pub use decode::MAX_PIXELS;
pub use error::{CaptureError, Reason};
pub use file::{MAX_FILE_BYTES, load, load_bytes, load_reader};
pub use sniff::{ENDINGS, is_named_as_picture};
