//! Messages in the corner: what went wrong and the way out, what was done and how to undo it.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Button, CornerRadius, Frame, Margin, Order, RichText, Stroke, Ui, vec2};
use egui_material_icons::icons::{ICON_CHECK_CIRCLE, ICON_CLOSE, ICON_ERROR, ICON_INFO};

use super::Action;
use super::theme::{Palette, ROUND};
use super::widgets::icon_button;

/// How long a message that asks for nothing stays.
const STAY: Duration = Duration::from_secs(7);
/// How long a message stays that can be undone or acted upon: it must be heard and reached.
const STAY_WITH_WAY_OUT: Duration = Duration::from_secs(25);
/// More than these cover the window; the oldest go first.
const MOST: usize = 4;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something was done.
    Done,
    /// Something to know.
    Note,
    /// Something failed; stays until it is closed.
    Error,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
struct Toast {
    id: u64,
    kind: Kind,
    text: String,
    way_out: Option<(String, Action)>,
    until: Option<Instant>,
}

/// The messages that are shown.
#[derive(Debug, Clone, Default)]
pub struct Toasts {
    /// The log file, which errors name.
    pub log: Option<std::path::PathBuf>,
    shown: Vec<Toast>,
    next: u64,
}

impl Toasts {
    /// Shows a message.
    pub fn add(&mut self, kind: Kind, text: impl Into<String>) {
        self.push(kind, text.into(), None);
    }

    /// Shows a message with a button that does something about it.
    pub fn with_way_out(
        &mut self,
        kind: Kind,
        text: impl Into<String>,
        word: &str,
        action: Action,
    ) {
        self.push(kind, text.into(), Some((word.to_owned(), action)));
    }

    fn push(&mut self, kind: Kind, text: String, way_out: Option<(String, Action)>) {
        // Said again, it is the same message.
        self.shown.retain(|toast| toast.text != text);
        let stay = if way_out.is_some() { STAY_WITH_WAY_OUT } else { STAY };
        let until = (kind != Kind::Error).then(|| Instant::now() + stay);
        self.shown.push(Toast { id: self.next, kind, text, way_out, until });
        self.next += 1;
        let surplus = self.shown.len().saturating_sub(MOST);
        self.shown.drain(..surplus);
    }

    /// The text of the newest error.
    pub fn newest_error(&self) -> Option<&str> {
        self.shown.iter().rev().find(|toast| toast.kind == Kind::Error).map(|t| t.text.as_str())
    }

    /// The text of the newest message that is no error.
    pub fn newest_note(&self) -> Option<&str> {
        self.shown.iter().rev().find(|toast| toast.kind != Kind::Error).map(|t| t.text.as_str())
    }

    /// Whether a message with this text in it is shown.
    pub fn has(&self, part: &str) -> bool {
        self.shown.iter().any(|toast| toast.text.contains(part))
    }
}

/// Draws the messages above the foot of the window.
pub fn show(ui: &Ui, toasts: &mut Toasts, actions: &mut Vec<Action>) {
    let now = Instant::now();
    toasts.shown.retain(|toast| toast.until.is_none_or(|until| until > now));
    if toasts.shown.is_empty() {
        return;
    }
    let palette = Palette::of(ui.visuals());
    let mut closed = None;
    let area = Area::new(egui::Id::unique("toasts"))
        .order(Order::Foreground)
        .anchor(Align2::RIGHT_BOTTOM, vec2(-16.0, -150.0))
        .interactable(true);
    let response = area.show(ui.ctx(), |ui| {
        ui.set_max_width(360.0_f32.min(ui.ctx().content_rect().width() - 32.0));
        for toast in &toasts.shown {
            if draw(ui, toast, toasts.log.as_deref(), palette, actions) {
                closed = Some(toast.id);
            }
        }
    });
    // Whoever reads a message does not want it to go.
    if response.response.contains_pointer() {
        for toast in &mut toasts.shown {
            toast.until = toast.until.map(|until| until.max(now + STAY / 2));
        }
    }
    toasts.shown.retain(|toast| Some(toast.id) != closed);
    if let Some(next) = toasts.shown.iter().filter_map(|toast| toast.until).min() {
        ui.ctx().request_repaint_after(next.saturating_duration_since(now));
    }
}

/// Draws one and says whether it was closed.
fn draw(
    ui: &mut Ui,
    toast: &Toast,
    log: Option<&std::path::Path>,
    palette: Palette,
    actions: &mut Vec<Action>,
) -> bool {
    let (icon, colour) = match toast.kind {
        Kind::Done => (ICON_CHECK_CIRCLE, palette.good),
        Kind::Note => (ICON_INFO, palette.accent),
        Kind::Error => (ICON_ERROR, palette.bad),
    };
    let frame = Frame::new()
        .fill(palette.card)
        .stroke(Stroke::new(1.0, palette.line))
        .shadow(ui.visuals().popup_shadow)
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(Margin::symmetric(12, 8));
    let mut closed = false;
    frame.show(ui, |ui| {
        ui.horizontal_top(|ui| {
            ui.add_space(2.0);
            ui.label(icon.rich_text().size(20.0).color(colour));
            ui.vertical(|ui| {
                ui.set_width((ui.available_width() - 40.0).max(80.0));
                ui.label(RichText::new(&toast.text));
                if let Some(log) = log.filter(|_| toast.kind == Kind::Error) {
                    let text = format!("Log: {}", log.display());
                    ui.label(RichText::new(text).size(12.0).color(palette.weak));
                }
                if let Some((word, action)) = &toast.way_out
                    && ui.add(Button::new(word)).clicked()
                {
                    actions.push(action.clone());
                    closed = true;
                }
            });
            closed |= icon_button(ui, ICON_CLOSE, "Close the message").clicked();
        });
    });
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_and_repetitions_do_not_pile_up() {
        let mut toasts = Toasts::default();
        for _ in 0..3 {
            toasts.add(Kind::Error, "no room on the disk");
        }
        assert_eq!(toasts.shown.len(), 1);
        assert_eq!(toasts.newest_error(), Some("no room on the disk"));
        assert!(toasts.shown[0].until.is_none());
        for number in 0..10 {
            toasts.add(Kind::Note, format!("note {number}"));
        }
        assert_eq!(toasts.shown.len(), MOST);
        assert!(toasts.has("note 9") && !toasts.has("note 1"));
    }
}
