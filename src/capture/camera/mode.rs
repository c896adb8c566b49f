//! What a camera can deliver, and in which order it is worth trying.

use std::fmt;
use std::str::FromStr;

/// The size that is asked for where nobody chose one: more than the model looks at, and within
/// reach of every camera.
const USUAL_SIZE: (u32, u32) = (1280, 720);
/// Frames a second below which a live picture feels stuck.
const LEAST_FPS: u32 = 15;
/// Frames a second above which only heat is gained.
const USUAL_FPS: u32 = 30;

/// How a camera writes its pixels.
///
/// `Display` and `FromStr` know it by its usual name: `MJPEG`, `YUYV`, `NV12`, `RGB`, `BGR`, `GRAY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PixelFormat {
    /// One JPEG for each frame.
    Mjpeg,
    /// YUV 4:2:2, packed.
    Yuyv,
    /// YUV 4:2:0 in two planes.
    Nv12,
    /// Three bytes a pixel, red first.
    Rgb,
    /// Three bytes a pixel, blue first.
    Bgr,
    /// One byte a pixel.
    Gray,
}

impl PixelFormat {
    /// All of them, the preferred first: compressed is what cameras deliver large pictures fast in.
    pub const ALL: [Self; 6] =
        [Self::Mjpeg, Self::Yuyv, Self::Nv12, Self::Rgb, Self::Bgr, Self::Gray];

    /// The usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "MJPEG",
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Gray => "GRAY",
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No pixel format has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pixel format that is read here: use MJPEG, YUYV, NV12, RGB, BGR or GRAY")]
pub struct UnknownFormat;

impl FromStr for PixelFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let is_it = |format: &Self| format.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is_it).ok_or(UnknownFormat)
    }
}

/// One way of delivering frames that a camera offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraFormatInfo {
    /// How the pixels are written.
    pub pixels: PixelFormat,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// Frames a second, to the nearest whole number.
    pub fps: u32,
}

impl CameraFormatInfo {
    /// The usual name of the pixel format.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.pixels.name()
    }
}

impl fmt::Display for CameraFormatInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}×{} at {} fps", self.name(), self.width, self.height, self.fps)
    }
}

/// What is wanted of a camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub size: Option<(u32, u32)>,
    /// Only this pixel format, for finding out what a camera can do.
    pub pixels: Option<PixelFormat>,
}

/// The modes worth trying, the best first.
///
/// The best of each pixel format come before the rest: what keeps one mode from working mostly
/// keeps all modes of its format from it.
pub(super) fn in_order(modes: &[CameraFormatInfo], wanted: Wanted) -> Vec<CameraFormatInfo> {
    let mut rest: Vec<_> = modes
        .iter()
        .copied()
        .filter(|mode| wanted.pixels.is_none_or(|pixels| pixels == mode.pixels))
        .collect();
    rest.sort_by(|a, b| cost(a, wanted).total_cmp(&cost(b, wanted)).then(a.cmp(b)));
    rest.dedup();
    let mut ordered: Vec<CameraFormatInfo> = Vec::with_capacity(rest.len());
    rest.retain(|mode| {
        let first = ordered.iter().all(|other| other.pixels != mode.pixels);
        if first {
            ordered.push(*mode);
        }
        !first
    });
    ordered.extend(rest);
    ordered
}

/// How far a mode is from what is wanted; 0 is a perfect fit.
fn cost(mode: &CameraFormatInfo, wanted: Wanted) -> f64 {
    let (width, height) = wanted.size.unwrap_or(USUAL_SIZE);
    // Twice as wide is as far away as half as wide.
    let apart = |have: u32, want: u32| (f64::from(have.max(1)) / f64::from(want.max(1))).log2();
    let mut size = apart(mode.width, width).abs() + apart(mode.height, height).abs();
    if wanted.size.is_some() && size > 0.0 {
        // Whoever chose a size gets it, however slow.
        size += 10.0;
    }
    let slow = if mode.fps < LEAST_FPS { 2.0 + apart(LEAST_FPS, mode.fps) } else { 0.0 };
    let fps = apart(mode.fps, USUAL_FPS).abs() * 0.1;
    let format = PixelFormat::ALL.iter().position(|&pixels| pixels == mode.pixels).unwrap_or(0);
    // A grey picture has lost what "what colour is it?" asks for.
    let grey = if mode.pixels == PixelFormat::Gray { 3.0 } else { 0.0 };
    size + slow + fps + grey + format as f64 * 0.05
}

