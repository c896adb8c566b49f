//! The stage: the picture as large as there is room, and on it the part that "that" means.
//!
//! Layers, from the back: the picture, then whatever is laid over it, then the region.

use std::path::PathBuf;

use ::evidence::Sighting;
use egui::{
    Align2, Color32, CornerRadius, Frame as UiFrame, Image, Margin, Panel, Rect, RichText, Role,
    Sense, Stroke, StrokeKind, TextureHandle, Ui, WidgetInfo, pos2, vec2,
};
use egui_material_icons::icons::{
    ICON_CHEVRON_LEFT, ICON_CHEVRON_RIGHT, ICON_CONTENT_PASTE, ICON_FOLDER_OPEN, ICON_PHOTO_CAMERA,
    ICON_VIDEOCAM, ICON_VIDEOCAM_OFF,
};
use values::frame::Frame;
use values::job::Progress;
use values::region::Region;

use super::camera::trouble;
use super::maps::Wanted;
use super::mark::{self, Grab, Place};
use super::theme::{Palette, ROUND, space};
use super::widgets::{icon_button, labelled_button, main_button};
use super::{Action, View, evidence, gallery, maps, text};

/// The picture that is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its pixels as they are.
    pub frame: Frame,
    /// Whether it comes from the camera and goes on changing.
    pub live: bool,
    /// Whether it is drawn as in a mirror.
    pub mirrored: bool,
}

/// The stage's state.
#[derive(Default)]
pub struct Stage {
    /// What is shown, if anything.
    pub shown: Option<Shown>,
    /// The part that "that" means.
    pub region: Option<Region>,
    /// The pictures that were opened together, and which of them is shown.
    pub opened: Vec<PathBuf>,
    /// Its number among them.
    pub at: usize,
    /// What specialists see in it, or in the part.
    pub evidence: Wanted<Sighting>,
    /// What a screen reader is told of the names, the live ones' not too often.
    pub names_told: String,
    /// How far the reading of what is written in it has come, while it is read.
    pub text_read: Option<Progress>,
    /// The line of text that is pointed at.
    pub line: Option<usize>,
    /// The same, where it is pointed at in the list of lines.
    pub(super) line_in_list: Option<usize>,
    /// What is looked for in them.
    pub find: String,
    /// Whether the field for that is to have the focus.
    pub(super) find_focus: bool,
    /// A picture is being read.
    pub reading: Option<String>,
    texture: Option<TextureHandle>,
    pub(super) grab: Option<Grab>,
}

impl Stage {
    /// Shows `frame`, whose pixels for the screen are `image`.
    pub fn set(&mut self, ctx: &egui::Context, shown: Shown, image: egui::ColorImage) {
        let options = egui::TextureOptions::LINEAR;
        match &mut self.texture {
            Some(texture) => texture.set(image, options),
            none => *none = Some(ctx.load_texture("stage", image, options)),
        }
        self.shown = Some(shown);
    }

    /// Shows nothing.
    pub fn clear(&mut self) {
        *self = Self { opened: std::mem::take(&mut self.opened), at: self.at, ..Self::default() };
    }

    /// Whether the picture is the camera's and goes on changing.
    pub fn is_live(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.live)
    }

    fn label(&self) -> String {
        let Some(shown) = &self.shown else {
            return "No picture".to_owned();
        };
        let Frame { source, .. } = &shown.frame;
        let (width, height) = (shown.frame.width(), shown.frame.height());
        let kind = if shown.live { "Live picture of" } else { "Picture" };
        let region = self.region.map_or(String::new(), |region| {
            format!(", marked: {}", mark::describe(region, shown.mirrored))
        });
        format!("{kind} {source}, {width} by {height}{region}")
    }
}

