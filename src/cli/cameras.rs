//! `lorgnette cameras`: which cameras there are, and whether one of them works.

use std::io::{stderr, stdout};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use capture::{
    Camera, CameraChoice, CameraError, CameraFeed, CameraFormatInfo, CameraState, ListedCamera,
    PixelFormat, list_cameras,
};
use clap::Args;
use serde::Serialize;
use values::frame::Frame;

use super::CliError;
use super::output::{json_line, text_line};

/// Mean brightness, of 255, below which a picture shows nothing.
const BLACK: f64 = 4.0;

#[derive(Args)]
#[command(after_help = "Exit codes: 0 listed, or the camera that was tried delivered its frames; \
    2 the command line is wrong; 3 the camera does not work.")]
pub struct CamerasArgs {
    /// Which camera to try, by its number in the list; the first one without it.
    #[arg(value_name = "N", requires = "attempt")]
    camera: Option<u32>,
    /// Switch a camera on, count its frames, and tell what happens meanwhile. It may be pulled out
    /// and put in again.
    #[arg(long = "try")]
    attempt: bool,
    /// How many frames to count.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Only in this pixel format: MJPEG, YUYV, NV12, RGB, BGR or GRAY.
    #[arg(long, requires = "attempt")]
    format: Option<PixelFormat>,
    /// In this size, or the nearest to it.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, requires = "attempt")]
    size: Option<(u32, u32)>,
    /// Give up after this many seconds without a frame.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    wait: u64,
    /// Write the last frame to this file, in the format that its name ends in.
    #[arg(long, value_name = "FILE", requires = "attempt")]
    save: Option<PathBuf>,
    /// Print JSON. What happens meanwhile goes to standard error.
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(['x', 'X', '×']);
    let number = |text: &str| text.trim().parse().ok().filter(|&number| number > 0);
    parts
        .and_then(|(width, height)| Some((number(width)?, number(height)?)))
        .ok_or_else(|| "not a size: write it as 1280x720".to_owned())
}

pub fn run(args: &CamerasArgs) -> Result<(), CliError> {
    if args.attempt { attempt(args) } else { list(args.json) }
}

#[derive(Serialize)]
struct Listed<'a> {
    index: u32,
    name: &'a str,
    modes: Vec<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Mode {
    format: &'static str,
    width: u32,
    height: u32,
    fps: u32,
}

impl From<&CameraFormatInfo> for Mode {
    fn from(mode: &CameraFormatInfo) -> Self {
        let CameraFormatInfo { width, height, fps, .. } = *mode;
        Self { format: mode.name(), width, height, fps }
    }
}

fn list(json: bool) -> Result<(), CliError> {
    let cameras = list_cameras()?;
    let mut out = stdout().lock();
    if json {
        let listed = cameras.iter().map(|camera| {
            let modes = camera.modes.as_deref().unwrap_or_default();
            Listed {
                index: camera.device.index,
                name: &camera.device.name,
                modes: modes.iter().map(Mode::from).collect(),
                error: camera.modes.as_ref().err().map(ToString::to_string),
            }
        });
        return json_line(&mut out, &listed.collect::<Vec<_>>());
    }
    if cameras.is_empty() {
        return text_line(&mut out, "No camera is connected.");
    }
    for line in cameras.iter().flat_map(lines) {
        text_line(&mut out, &line)?;
    }
    Ok(())
}

/// A camera's name, and below it a line for each of its pixel formats.
fn lines(camera: &ListedCamera) -> Vec<String> {
    let mut lines = vec![format!("{:<3} {}", camera.device.index, camera.device.name)];
    match &camera.modes {
        Err(error) => lines.push(format!("    {error}")),
        Ok(modes) if modes.is_empty() => {
            lines.push("    it offers no format that can be read here".to_owned());
        }
        Ok(modes) => {
            for pixels in PixelFormat::ALL {
                let sizes = fastest(modes, pixels);
                if !sizes.is_empty() {
                    lines.push(format!("    {pixels:5} {}", sizes.join(", ")));
                }
            }
        }
    }
    lines
}

/// The sizes of a pixel format, the largest first, each at its highest rate.
fn fastest(modes: &[CameraFormatInfo], pixels: PixelFormat) -> Vec<String> {
    let mut modes: Vec<_> = modes.iter().filter(|mode| mode.pixels == pixels).collect();
    modes.sort_by_key(|mode| {
        std::cmp::Reverse((u64::from(mode.width) * u64::from(mode.height), mode.width, mode.fps))
    });
    modes.dedup_by_key(|mode| (mode.width, mode.height));
    let text = |mode: &CameraFormatInfo| format!("{}×{} {} fps", mode.width, mode.height, mode.fps);
    modes.into_iter().map(text).collect()
}

