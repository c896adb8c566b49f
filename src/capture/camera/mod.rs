//! Live pictures from a camera.
//!
//! [`Camera`] keeps one camera running and the newest of its frames ready, and gets it back by
//! itself when it is pulled out, taken by another program, or stops answering. Three kinds of
//! threads share the work, so that no driver can hold up whoever looks at the pictures:
//!
//! ```text
//! lister:  lists the cameras every two seconds         ─┐
//! watcher: decides; the only one that never blocks     ─┼─ Board (a mutex) ─► CameraFeed
//! worker:  opens, reads, converts; given up if it hangs ─┘  Slot<Frame> ─────►
//! ```
//!
//! A camera's modes are tried in the order of [`mode`] until one opens and delivers a frame.

mod board;
mod device;
mod error;
#[cfg(target_os = "linux")]
mod linux;
mod mode;
mod native;
mod pixels;
mod state;
#[cfg(test)]
mod tests;
mod watcher;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use values::frame::Frame;
use values::panics;

use self::board::{Board, Shared, Wish};
use self::device::{Devices, Trouble};
pub use self::error::CameraError;
pub use self::mode::{CameraFormatInfo, PixelFormat, UnknownFormat};
use self::native::Native;
pub use self::state::CameraState;
use self::watcher::Watcher;

/// A camera that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CameraDevice {
    /// The system's number for it. It may be another one after the camera was pulled out.
    pub index: u32,
    /// Its name, one printable line. Of two cameras of one name the second is "… (2)".
    pub name: String,
}

/// Which camera is wanted, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CameraChoice {
    /// The camera's name; `None` takes the first there is.
    pub name: Option<String>,
    /// Width and height in pixels, or the nearest to them; `None` takes what fits best.
    pub size: Option<(u32, u32)>,
}

/// Live frames from somewhere: a camera, or what stands in for one in a test.
///
/// No method blocks.
pub trait CameraFeed: Send {
    /// The cameras that are connected.
    fn devices(&self) -> Vec<CameraDevice>;

    /// The sizes (width, height, in pixels) that the running camera offers, the largest first.
    fn sizes(&self) -> Vec<(u32, u32)>;

    /// What the camera is doing.
    fn state(&self) -> CameraState;

    /// The newest frame, if one came since the last call.
    fn newest(&self) -> Option<Frame>;

    /// Switches to another camera or another size, on, or (`None`) off.
    fn watch(&self, choice: Option<CameraChoice>);
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Between two attempts at a camera that does not work.
    retry: Duration,
    /// Without a frame, until a camera counts as hung.
    hang: Duration,
    /// Between two looks at which cameras are connected.
    list: Duration,
    /// For a worker to stop its camera, until it is given up.
    close: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(1500),
            hang: Duration::from_secs(5),
            list: Duration::from_secs(2),
            close: Duration::from_secs(2),
        }
    }
}

/// The cameras of this machine, one of them running where that is wanted.
///
/// Dropping it switches the camera off and does not wait for a driver that hangs.
pub struct Camera {
    shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
}

impl Camera {
    /// Starts looking for cameras; none is switched on yet.
    ///
    /// `wake` is called, from other threads, after every new frame and every change of
    /// [`CameraFeed::state`], [`CameraFeed::devices`] or [`CameraFeed::sizes`]. It must not block.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> Result<Self, CameraError> {
        Self::with(Arc::new(Native::default()), Times::default(), wake)
    }

    fn with(
        devices: Arc<dyn Devices>,
        times: Times,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, CameraError> {
        let shared = Arc::new(Shared::new(wake));
        // Made first: dropping it ends the threads, should the second not start.
        let mut camera = Self { shared: Arc::clone(&shared), watcher: None };
        let lister = (Arc::clone(&shared), Arc::clone(&devices));
        thread("camera list", move || watcher::keep_list(&lister.0, &*lister.1, times.list))?;
        let mut watcher = Watcher::new(shared, devices, times);
        camera.watcher = Some(thread("camera watcher", move || watcher.run())?);
        Ok(camera)
    }

    /// As [`CameraFeed::watch`], but in no other pixel format than this one: for finding out what a
    /// camera can do.
    pub fn watch_as(&self, choice: CameraChoice, pixels: Option<PixelFormat>) {
        self.shared.wish(Some(Wish { choice, pixels }));
    }

    /// Whether the cameras have been listed yet; before that [`CameraFeed::devices`] is empty.
    pub fn has_looked(&self) -> bool {
        self.shared.lock().list_number > 0
    }

    /// Whether every mode of the camera was tried in vain. It is tried again all the same.
    pub fn has_tried_all(&self) -> bool {
        self.shared.lock().tried_all
    }
}

