//! The stage: the picture as large as there is room, and on it the part that "that" means.
//!
//! Layers, from the back: the picture, then whatever is laid over it, then the region. Mirroring
//! is for display alone: every position that leaves this module is a fraction of the true frame.

use std::path::PathBuf;

use egui::{
    Align2, Color32, CornerRadius, CursorIcon, Image, Key, Pos2, Rect, Response, RichText, Role,
    Sense, Stroke, StrokeKind, TextureHandle, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use egui_material_icons::icons::{
    ICON_CHEVRON_LEFT, ICON_CHEVRON_RIGHT, ICON_CLOSE, ICON_CONTENT_PASTE, ICON_FOLDER_OPEN,
    ICON_PHOTO_CAMERA, ICON_VIDEOCAM, ICON_VIDEOCAM_OFF,
};

use super::theme::{Palette, ROUND, space};
use super::widgets::{icon_button, labelled_button, main_button};
use super::{Action, View, gallery};
use crate::capture::{CameraDevice, CameraState};
use crate::frame::Frame;
use crate::region::Region;

/// Side of the region that a click marks, as a part of the picture's shorter side.
const CLICKED_SIDE: f32 = 0.3;
/// How far an arrow key moves or stretches the region, as a part of the picture.
const KEY_STEP: f32 = 0.02;
/// Least width and height of a region, as a part of the picture.
const LEAST_SIDE: f32 = 0.01;
/// How near to a corner takes hold of it, in points.
const REACH: f32 = 12.0;

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
    /// A picture is being read.
    pub reading: Option<String>,
    texture: Option<TextureHandle>,
    grab: Option<Grab>,
}

/// What the pointer holds while it is down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Grab {
    /// The corner opposite to this one.
    Corner(Pos2),
    /// The region, this far from its corner.
    Whole(Vec2),
}

/// What is known of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraView {
    /// What it does.
    pub state: CameraState,
    /// Those that are connected.
    pub devices: Vec<CameraDevice>,
    /// The sizes that the open one offers.
    pub sizes: Vec<(u32, u32)>,
}

impl Default for CameraView {
    fn default() -> Self {
        Self { state: CameraState::Off, devices: Vec::new(), sizes: Vec::new() }
    }
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
        let region =
            self.region.map_or(String::new(), |region| format!(", marked: {}", describe(region)));
        format!("{kind} {source}, {width} by {height}{region}")
    }
}

/// Where a region lies, in words.
pub fn describe(region: Region) -> String {
    let (x, y) = (region.x() + region.width() / 2.0, region.y() + region.height() / 2.0);
    let third = |at: f32, names: [&'static str; 3]| match at {
        at if at < 0.36 => names[0],
        at if at > 0.64 => names[2],
        _ => names[1],
    };
    let vertical = third(y, ["top", "", "bottom"]);
    let horizontal = third(x, ["left", "", "right"]);
    let place = match (vertical, horizontal) {
        ("", "") => "middle".to_owned(),
        ("", side) | (side, "") => side.to_owned(),
        (vertical, horizontal) => format!("{vertical} {horizontal}"),
    };
    let percent = |part: f32| (part * 100.0).round();
    format!(
        "{place}, {} % of the width by {} % of the height",
        percent(region.width()),
        percent(region.height())
    )
}

/// The region between two points, in fractions of the picture, of at least the least size.
fn between(a: Pos2, b: Pos2) -> Option<Region> {
    let clamp = |p: Pos2| pos2(p.x.clamp(0.0, 1.0), p.y.clamp(0.0, 1.0));
    let rect = Rect::from_two_pos(clamp(a), clamp(b));
    let (width, height) = (rect.width().max(LEAST_SIDE), rect.height().max(LEAST_SIDE));
    let (x, y) = (rect.left().min(1.0 - width), rect.top().min(1.0 - height));
    Region::new(x, y, width, height).ok()
}

fn moved(region: Region, to: Pos2) -> Option<Region> {
    let x = to.x.clamp(0.0, 1.0 - region.width());
    let y = to.y.clamp(0.0, 1.0 - region.height());
    Region::new(x, y, region.width(), region.height()).ok()
}

/// The region that a click at `at` means in a picture of this size.
fn around(at: Pos2, size: Vec2) -> Option<Region> {
    let length = CLICKED_SIDE * size.min_elem();
    let half = vec2(length / size.x, length / size.y) / 2.0;
    let centre = pos2(at.x.clamp(half.x, 1.0 - half.x), at.y.clamp(half.y, 1.0 - half.y));
    between(centre - half, centre + half)
}

/// The picture's place on the screen, and the way from there to its fractions and back.
#[derive(Clone, Copy)]
struct Place {
    rect: Rect,
    mirrored: bool,
}

