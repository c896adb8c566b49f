//! What is going on: the state in a pill, times in a corner, and whether there is a network.

use std::time::Instant;

use conversation::ModelInfo;
use egui::{
    Align, Color32, CornerRadius, Label, Layout, Margin, ProgressBar, RichText, Role, Ui,
    WidgetInfo,
};
use egui_material_icons::icons::{
    ICON_CLOUD_OFF, ICON_EDIT_SQUARE, ICON_KEYBOARD, ICON_SETTINGS, ICON_VIEW_SIDEBAR, ICON_WARNING,
};
use engine::{LoadProgress, LoadedModel};
use model_store::Step;

use super::theme::{Palette, space};
use super::widgets::{icon_button, icon_toggle, seconds};
use super::{Action, Dialog, View, ask};

/// Tokens of a short question with what the chat template sets around it.
pub const PROMPT_TOKENS: usize = 24;

/// The model's state.
#[derive(Debug, Clone, Default)]
pub enum EngineState {
    /// None was asked for.
    #[default]
    Off,
    /// On its way.
    Loading {
        /// Since when.
        since: Instant,
        /// How far, where that is known.
        progress: Option<LoadProgress>,
    },
    /// It answers.
    Ready(LoadedModel),
    /// It cannot be loaded, for this reason.
    Failed(String),
}

impl EngineState {
    /// The model, once it is there.
    pub fn model(&self) -> Option<&LoadedModel> {
        match self {
            Self::Ready(model) => Some(model),
            _ => None,
        }
    }
}

/// What this process has to do with a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Not looked at, or not to be seen on this system.
    #[default]
    Unknown,
    /// The system lists no internet socket of this process.
    Offline,
    /// It lists this many.
    Sockets(usize),
}

/// What is happening, since when, and how it looks.
#[derive(Debug, Clone, PartialEq)]
struct Pill {
    text: String,
    tone: Tone,
    progress: Option<f32>,
    busy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Good,
    Busy,
    Bad,
}

fn pill(view: &View, now: Instant) -> Pill {
    let since = |since: Instant| seconds(now.saturating_duration_since(since).as_secs_f64());
    if let EngineState::Loading { since: start, progress } = &view.engine {
        let (word, progress) = match progress {
            Some(LoadProgress::Files(Step::Unpacking(progress))) => {
                ("Unpacking the model", Some(progress.fraction()))
            }
            Some(LoadProgress::Files(Step::Verifying(progress))) => {
                ("Checking the model", Some(progress.fraction()))
            }
            Some(LoadProgress::Files(Step::Waiting)) => ("Waiting for another Lorgnette", None),
            _ => ("Starting the model", None),
        };
        return Pill {
            text: format!("{word} · {}", since(*start)),
            tone: Tone::Busy,
            progress,
            busy: true,
        };
    }
    if let EngineState::Failed(_) = &view.engine {
        return Pill { text: "No model".into(), tone: Tone::Bad, progress: None, busy: false };
    }
    let under_way = view.talk.under_way().or_else(|| view.live.under_way());
    match under_way {
        Some((asked, None)) => {
            let text = format!("Looking · {}", since(asked));
            Pill { text, tone: Tone::Busy, progress: None, busy: true }
        }
        Some((_, Some(first))) => {
            let text = format!("Answering · {}", since(first));
            Pill { text, tone: Tone::Busy, progress: None, busy: true }
        }
        None if view.engine.model().is_some() => {
            Pill { text: "Ready".into(), tone: Tone::Good, progress: None, busy: false }
        }
        None => Pill { text: "Idle".into(), tone: Tone::Good, progress: None, busy: false },
    }
}

/// Draws the bar at the top.
pub fn top_bar(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let sidebar = view.settings.sidebar;
        let word = if sidebar { "Hide the conversations" } else { "Show the conversations" };
        if icon_toggle(ui, ICON_VIEW_SIDEBAR, word, sidebar).clicked() {
            view.settings.sidebar = !sidebar;
            actions.push(Action::SettingsChanged);
        }
        if icon_button(ui, ICON_EDIT_SQUARE, "New conversation").clicked() {
            actions.push(Action::New);
        }
        let title = if view.talk.title.is_empty() { "Lorgnette" } else { &view.talk.title };
        let room = (ui.available_width() - 330.0).max(40.0);
        let title = RichText::new(title).strong();
        ui.allocate_ui_with_layout(
            egui::vec2(room, 30.0),
            Layout::left_to_right(Align::Center),
            |ui| ui.add(Label::new(title).truncate()),
        );
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, ICON_SETTINGS, "Settings").clicked() {
                actions.push(Action::Show(Dialog::Settings));
            }
            if icon_button(ui, ICON_KEYBOARD, "Keys").clicked() {
                actions.push(Action::Show(Dialog::Keys));
            }
            draw_pill(ui, view, actions);
        });
    });
}

