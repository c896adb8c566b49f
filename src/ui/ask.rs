//! The line to type in, with the questions people ask most, the shutter and what it all takes.

use egui::{
    Button, Color32, CornerRadius, Id, Key, KeyboardShortcut, Modifiers, RichText, Role,
    ScrollArea, Sense, Stroke, TextEdit, Ui, Vec2, WidgetInfo, vec2,
};
use egui_material_icons::icons::{
    ICON_ARROW_UPWARD, ICON_AUTORENEW, ICON_PHOTO_CAMERA, ICON_STOP, ICON_TUNE, ICON_VIDEOCAM,
};
use values::config::DEFAULT_QUESTION;

use super::theme::{ICON, Palette, ROUND, ROUND_SMALL, space};
use super::widgets::{icon_button, icon_toggle, seconds};
use super::{Action, Dialog, View, status};

/// Diameter of the shutter, in points.
const SHUTTER: f32 = 46.0;
/// Longest question, in characters: far more than a model can hold.
const LONGEST: usize = 8000;

/// The line's state.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// What stands in it.
    pub question: String,
    /// The line is to have the focus from now on.
    pub focus: bool,
    /// What the last answer took, in words.
    pub timings: Option<String>,
    /// Seconds to the first word for each token of a prompt, as measured last.
    pub pace: Option<f64>,
}

impl Ask {
    /// The name under which egui keeps the line.
    pub fn id() -> Id {
        Id::unique("question")
    }
}

/// Draws the foot of the window.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    presets(ui, view, actions);
    ui.add_space(space::XS);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        shutter(ui, view, actions);
        line(ui, view, actions);
    });
    ui.add_space(2.0);
    status::bottom_bar(ui, view);
}

fn presets(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let row = ui.available_width();
    ui.allocate_ui(vec2(row, 32.0), |ui| {
        ScrollArea::horizontal().id_salt("presets").show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                for preset in view.questions().iter().filter(|preset| !preset.trim().is_empty()) {
                    let button = Button::new(RichText::new(preset).size(13.5))
                        .corner_radius(CornerRadius::same(14))
                        .min_size(vec2(0.0, 28.0));
                    if ui.add(button).on_hover_text("Ask this").clicked() {
                        actions.push(Action::AskThis(preset.clone()));
                    }
                }
                let edit = Button::new(ICON_TUNE.rich_text().size(15.0)).frame(false);
                let edit = ui.add(edit.min_size(vec2(28.0, 28.0)));
                if edit.on_hover_text("Edit these").accessible_name("Edit the questions").clicked()
                {
                    actions.push(Action::Show(Dialog::Settings));
                }
            });
        });
    });
}

fn shutter(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let live = view.stage.is_live();
    let on = view.settings.camera.on;
    let name = match (on, live) {
        (_, true) => "Take the picture",
        (true, false) => "Back to the camera",
        (false, false) => "Use the camera",
    };
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(SHUTTER), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let palette = Palette::of(ui.visuals());
    let hot = response.hovered() || response.has_focus();
    let ring = if hot { palette.accent } else { palette.border };
    let painter = ui.painter();
    painter.circle_stroke(rect.center(), SHUTTER * 0.5 - 1.5, Stroke::new(2.5, ring));
    let fill = if live { palette.accent } else { palette.button };
    painter.circle_filled(rect.center(), SHUTTER * 0.5 - 6.0, fill);
    let (icon, colour) = match (on, live) {
        (_, true) => (ICON_PHOTO_CAMERA, palette.on_accent),
        (true, false) => (ICON_VIDEOCAM, palette.text),
        (false, false) => (ICON_PHOTO_CAMERA, palette.text),
    };
    let font = egui::FontId::new(ICON + 2.0, icon.font_family());
    let align = egui::Align2::CENTER_CENTER;
    painter.text(rect.center() + vec2(0.0, 1.0), align, icon.codepoint, font, colour);
    if response.on_hover_text(format!("{name} (Space)")).clicked() {
        actions.push(if on { Action::Shutter } else { Action::UseCamera(true) });
    }
}

fn line(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let answering = view.talk.is_answering();
    let focused = ui.memory(|memory| memory.has_focus(Ask::id()));
    let border = if focused { palette.accent } else { palette.border };
    egui::Frame::new()
        .fill(palette.card)
        .stroke(Stroke::new(if focused { 1.5 } else { 1.0 }, border))
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(egui::Margin::symmetric(8, 4))
        .show(ui, |ui| {
            let buttons = 34.0 * 2.0 + space::S * 2.0;
            let width = (ui.available_width() - buttons).max(80.0);
            let hint = if view.stage.region.is_some() {
                format!("{DEFAULT_QUESTION} (the marked part)")
            } else {
                DEFAULT_QUESTION.to_owned()
            };
            let edit = TextEdit::multiline(&mut view.ask.question)
                .id(Ask::id())
                .hint_text(hint)
                .desired_rows(1)
                .desired_width(width)
                .char_limit(LONGEST)
                .frame(egui::Frame::NONE)
                .margin(egui::Margin::symmetric(4, 8))
                .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
            let response = ScrollArea::vertical()
                .max_height(110.0)
                .min_scrolled_height(30.0)
                .id_salt("line")
                .show(ui, |ui| ui.add(edit).accessible_name("Question"))
                .inner;
            if std::mem::take(&mut view.ask.focus) {
                response.request_focus();
            }
            let enter = response.has_focus()
                && ui.input(|i| i.key_pressed(Key::Enter) && !i.modifiers.shift);
            if enter {
                actions.push(Action::Ask);
            }
            let live = view.live.on;
            let word = if live { "Stop live mode" } else { "Live mode" };
            let toggle = icon_toggle(ui, ICON_AUTORENEW, word, live);
            let hint = "Asks again by itself whenever the camera's scene has changed";
            if toggle.on_hover_text(hint).clicked() {
                actions.push(Action::LiveMode(!live));
            }
            send_or_stop(ui, answering, palette, actions);
        });
}

fn send_or_stop(ui: &mut Ui, answering: bool, palette: Palette, actions: &mut Vec<Action>) {
    if answering {
        if icon_button(ui, ICON_STOP, "Stop the answer").clicked() {
            actions.push(Action::Stop);
        }
        return;
    }
    let icon = ICON_ARROW_UPWARD.rich_text().size(ICON).color(palette.on_accent);
    let button = Button::new(icon)
        .fill(palette.accent)
        .stroke(Stroke::new(0.0, Color32::TRANSPARENT))
        .corner_radius(CornerRadius::same(ROUND_SMALL))
        .min_size(Vec2::splat(32.0));
    if ui.add(button).on_hover_text("Ask (Enter)").accessible_name("Ask").clicked() {
        actions.push(Action::Ask);
    }
}

/// What asking about one picture takes, in words.
pub fn cost(view: &View) -> Option<String> {
    let model = view.engine.model()?;
    view.stage.shown.as_ref()?;
    let picture = model.input.tokens()?;
    let time = view.ask.pace.map_or(String::new(), |pace| {
        format!(" ≈ {}", seconds(pace * (picture + status::PROMPT_TOKENS) as f64))
    });
    Some(format!("This picture = {picture} tokens{time}"))
}
