//! What nokhwa does not do on Linux: telling cameras from other video devices, and bringing a camera
//! into a state in which nokhwa opens it.
//!
//! nokhwa lists every `/dev/video*`, metadata nodes and outputs included; it leaves out modes whose
//! rate is no whole number; and it opens nothing whose present format or rate it does not know.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};
use values::panics;
use values::text::{brief, one_line};

use super::CameraDevice;
use super::device::Trouble;
use super::mode::{CameraFormatInfo, PixelFormat};

/// Sizes to ask for where a camera takes any.
const USUAL_SIZES: [(u32, u32); 8] = [
    (320, 240),
    (640, 360),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
];
/// Rates to ask for where a camera takes any, the usual one first.
const USUAL_RATES: [u32; 9] = [30, 25, 15, 20, 24, 60, 50, 10, 5];
/// How long it is believed that a node is no camera. Loopback devices become one when fed.
const NO_CAMERA_FOR: Duration = Duration::from_secs(10);

/// The video nodes seen so far. A camera is opened once to see what it is, and not again: that would
/// wake it from its sleep every time.
#[derive(Default)]
pub(super) struct Nodes(Mutex<HashMap<Node, Seen>>);

/// A node by its number and its file's identity: replugged, the same number is another node.
type Node = (u32, u64, i64, i64);

#[derive(Clone)]
struct Seen {
    /// The camera's name, if it is one.
    name: Option<String>,
    when: Instant,
}

impl Seen {
    fn nothing() -> Self {
        Self { name: None, when: Instant::now() }
    }
}

impl Nodes {
    pub fn list(&self) -> Result<Vec<CameraDevice>, String> {
        let mut found = Vec::new();
        let entries = fs::read_dir("/dev").map_err(|error| brief(&error))?;
        for entry in entries.flatten() {
            let file_name = entry.file_name();
            let index = file_name.to_str().and_then(|name| name.strip_prefix("video"));
            let Some(index) = index.and_then(|number| number.parse::<u32>().ok()) else {
                continue;
            };
            if let Ok(file) = entry.metadata() {
                found.push((index, file.ino(), file.ctime(), file.ctime_nsec()));
            }
        }
        found.sort_unstable();
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|node, seen| {
            found.contains(node) && (seen.name.is_some() || seen.when.elapsed() < NO_CAMERA_FOR)
        });
        let mut cameras = Vec::new();
        for node in found {
            let seen = match nodes.get(&node) {
                Some(seen) => seen.clone(),
                // A panic over an odd answer of the driver: nokhwa would not get further.
                None => match panics::guard(|| look_at(node.0))
                    .unwrap_or_else(|_| Some(Seen::nothing()))
                {
                    Some(seen) => nodes.entry(node).or_insert(seen).clone(),
                    // It cannot be opened now: what it is will be seen later.
                    None => Seen { name: maybe(node.0), when: Instant::now() },
                },
            };
            if let Some(name) = seen.name {
                cameras.push(CameraDevice { index: node.0, name });
            }
        }
        Ok(cameras)
    }
}

/// Opens a node to see whether it is a camera.
fn look_at(index: u32) -> Option<Seen> {
    let device = Device::new(index as usize).ok()?;
    let able = device
        .query_caps()
        .ok()
        .is_some_and(|caps| caps.capabilities.contains(Flags::VIDEO_CAPTURE | Flags::STREAMING));
    let formats = device.enum_formats().unwrap_or_default();
    let readable = formats.iter().any(|format| pixel_format(format.fourcc).is_some());
    let name = (able && readable).then(|| name(index));
    Some(Seen { name, when: Instant::now() })
}

/// The name of a node that may not be opened, unless it surely is no camera: the first node of a
/// device is the one with the pictures.
fn maybe(index: u32) -> Option<String> {
    let position = fs::read_to_string(format!("/sys/class/video4linux/video{index}/index"));
    (position.ok()?.trim() == "0").then(|| name(index))
}