impl CameraFeed for Camera {
    fn devices(&self) -> Vec<CameraDevice> {
        self.shared.lock().devices.clone()
    }

    fn sizes(&self) -> Vec<(u32, u32)> {
        self.shared.lock().sizes.clone()
    }

    fn state(&self) -> CameraState {
        self.shared.lock().state.clone()
    }

    fn newest(&self) -> Option<Frame> {
        self.shared.slot.take()
    }

    fn watch(&self, choice: Option<CameraChoice>) {
        self.shared.wish(choice.map(|choice| Wish { choice, pixels: None }));
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.shared.change(|board: &mut Board| board.ended = true);
        if let Some(watcher) = self.watcher.take() {
            // It waits for the worker no longer than `Times::close`.
            let _: Result<(), _> = watcher.join();
        }
    }
}

/// The cameras that are connected, each with what it offers. Opens every one of them, which may take
/// a while.
///
/// # Errors
/// When the system does not list its cameras.
pub fn list_cameras() -> Result<Vec<ListedCamera>, CameraError> {
    let native = Native::default();
    let failed = |reason| CameraError::Failed { name: "The list of cameras".to_owned(), reason };
    let mut devices = panics::guard(|| native.list()).unwrap_or_else(Err).map_err(failed)?;
    device::name_apart(&mut devices);
    let ask = |device: CameraDevice| {
        let modes = panics::guard(|| native.modes(device.index));
        let modes = modes.unwrap_or_else(|panic| Err(Trouble::Mode(panic)));
        let modes = modes.map_err(|trouble| trouble.into_error(&device.name));
        ListedCamera { device, modes }
    };
    Ok(devices.into_iter().map(ask).collect())
}

/// A camera and what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCamera {
    /// The camera.
    pub device: CameraDevice,
    /// Its modes, or why they cannot be told.
    pub modes: Result<Vec<CameraFormatInfo>, CameraError>,
}

/// Takes one picture, after the camera has had a moment to adjust itself to the light.
///
/// # Errors
/// When the camera is not there, may not be used, does not work, or sends nothing within `timeout`.
pub fn take_picture(index: u32, timeout: Duration) -> Result<Frame, CameraError> {
    picture(Arc::new(Native::default()), Times::default(), index, timeout)
}

/// Frames that are passed over while a camera adjusts itself, unless they take longer than…
const WARM_UP_FRAMES: u32 = 15;
/// … this.
const WARM_UP: Duration = Duration::from_secs(1);

fn picture(
    devices: Arc<dyn Devices>,
    times: Times,
    index: u32,
    timeout: Duration,
) -> Result<Frame, CameraError> {
    let deadline = Instant::now() + timeout;
    let (bell, rung) = sync_channel(1);
    // A bell that has not been heard yet needs no second stroke.
    let wake = move || {
        let _: Result<(), _> = bell.try_send(());
    };
    let camera = Camera::with(devices, times, wake)?;
    let mut name = None;
    let mut first = None;
    let mut passed = 0;
    loop {
        if name.is_none() && camera.has_looked() {
            let devices = camera.devices();
            if devices.is_empty() {
                return Err(CameraError::Missing);
            }
            let device = devices.into_iter().find(|device| device.index == index);
            let device = device.ok_or(CameraError::NotThere { index })?;
            name = Some(device.name.clone());
            camera.watch(Some(CameraChoice { name: Some(device.name), size: None }));
        }
        let known = name.clone().unwrap_or_else(|| format!("camera {index}"));
        let state = camera.state();
        // A mode that hangs or breaks is followed by another.
        let may_recover = matches!(state, CameraState::Failed(_)) && !camera.has_tried_all();
        match state.trouble(&known) {
            Some(CameraError::Missing) => return Err(CameraError::Lost { name: known }),
            Some(trouble) if !may_recover => return Err(trouble),
            _ => {}
        }
        if let Some(frame) = camera.newest() {
            let begun = *first.get_or_insert_with(Instant::now);
            passed += 1;
            if passed > WARM_UP_FRAMES || begun.elapsed() >= WARM_UP {
                return Ok(frame);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CameraError::TooSlow { name: known, seconds: timeout.as_secs() });
        }
        // Whatever ended the wait, everything is looked at again.
        let _: Result<(), _> = rung.recv_timeout(left);
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, CameraError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| CameraError::NoThread(values::text::one_line(&error.to_string())))
}