/// Draws the stage.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let room = ui.available_rect_before_wrap().shrink2(vec2(space::L, space::S));
    let Some(shown) = view.stage.shown.clone() else {
        nothing_yet(ui, view, actions);
        return;
    };
    let room = map_panel(ui, view, room, actions);
    let bottom = evidence::panel(ui, view, actions);
    let room = bottom.map_or(room, |bottom| room.with_max_y(bottom - space::S));
    let toolbar = Rect::from_min_size(room.min, vec2(room.width(), 34.0));
    let room = Rect::from_min_max(pos2(room.left(), toolbar.bottom() + space::XS), room.max);
    ui.scope_builder(egui::UiBuilder::new().max_rect(toolbar), |ui| {
        ui.horizontal(|ui| toolbar_row(ui, view, &shown, actions));
    });
    if room.height() < 20.0 || room.width() < 20.0 {
        return;
    }
    let size = vec2(shown.frame.width() as f32, shown.frame.height() as f32);
    let place = Place::fit(size, room, shown.mirrored);
    // The shade around a region has corners, and so has the picture under it.
    let round = CornerRadius::same(if view.stage.region.is_some() { 0 } else { ROUND });
    ui.painter().rect_filled(place.rect, round, palette.stage);
    if let Some(texture) = &view.stage.texture {
        Image::from_texture((texture.id(), place.rect.size()))
            .uv(place.uv())
            .corner_radius(round)
            .alt_text(view.stage.label())
            .paint_at(ui, place.rect);
    }
    let response = ui.interact(place.rect, ui.scope_id().with("picture"), Sense::click_and_drag());
    let label = view.stage.label();
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
    maps::point(view, &response, place);
    maps::paint(ui, view, place);
    text::paint(ui, view, &response, place);
    mark::point(ui, &response, &mut view.stage, place, size, actions);
    mark::keyboard(ui, &response, view.stage.region, shown.mirrored, actions);
    if response.has_focus() {
        let stroke = Stroke::new(2.0, palette.accent);
        ui.painter().rect_stroke(place.rect, round, stroke, StrokeKind::Outside);
    }
    if let Some(region) = view.stage.region {
        mark::draw(ui, place, region, palette, actions);
    }
    maps::show_boxes(ui, view, &response, place);
    camera_note(ui, view, place.rect, palette);
    ui.allocate_rect(room, Sense::hover());
}

/// Draws the panel of the maps under the picture, or beside it where it would take too much height.
/// Gives back the room that is left for the picture.
fn map_panel(ui: &mut Ui, view: &mut View, room: Rect, actions: &mut Vec<Action>) -> Rect {
    let side = space::L as i8;
    let margin = Margin { left: side, right: side, top: 0, bottom: 6 };
    let outer = ui.available_size();
    let plain = |panel: Panel, margin| {
        let frame = UiFrame::new().inner_margin(margin);
        panel.frame(frame).resizable(false).show_separator_line(false)
    };
    if let Some(width) = maps::beside(&view.maps, outer) {
        let margin = Margin { left: space::S as i8, top: space::S as i8, ..margin };
        let panel = plain(Panel::right("map_beside"), margin).exact_size(width);
        let most = outer.y - 2.0 * space::S;
        let drawn = panel.show(ui, |ui| maps::show_panel(ui, view, most, actions));
        room.with_max_x(drawn.response.rect.left())
    } else {
        let most = outer.y * 0.54;
        let panel = plain(Panel::bottom("map_below"), margin).max_size(outer.y);
        let drawn = panel.show(ui, |ui| maps::show_panel(ui, view, most, actions));
        room.with_max_y(drawn.response.rect.top() - space::S)
    }
}

fn toolbar_row(ui: &mut Ui, view: &View, shown: &Shown, actions: &mut Vec<Action>) {
    let stage = &view.stage;
    let name = shown.frame.source.name();
    if shown.live {
        let palette = Palette::of(ui.visuals());
        ui.label(ICON_VIDEOCAM.rich_text().color(palette.good));
    }
    let room = (ui.available_width() - 330.0).clamp(60.0, 260.0);
    let left = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(vec2(room, 30.0), left, |ui| {
        ui.add(egui::Label::new(RichText::new(&name).weak()).truncate()).on_hover_text(format!(
            "{name}, {} × {}",
            shown.frame.width(),
            shown.frame.height()
        ));
    });
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        if icon_button(ui, ICON_FOLDER_OPEN, "Open pictures").clicked() {
            actions.push(Action::ChoosePictures);
        }
        let on = view.settings.camera.on;
        let (icon, word) = if on {
            (ICON_VIDEOCAM_OFF, "Switch the camera off")
        } else {
            (ICON_PHOTO_CAMERA, "Switch the camera on")
        };
        if icon_button(ui, icon, word).clicked() {
            actions.push(Action::UseCamera(!on));
        }
        if on && !shown.live && labelled_button(ui, ICON_VIDEOCAM, "Back to live").clicked() {
            actions.push(Action::GoLive);
        }
        if stage.opened.len() > 1 && !shown.live {
            if icon_button(ui, ICON_CHEVRON_RIGHT, "Next picture").clicked() {
                actions.push(Action::Turn(1));
            }
            ui.label(format!("{} of {}", stage.at + 1, stage.opened.len()));
            if icon_button(ui, ICON_CHEVRON_LEFT, "Previous picture").clicked() {
                actions.push(Action::Turn(-1));
            }
        }
    });
}