fn name(index: u32) -> String {
    let text = fs::read(format!("/sys/class/video4linux/video{index}/name")).unwrap_or_default();
    let text = one_line(String::from_utf8_lossy(&text).trim());
    if text.is_empty() { format!("/dev/video{index}") } else { text }
}

/// Everything a camera offers in the pixel formats that nokhwa knows.
pub(super) fn modes(index: u32) -> Result<Vec<CameraFormatInfo>, Trouble> {
    let device = Device::new(index as usize).map_err(trouble)?;
    let mut modes = Vec::new();
    for format in device.enum_formats().map_err(trouble)? {
        let Some(pixels) = pixel_format(format.fourcc) else {
            continue;
        };
        for (width, height) in sizes(&device, format.fourcc) {
            for fps in rates(&device, format.fourcc, width, height) {
                modes.push(CameraFormatInfo { pixels, width, height, fps });
            }
        }
    }
    modes.sort_unstable();
    modes.dedup();
    Ok(modes)
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<(u32, u32)> {
    let mut sizes = Vec::new();
    for size in device.enum_framesizes(fourcc).unwrap_or_default() {
        match size.size {
            FrameSizeEnum::Discrete(size) => sizes.push((size.width, size.height)),
            FrameSizeEnum::Stepwise(range) => {
                sizes.extend(USUAL_SIZES.into_iter().filter(|&size| fits(&range, size)));
                sizes.push((range.max_width, range.max_height));
            }
        }
    }
    if sizes.is_empty() {
        // A driver that lists no sizes has at least the one it is set to.
        sizes.extend(device.format().ok().map(|now| (now.width, now.height)));
    }
    sizes
}

fn fits(range: &Stepwise, (width, height): (u32, u32)) -> bool {
    let on_step = |value: u32, min: u32, max: u32, step: u32| {
        (min..=max).contains(&value) && (value - min).is_multiple_of(step.max(1))
    };
    on_step(width, range.min_width, range.max_width, range.step_width)
        && on_step(height, range.min_height, range.max_height, range.step_height)
}

fn rates(device: &Device, fourcc: FourCC, width: u32, height: u32) -> Vec<u32> {
    let mut rates = Vec::new();
    for interval in device.enum_frameintervals(fourcc, width, height).unwrap_or_default() {
        match interval.interval {
            FrameIntervalEnum::Discrete(interval) => rates.push(rate(interval)),
            FrameIntervalEnum::Stepwise(range) => {
                let (slowest, fastest) = (rate(range.max), rate(range.min));
                rates.extend(USUAL_RATES.into_iter().filter(|r| (slowest..=fastest).contains(r)));
                rates.push(fastest);
            }
        }
    }
    // A driver that lists no rates is asked for the usual one, and says what it makes of it.
    if rates.is_empty() { vec![USUAL_RATES[0]] } else { rates }
}

/// Frames a second, to the nearest whole number above 0.
fn rate(interval: Fraction) -> u32 {
    let numerator = u64::from(interval.numerator.max(1));
    let rate = (u64::from(interval.denominator) + numerator / 2) / numerator;
    u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
}

/// Sets a camera to a mode, as near as its driver comes to it, at a rate that nokhwa accepts.
///
/// Returns the mode it has now, and the bytes from one row to the next.
pub(super) fn prepare(
    index: u32,
    mode: CameraFormatInfo,
) -> Result<(CameraFormatInfo, usize), Trouble> {
    let device = Device::new(index as usize).map_err(trouble)?;
    let wanted = Format::new(mode.width, mode.height, fourcc(mode.pixels));
    let format = device.set_format(&wanted).map_err(trouble)?;
    if format.fourcc != wanted.fourcc {
        return Err(Trouble::Mode(format!("it turns {} down", mode.pixels)));
    }
    let others = USUAL_RATES.into_iter().filter(|&fps| fps != mode.fps);
    for fps in std::iter::once(mode.fps).chain(others) {
        let taken = device.set_params(&Parameters::with_fps(fps)).map_err(trouble)?.interval;
        if taken.numerator == 1 && taken.denominator > 0 {
            let (width, height, fps) = (format.width, format.height, taken.denominator);
            let mode = CameraFormatInfo { pixels: mode.pixels, width, height, fps };
            return Ok((mode, format.stride as usize));
        }
    }
    Err(Trouble::Mode("none of its frame rates is a whole number".to_owned()))
}

/// Frees the thread that waits for a frame of this camera without end: it stops the stream through
/// the descriptor which that thread opened, and the wait ends in an error.
pub(super) fn unstick(index: u32) {
    let Ok(open) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    let node = format!("/dev/video{index}");
    for entry in open.flatten() {
        let is_it = fs::read_link(entry.path()).is_ok_and(|file| file.as_os_str() == &*node);
        let number = entry.file_name().to_str().and_then(|number| number.parse().ok());
        if let (true, Some(number)) = (is_it, number) {
            let mut kind = v4l::buffer::Type::VideoCapture as u32;
            // SAFETY: the request takes a pointer to an integer. Should the number have become
            // another file's meanwhile, the request is none of that file's, and refused.
            let stopped = unsafe {
                v4l::v4l2::ioctl(
                    number,
                    v4l::v4l2::vidioc::VIDIOC_STREAMOFF,
                    (&raw mut kind).cast(),
                )
            };
            tracing::debug!(index, ?stopped, "stopped a stream that hung");
        }
    }
}

/// Only what nokhwa can open: it asks for grey by a name that no driver knows.
fn pixel_format(fourcc: FourCC) -> Option<PixelFormat> {
    PixelFormat::ALL
        .into_iter()
        .find(|&pixels| pixels != PixelFormat::Gray && self::fourcc(pixels) == fourcc)
}

fn fourcc(pixels: PixelFormat) -> FourCC {
    FourCC::new(match pixels {
        PixelFormat::Mjpeg => b"MJPG",
        PixelFormat::Yuyv => b"YUYV",
        PixelFormat::Nv12 => b"NV12",
        PixelFormat::Rgb => b"RGB3",
        PixelFormat::Bgr => b"BGR3",
        PixelFormat::Gray => b"GREY",
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over results")]
fn trouble(error: io::Error) -> Trouble {
    match error.raw_os_error() {
        Some(libc::EBUSY) => Trouble::Busy,
        Some(libc::EACCES | libc::EPERM) => Trouble::Denied,
        Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => Trouble::Gone,
        _ => Trouble::Mode(brief(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_and_never_divide_by_nothing() {
        let of = |numerator, denominator| rate(Fraction::new(numerator, denominator));
        assert_eq!(of(1, 30), 30);
        assert_eq!(of(1001, 30_000), 30);
        assert_eq!(of(2, 15), 8);
        assert_eq!(of(0, 0), 1);
        assert_eq!(of(5, 1), 1);
        assert_eq!(of(1, u32::MAX), u32::MAX);
    }

    #[test]
    fn sizes_on_a_drivers_steps_are_offered() {
        let range = Stepwise {
            min_width: 16,
            max_width: 1920,
            step_width: 16,
            min_height: 16,
            max_height: 1088,
            step_height: 0,
        };
        assert!(fits(&range, (1280, 720)));
        assert!(!fits(&range, (1281, 720)));
        assert!(!fits(&range, (2560, 1440)));
        assert!(!fits(&range, (8, 16)));
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        let of = |code| trouble(io::Error::from_raw_os_error(code));
        assert_eq!(of(libc::EBUSY), Trouble::Busy);
        assert_eq!(of(libc::EACCES), Trouble::Denied);
        assert_eq!(of(libc::ENODEV), Trouble::Gone);
        assert!(matches!(of(libc::EINVAL), Trouble::Mode(_)));
    }

    #[test]
    fn a_machine_without_cameras_lists_none_and_opens_none() {
        assert!(Nodes::default().list().is_ok());
        assert_eq!(modes(987_654), Err(Trouble::Gone));
    }
}
