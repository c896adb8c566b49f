//! The window's logic: what the user wants is carried out, what the threads say is shown.
//!
//! ```text
//! camera ─► viewfinder ─┐                 ┌─► engine ─► tokens ─┐
//! disk   ─► files ──────┼─► App (logic) ──┼─► keeper (history)  ├─► View ─► ui
//!                       └─────────────────┴─► voice, dialogs    ┘
//! ```
//!
//! [`eframe::App::logic`] takes what came, without waiting; [`eframe::App::ui`] draws the [`View`]
//! and carries out the [`Action`]s it gives back.

mod act;
mod ahead;
mod answers;
mod asking;
pub mod desktop;
mod evidence;
mod files;
mod keeper;
mod maps;
mod meter;
mod network;
mod news;
mod power;
mod state;
mod ties;
#[cfg(test)]
mod unit_tests;
mod viewfinder;
mod window;

// The fakes of the tests of the window name the crate as those do.
#[cfg(test)]
extern crate self as lorgnette_app;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use ::evidence::{Observer, Specialists, Witness};
use encoder::Encoders;
use engine::{Answering, EngineError, LoadRequest, RequestId};
use explain::{Explainer, Reader};
use session::SessionId;
use speech::{SpeechError, Voice};
use ui::{View, stage, status, theme, toast};
use values::config::{Folders, Settings, SettingsNotice};
use values::frame::Frame;

use self::evidence::EvidenceState;
use ahead::Ahead;
use answers::UnderWay;
use desktop::Desktop;
use files::Files;
use keeper::Keeper;
pub use meter::Cost;
use meter::Meter;
use state::StateFile;
pub use viewfinder::OpenCamera;
use viewfinder::Viewfinder;
pub use window::{WindowError, run};

/// How often the process's internet sockets are counted.
const NETWORK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
/// How long changed settings wait for further changes before they are written.
const SAVE_DELAY: std::time::Duration = std::time::Duration::from_millis(600);

/// What the window works with. The parts that reach outside are given, so that a test can put
/// others in their place.
pub struct Services {
    /// The engine.
    pub engine: Box<dyn Answering>,
    /// The device of this build beside the CPU.
    pub accelerator: Option<&'static str>,
    /// What computes maps.
    pub encoders: Encoders,
    /// What sees things in pictures.
    pub specialists: Specialists,
    /// What makes the camera.
    pub camera: OpenCamera,
    /// Dialogs and the file manager.
    pub desktop: Box<dyn Desktop>,
    /// The voice.
    pub voice: Box<dyn Voice>,
    /// Says whether the machine runs on its battery.
    pub on_battery: fn() -> bool,
    /// Where everything lies.
    pub folders: Folders,
    /// The log file, where one could be opened.
    pub log: Option<PathBuf>,
}

/// The window.
pub struct App {
    view: View,
    engine: Box<dyn Answering>,
    viewfinder: Option<Viewfinder>,
    files: Option<Files>,
    keeper: Option<Keeper>,
    desktop: Box<dyn Desktop>,
    voice: Box<dyn Voice>,
    folders: Folders,
    loading: Option<RequestId>,
    /// The conversation that is to be shown as soon as it is read.
    opening: Option<SessionId>,
    /// Whether the conversation that is shown is another window's: a question begins a new one.
    borrowed: bool,
    /// Pictures of the conversation.
    album: asking::Album,
    /// The question to be put again once its pictures are read, and those.
    again: Option<(String, Vec<conversation::Picture>)>,
    under_way: Vec<UnderWay>,
    /// What the answer that live mode holds is about.
    live_frame: Option<Frame>,
    /// Thumbnails of conversations, which a search may hide for a while.
    thumbnails: HashMap<SessionId, egui::TextureHandle>,
    wishes: Vec<(u64, act::Waiting)>,
    next_wish: u64,
    /// The camera as it was last asked for.
    watched: Option<capture::CameraChoice>,
    /// Settings that are still to be written, and since when.
    unsaved: Option<Instant>,
    network_asked: Option<Instant>,
    map_state: maps::MapState,
    /// The thread of the encoders' maps.
    explainer: Option<Explainer>,
    /// The thread that computes what answers that are read back say.
    reader: Option<Reader>,
    /// The thread on which specialists look at what is shown.
    observer: Option<Observer>,
    evidence: EvidenceState,
    ahead: Ahead,
    meter: Meter,
    state: StateFile,
    shown_scale: Option<f32>,
    shown_theme: Option<values::config::Theme>,
}