/// The sizes among `modes`, the largest first.
pub(super) fn sizes(modes: &[CameraFormatInfo]) -> Vec<(u32, u32)> {
    let mut sizes: Vec<_> = modes.iter().map(|mode| (mode.width, mode.height)).collect();
    sizes.sort_unstable_by_key(|&(width, height)| {
        std::cmp::Reverse((u64::from(width) * u64::from(height), width))
    });
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use PixelFormat::{Gray, Mjpeg, Nv12, Yuyv};

    use super::*;

    fn mode(pixels: PixelFormat, width: u32, height: u32, fps: u32) -> CameraFormatInfo {
        CameraFormatInfo { pixels, width, height, fps }
    }

    fn first(modes: &[CameraFormatInfo], size: Option<(u32, u32)>) -> CameraFormatInfo {
        in_order(modes, Wanted { size, pixels: None })[0]
    }

    #[test]
    fn a_usual_webcam_gives_720p_at_a_smooth_rate() {
        let webcam = [
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 1280, 720, 10),
            mode(Mjpeg, 1920, 1080, 30),
            mode(Mjpeg, 1280, 720, 60),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 160, 120, 30),
        ];
        assert_eq!(first(&webcam, None), mode(Mjpeg, 1280, 720, 30));
        assert_eq!(first(&webcam, Some((640, 480))), mode(Yuyv, 640, 480, 30));
        assert_eq!(first(&webcam, Some((1920, 1080))), mode(Mjpeg, 1920, 1080, 30));
        assert_eq!(first(&webcam[..2], None), mode(Yuyv, 640, 480, 30));
        // A size that it has not: the nearest.
        assert_eq!(first(&webcam, Some((1900, 1000))), mode(Mjpeg, 1920, 1080, 30));
    }

    #[test]
    fn a_chosen_size_is_kept_even_where_it_is_slow() {
        let slow = [mode(Yuyv, 2592, 1944, 2), mode(Mjpeg, 1280, 720, 30)];
        assert_eq!(first(&slow, Some((2592, 1944))), slow[0]);
        assert_eq!(first(&slow, None), slow[1]);
    }

    #[test]
    fn every_pixel_format_is_tried_before_a_second_mode_of_one() {
        let modes = [
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 640, 480, 30),
            mode(Gray, 1280, 720, 30),
            mode(Nv12, 1280, 720, 30),
            mode(Yuyv, 320, 240, 30),
            mode(Yuyv, 320, 240, 30),
        ];
        let order = in_order(&modes, Wanted::default());
        let formats: Vec<_> = order.iter().map(|mode| mode.pixels).collect();
        assert_eq!(formats, [Mjpeg, Nv12, Gray, Yuyv, Mjpeg]);
        let only = Wanted { pixels: Some(Mjpeg), size: None };
        assert_eq!(in_order(&modes, only), modes[..2]);
        assert_eq!(in_order(&modes, Wanted { pixels: Some(PixelFormat::Rgb), size: None }), []);
    }

    #[test]
    fn odd_claims_of_a_driver_do_no_harm() {
        let odd = [mode(Yuyv, 0, 0, 0), mode(Yuyv, u32::MAX, u32::MAX, u32::MAX)];
        assert_eq!(in_order(&odd, Wanted::default()).len(), 2);
        assert_eq!(in_order(&odd, Wanted { size: Some((0, 0)), pixels: None }).len(), 2);
    }

    #[test]
    fn sizes_come_once_and_the_largest_first() {
        let modes = [mode(Yuyv, 640, 480, 30), mode(Mjpeg, 1280, 720, 30), mode(Nv12, 640, 480, 5)];
        assert_eq!(sizes(&modes), [(1280, 720), (640, 480)]);
    }

    #[test]
    fn formats_are_known_by_name() {
        assert_eq!("mjpeg".parse(), Ok(Mjpeg));
        assert_eq!("H264".parse::<PixelFormat>(), Err(UnknownFormat));
        assert!(PixelFormat::ALL.iter().all(|format| format.name().parse() == Ok(*format)));
        assert_eq!(mode(Yuyv, 640, 480, 30).to_string(), "YUYV 640×480 at 30 fps");
    }
}