/// What was seen of a camera that was tried.
#[derive(Serialize)]
struct Findings {
    camera: String,
    #[serde(flatten)]
    mode: Mode,
    frames: u32,
    /// Seconds in which it delivered them, interruptions left out.
    seconds: f64,
    /// Frames a second as they came.
    measured_fps: Option<f64>,
    /// Frames that differ from the one before.
    different: u32,
    /// Mean brightness of the brightest frame, 0 to 255.
    brightness: f64,
    /// Everything the camera did, in order.
    states: Vec<String>,
}

fn attempt(args: &CamerasArgs) -> Result<(), CliError> {
    let (bell, rung) = sync_channel(1);
    let camera = Camera::start(move || {
        // A bell that has not been heard yet needs no second stroke.
        let _: Result<(), _> = bell.try_send(());
    })?;
    let name = choose(&camera, &rung, args)?;
    camera.watch_as(CameraChoice { name: Some(name.clone()), size: args.size }, args.format);

    let mut watched = Watched::new();
    while watched.frames < args.frames {
        let state = camera.state();
        match watched.state(&state) {
            Some(line) if args.json => text_line(&mut stderr().lock(), &line)?,
            Some(line) => text_line(&mut stdout().lock(), &line)?,
            None => {}
        }
        if let Some(frame) = camera.newest() {
            watched.frame(frame);
            continue;
        }
        let left = Duration::from_secs(args.wait).saturating_sub(watched.quiet_since.elapsed());
        // A camera that has worked gets the whole time to come back.
        let hopeless = watched.frames == 0
            && (state == CameraState::Denied
                || matches!(state, CameraState::Failed(_)) && camera.has_tried_all());
        if left.is_zero() || hopeless {
            let slow = CameraError::TooSlow { name: name.clone(), seconds: args.wait };
            return Err(state.trouble(&name).unwrap_or(slow).into());
        }
        // Whatever ended the wait, everything is looked at again.
        let _: Result<(), _> = rung.recv_timeout(left);
    }
    let last = watched.last.take();
    drop(camera);
    if let (Some(file), Some(frame)) = (&args.save, &last) {
        frame.pixels.save(file).map_err(|error| CliError::File {
            file: file.display().to_string(),
            reason: error.to_string(),
        })?;
    }
    watched.report(name, args.json)
}

/// The name of the camera to try.
fn choose(camera: &Camera, rung: &Receiver<()>, args: &CamerasArgs) -> Result<String, CliError> {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    while !camera.has_looked() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let name = "The list of cameras".to_owned();
            return Err(CameraError::TooSlow { name, seconds: args.wait }.into());
        }
        let _: Result<(), _> = rung.recv_timeout(left);
    }
    let mut devices = camera.devices().into_iter();
    match args.camera {
        None => devices.next().map(|device| device.name).ok_or(CameraError::Missing.into()),
        Some(index) => match devices.find(|device| device.index == index) {
            Some(device) => Ok(device.name),
            None => Err(CameraError::NotThere { index }.into()),
        },
    }
}

/// What was seen so far.
struct Watched {
    begun: Instant,
    quiet_since: Instant,
    /// When the last frame came, unless the camera was interrupted since.
    previous: Option<Instant>,
    frames: u32,
    intervals: u32,
    seconds: f64,
    different: u32,
    brightness: f64,
    mode: Option<CameraFormatInfo>,
    last: Option<Frame>,
    states: Vec<String>,
}

