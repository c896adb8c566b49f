//! A window under test: everything fake but the window itself, the files and the history.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use encoder::Encoders;
use evidence::Specialists;
use explain::Search;
use lorgnette_app::{App, Services};
use ui::View;
use ui::maps::Wanted;
use ui::talk::Card;
use values::config::{Folders, Settings};

use super::fake::{FakeCamera, FakeDesktop, FakeEngine, FakeVoice, NO_ENCODERS};
use super::specialists::SPECIALISTS;

/// Longest wait for a thread; a stuck one fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Driver {
    pub window: Harness<'static, App>,
    pub engine: FakeEngine,
    pub camera: FakeCamera,
    pub desktop: FakeDesktop,
    pub voice: FakeVoice,
    pub home: std::rc::Rc<tempfile::TempDir>,
}

/// How the window is to begin.
#[derive(Default)]
pub struct Start {
    pub settings: Settings,
    pub engine: FakeEngine,
    pub pictures: Vec<PathBuf>,
    pub size: Option<(f32, f32)>,
    /// With the shipped pictures in the gallery.
    pub gallery: bool,
    pub home: Option<std::rc::Rc<tempfile::TempDir>>,
    pub dark: bool,
    pub encoders: Option<Encoders>,
    pub specialists: Option<Specialists>,
    pub on_battery: Option<fn() -> bool>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn sample(name: &str) -> PathBuf {
    root().join("assets/samples").join(name)
}

impl Driver {
    pub fn start() -> Self {
        Self::with(Start::default())
    }

    pub fn with(start: Start) -> Self {
        let root = root();
        let home = start.home.unwrap_or_else(|| std::rc::Rc::new(tempfile::tempdir().unwrap()));
        let folders = Folders {
            cache: home.path().join("cache"),
            data: home.path().join("data"),
            models: root.join("models"),
            samples: if start.gallery { root.join("assets/samples") } else { PathBuf::new() },
        };
        let (engine, camera) = (start.engine, FakeCamera::default());
        let (desktop, voice) = (FakeDesktop::default(), FakeVoice::default());
        let opened = camera.clone();
        let services = Services {
            engine: Box::new(engine.clone()),
            accelerator: None,
            encoders: start.encoders.unwrap_or(NO_ENCODERS),
            specialists: start.specialists.unwrap_or(SPECIALISTS),
            camera: Box::new(move |wake| Ok(opened.open(wake))),
            desktop: Box::new(desktop.clone()),
            voice: Box::new(voice.clone()),
            on_battery: start.on_battery.unwrap_or(|| false),
            folders,
            log: Some(home.path().join("data/log/lorgnette.log")),
        };
        let (settings, pictures) = (start.settings, start.pictures);
        let (width, height) = start.size.unwrap_or((1180.0, 760.0));
        let theme = if start.dark { egui::Theme::Dark } else { egui::Theme::Light };
        let window = Harness::builder()
            .with_size(egui::vec2(width, height))
            .with_theme(theme)
            .with_os(egui::os::OperatingSystem::Nix)
            .with_wait_for_pending_images(false)
            .build_eframe(move |creation| {
                App::new(&creation.egui_ctx, services, settings, None, pictures)
            });
        let mut driver = Self { window, engine, camera, desktop, voice, home };
        driver.window.step();
        driver
    }

    /// A window in which this sample picture is shown and the model is ready.
    pub fn showing(name: &str) -> Self {
        let mut driver = Self::with(Start { pictures: vec![sample(name)], ..Start::default() });
        driver.until("the picture is shown", |view| view.stage.shown.is_some());
        driver
    }

    pub fn view(&self) -> &View {
        self.window.state().view()
    }

    /// Draws until `done`, or fails after a while.
    pub fn until(&mut self, what: &str, done: impl Fn(&View) -> bool) {
        let begun = Instant::now();
        loop {
            self.window.step();
            if done(self.view()) {
                // What was just taken in is drawn, too.
                self.window.step();
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not come to pass that {what}");
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    /// Draws a few frames.
    pub fn steps(&mut self) {
        for _ in 0..4 {
            self.window.step();
        }
    }

    /// Draws until the engine was asked so many questions, in all.
    pub fn until_asked(&mut self, count: usize) {
        let engine = self.engine.clone();
        self.until("a question is asked", |_| engine.questions().len() == count);
    }

    /// Draws until the engine was asked to read so many answers back, in all.
    pub fn until_readings(&mut self, count: usize) {
        let engine = self.engine.clone();
        self.until("an answer is to be read back", |_| engine.readings().len() == count);
    }

    /// Has the engine read one answer back, once it is asked to.
    pub fn read_back_once(&mut self) {
        let engine = self.engine.clone();
        self.until("an answer is read back", |_| engine.read_next());
    }

    /// Has the engine read answers back until none is wanted any more.
    pub fn read_back(&mut self) {
        self.steps();
        let engine = self.engine.clone();
        self.until("all is read back", |view| {
            engine.read_next();
            let coming = |card: &Card| match &card.grounding {
                Wanted::Coming => true,
                Wanted::Ready(grounding) => matches!(grounding.search, Search::UnderWay(_)),
                Wanted::None | Wanted::Failed(_) => false,
            };
            let typed = matches!(view.maps.typed, Wanted::Coming);
            // The newest is read as soon as there is time for it.
            let last = view.talk.cards.last().and_then(|card| card.grounding.ready());
            let open = last.is_some_and(|found| found.search == Search::Open);
            !open && !typed && !view.maps.is_checking() && !view.talk.cards.iter().any(coming)
        });
    }

    /// Clicks on what has this name, wherever it is scrolled to.
    pub fn click(&mut self, name: &str) {
        self.window.get_by_label(name).scroll_to_me();
        self.steps();
        self.window.get_by_label(name).click();
        self.steps();
    }

    pub fn drag(&mut self, from: egui::Pos2, to: egui::Pos2) {
        self.window.drag_at(from);
        self.window.step();
        self.window.hover_at(from.lerp(to, 0.5));
        self.window.step();
        self.window.hover_at(to);
        self.window.step();
        self.window.drop_at(to);
        self.steps();
    }

    pub fn press(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.window.key_press_modifiers(modifiers, key);
        self.steps();
    }

    /// Types into the question and presses Enter.
    pub fn ask(&mut self, question: &str) {
        self.window.get_by_label("Question").focus();
        self.steps();
        self.window.get_by_label("Question").type_text(question);
        self.steps();
        self.press(egui::Modifiers::NONE, egui::Key::Enter);
    }

    pub fn has(&self, name: &str) -> bool {
        self.window.query_all_by_label_contains(name).next().is_some()
    }

    /// Closes the window as a user does: everything is written.
    pub fn close(self) -> std::rc::Rc<tempfile::TempDir> {
        let mut app = self.window.into_state();
        eframe::App::on_exit(&mut app);
        self.home
    }
}
