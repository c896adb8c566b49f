//! The window's beginning and end: size and place, renderer, icon.

use std::path::PathBuf;
use std::sync::Arc;

use capture::{Camera, CameraFeed};
use encoder::Encoders;
use engine::{Backend, EngineError};
use evidence::Specialists;
use speech::SystemVoice;
use values::config::{ConfigError, Folders, Settings, WindowPlace};
use values::log;

use super::desktop::System;
use super::{App, Services, power};

/// The size of a first window, in points.
const FIRST_SIZE: [f32; 2] = [1180.0, 760.0];
/// The smallest window in which everything has its place, in points.
const LEAST_SIZE: [f32; 2] = [640.0, 480.0];

/// Tokens are drawn together, this often: drawing each would take from the model.
const TOKENS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(40);

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// The folders.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system opens no window.
    #[error(
        "no window could be opened ({0}): \"lorgnette ask\" works without one; on Linux see that \
         DISPLAY or WAYLAND_DISPLAY is set and a Vulkan or OpenGL driver is installed"
    )]
    Window(String),
}

/// Opens the window, with these pictures first, and returns when it is closed. `backend` answers,
/// `encoders` compute maps, `specialists` see things in pictures.
///
/// # Errors
/// [`WindowError`].
pub fn run(
    folders: Folders,
    pictures: Vec<PathBuf>,
    backend: Backend,
    encoders: Encoders,
    specialists: Specialists,
) -> Result<(), WindowError> {
    let (log, no_log) = match log::start(&folders.data) {
        Ok(log) => (Some(log), None),
        Err(error) => (None, Some(error.to_string())),
    };
    tracing::info!("Lorgnette {} starts", env!("CARGO_PKG_VERSION"));
    let (settings, notice) = Settings::load(&folders.data);
    let options = eframe::NativeOptions {
        viewport: viewport(settings.window),
        centered: settings.window.is_none(),
        renderer: eframe::Renderer::Wgpu,
        persist_window: false,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "Lorgnette",
        options,
        Box::new(move |creation| {
            let ctx = &creation.egui_ctx;
            close_on_signal(ctx);
            let wake = ctx.clone();
            let wake = Box::new(move || wake.request_repaint_after(TOKENS_INTERVAL));
            let engine = (backend.start)(wake)?;
            let chosen = ctx.clone();
            let services = Services {
                engine: Box::new(engine),
                accelerator: backend.accelerator,
                encoders,
                specialists,
                camera: Box::new(|wake| {
                    let camera = Camera::start(wake).map_err(|error| error.to_string())?;
                    Ok(Box::new(camera) as Box<dyn CameraFeed>)
                }),
                desktop: Box::new(System::new(move || chosen.request_repaint())),
                voice: Box::new(SystemVoice::find()),
                on_battery: power::on_battery,
                folders,
                log,
            };
            let mut app = App::new(ctx, services, settings, notice, pictures);
            if let Some(reason) = no_log {
                app.fail(reason);
            }
            Ok(Box::new(app))
        }),
    )
    .map_err(|error| WindowError::Window(error.to_string()))
}

/// Closes the window, so that everything is written, when the system ends the session or someone
/// presses Ctrl-C in the terminal.
fn close_on_signal(ctx: &egui::Context) {
    let ctx = ctx.clone();
    let set = ctrlc::set_handler(move || {
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        ctx.request_repaint();
    });
    if let Err(error) = set {
        tracing::warn!("a signal will end the program at once: {error}");
    }
}

fn viewport(place: Option<WindowPlace>) -> egui::ViewportBuilder {
    let icon = image::load_from_memory(include_bytes!("../../assets/icon/lorgnette-256.png"));
    let mut viewport = egui::ViewportBuilder::default()
        .with_title("Lorgnette")
        .with_app_id("lorgnette")
        .with_min_inner_size(LEAST_SIZE)
        .with_inner_size(FIRST_SIZE);
    if let Ok(icon) = icon {
        let icon = icon.into_rgba8();
        let (width, height) = icon.dimensions();
        let icon = egui::IconData { rgba: icon.into_raw(), width, height };
        viewport = viewport.with_icon(Arc::new(icon));
    }
    if let Some(WindowPlace { x, y, width, height, maximized }) = place {
        viewport = viewport.with_inner_size([width, height]).with_maximized(maximized);
        if let (Some(x), Some(y)) = (x, y) {
            viewport = viewport.with_position([x, y]);
        }
    }
    viewport
}

impl App {
    /// Keeps the window's size and place with the settings.
    pub(super) fn remember_window(&mut self, ctx: &egui::Context) {
        let (inner, outer, maximized, full, minimized) = ctx.input(|input| {
            let viewport = input.viewport();
            (
                viewport.inner_rect,
                viewport.outer_rect,
                viewport.maximized.unwrap_or(false),
                viewport.fullscreen.unwrap_or(false),
                viewport.minimized.unwrap_or(false),
            )
        });
        if full || minimized {
            return;
        }
        // Wayland does not tell where a window is, but egui knows how large.
        let inner = inner.map_or_else(|| ctx.content_rect().size(), |inner| inner.size());
        // The text size is a zoom of everything: the window's own points are without it.
        let zoom = ctx.zoom_factor();
        let before = self.view.settings.window;
        let size = match before {
            Some(before) if maximized => (before.width, before.height),
            _ => (inner.x * zoom, inner.y * zoom),
        };
        let corner = match before {
            Some(before) if maximized => (before.x, before.y),
            _ => (outer.map(|outer| outer.left() * zoom), outer.map(|outer| outer.top() * zoom)),
        };
        let place =
            WindowPlace { x: corner.0, y: corner.1, width: size.0, height: size.1, maximized };
        if before != Some(place) && place.width >= 1.0 && place.height >= 1.0 {
            self.view.settings.window = Some(place);
            self.unsaved = Some(std::time::Instant::now());
        }
    }
}
