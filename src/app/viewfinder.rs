//! The camera's frames on their way to the screen: a thread of its own makes each into what the
//! window draws, and watches whether the scene has changed.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use capture::{CameraChoice, CameraFeed, CameraState};
use image::RgbImage;
use scene::{DEFAULT_THRESHOLD, Scene, SceneWatch};
use ui::camera::CameraView;
use values::frame::Frame;
use values::job::{self, Lane, Rest, Trouble, Work, Worker};
use values::picture::thumbnail;

/// Longest side of a picture on the screen, in pixels: what every graphics card takes.
const LONGEST_SIDE: u32 = 2048;
/// Longest side of the thumbnails on cards and in the sidebar, in pixels.
pub const CARD: u32 = 160;
/// Without a word from the camera, its state is looked at this often.
const LOOK: Duration = Duration::from_millis(500);
/// Jobs and pieces of news that may wait.
const QUEUE: usize = 16;

/// The last of each is what counts.
const SETTINGS: Lane = Lane::new(1);
const SCENE: Lane = Lane::new(2);

/// A frame, ready to be drawn.
pub struct Sight {
    /// The frame.
    pub frame: Frame,
    /// Its pixels for the screen.
    pub image: egui::ColorImage,
    /// Whether the scene has changed since the last question, and is at rest.
    pub changed: bool,
    /// Whether it has changed since the last glance.
    pub moved: bool,
}

/// What came of the camera.
pub enum CameraNews {
    /// The newest frame.
    Sight(Box<Sight>),
    /// The camera's state, where it changed.
    View(CameraView),
}

/// What makes a camera: it is given what to call after each frame and each change of state. Called
/// again where the thread that has the camera panicked.
pub type OpenCamera =
    Box<dyn Fn(Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn CameraFeed>, String> + Send>;

/// What the thread is to do.
enum Job {
    /// Go by these settings.
    Set(Settings),
    /// From now on "changed" means changed since the newest frame.
    Asked,
    /// From now on "moved" means since the newest frame.
    Glanced,
    /// From now on the next scene at rest counts as changed.
    Forget,
}

/// What the window wants of the thread.
#[derive(Clone, PartialEq)]
struct Settings {
    /// The camera, or none.
    choice: Option<CameraChoice>,
    /// Whether anybody looks at the frames.
    wanted: bool,
    /// How much must change.
    threshold: f32,
}

impl Settings {
    const FIRST: Self = Self { choice: None, wanted: false, threshold: DEFAULT_THRESHOLD };
}

/// The thread between the camera and the window. Dropping it ends the thread.
pub struct Viewfinder {
    worker: Worker<Job, CameraNews>,
    settings: Settings,
}

impl Viewfinder {
    /// Starts the thread, which starts the camera. `wake` is called after each frame and each
    /// change.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(open: OpenCamera, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let make = move |desk: &Desk<'_>| Finder::new(open(Box::new(desk.bell())));
        let worker = Worker::start("lorgnette-viewfinder", QUEUE, make, wake)?;
        Ok(Self { worker, settings: Settings::FIRST })
    }

    /// Watches this camera, or none.
    pub fn watch(&mut self, choice: Option<CameraChoice>) {
        self.set(Settings { choice, ..self.settings.clone() });
    }

    /// Whether frames are to be made ready: while another picture is shown, nobody looks at them.
    pub fn set_wanted(&mut self, wanted: bool) {
        self.set(Settings { wanted, ..self.settings.clone() });
    }

    /// How much must change: see [`SceneWatch`].
    pub fn set_threshold(&mut self, threshold: f32) {
        self.set(Settings { threshold, ..self.settings.clone() });
    }

    /// From now on "changed" means changed since the newest frame.
    pub fn asked(&self) {
        // A thread that is gone says so by itself; so below.
        let _ = self.worker.send(SCENE, Job::Asked);
    }

    /// From now on "moved" means moved since the newest frame.
    pub fn glanced(&self) {
        let _ = self.worker.send(SCENE, Job::Glanced);
    }

    /// From now on the next scene at rest counts as changed.
    pub fn forget(&self) {
        let _ = self.worker.replace(SCENE, Job::Forget);
    }

    /// The next piece of news.
    pub fn news(&self) -> Option<CameraNews> {
        self.worker.news()
    }

    /// What befell the thread, each once. The camera is asked for again.
    pub fn trouble(&self) -> Option<Trouble> {
        let trouble = self.worker.trouble()?;
        let _ = self.worker.replace(SETTINGS, Job::Set(self.settings.clone()));
        Some(trouble)
    }

    fn set(&mut self, settings: Settings) {
        if settings != self.settings {
            let _ = self.worker.replace(SETTINGS, Job::Set(settings.clone()));
            self.settings = settings;
        }
    }
}