impl Place {
    fn fit(size: Vec2, room: Rect, mirrored: bool) -> Self {
        let scale = (room.width() / size.x).min(room.height() / size.y);
        // Small pictures are enlarged so far that one can point at things, and no further.
        let scale = scale.min((480.0 / size.max_elem()).max(2.0));
        Self { rect: Rect::from_center_size(room.center(), size * scale), mirrored }
    }

    fn fraction(&self, at: Pos2) -> Pos2 {
        let x = (at.x - self.rect.left()) / self.rect.width();
        let y = (at.y - self.rect.top()) / self.rect.height();
        pos2(if self.mirrored { 1.0 - x } else { x }, y)
    }

    fn screen(&self, region: Region) -> Rect {
        let left = if self.mirrored { 1.0 - region.x() - region.width() } else { region.x() };
        let min = self.rect.min + vec2(left, region.y()) * self.rect.size();
        Rect::from_min_size(min, vec2(region.width(), region.height()) * self.rect.size())
    }

    fn uv(&self) -> Rect {
        let (left, right) = if self.mirrored { (1.0, 0.0) } else { (0.0, 1.0) };
        Rect { min: pos2(left, 0.0), max: pos2(right, 1.0) }
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
    ui.painter().rect_filled(place.rect, CornerRadius::same(ROUND), palette.stage);
    if let Some(texture) = &view.stage.texture {
        Image::from_texture((texture.id(), place.rect.size()))
            .uv(place.uv())
            .corner_radius(CornerRadius::same(ROUND))
            .alt_text(view.stage.label())
            .paint_at(ui, place.rect);
    }
    let response = ui.interact(place.rect, ui.scope_id().with("picture"), Sense::click_and_drag());
    let label = view.stage.label();
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
    point(ui, &response, &mut view.stage, place, size, actions);
    keyboard(ui, &response, view.stage.region, actions);
    if response.has_focus() {
        let stroke = Stroke::new(2.0, palette.accent);
        let round = CornerRadius::same(ROUND);
        ui.painter().rect_stroke(place.rect, round, stroke, StrokeKind::Outside);
    }
    if let Some(region) = view.stage.region {
        draw_region(ui, place, region, palette, actions);
    }
    camera_note(ui, view, place.rect, palette);
    ui.allocate_rect(room, Sense::hover());
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

/// What the pointer does: a click marks what lies around it, a drag marks, moves or stretches.
fn point(
    ui: &Ui,
    response: &Response,
    stage: &mut Stage,
    place: Place,
    size: Vec2,
    actions: &mut Vec<Action>,
) {
    let region = stage.region.map(|region| (region, place.screen(region)));
    if let Some(hover) = response.hover_pos() {
        ui.ctx().set_cursor_icon(cursor(region.map(|(_, rect)| rect), hover));
    }
    if response.drag_started()
        && let Some(start) = ui.input(|input| input.pointer.press_origin())
    {
        stage.grab = Some(match region {
            Some((region, rect)) => take_hold(region, rect, start, place),
            None => Grab::Corner(place.fraction(start)),
        });
    }
    if let (Some(grab), Some(at)) = (stage.grab, response.interact_pointer_pos()) {
        let at = place.fraction(at);
        let changed = match (grab, stage.region) {
            (Grab::Corner(opposite), _) => between(opposite, at),
            (Grab::Whole(offset), Some(region)) => moved(region, at - offset),
            (Grab::Whole(_), None) => None,
        };
        if changed.is_some() && changed != stage.region {
            actions.push(Action::Mark(changed));
        }
    }
    if response.drag_stopped() {
        stage.grab = None;
    }
    if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
        && region.is_none_or(|(_, rect)| !rect.contains(at))
    {
        actions.push(Action::Mark(around(place.fraction(at), size)));
    }
}

fn take_hold(region: Region, rect: Rect, start: Pos2, place: Place) -> Grab {
    let corners = [
        (rect.left_top(), rect.right_bottom()),
        (rect.right_bottom(), rect.left_top()),
        (rect.right_top(), rect.left_bottom()),
        (rect.left_bottom(), rect.right_top()),
    ];
    for (corner, opposite) in corners {
        if corner.distance(start) <= REACH {
            return Grab::Corner(place.fraction(opposite));
        }
    }
    if rect.contains(start) {
        return Grab::Whole(place.fraction(start) - pos2(region.x(), region.y()));
    }
    Grab::Corner(place.fraction(start))
}

fn cursor(region: Option<Rect>, at: Pos2) -> CursorIcon {
    let Some(rect) = region else {
        return CursorIcon::Crosshair;
    };
    let near = |corner: Pos2| corner.distance(at) <= REACH;
    if near(rect.left_top()) || near(rect.right_bottom()) {
        CursorIcon::ResizeNwSe
    } else if near(rect.right_top()) || near(rect.left_bottom()) {
        CursorIcon::ResizeNeSw
    } else if rect.contains(at) {
        CursorIcon::Grab
    } else {
        CursorIcon::Crosshair
    }
}

/// What the keys do while the picture has the focus: Enter marks the middle, arrows move the
/// region, with Shift they stretch it, Delete clears it.
fn keyboard(ui: &Ui, response: &Response, region: Option<Region>, actions: &mut Vec<Action>) {
    if !response.has_focus() {
        return;
    }
    // Otherwise the arrows would move the focus.
    let filter = egui::EventFilter {
        horizontal_arrows: region.is_some(),
        vertical_arrows: region.is_some(),
        ..egui::EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (arrows, stretch, enter, delete) = ui.input(|input| {
        let axis = |less, more| {
            f32::from(u8::from(input.key_pressed(more)))
                - f32::from(u8::from(input.key_pressed(less)))
        };
        let arrows =
            vec2(axis(Key::ArrowLeft, Key::ArrowRight), axis(Key::ArrowUp, Key::ArrowDown));
        let delete = input.key_pressed(Key::Delete) || input.key_pressed(Key::Backspace);
        (arrows * KEY_STEP, input.modifiers.shift, input.key_pressed(Key::Enter), delete)
    });
    match region {
        None if enter => actions.push(Action::Mark(Region::new(0.35, 0.35, 0.3, 0.3).ok())),
        Some(_) if delete => actions.push(Action::Mark(None)),
        Some(region) if arrows != Vec2::ZERO => {
            let at = pos2(region.x(), region.y());
            let changed = if stretch {
                between(at, at + vec2(region.width(), region.height()) + arrows)
            } else {
                moved(region, at + arrows)
            };
            actions.push(Action::Mark(changed.or(Some(region))));
        }
        _ => {}
    }
}

fn draw_region(
    ui: &mut Ui,
    place: Place,
    region: Region,
    palette: Palette,
    actions: &mut Vec<Action>,
) {
    let rect = place.screen(region);
    let all = place.rect;
    let painter = ui.painter_at(all.expand(3.0));
    let shade = Color32::from_black_alpha(110);
    for (min, max) in [
        (all.left_top(), pos2(all.right(), rect.top())),
        (pos2(all.left(), rect.bottom()), all.right_bottom()),
        (pos2(all.left(), rect.top()), rect.left_bottom()),
        (rect.right_top(), pos2(all.right(), rect.bottom())),
    ] {
        painter.rect_filled(Rect::from_min_max(min, max), 0.0, shade);
    }
    // A dark line beside the bright one keeps it visible on any picture.
    painter.rect_stroke(
        rect,
        3.0,
        Stroke::new(4.0, Color32::from_black_alpha(150)),
        StrokeKind::Middle,
    );
    let bright = super::theme::DARK.accent;
    painter.rect_stroke(rect, 3.0, Stroke::new(2.0, bright), StrokeKind::Middle);
    for corner in [rect.left_top(), rect.right_top(), rect.left_bottom(), rect.right_bottom()] {
        painter.circle(corner, 5.0, bright, Stroke::new(1.5, Color32::from_black_alpha(180)));
    }
    let side = 26.0;
    let centre = pos2(
        (rect.right() - side * 0.5 - 8.0).max(all.left() + side),
        (rect.top() - side * 0.5 - 4.0).max(all.top() + side * 0.5 + 2.0),
    );
    let button = egui::Button::new(ICON_CLOSE.rich_text().size(15.0).color(palette.text))
        .fill(palette.card)
        .corner_radius(CornerRadius::same(13));
    let response = ui.put(Rect::from_center_size(centre, Vec2::splat(side)), button);
    if response.on_hover_text("Clear the mark (Esc)").accessible_name("Clear the mark").clicked() {
        actions.push(Action::Mark(None));
    }
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
    let frame = egui::Frame::new()
        .fill(palette.card)
        .corner_radius(CornerRadius::same(8))
        .inner_margin(egui::Margin::symmetric(12, 8));
    let builder =
        egui::UiBuilder::new().max_rect(at).layout(egui::Layout::bottom_up(egui::Align::Min));
    ui.scope_builder(builder, |ui| frame.show(ui, |ui| ui.label(text)));
}

/// What is wrong with the camera, and what to do.
pub struct Trouble {
    /// In few words.
    pub title: String,
    /// What to do.
    pub advice: &'static str,
}

/// What is wrong with the camera, if anything.
pub fn trouble(state: &CameraState) -> Option<Trouble> {
    let (title, advice) = match state {
        CameraState::Off | CameraState::Starting | CameraState::Live { .. } => return None,
        CameraState::Missing => (
            "No camera found".to_owned(),
            "Connect one and it appears here by itself. Pictures can be opened, dropped and pasted without it.",
        ),
        CameraState::Busy(name) => (
            format!("{name} is in use"),
            "Another program holds it. Close that program and the picture appears here by itself.",
        ),
        CameraState::Denied => ("The camera may not be used".to_owned(), denied_advice()),
        CameraState::Lost(name) => {
            (format!("{name} is gone"), "Connect it again and the picture comes back by itself.")
        }
        CameraState::Failed(reason) => (
            format!("The camera gives no picture ({reason})"),
            "Try another size or another camera in the settings. Lorgnette goes on trying.",
        ),
    };
    Some(Trouble { title, advice })
}

fn denied_advice() -> &'static str {
    if cfg!(target_os = "macos") {
        "Allow Lorgnette in System Settings, Privacy & Security, Camera, then start it again."
    } else if cfg!(windows) {
        "Allow desktop apps in Settings, Privacy & security, Camera. The picture appears by itself."
    } else {
        "Your user may not read the camera: add it to the group \"video\" and log in again."
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(mirrored: bool) -> Place {
        Place { rect: Rect::from_min_size(pos2(100.0, 50.0), vec2(400.0, 200.0)), mirrored }
    }

    #[test]
    fn a_mirrored_picture_is_pointed_at_where_it_is_seen() {
        let at = pos2(200.0, 100.0);
        assert_eq!(place(false).fraction(at), pos2(0.25, 0.25));
        assert_eq!(place(true).fraction(at), pos2(0.75, 0.25));
        let region = Region::new(0.5, 0.0, 0.25, 0.5).unwrap();
        assert_eq!(place(false).screen(region).min, pos2(300.0, 50.0));
        assert_eq!(place(true).screen(region).min, pos2(200.0, 50.0));
        // There and back again.
        for mirrored in [false, true] {
            let screen = place(mirrored).screen(region);
            let back = between(
                place(mirrored).fraction(screen.left_top()),
                place(mirrored).fraction(screen.right_bottom()),
            );
            assert_eq!(back, Some(region));
        }
    }

    #[test]
    fn regions_stay_inside_the_picture() {
        let region = between(pos2(-1.0, 0.5), pos2(0.2, 7.0)).unwrap();
        assert_eq!((region.x(), region.y(), region.height()), (0.0, 0.5, 0.5));
        let thin = between(pos2(1.0, 1.0), pos2(1.0, 1.0)).unwrap();
        assert!(thin.width() >= LEAST_SIDE - 1e-6 && thin.x() + thin.width() <= 1.0);
        let whole = moved(Region::new(0.1, 0.1, 0.5, 0.5).unwrap(), pos2(0.9, -3.0)).unwrap();
        assert_eq!((whole.x(), whole.y()), (0.5, 0.0));
    }

    #[test]
    fn a_click_marks_a_square_of_pixels() {
        let region = around(pos2(0.5, 0.5), vec2(400.0, 200.0)).unwrap();
        assert!((region.width() * 400.0 - region.height() * 200.0).abs() < 0.01);
        let corner = around(pos2(0.0, 1.0), vec2(400.0, 200.0)).unwrap();
        assert!((corner.x(), corner.y() + corner.height()) == (0.0, 1.0));
    }

    #[test]
    fn a_corner_is_taken_before_the_inside_and_the_inside_before_the_rest() {
        let place = place(false);
        let region = Region::new(0.25, 0.25, 0.5, 0.5).unwrap();
        let rect = place.screen(region);
        let hold = |at| take_hold(region, rect, at, place);
        assert_eq!(hold(rect.left_top()), Grab::Corner(pos2(0.75, 0.75)));
        assert_eq!(hold(rect.center()), Grab::Whole(vec2(0.25, 0.25)));
        assert_eq!(hold(place.rect.left_top()), Grab::Corner(pos2(0.0, 0.0)));
    }

    #[test]
    fn small_pictures_are_enlarged_and_large_ones_fit() {
        let room = Rect::from_min_size(Pos2::ZERO, vec2(800.0, 600.0));
        assert_eq!(Place::fit(vec2(4000.0, 1000.0), room, false).rect.size(), vec2(800.0, 200.0));
        assert_eq!(Place::fit(vec2(1.0, 1.0), room, false).rect.size(), vec2(480.0, 480.0));
        assert_eq!(Place::fit(vec2(300.0, 200.0), room, false).rect.size(), vec2(600.0, 400.0));
    }

    #[test]
    fn places_have_names() {
        let name = |x, y| describe(Region::new(x, y, 0.2, 0.2).unwrap());
        assert!(name(0.0, 0.0).starts_with("top left, 20 % of the width"));
        assert!(name(0.4, 0.4).starts_with("middle,"));
        assert!(name(0.8, 0.4).starts_with("right,"));
    }
}