impl Watched {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            quiet_since: Instant::now(),
            previous: None,
            frames: 0,
            intervals: 0,
            seconds: 0.0,
            different: 0,
            brightness: 0.0,
            mode: None,
            last: None,
            states: Vec::new(),
        }
    }

    /// The line that tells of a change of state.
    fn state(&mut self, state: &CameraState) -> Option<String> {
        let text = state.to_string();
        if self.states.last() == Some(&text) {
            return None;
        }
        match state {
            CameraState::Live { format, .. } => self.mode = Some(*format),
            _ => self.previous = None,
        }
        let line = format!("[{:6.1} s] {text}", self.begun.elapsed().as_secs_f64());
        self.states.push(text);
        Some(line)
    }

    fn frame(&mut self, frame: Frame) {
        let now = Instant::now();
        if let Some(previous) = self.previous.replace(now) {
            self.intervals += 1;
            self.seconds += (now - previous).as_secs_f64();
        }
        self.quiet_since = now;
        self.frames += 1;
        let same = self.last.as_ref().is_none_or(|last| last.pixels == frame.pixels);
        self.different += u32::from(!same);
        let samples = frame.pixels.as_raw();
        let sum: u64 = samples.iter().map(|&sample| u64::from(sample)).sum();
        self.brightness = self.brightness.max(sum as f64 / samples.len() as f64);
        self.last = Some(frame);
    }

    fn report(self, camera: String, json: bool) -> Result<(), CliError> {
        let Some(mode) = self.mode else {
            return Err(CameraError::TooSlow { name: camera, seconds: 0 }.into());
        };
        let measured_fps = (self.seconds > 0.0).then(|| f64::from(self.intervals) / self.seconds);
        let findings = Findings {
            camera,
            mode: Mode::from(&mode),
            frames: self.frames,
            seconds: self.seconds,
            measured_fps,
            different: self.different,
            brightness: self.brightness,
            states: self.states,
        };
        let mut out = stdout().lock();
        if json {
            return json_line(&mut out, &findings);
        }
        let rate = measured_fps.map_or(String::new(), |rate| format!(" at {rate:.1} fps"));
        let Findings { frames, different, .. } = findings;
        let Mode { format, width, height, .. } = findings.mode;
        let seen = format!(
            "{frames} frames of {width}×{height} as {format}{rate}; {different} of {} differ from \
             the one before",
            frames - 1
        );
        text_line(&mut out, &seen)?;
        if findings.brightness < BLACK {
            text_line(&mut out, "All of them are black: uncover the lens, and make some light.")?;
        } else if different == 0 && frames > 1 {
            text_line(
                &mut out,
                "All of them are the same: the camera is stuck, or shows a still.",
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use capture::CameraDevice;
    use image::RgbImage;
    use values::frame::Source;

    use super::*;

    fn mode(pixels: PixelFormat, width: u32, height: u32, fps: u32) -> CameraFormatInfo {
        CameraFormatInfo { pixels, width, height, fps }
    }

    #[test]
    fn sizes_are_written_with_a_cross() {
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert_eq!(size("640×480"), Ok((640, 480)));
        for bad in ["", "640", "x", "0x480", "-1x5", "640x480x2"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_camera_is_listed_with_the_fastest_of_each_size() {
        let device = CameraDevice { index: 0, name: "Webcam".into() };
        let modes = vec![
            mode(PixelFormat::Yuyv, 640, 480, 15),
            mode(PixelFormat::Yuyv, 640, 480, 30),
            mode(PixelFormat::Yuyv, 1280, 720, 10),
            mode(PixelFormat::Mjpeg, 1280, 720, 30),
        ];
        let camera = ListedCamera { device: device.clone(), modes: Ok(modes) };
        let wanted = [
            "0   Webcam",
            "    MJPEG 1280×720 30 fps",
            "    YUYV  1280×720 10 fps, 640×480 30 fps",
        ];
        assert_eq!(lines(&camera), wanted);
        let busy = CameraError::Busy { name: "Webcam".into() };
        let camera = ListedCamera { device, modes: Err(busy) };
        assert!(lines(&camera)[1].contains("used by another program"));
    }

    #[test]
    fn frames_are_counted_compared_and_timed_without_the_gaps() {
        let device = CameraDevice { index: 0, name: "Webcam".into() };
        let live = CameraState::Live { device, format: mode(PixelFormat::Yuyv, 2, 2, 30) };
        let frame = |grey| {
            let pixels = RgbImage::from_pixel(2, 2, image::Rgb([grey; 3]));
            Frame::new(pixels, Source::Camera("Webcam".into()))
        };
        let mut watched = Watched::new();
        assert!(watched.state(&live).unwrap().contains("live: Webcam"));
        for grey in [7, 7, 9] {
            watched.frame(frame(grey));
        }
        assert_eq!((watched.frames, watched.intervals, watched.different), (3, 2, 1));
        assert!(watched.state(&CameraState::Lost("Webcam".into())).is_some());
        std::thread::sleep(Duration::from_millis(60));
        assert!(watched.state(&live).is_some());
        assert_eq!(watched.state(&live), None, "told once");
        watched.frame(frame(9));
        watched.frame(frame(8));
        assert_eq!((watched.frames, watched.intervals, watched.different), (5, 3, 2));
        assert!(watched.seconds < 0.05, "{}", watched.seconds);
        assert!((watched.brightness - 9.0).abs() < 1e-9);
        assert_eq!(watched.states.len(), 3);
    }
}
