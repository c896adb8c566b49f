//! The camera's frames on their way to the screen: a thread of its own makes each into what the
//! window draws, and watches whether the scene has changed.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use capture::{CameraChoice, CameraFeed, CameraState};
use image::RgbImage;
use scene::{DEFAULT_THRESHOLD, Scene, SceneWatch};
use ui::camera::CameraView;
use values::frame::Frame;
use values::job::Slot;
use values::picture::thumbnail;

/// Longest side of a picture on the screen, in pixels: what every graphics card takes.
const LONGEST_SIDE: u32 = 2048;
/// Longest side of the thumbnails on cards and in the sidebar, in pixels.
pub const CARD: u32 = 160;
/// Without a word from the camera, its state is looked at this often.
const LOOK: Duration = Duration::from_millis(500);

/// A frame, ready to be drawn.
pub struct Sight {
    /// The frame.
    pub frame: Frame,
    /// Its pixels for the screen.
    pub image: egui::ColorImage,
    /// Whether the scene has changed since the last question, and is at rest.
    pub changed: bool,
}

/// What makes a camera: it is given what to call after each frame and each change of state.
pub type OpenCamera =
    Box<dyn FnOnce(Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn CameraFeed>, String> + Send>;

/// The thread between the camera and the window. Dropping it ends the thread.
pub struct Viewfinder {
    /// One look that is due; more would be the same.
    looks: SyncSender<()>,
    shared: Arc<Shared>,
}

/// What the window and the thread say to each other.
#[derive(Default)]
struct Shared {
    choices: Slot<Option<CameraChoice>>,
    sights: Slot<Sight>,
    views: Slot<CameraView>,
    asked: AtomicBool,
    forget: AtomicBool,
    /// Whether anybody looks at the frames.
    wanted: AtomicBool,
    /// The bits of an `f32`.
    threshold: AtomicU32,
}

impl Viewfinder {
    /// Starts the thread, which starts the camera. `wake` is called after each frame and each
    /// change.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        open: OpenCamera,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (looks, due) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        shared.threshold.store(DEFAULT_THRESHOLD.to_bits(), Ordering::Relaxed);
        let look = looks.clone();
        let look = move || {
            let _ = look.try_send(());
        };
        let worker = Arc::clone(&shared);
        std::thread::Builder::new().name("lorgnette-viewfinder".into()).spawn(
            move || match open(Box::new(look)) {
                Ok(feed) => run(&worker, &*feed, &due, &wake),
                Err(reason) => {
                    let state = CameraState::Failed(reason);
                    worker.views.put(CameraView { state, ..CameraView::default() });
                    wake();
                }
            },
        )?;
        Ok(Self { looks, shared })
    }

    /// Watches this camera, or none.
    pub fn watch(&self, choice: Option<CameraChoice>) {
        self.shared.choices.put(choice);
        let _ = self.looks.try_send(());
    }

    /// The newest frame, if one came since.
    pub fn sight(&self) -> Option<Sight> {
        self.shared.sights.take()
    }

    /// The camera's state, if it changed since.
    pub fn view(&self) -> Option<CameraView> {
        self.shared.views.take()
    }

    /// From now on "changed" means changed since the newest frame.
    pub fn asked(&self) {
        self.shared.asked.store(true, Ordering::Relaxed);
    }

    /// From now on the next scene at rest counts as changed.
    pub fn forget(&self) {
        self.shared.forget.store(true, Ordering::Relaxed);
    }

    /// Whether frames are to be made ready: while another picture is shown, nobody looks at them.
    pub fn set_wanted(&self, wanted: bool) {
        self.shared.wanted.store(wanted, Ordering::Relaxed);
    }

    /// How much must change: see [`SceneWatch`].
    pub fn set_threshold(&self, threshold: f32) {
        self.shared.threshold.store(threshold.to_bits(), Ordering::Relaxed);
    }
}

fn run(shared: &Arc<Shared>, feed: &dyn CameraFeed, due: &Receiver<()>, wake: &impl Fn()) {
    let mut watch = SceneWatch::new(DEFAULT_THRESHOLD);
    let mut last: Option<CameraView> = None;
    loop {
        // The camera holds an end of this channel too: that the window let go is seen by what it
        // shares with this thread alone.
        let closed = due.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected);
        if closed || Arc::strong_count(shared) == 1 {
            return;
        }
        if let Some(choice) = shared.choices.take() {
            feed.watch(choice);
        }
        let threshold = f32::from_bits(shared.threshold.load(Ordering::Relaxed));
        watch.set_threshold(threshold);
        if shared.forget.swap(false, Ordering::Relaxed) {
            watch = SceneWatch::new(threshold);
        }
        let view = CameraView { state: feed.state(), devices: feed.devices(), sizes: feed.sizes() };
        let mut news = false;
        if last.as_ref() != Some(&view) {
            shared.views.put(view.clone());
            last = Some(view);
            news = true;
        }
        if let Some(frame) = feed.newest().filter(|_| shared.wanted.load(Ordering::Relaxed)) {
            if shared.asked.swap(false, Ordering::Relaxed) {
                watch.asked();
            }
            let scene = watch.see(&frame, Instant::now());
            let changed = matches!(scene, Scene::Settled { changed: true });
            let image = for_screen(&frame);
            shared.sights.put(Sight { frame, image, changed });
            news = true;
        }
        if news {
            wake();
        }
    }
}

/// The pixels of a frame for the screen, made smaller where a graphics card could not hold them.
pub fn for_screen(frame: &Frame) -> egui::ColorImage {
    small(&frame.pixels, LONGEST_SIDE)
}

/// Pixels for the screen, made smaller where they are longer than this.
pub fn small(pixels: &RgbImage, longest: u32) -> egui::ColorImage {
    let pixels = if pixels.width().max(pixels.height()) <= longest {
        Cow::Borrowed(pixels)
    } else {
        Cow::Owned(thumbnail(pixels, longest))
    };
    let size = [pixels.width() as usize, pixels.height() as usize];
    egui::ColorImage::from_rgb(size, pixels.as_raw())
}

#[cfg(test)]
mod tests {
    use scene::DEFAULT_THRESHOLD;
    use values::frame::Source;

    use super::*;

    #[test]
    fn large_pictures_are_made_smaller_for_the_screen() {
        let frame = |w, h| Frame::new(RgbImage::new(w, h), Source::Stdin);
        assert_eq!(for_screen(&frame(5000, 10)).size, [2048, 4]);
        assert_eq!(for_screen(&frame(9000, 1)).size, [2048, 1]);
        assert_eq!(for_screen(&frame(640, 480)).size, [640, 480]);
    }

    #[test]
    fn the_setting_for_a_changed_scene_begins_at_what_was_measured() {
        // Neither room may import the other.
        let setting = values::config::LiveSettings::default().threshold;
        assert_eq!(setting.to_bits(), DEFAULT_THRESHOLD.to_bits());
    }
}
