//! The thread that talks to a camera: opens it, reads it, converts its frames.

use std::time::Instant;

use image::RgbImage;
use values::frame::{Frame, Source};
use values::job::CancelToken;
use values::panics;

use super::board::{End, Shared};
use super::device::{Devices, Reader, Trouble};
use super::mode::{CameraFormatInfo, Wanted, in_order, sizes};
use super::pixels::to_rgb;
use super::{CameraDevice, CameraState};

/// Frames in a row that cannot be converted, until a mode counts as broken. The first frames of
/// many a camera are cut short.
const MOST_BAD_FRAMES: u32 = 30;

pub(super) struct Worker<'a> {
    pub shared: &'a Shared,
    pub number: u64,
    pub cancel: CancelToken,
    pub device: CameraDevice,
    pub wanted: Wanted,
    /// Modes that do not work.
    pub failed: Vec<CameraFormatInfo>,
}

impl Worker<'_> {
    /// Works until the camera ends or the worker is asked to, and says why on the board.
    pub fn run(mut self, devices: &dyn Devices) {
        let (shared, number) = (self.shared, self.number);
        let end = panics::guard(|| self.work(devices)).unwrap_or_else(End::Broke);
        shared.change(|board| {
            if let Some(work) = board.work.as_mut().filter(|work| work.number == number) {
                work.end = Some(end);
            }
        });
    }

    fn work(&mut self, devices: &dyn Devices) -> End {
        let modes = match devices.modes(self.device.index) {
            Ok(modes) => modes,
            Err(trouble) => return end_of(trouble),
        };
        let all = sizes(&modes);
        let mut why = match self.wanted.pixels {
            Some(pixels) => format!("it offers no {pixels}"),
            None => "it offers no format that can be read here".to_owned(),
        };
        for mode in in_order(&modes, self.wanted) {
            if self.failed.contains(&mode) {
                continue;
            }
            if !self.try_next(mode) {
                return End::Stopped;
            }
            match self.start(devices, mode) {
                Ok((reader, picture)) => return self.stream(reader, picture, &all),
                Err(Trouble::Mode(reason)) => {
                    tracing::info!(%mode, reason, "a mode of the camera does not work");
                    why = reason;
                    self.shared.change(|board| {
                        if board.work(self.number).is_some() {
                            board.failed.push(mode);
                        }
                    });
                }
                Err(trouble) => return end_of(trouble),
            }
        }
        if self.cancel.is_cancelled() { End::Stopped } else { End::NoneWorks(why) }
    }

    /// Says which mode comes next; false where nobody wants it any more.
    fn try_next(&self, mode: CameraFormatInfo) -> bool {
        let mut board = self.shared.lock();
        let Some(work) = board.work(self.number) else {
            return false;
        };
        work.alive = Instant::now();
        work.mode = Some(mode);
        true
    }

    /// Opens a mode, and has its first good frame.
    fn start(
        &self,
        devices: &dyn Devices,
        mode: CameraFormatInfo,
    ) -> Result<(Box<dyn Reader>, RgbImage), Trouble> {
        let mut reader = devices.open(self.device.index, mode)?;
        let mut why = String::new();
        for _ in 0..MOST_BAD_FRAMES {
            match read(&mut *reader)? {
                Ok(picture) => return Ok((reader, picture)),
                Err(reason) => why = reason,
            }
            if self.cancel.is_cancelled() {
                break;
            }
        }
        Err(Trouble::Mode(why))
    }

    fn stream(&self, mut reader: Box<dyn Reader>, picture: RgbImage, sizes: &[(u32, u32)]) -> End {
        let format = reader.mode();
        self.shared.change(|board| {
            let Some(work) = board.work(self.number) else {
                return;
            };
            work.live_since = Some(Instant::now());
            board.state = CameraState::Live { device: self.device.clone(), format };
            board.tried_all = false;
            board.sizes = sizes.to_vec();
        });
        let source = Source::Camera(self.device.name.clone());
        let mut next = Some(picture);
        let mut bad = 0;
        loop {
            if let Some(picture) = next.take() {
                self.shared.show(self.number, Frame::new(picture, source.clone()));
            }
            if self.cancel.is_cancelled() {
                return End::Stopped;
            }
            match read(&mut *reader) {
                Ok(Ok(picture)) => {
                    bad = 0;
                    next = Some(picture);
                }
                Ok(Err(reason)) => {
                    bad += 1;
                    if bad >= MOST_BAD_FRAMES {
                        return End::Broke(reason);
                    }
                }
                Err(trouble) => return end_of(trouble),
            }
        }
    }
}

/// One frame, or why it could not be converted.
fn read(reader: &mut dyn Reader) -> Result<Result<RgbImage, String>, Trouble> {
    let mut picture = Err("an empty frame".to_owned());
    reader.read(&mut |raw| picture = to_rgb(raw))?;
    Ok(picture)
}

fn end_of(trouble: Trouble) -> End {
    match trouble {
        Trouble::Busy => End::Busy,
        Trouble::Denied => End::Denied,
        Trouble::Asking => End::Asking,
        Trouble::Gone => End::Gone,
        Trouble::Mode(reason) => End::Broke(reason),
    }
}