fn draw_pill(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let pill = pill(view, Instant::now());
    let palette = Palette::of(ui.visuals());
    let colour = match pill.tone {
        Tone::Good => palette.good,
        Tone::Busy => palette.accent,
        Tone::Bad => palette.bad,
    };
    if pill.busy {
        // More often would only take from the model, where there is no graphics card.
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(200));
    }
    if let EngineState::Failed(reason) = &view.engine {
        let again = ui.button("Try again").on_hover_text(reason);
        if again.clicked() {
            actions.push(Action::Reload);
        }
    }
    let frame = egui::Frame::new()
        .fill(palette.card)
        .corner_radius(CornerRadius::same(13))
        .inner_margin(Margin::symmetric(10, 4));
    // The bar is laid out from the right, and so is what stands in the pill.
    let response = frame.show(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 7.0;
        ui.spacing_mut().interact_size.y = 18.0;
        ui.horizontal(|ui| {
            ui.add(Label::new(RichText::new(&pill.text).size(13.5)).extend());
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(9.0), egui::Sense::hover());
            ui.painter().circle_filled(rect.center(), 4.5, colour);
            if let Some(progress) = pill.progress {
                ui.add(ProgressBar::new(progress).desired_width(70.0).desired_height(6.0))
                    .accessible_name("Progress");
            }
        });
    });
    let model = match &view.engine {
        EngineState::Ready(model) => {
            let sentence = model.card.iter().map(|card| format!("\n{}", card.sentence));
            describe(model) + &sentence.collect::<String>()
        }
        EngineState::Failed(reason) => reason.clone(),
        _ => "The model is on its way".to_owned(),
    };
    let response = response.response.on_hover_text(model);
    response
        .widget_info(|| WidgetInfo::labeled(Role::Status, true, format!("State: {}", pill.text)));
}

/// A model in one line.
pub fn describe(model: &LoadedModel) -> String {
    let ModelInfo { name, revision, weights, device } = &model.info;
    format!("{name}, revision {revision}, {weights}, on the {device}")
}

/// Draws what the last answer took and whether there is a network.
pub fn bottom_bar(ui: &mut Ui, view: &View) {
    let palette = Palette::of(ui.visuals());
    let small = |text: String| RichText::new(text).size(12.5).color(palette.weak);
    ui.horizontal(|ui| {
        if let Some(cost) = ask::cost(view) {
            ui.label(small(cost)).on_hover_text(
                "Tokens the picture takes in the model, and about how long until the first word",
            );
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            network(ui, view.network, palette);
            if let Some(timings) = &view.ask.timings {
                ui.add_space(space::S);
                ui.label(small(format!("First word after {timings}")))
                    .on_hover_text("From the question to the first word, and tokens per second");
            }
        });
    });
}

fn network(ui: &mut Ui, network: Network, palette: Palette) {
    let (icon, word, colour, hint): (_, _, Color32, String) = match network {
        Network::Sockets(count) => (
            ICON_WARNING,
            "Online",
            palette.bad,
            format!(
                "The system lists {count} internet sockets of this program. That is not meant to be."
            ),
        ),
        Network::Offline => (
            ICON_CLOUD_OFF,
            "Offline",
            palette.good,
            "Looked up every few seconds: this program has no internet socket open.".to_owned(),
        ),
        Network::Unknown => (
            ICON_CLOUD_OFF,
            "Offline",
            palette.weak,
            "Nothing in this program opens a connection to a network; this system was not asked."
                .to_owned(),
        ),
    };
    let text = RichText::new(word).size(12.5).color(colour);
    ui.label(text).on_hover_text(&hint);
    ui.label(icon.rich_text().size(14.0).color(colour)).on_hover_text(hint);
}

#[cfg(test)]
mod tests {
    use values::job::Progress;

    use super::*;

    #[test]
    fn the_pill_says_what_happens_and_for_how_long() {
        let mut view = View::default();
        let now = Instant::now();
        let text = |view: &View| pill(view, now + std::time::Duration::from_secs(2)).text;
        assert_eq!(text(&view), "Idle");
        let unpacking = LoadProgress::Files(Step::Unpacking(Progress::new(1, 4)));
        view.engine = EngineState::Loading { since: now, progress: Some(unpacking) };
        assert_eq!(text(&view), "Unpacking the model · 2.0 s");
        assert_eq!(pill(&view, now).progress, Some(0.25));
        view.engine = EngineState::Failed("no such file".into());
        assert_eq!(text(&view), "No model");
    }
}