/// What there is to say of the camera while a picture is shown: it does not come, or it is frozen.
fn camera_note(ui: &mut Ui, view: &View, rect: Rect, palette: Palette) {
    if let Some(name) = &view.stage.reading {
        caption(ui, rect, palette, &format!("Reading {name} …"));
        return;
    }
    let Some(trouble) = trouble(&view.camera.state) else { return };
    if view.settings.camera.on && view.stage.is_live() {
        caption(ui, rect, palette, &format!("{}: {}", trouble.title, trouble.advice));
    }
}

fn caption(ui: &mut Ui, rect: Rect, palette: Palette, text: &str) {
    let at = Rect::from_min_max(
        pos2(rect.left() + 12.0, rect.bottom() - 76.0),
        rect.max - vec2(12.0, 12.0),
    );
    let frame = UiFrame::new()
        .fill(palette.card)
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(12, 8));
    let builder =
        egui::UiBuilder::new().max_rect(at).layout(egui::Layout::bottom_up(egui::Align::Min));
    ui.scope_builder(builder, |ui| frame.show(ui, |ui| ui.label(text)));
}

/// The first thing a new user sees: how to bring a picture, and pictures to try.
fn nothing_yet(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((ui.available_height() * 0.06).max(space::M));
            if let Some(trouble) = trouble(&view.camera.state).filter(|_| view.settings.camera.on) {
                ui.label(ICON_VIDEOCAM_OFF.rich_text().size(34.0).color(palette.warn));
                ui.heading(trouble.title);
                ui.label(RichText::new(trouble.advice).weak());
            } else if view.settings.camera.on {
                ui.spinner();
                ui.label("Starting the camera …");
            } else if let Some(name) = &view.stage.reading {
                ui.spinner();
                ui.label(format!("Reading {name} …"));
            } else {
                ui.heading("What is that?");
                ui.label(
                    RichText::new("Show a picture and ask. It never leaves this machine.").weak(),
                );
            }
            ui.add_space(space::M);
            buttons(ui, view, actions);
            ui.add_space(space::L);
            gallery::show(ui, view, actions);
        });
    });
}

fn buttons(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let width = 470.0_f32.min(ui.available_width());
    ui.allocate_ui_with_layout(
        vec2(width, 36.0),
        egui::Layout::left_to_right(egui::Align::Center)
            .with_main_wrap(true)
            .with_main_justify(false),
        |ui| {
            if main_button(ui, ICON_FOLDER_OPEN, "Open pictures").clicked() {
                actions.push(Action::ChoosePictures);
            }
            let on = view.settings.camera.on;
            let word = if on { "Switch the camera off" } else { "Use the camera" };
            if labelled_button(ui, ICON_PHOTO_CAMERA, word).clicked() {
                actions.push(Action::UseCamera(!on));
            }
            let paste = labelled_button(ui, ICON_CONTENT_PASTE, "Paste");
            if paste.clicked() {
                ui.ctx().send_viewport_cmd(egui::ViewportCommand::RequestPaste);
            }
        },
    );
}

/// While something is dragged over the window: where it may be dropped.
pub fn drop_target(ui: &Ui) {
    let hovering = ui.input(|input| !input.raw.hovered_files.is_empty());
    if !hovering {
        return;
    }
    let palette = Palette::of(ui.visuals());
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(170));
    painter.rect_stroke(
        rect.shrink(14.0),
        CornerRadius::same(ROUND),
        Stroke::new(3.0, palette.accent),
        StrokeKind::Inside,
    );
    let font = egui::FontId::proportional(24.0);
    painter.text(rect.center(), Align2::CENTER_CENTER, "Drop it here", font, Color32::WHITE);
}
