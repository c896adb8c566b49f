//! The cameras of this machine, through nokhwa.

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType,
    Resolution,
};
use nokhwa::{Buffer, Camera, NokhwaError};
use values::text::brief;

use super::CameraDevice;
use super::device::{Devices, Reader, Trouble};
#[cfg(target_os = "linux")]
use super::linux;
use super::mode::{CameraFormatInfo, PixelFormat};
use super::pixels::Raw;

/// The machine's own cameras.
#[derive(Default)]
pub(super) struct Native {
    #[cfg(target_os = "linux")]
    nodes: linux::Nodes,
}

#[cfg(target_os = "linux")]
impl Devices for Native {
    fn list(&self) -> Result<Vec<CameraDevice>, String> {
        self.nodes.list()
    }

    fn modes(&self, index: u32) -> Result<Vec<CameraFormatInfo>, Trouble> {
        linux::modes(index)
    }

    fn open(&self, index: u32, mode: CameraFormatInfo) -> Result<Box<dyn Reader>, Trouble> {
        // nokhwa opens a camera only as it stands: it is brought there first.
        let (mode, stride) = linux::prepare(index, mode)?;
        start(index, mode, stride)
    }

    fn unstick(&self, index: u32) {
        linux::unstick(index);
    }
}

#[cfg(not(target_os = "linux"))]
impl Devices for Native {
    fn list(&self) -> Result<Vec<CameraDevice>, String> {
        enter_thread();
        let found = nokhwa::query(ApiBackend::Auto).map_err(|error| brief(&error))?;
        let device = |(position, info): (usize, nokhwa::utils::CameraInfo)| CameraDevice {
            index: info.index().as_index().unwrap_or(position as u32),
            name: values::text::one_line(info.human_name().trim()),
        };
        Ok(found.into_iter().enumerate().map(device).collect())
    }

    fn modes(&self, index: u32) -> Result<Vec<CameraFormatInfo>, Trouble> {
        enter_thread();
        permission()?;
        let any = RequestedFormat::with_formats(
            RequestedFormatType::None,
            nokhwa::utils::frame_formats(),
        );
        let mut camera = Camera::new(CameraIndex::Index(index), any).map_err(trouble)?;
        let modes = camera.compatible_camera_formats().map_err(trouble)?;
        Ok(modes.into_iter().map(from_nokhwa).collect())
    }

    fn open(&self, index: u32, mode: CameraFormatInfo) -> Result<Box<dyn Reader>, Trouble> {
        enter_thread();
        permission()?;
        start(index, mode, 0)
    }

    /// Neither system lets go of a waiting thread; it ends when the camera does.
    fn unstick(&self, _index: u32) {}
}

/// Media Foundation wants COM on every thread; nokhwa readies only the first that asks.
#[cfg(windows)]
fn enter_thread() {
    use std::ffi::c_void;
    use std::ptr;
    #[link(name = "ole32")]
    unsafe extern "system" {
        fn CoInitializeEx(reserved: *const c_void, kind: u32) -> i32;
    }
    /// As nokhwa does it, which refuses a thread that was readied in another way.
    const APARTMENT_THREADED_WITHOUT_DDE: u32 = 0x2 | 0x4;
    thread_local! {
        static READY: () = {
            // SAFETY: the signature is that of the system, and the reserved pointer is null.
            unsafe { CoInitializeEx(ptr::null(), APARTMENT_THREADED_WITHOUT_DDE) };
        };
    }
    READY.with(|()| ());
}

#[cfg(not(any(windows, target_os = "linux")))]
fn enter_thread() {}

/// On macOS the user is asked once; until then a camera delivers nothing.
#[cfg(target_os = "macos")]
fn permission() -> Result<(), Trouble> {
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering};
    static ASK: Once = Once::new();
    static ANSWERED: AtomicBool = AtomicBool::new(false);
    if nokhwa::nokhwa_check() {
        return Ok(());
    }
    ASK.call_once(|| nokhwa::nokhwa_initialize(|_| ANSWERED.store(true, Ordering::Relaxed)));
    match (nokhwa::nokhwa_check(), ANSWERED.load(Ordering::Relaxed)) {
        (true, _) => Ok(()),
        (false, true) => Err(Trouble::Denied),
        (false, false) => Err(Trouble::Asking),
    }
}