impl App {
    /// A window that shows `settings`, and `pictures` first.
    pub fn new(
        ctx: &egui::Context,
        services: Services,
        settings: Settings,
        notice: Option<SettingsNotice>,
        pictures: Vec<PathBuf>,
    ) -> Self {
        theme::install(ctx);
        // The text size is a setting; by its keys egui would change it behind the settings' back.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let Services {
            engine,
            accelerator,
            encoders,
            specialists,
            camera,
            desktop,
            voice,
            on_battery,
            folders,
            log,
        } = services;
        let wake = |ctx: &egui::Context| {
            let ctx = ctx.clone();
            move || ctx.request_repaint()
        };
        let history = settings.history_folder.clone().unwrap_or_else(|| folders.data.clone());
        let mut view = View { settings, ..View::default() };
        let mut lacking = |name: &str, error: &std::io::Error| {
            let text = format!("The {name} could not be started ({error}). Start Lorgnette again.");
            view.toasts.add(toast::Kind::Error, text);
        };
        let viewfinder =
            Viewfinder::start(camera, wake(ctx)).inspect_err(|error| lacking("camera", error)).ok();
        let files = Files::start(on_battery, wake(ctx))
            .inspect_err(|error| lacking("reading of files", error))
            .ok();
        let keeper = Keeper::start(history.clone(), wake(ctx))
            .inspect_err(|error| lacking("history", error))
            .ok();
        let explainer = Explainer::start(encoders, wake(ctx))
            .inspect_err(|error| lacking("drawing of maps", error))
            .ok();
        let witness = Witness::new(specialists, &folders.models);
        let observer = Observer::start(witness.clone(), wake(ctx))
            .inspect_err(|error| lacking("naming of things", error))
            .ok();
        let reader = Reader::start(witness, wake(ctx))
            .inspect_err(|error| lacking("tying of answers", error))
            .ok();
        view.system = ui::settings::SystemView {
            models: model_store::shipped(&folders),
            accelerator,
            data: folders.data.clone(),
            cache: folders.cache.clone(),
            history,
            log,
            mute: (!voice.available()).then(|| SpeechError::NoProgram.to_string()),
            frames: None,
        };
        view.toasts.log.clone_from(&view.system.log);
        if let Some(notice) = notice {
            view.toasts.add(toast::Kind::Note, notice.to_string());
        }
        view.ask.focus = true;
        let mut app = Self {
            view,
            engine,
            viewfinder,
            files,
            keeper,
            desktop,
            voice,
            folders,
            loading: None,
            opening: None,
            borrowed: false,
            album: asking::Album::default(),
            again: None,
            under_way: Vec::new(),
            live_frame: None,
            thumbnails: HashMap::new(),
            wishes: Vec::new(),
            next_wish: 1,
            watched: None,
            unsaved: None,
            network_asked: None,
            map_state: maps::MapState::default(),
            explainer,
            reader,
            observer,
            evidence: EvidenceState::default(),
            ahead: Ahead::default(),
            meter: Meter::default(),
            state: StateFile::asked_for(),
            shown_scale: None,
            shown_theme: None,
        };
        app.load();
        app.apply_settings(ctx);
        if !pictures.is_empty() {
            app.open(pictures);
        }
        if let Some(files) = &app.files {
            // The first job that a thread is given always has room.
            let _ = files.gallery(app.folders.samples.clone());
        }
        app
    }

    /// What is shown.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What the frames took of this thread's processor time.
    pub fn cost(&self) -> Option<Cost> {
        self.meter.cost()
    }

    /// Loads the model that the settings name.
    fn load(&mut self) {
        let settings = &self.view.settings;
        let request =
            model_store::locate(&self.folders, &settings.model).map(|model| LoadRequest {
                model,
                folders: self.folders.clone(),
                weights: settings.weights,
                device: settings.device,
            });
        let loading = match request {
            Ok(request) => self.engine.load(request).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match loading {
            Ok(request) => {
                self.loading = Some(request);
                self.view.engine =
                    status::EngineState::Loading { since: Instant::now(), progress: None };
            }
            Err(reason) => self.engine_failed(reason),
        }
    }

    fn engine_failed(&mut self, reason: String) {
        self.loading = None;
        tracing::error!("the model is not loaded: {reason}");
        let text = format!("The model is not loaded: {reason}");
        let again = ui::Action::Reload;
        self.view.toasts.with_way_out(toast::Kind::Error, text, "Try again", again);
        self.view.engine = status::EngineState::Failed(reason);
    }

    /// Says, once, that nothing will be answered any more.
    fn engine_gone(&mut self) {
        let reason = EngineError::Unreachable.to_string();
        if !matches!(&self.view.engine, status::EngineState::Failed(known) if *known == reason) {
            self.loading = None;
            self.view.engine = status::EngineState::Failed(reason.clone());
            self.fail(reason);
        }
    }

    /// Tells an error once, in words, with the way to the log.
    fn fail(&mut self, text: impl Into<String>) {
        let text = text.into();
        match &self.view.system.log {
            Some(_) => {
                let show = ui::Action::Reveal(ui::Place::Log);
                self.view.toasts.with_way_out(toast::Kind::Error, text, "Show the log", show);
            }
            None => self.view.toasts.add(toast::Kind::Error, text),
        }
    }

    /// Makes what is shown and watched follow the settings.
    fn apply_settings(&mut self, ctx: &egui::Context) {
        let settings = &self.view.settings;
        if self.shown_theme != Some(settings.theme) {
            self.shown_theme = Some(settings.theme);
            ctx.set_theme(match settings.theme {
                values::config::Theme::System => egui::ThemePreference::System,
                values::config::Theme::Light => egui::ThemePreference::Light,
                values::config::Theme::Dark => egui::ThemePreference::Dark,
            });
        }
        if self.shown_scale != Some(settings.text_size) {
            self.shown_scale = Some(settings.text_size);
            ctx.set_zoom_factor(settings.text_size);
        }
        let choice = settings.camera.on.then(|| capture::CameraChoice {
            name: settings.camera.name.clone(),
            size: settings.camera.size,
        });
        if choice != self.watched {
            self.watched.clone_from(&choice);
            if let Some(viewfinder) = &mut self.viewfinder {
                viewfinder.watch(choice);
            }
            if !self.view.settings.camera.on {
                self.leave_live_mode();
                if self.view.stage.is_live() {
                    self.view.stage.clear();
                }
            }
        }
        if let Some(viewfinder) = &mut self.viewfinder {
            viewfinder.set_threshold(self.view.settings.live.threshold);
        }
        let mirror = self.view.settings.camera.mirror;
        if let Some(stage::Shown { mirrored, frame, .. }) = &mut self.view.stage.shown
            && matches!(frame.source, values::frame::Source::Camera(_))
        {
            *mirrored = mirror;
        }
    }

    /// Writes the settings, once they have not changed for a moment.
    fn save_settings(&mut self, ctx: &egui::Context, now: bool) {
        let Some(since) = self.unsaved else { return };
        let left = SAVE_DELAY.saturating_sub(since.elapsed());
        if !now && !left.is_zero() {
            ctx.request_repaint_after(left);
            return;
        }
        self.unsaved = None;
        let (settings, folder) = (&self.view.settings, &self.folders.data);
        let passed_on = |files: &Files| files.save(settings.clone(), folder.clone()).is_ok();
        if (now || !self.files.as_ref().is_some_and(passed_on))
            && let Err(error) = settings.save(folder)
        {
            self.fail(error.to_string());
        }
    }

    fn count_sockets(&mut self, ctx: &egui::Context) {
        let due = self.network_asked.is_none_or(|asked| asked.elapsed() >= NETWORK_INTERVAL);
        if due && let Some(files) = &self.files {
            self.network_asked = Some(Instant::now());
            // What cannot be counted now is counted the next time.
            let _ = files.network();
        }
        ctx.request_repaint_after(NETWORK_INTERVAL);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.state.drawn();
        self.meter.start();
        self.take_news(ctx);
        self.count_sockets(ctx);
        self.save_settings(ctx, false);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let actions = ui::show(ui, &mut self.view);
        for action in actions {
            self.act(&ctx, action);
        }
        self.remember_window(&ctx);
        self.meter.stop();
        self.state.follow(&ctx, &self.view);
    }

    fn on_exit(&mut self) {
        self.save_settings(&egui::Context::default(), true);
        self.voice.stop();
        self.finish_cut_off();
        self.take_history_news(&egui::Context::default());
        // Waits until everything is written.
        self.keeper = None;
        state::report(self.cost());
    }
}