type Desk<'a> = job::Desk<'a, Job, CameraNews>;

/// The thread's side.
struct Finder {
    feed: Result<Box<dyn CameraFeed>, String>,
    settings: Settings,
    watch: SceneWatch,
    /// The state that was told last.
    told: Option<CameraView>,
}

impl Finder {
    fn new(feed: Result<Box<dyn CameraFeed>, String>) -> Self {
        let watch = SceneWatch::new(DEFAULT_THRESHOLD);
        Self { feed, settings: Settings::FIRST, watch, told: None }
    }
}

impl Work for Finder {
    type Job = Job;
    type News = CameraNews;

    fn work(&mut self, job: Job, _: &Desk<'_>) {
        match job {
            Job::Set(settings) => {
                if settings.choice != self.settings.choice
                    && let Ok(feed) = &self.feed
                {
                    feed.watch(settings.choice.clone());
                }
                self.watch.set_threshold(settings.threshold);
                self.settings = settings;
            }
            Job::Asked => self.watch.asked(),
            Job::Glanced => self.watch.glanced(),
            Job::Forget => self.watch = SceneWatch::new(self.settings.threshold),
        }
    }

    /// Looks at the camera: each frame and each change of its state rings the bell.
    fn idle(&mut self, desk: &Desk<'_>) -> Rest {
        let view = match &self.feed {
            Ok(feed) => {
                CameraView { state: feed.state(), devices: feed.devices(), sizes: feed.sizes() }
            }
            Err(reason) => {
                let state = CameraState::Failed(reason.clone());
                CameraView { state, ..CameraView::default() }
            }
        };
        if self.told.as_ref() != Some(&view) {
            self.told = Some(view.clone());
            desk.tell_instead(CameraNews::View(view), |old| matches!(old, CameraNews::View(_)));
        }
        let Ok(feed) = &self.feed else { return Rest::Job };
        if let Some(frame) = feed.newest().filter(|_| self.settings.wanted) {
            let scene = self.watch.see(&frame, Instant::now());
            let changed = matches!(scene, Scene::Settled { changed: true });
            let image = for_screen(&frame);
            let moved = self.watch.has_moved();
            let sight = CameraNews::Sight(Box::new(Sight { frame, image, changed, moved }));
            desk.tell_instead(sight, |old| matches!(old, CameraNews::Sight(_)));
        }
        Rest::For(LOOK)
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

    use std::sync::mpsc::{SyncSender, sync_channel};

    use capture::CameraDevice;

    use super::*;

    /// A camera that says what it is to watch, and panics over its first frame where told.
    struct Feed(SyncSender<Option<CameraChoice>>, bool);

    impl CameraFeed for Feed {
        fn devices(&self) -> Vec<CameraDevice> {
            Vec::new()
        }

        fn sizes(&self) -> Vec<(u32, u32)> {
            Vec::new()
        }

        fn state(&self) -> CameraState {
            CameraState::Starting
        }

        fn newest(&self) -> Option<Frame> {
            assert!(!self.1, "a frame without pixels");
            Some(Frame::new(RgbImage::new(8, 6), Source::Stdin))
        }

        fn watch(&self, choice: Option<CameraChoice>) {
            self.0.send(choice).unwrap();
        }
    }

    #[test]
    fn after_a_panic_the_camera_is_opened_and_watched_again() {
        let (watched, watch) = sync_channel(16);
        let opened = std::sync::atomic::AtomicUsize::new(0);
        let open: OpenCamera = Box::new(move |_| {
            let first = opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            Ok(Box::new(Feed(watched.clone(), first)) as Box<dyn CameraFeed>)
        });
        let mut finder = Viewfinder::start(open, || {}).unwrap();
        finder.watch(Some(CameraChoice::default()));
        finder.set_wanted(true);
        let end = Instant::now() + Duration::from_mins(1);
        let trouble = loop {
            if let Some(trouble) = finder.trouble() {
                break trouble;
            }
            assert!(Instant::now() < end, "no trouble came");
            std::thread::sleep(Duration::from_millis(1));
        };
        assert!(matches!(trouble, Trouble::Restarted(_)), "{trouble:?}");
        while !matches!(finder.news(), Some(CameraNews::Sight(_))) {
            assert!(Instant::now() < end, "no frame came");
            std::thread::sleep(Duration::from_millis(1));
        }
        let choices: Vec<_> = watch.try_iter().collect();
        assert_eq!(choices.last(), Some(&Some(CameraChoice::default())));
    }

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
