//! Marking what "that" means: a part of the picture, by pointer and by keys.
//!
//! Mirroring is for display alone: every position that leaves this module is a fraction of the true
//! frame.

use egui::{
    Color32, CornerRadius, CursorIcon, Key, Pos2, Rect, Response, Stroke, StrokeKind, Ui, Vec2,
    pos2, vec2,
};
use egui_material_icons::icons::ICON_CLOSE;
use values::region::Region;

use super::Action;
use super::stage::Stage;
use super::theme::{DARK, Palette};

/// Side of the region that a click marks, as a part of the picture's shorter side.
const CLICKED_SIDE: f32 = 0.3;
/// How far an arrow key moves or stretches the region, as a part of the picture.
const KEY_STEP: f32 = 0.02;
/// Least width and height of a region, as a part of the picture.
const LEAST_SIDE: f32 = 0.01;
/// How near to a corner takes hold of it, in points.
const REACH: f32 = 12.0;

/// What the pointer holds while it is down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Grab {
    /// The corner opposite to this one.
    Corner(Pos2),
    /// The region, this far from its corner.
    Whole(Vec2),
}

/// Where a region lies, in words.
///
/// As it is seen: where the picture is shown `mirrored`, left is right.
pub fn describe(region: Region, mirrored: bool) -> String {
    let (x, y) = (region.x() + region.width() / 2.0, region.y() + region.height() / 2.0);
    let percent = |part: f32| (part * 100.0).round();
    format!(
        "{}, {} % of the width by {} % of the height",
        third(x, y, mirrored),
        percent(region.width()),
        percent(region.height())
    )
}

/// Where a point lies, in fractions of the picture: "at the top left", "in the middle".
pub fn place(x: f32, y: f32, mirrored: bool) -> String {
    let third = third(x, y, mirrored);
    if third == "middle" { "in the middle".to_owned() } else { format!("at the {third}") }
}

/// The third of the picture's width and height that a point lies in.
fn third(x: f32, y: f32, mirrored: bool) -> String {
    let x = if mirrored { 1.0 - x } else { x };
    let third = |at: f32, names: [&'static str; 3]| match at {
        at if at < 0.36 => names[0],
        at if at > 0.64 => names[2],
        _ => names[1],
    };
    let vertical = third(y, ["top", "", "bottom"]);
    let horizontal = third(x, ["left", "", "right"]);
    match (vertical, horizontal) {
        ("", "") => "middle".to_owned(),
        ("", side) | (side, "") => side.to_owned(),
        (vertical, horizontal) => format!("{vertical} {horizontal}"),
    }
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
pub(super) struct Place {
    /// Where it is drawn.
    pub rect: Rect,
    /// Whether left and right are swapped.
    pub mirrored: bool,
}

impl Place {
    pub fn fit(size: Vec2, room: Rect, mirrored: bool) -> Self {
        let scale = (room.width() / size.x).min(room.height() / size.y);
        // Small pictures are enlarged so far that one can point at things, and no further.
        let scale = scale.min((480.0 / size.max_elem()).max(2.0));
        Self { rect: Rect::from_center_size(room.center(), size * scale), mirrored }
    }

    pub fn fraction(&self, at: Pos2) -> Pos2 {
        let x = (at.x - self.rect.left()) / self.rect.width();
        let y = (at.y - self.rect.top()) / self.rect.height();
        pos2(if self.mirrored { 1.0 - x } else { x }, y)
    }

    /// Where a point of the frame, in fractions, lies on the screen.
    pub fn point(&self, (x, y): (f32, f32)) -> Pos2 {
        let x = if self.mirrored { 1.0 - x } else { x };
        self.rect.min + vec2(x, y) * self.rect.size()
    }

    pub fn screen(&self, region: Region) -> Rect {
        let left = if self.mirrored { 1.0 - region.x() - region.width() } else { region.x() };
        let min = self.rect.min + vec2(left, region.y()) * self.rect.size();
        Rect::from_min_size(min, vec2(region.width(), region.height()) * self.rect.size())
    }

    pub fn uv(&self) -> Rect {
        let (left, right) = if self.mirrored { (1.0, 0.0) } else { (0.0, 1.0) };
        Rect { min: pos2(left, 0.0), max: pos2(right, 1.0) }
    }
}

/// What the pointer does: a click marks what lies around it, a drag marks, moves or stretches.
pub(super) fn point(
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
pub(super) fn keyboard(
    ui: &Ui,
    response: &Response,
    region: Option<Region>,
    mirrored: bool,
    actions: &mut Vec<Action>,
) {
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
            let (width, height) = (region.width(), region.height());
            // The keys mean what is seen.
            let arrows = if mirrored { vec2(-arrows.x, arrows.y) } else { arrows };
            let changed = if stretch && mirrored {
                between(at + vec2(width, 0.0), at + vec2(0.0, height) + arrows)
            } else if stretch {
                between(at, at + vec2(width, height) + arrows)
            } else {
                moved(region, at + arrows)
            };
            actions.push(Action::Mark(changed.or(Some(region))));
        }
        _ => {}
    }
}

pub(super) fn draw(
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
    let bright = DARK.accent;
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
        let name = |x, y| describe(Region::new(x, y, 0.2, 0.2).unwrap(), false);
        assert!(name(0.0, 0.0).starts_with("top left, 20 % of the width"));
        assert!(name(0.4, 0.4).starts_with("middle,"));
        assert!(name(0.8, 0.4).starts_with("right,"));
        let right = Region::new(0.8, 0.4, 0.2, 0.2).unwrap();
        assert!(describe(right, true).starts_with("left,"));
    }
}
