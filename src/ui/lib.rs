//! The window: what it shows, drawn; what the user wants of it, said as [`Action`]s.
//!
//! Nothing here reads a file, decodes a picture, waits or holds a lock: a panel draws its part of
//! the [`View`] and says what was asked for. `app` carries it out.
//!
//! ```text
//! top bar     sidebar · new · title                        state · settings
//! sidebar   │ stage: the picture,    │ conversation: answers, tokens
//!           │ layers: picture, maps, │
//!           │ region                 │
//!           │ which map, and what it │
//!           │ may claim              │
//!           │ ask: questions, shutter, line, timings
//! ```

pub mod announce;
pub mod ask;
pub mod camera;
pub mod evidence;
pub mod gallery;
pub mod history;
pub mod keys;
pub mod live;
pub mod maps;
pub mod mark;
pub mod markdown;
pub mod settings;
pub mod stage;
pub mod status;
pub mod talk;
mod text;
pub mod theme;
pub mod toast;
mod widgets;

use std::path::PathBuf;

use egui::{CentralPanel, Frame, Margin, Panel, Ui};
use session::{ExportFormat, SessionId};
use values::config::Settings;
use values::region::Region;

use theme::{Palette, space};

/// Below this width of the window the conversation stands under the picture, in points.
const SIDE_BY_SIDE: f32 = 760.0;
/// Width of the sidebar, in points.
const SIDEBAR: f32 = 250.0;

/// What the user wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Choose pictures in a dialog and open them.
    ChoosePictures,
    /// Choose a folder in a dialog and open its pictures.
    ChooseFolder,
    /// Open these files and folders.
    Open(Vec<PathBuf>),
    /// Take this picture from the clipboard.
    Paste(PastedImage),
    /// Another picture of those that were opened, so many further on.
    Turn(isize),
    /// Freeze the live frame; on a still picture, go back to the camera.
    Shutter,
    /// Freeze the live frame, where there is one, and ask the first question about the picture.
    Capture,
    /// Go back to the live picture of the camera.
    GoLive,
    /// Switch the camera on or off.
    UseCamera(bool),
    /// "That" is this part of the picture, or all of it.
    Mark(Option<Region>),
    /// Ask what stands in the line.
    Ask,
    /// Ask this.
    AskThis(String),
    /// Stop the answer.
    Stop,
    /// Put the question of this card again.
    AskAgain(usize),
    /// Ask this about the picture of this card.
    AskAbout(usize, String),
    /// Maps over the picture.
    Maps(maps::MapAction),
    /// Switch live mode on or off.
    LiveMode(bool),
    /// Keep the last answer of live mode in the conversation.
    KeepLive,
    /// Read the answer of this card aloud, or stop.
    Speak(usize),
    /// Read this aloud.
    Say(String),
    /// Put a text on the clipboard.
    Copy(String),
    /// Begin a new conversation.
    New,
    /// Conversations that are kept.
    History(HistoryAction),
    /// The settings were changed.
    SettingsChanged,
    /// Let go of the model and load the one that the settings name.
    Reload,
    /// Open a dialog.
    Show(Dialog),
    /// Close the dialog.
    CloseDialog,
    /// Choose the folder for conversations in a dialog.
    ChooseHistoryFolder,
    /// Show a folder of Lorgnette's in the system's file manager.
    Reveal(Place),
    /// Fill the screen or stop filling it.
    Fullscreen,
}

/// What is wanted of the conversations that are kept.
#[derive(Debug, Clone, PartialEq)]
pub enum HistoryAction {
    /// Show one.
    Open(SessionId),
    /// Find those with these words.
    Search(String),
    /// Give one another title.
    Rename(SessionId, String),
    /// Take one away, so that it can be brought back.
    Delete(SessionId),
    /// Bring one back.
    Undelete(SessionId),
    /// Take all away for good.
    DeleteAll,
    /// Write one where a dialog says.
    Export(SessionId, ExportFormat),
    /// Write one to this path in place of what lies there.
    Overwrite(SessionId, PathBuf, ExportFormat),
    /// Read one that was exported as a zip file.
    Import,
    /// Read one that was exported as a folder.
    ImportFolder,
}

/// A picture from the clipboard.
#[derive(Clone, PartialEq)]
pub struct PastedImage(pub std::sync::Arc<egui::ColorImage>);

impl std::fmt::Debug for PastedImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PastedImage({:?})", self.0.size)
    }
}

/// What stands over everything else until it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// The settings.
    Settings,
    /// Whether to delete all conversations.
    DeleteAll,
    /// The keys.
    Keys,
}

/// A folder that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The data folder: conversations and settings.
    Data,
    /// The folder of the log file.
    Log,
}