#[cfg(not(any(target_os = "macos", target_os = "linux")))]
#[expect(clippy::unnecessary_wraps, reason = "macOS refuses")]
fn permission() -> Result<(), Trouble> {
    Ok(())
}

/// Opens a camera in exactly this mode and starts it.
fn start(index: u32, mode: CameraFormatInfo, stride: usize) -> Result<Box<dyn Reader>, Trouble> {
    let format = to_nokhwa(mode);
    let formats = [format.format()];
    let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &formats);
    let mut camera = Camera::with_backend(CameraIndex::Index(index), exact, ApiBackend::Auto)
        .map_err(trouble)?;
    camera.open_stream().map_err(trouble)?;
    Ok(Box::new(Running { camera, mode, stride }))
}

struct Running {
    camera: Camera,
    mode: CameraFormatInfo,
    stride: usize,
}

impl Reader for Running {
    fn mode(&self) -> CameraFormatInfo {
        self.mode
    }

    fn read(&mut self, see: &mut dyn FnMut(&Raw<'_>)) -> Result<(), Trouble> {
        let frame: Buffer = self.camera.frame().map_err(trouble)?;
        let size = frame.resolution();
        see(&Raw {
            data: frame.buffer(),
            pixels: pixel_format(frame.source_frame_format()),
            width: size.width(),
            height: size.height(),
            stride: self.stride,
        });
        Ok(())
    }
}

/// What kind of trouble an error means. nokhwa gives the system's words, not its number.
#[expect(clippy::needless_pass_by_value, reason = "it is mapped over results")]
fn trouble(error: NokhwaError) -> Trouble {
    let text = error.to_string();
    let said = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if said(&["(os error 16)", "0xC00D3704", "0xC00D3EA3"]) {
        Trouble::Busy
    } else if said(&["(os error 13)", "(os error 1)", "0x80070005"]) {
        Trouble::Denied
    } else if said(&["(os error 19)", "(os error 6)", "(os error 2)", "0xC00D36D5", "0xC00D3EA2"]) {
        Trouble::Gone
    } else {
        Trouble::Mode(brief(&text))
    }
}

fn pixel_format(format: FrameFormat) -> PixelFormat {
    match format {
        FrameFormat::MJPEG => PixelFormat::Mjpeg,
        FrameFormat::YUYV => PixelFormat::Yuyv,
        FrameFormat::NV12 => PixelFormat::Nv12,
        FrameFormat::RAWRGB => PixelFormat::Rgb,
        FrameFormat::RAWBGR => PixelFormat::Bgr,
        FrameFormat::GRAY => PixelFormat::Gray,
    }
}

fn to_nokhwa(mode: CameraFormatInfo) -> CameraFormat {
    let format = match mode.pixels {
        PixelFormat::Mjpeg => FrameFormat::MJPEG,
        PixelFormat::Yuyv => FrameFormat::YUYV,
        PixelFormat::Nv12 => FrameFormat::NV12,
        PixelFormat::Rgb => FrameFormat::RAWRGB,
        PixelFormat::Bgr => FrameFormat::RAWBGR,
        PixelFormat::Gray => FrameFormat::GRAY,
    };
    CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.fps)
}

#[cfg(any(test, not(target_os = "linux")))]
fn from_nokhwa(format: CameraFormat) -> CameraFormatInfo {
    CameraFormatInfo {
        pixels: pixel_format(format.format()),
        width: format.width(),
        height: format.height(),
        fps: format.frame_rate(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_survive_the_way_to_nokhwa_and_back() {
        for pixels in PixelFormat::ALL {
            let mode = CameraFormatInfo { pixels, width: 640, height: 480, fps: 25 };
            assert_eq!(from_nokhwa(to_nokhwa(mode)), mode);
        }
    }

    #[test]
    fn the_systems_words_are_understood() {
        let read = |text: &str| trouble(NokhwaError::ReadFrameError(text.to_owned()));
        assert_eq!(read("No such device (os error 19)"), Trouble::Gone);
        assert_eq!(read("Device or resource busy (os error 16)"), Trouble::Busy);
        assert_eq!(read("Permission denied (os error 13)"), Trouble::Denied);
        assert!(matches!(read("Input/output error (os error 5)"), Trouble::Mode(_)));
    }
}