/// All that the window shows.
#[derive(Default)]
pub struct View {
    /// What the user set.
    pub settings: Settings,
    /// The model.
    pub engine: status::EngineState,
    /// Whether this process has no connection to a network.
    pub network: status::Network,
    /// The picture.
    pub stage: stage::Stage,
    /// The camera.
    pub camera: camera::CameraView,
    /// The shipped pictures.
    pub gallery: gallery::Gallery,
    /// The line to type in.
    pub ask: ask::Ask,
    /// The conversation.
    pub talk: talk::Talk,
    /// The conversations that are kept.
    pub history: history::History,
    /// Asking by itself.
    pub live: live::Live,
    /// Maps over the picture.
    pub maps: maps::Maps,
    /// Messages.
    pub toasts: toast::Toasts,
    /// What stands over everything else.
    pub dialog: Option<Dialog>,
    /// Folders and devices, for the settings.
    pub system: settings::SystemView,
}

impl View {
    /// The questions that are offered: the user's own, else those of the model that answers.
    pub fn questions(&self) -> &[String] {
        let card = self.engine.model().and_then(|model| model.card.as_ref());
        match (self.settings.own_presets(), card) {
            (None, Some(card)) => &card.questions,
            _ => &self.settings.presets,
        }
    }
}

/// Draws the window and says what was asked for.
pub fn show(ui: &mut Ui, view: &mut View) -> Vec<Action> {
    let mut actions = Vec::new();
    keys::read(ui, view, &mut actions);
    let palette = Palette::of(ui.visuals());
    let bar = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(12, 7));
    Panel::top("top").frame(bar).show(ui, |ui| status::top_bar(ui, view, &mut actions));

    let wide = ui.available_width() >= SIDE_BY_SIDE + SIDEBAR;
    if view.settings.sidebar {
        let side = Frame::new().fill(palette.panel).inner_margin(Margin::same(space::M as i8));
        let panel = Panel::left("sidebar").frame(side);
        let panel = if wide {
            panel.resizable(true).default_size(SIDEBAR).size_range(220.0..=380.0)
        } else {
            panel.resizable(false).exact_size(220.0)
        };
        panel.show(ui, |ui| history::show(ui, view, &mut actions));
    }
    let foot = Frame::new().fill(palette.ground).inner_margin(Margin::symmetric(16, 10));
    Panel::bottom("ask")
        .frame(foot)
        .show_separator_line(false)
        .show(ui, |ui| ask::show(ui, view, &mut actions));

    maps::refresh(ui.ctx(), view);
    let ground = Frame::new().fill(palette.ground);
    CentralPanel::default().frame(ground).show(ui, |ui| middle(ui, view, &mut actions));

    match view.dialog {
        Some(Dialog::Settings) => settings::show(ui, view, &mut actions),
        Some(Dialog::DeleteAll) => history::confirm_delete_all(ui, &mut actions),
        Some(Dialog::Keys) => keys::show(ui, &mut actions),
        None => {}
    }
    toast::show(ui, &mut view.toasts, &mut actions);
    announce::show(ui, view);
    stage::drop_target(ui);
    actions
}

/// The picture and the conversation: side by side, or one above the other.
fn middle(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    // What is pointed at in the answer lights up on the picture, and the other way round: the
    // conversation, drawn first, learns of the picture's pointer one frame later.
    let before = view.maps.pointed.take();
    view.maps.pointed_before = before;
    // The map of a label that is pointed at is drawn in the next frame.
    let peeked = view.maps.peeked.take();
    picture_and_talk(ui, view, actions);
    if view.maps.pointed != before || view.maps.peeked != peeked {
        ui.ctx().request_repaint();
    }
}

fn picture_and_talk(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let talks = !view.talk.cards.is_empty() || view.live.on;
    if !talks {
        stage::show(ui, view, actions);
        return;
    }
    let frame = Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::S as i8));
    if ui.available_width() >= SIDE_BY_SIDE - SIDEBAR {
        let width = ui.available_width();
        Panel::right("talk")
            .frame(frame)
            .resizable(true)
            .show_separator_line(false)
            .default_size(width * 0.42)
            .size_range(240.0..=(width - 240.0).max(260.0))
            .show(ui, |ui| talk::show(ui, view, actions));
    } else {
        let height = ui.available_height();
        Panel::bottom("talk_below")
            .frame(frame)
            .resizable(true)
            .default_size(height * 0.5)
            .size_range(90.0..=(height - 120.0).max(100.0))
            .show(ui, |ui| talk::show(ui, view, actions));
    }
    CentralPanel::no_frame().show(ui, |ui| stage::show(ui, view, actions));
}
