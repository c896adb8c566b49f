//! The keys: read here, listed here.

use egui::text::{CCursor, CCursorRange};
use egui::text_edit::TextEditState;
use egui::{Grid, InputState, Key, Modal, Modifiers, RichText, Ui};

use super::ask::Ask;
use super::maps::{MapAction, MapKind};
use super::theme::space;
use super::{Action, Dialog, View, maps};

/// The keys with what they do, as the list shows them.
const KEYS: &[(&str, &str)] = &[
    ("Enter", "Ask"),
    ("Shift+Enter", "New line"),
    ("Space", "Take the picture, or back to live"),
    ("F8", "Take the picture and ask the first question at once, from anywhere"),
    (
        "Esc",
        "Close the dialog; stop the answer or the check; let go of the phrase; clear the mark; back to live",
    ),
    ("Ctrl+O", "Open pictures"),
    ("Ctrl+Shift+O", "Open a folder"),
    ("Ctrl+V", "Paste a picture, or the path of one"),
    ("Page Up, Page Down", "Previous, next of the opened pictures; else up, down in the answers"),
    ("F2, Shift+F2", "Next, previous map over the picture"),
    ("F3, Shift+F3", "The map of the next, the previous word of the answer"),
    ("Ctrl+L", "Live mode on or off"),
    ("Ctrl+N", "New conversation"),
    ("Ctrl+K", "Search the conversations"),
    ("Ctrl+F", "Find in the text of the picture"),
    ("Ctrl+B", "Show or hide the conversations"),
    ("Ctrl+Shift+C", "Copy the last answer"),
    ("Ctrl+R", "Read the last answer aloud, or stop"),
    ("Ctrl+,", "Settings"),
    ("F11", "Fill the screen"),
    ("F1", "This list"),
    ("Tab to the picture, Enter", "Mark its middle; arrows move the mark, Shift+arrows stretch it"),
];

/// Reads the keys that work wherever the focus is, and what is pasted and dropped.
pub fn read(ui: &Ui, view: &mut View, actions: &mut Vec<Action>) {
    let typing = ui.ctx().text_edit_focused();
    let rows = &view.history.rows;
    let renames = |(id, _): &mut (_, String)| rows.iter().any(|row| row.id == *id);
    if !view.settings.sidebar || !view.history.renaming.as_mut().is_some_and(renames) {
        // The field of the new title is not drawn, and would keep Esc to itself.
        view.history.renaming = None;
    }
    let free = view.dialog.is_none();
    let command = Modifiers::COMMAND;
    let shifted = Modifiers::COMMAND | Modifiers::SHIFT;
    ui.input_mut(|input| {
        let mut on = |input: &mut InputState, modifiers, key, action: Action| {
            if input.consume_key(modifiers, key) {
                actions.push(action);
            }
        };
        on(input, Modifiers::NONE, Key::F11, Action::Fullscreen);
        on(input, command, Key::Comma, Action::Show(Dialog::Settings));
        on(input, Modifiers::NONE, Key::F1, Action::Show(Dialog::Keys));
        if !free {
            return;
        }
        on(input, shifted, Key::O, Action::ChooseFolder);
        on(input, command, Key::O, Action::ChoosePictures);
        on(input, command, Key::N, Action::New);
        on(input, command, Key::L, Action::LiveMode(!view.live.on));
        on(input, Modifiers::NONE, Key::F8, Action::Capture);
        if view.stage.opened.len() > 1 {
            on(input, Modifiers::NONE, Key::PageDown, Action::Turn(1));
            on(input, Modifiers::NONE, Key::PageUp, Action::Turn(-1));
        } else {
            for (key, pages) in [(Key::PageDown, 1.0), (Key::PageUp, -1.0)] {
                if input.consume_key(Modifiers::NONE, key) {
                    view.talk.scroll += pages;
                }
            }
        }
        if let Some(last) = view.talk.cards.len().checked_sub(1) {
            on(input, shifted, Key::C, Action::Copy(view.talk.cards[last].text().to_owned()));
            on(input, command, Key::R, Action::Speak(last));
        }
        if input.consume_key(command, Key::B) {
            view.settings.sidebar = !view.settings.sidebar;
            actions.push(Action::SettingsChanged);
        }
        if input.consume_key(command, Key::K) {
            if !view.settings.sidebar {
                view.settings.sidebar = true;
                actions.push(Action::SettingsChanged);
            }
            view.history.focus_search = true;
        }
        if input.consume_key(command, Key::F) {
            view.stage.find_focus = true;
        }
        if !typing && input.consume_key(Modifiers::NONE, Key::Space) {
            actions.push(Action::Shutter);
        }
    });
    if free {
        actions.extend(map_keys(ui, view).map(Action::Maps));
    }
    if !typing && view.dialog.is_none() && ui.memory(|memory| memory.focused().is_none()) {
        type_anywhere(ui, view);
    }
    // A menu or a list that is open takes the key for itself.
    let menu = egui::Popup::is_any_open(ui.ctx()) || view.history.renaming.is_some();
    if !menu && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        actions.extend(escape(view));
    }
    pasted(ui, view, actions);
}

/// The keys of the maps: no letters, since those begin a question.
fn map_keys(ui: &Ui, view: &View) -> Option<MapAction> {
    ui.input_mut(|input| {
        for (modifiers, back) in [(Modifiers::SHIFT, true), (Modifiers::NONE, false)] {
            if view.stage.shown.is_some() && input.consume_key(modifiers, Key::F2) {
                return Some(MapAction::Show(MapKind::next(view.maps.kind, back)));
            }
            if view.maps.kind == Some(MapKind::Word) && input.consume_key(modifiers, Key::F3) {
                return maps::step_word(view, if back { -1 } else { 1 });
            }
        }
        None
    })
}

/// What is typed while nothing has the focus begins the question.
fn type_anywhere(ui: &Ui, view: &mut View) {
    let typed: String = ui.input(|input| {
        let text = |event: &egui::Event| match event {
            egui::Event::Text(text) if text != " " => Some(text.clone()),
            _ => None,
        };
        input.events.iter().filter_map(text).collect()
    });
    if !typed.is_empty() {
        view.ask.question.push_str(&typed);
        view.ask.focus = true;
        // What comes next goes behind it.
        let mut state = TextEditState::load(ui.ctx(), Ask::id()).unwrap_or_default();
        let end = CCursor::new(view.ask.question.chars().count());
        state.cursor.set_char_range(Some(CCursorRange::one(end)));
        state.store(ui.ctx(), Ask::id());
    }
}

/// What Esc means now: the first that applies.
fn escape(view: &View) -> Option<Action> {
    if view.dialog.is_some() {
        Some(Action::CloseDialog)
    } else if view.talk.is_answering() || view.live.coming.is_some() {
        Some(Action::Stop)
    } else if view.maps.kind == Some(MapKind::Causal) && view.maps.is_checking() {
        Some(Action::Maps(MapAction::StopCheck))
    } else if view.maps.pinned.is_some() {
        Some(Action::Maps(MapAction::Pin(None)))
    } else if view.stage.region.is_some() {
        Some(Action::Mark(None))
    } else if view.settings.camera.on && view.stage.shown.is_some() && !view.stage.is_live() {
        Some(Action::GoLive)
    } else {
        None
    }
}

/// What was pasted and dropped. A path that is pasted while nothing is typed is taken for the
/// picture; into a question it goes as text.
fn pasted(ui: &Ui, view: &View, actions: &mut Vec<Action>) {
    let free = view.dialog.is_none()
        && view.history.renaming.is_none()
        && (!ui.ctx().text_edit_focused()
            || ui.memory(|memory| memory.has_focus(Ask::id())) && view.ask.question.is_empty());
    ui.input_mut(|input| {
        let dropped: Vec<_> =
            input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect();
        if !dropped.is_empty() {
            actions.push(Action::Open(dropped));
        }
        input.events.retain(|event| match event {
            egui::Event::PasteImage(image) => {
                actions.push(Action::Paste(super::PastedImage(image.clone())));
                false
            }
            egui::Event::Paste(text) if free => {
                let paths = paths(text);
                let taken = !paths.is_empty();
                if taken {
                    actions.push(Action::Open(paths));
                }
                !taken
            }
            _ => true,
        });
    });
}

/// The files that a pasted text names: absolute paths or `file:` addresses, one a line.
pub fn paths(text: &str) -> Vec<std::path::PathBuf> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let path = |line: &&str| {
        let line = line.trim_matches(['"', '\'']);
        let path = match line.strip_prefix("file://") {
            Some(rest) => std::path::PathBuf::from(decoded(rest)),
            None => std::path::PathBuf::from(line),
        };
        path.is_absolute().then_some(path)
    };
    lines.iter().map(path).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Undoes the percent-encoding of an address (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Draws the list of keys.
pub fn show(ui: &Ui, actions: &mut Vec<Action>) {
    let mac = ui.ctx().os().is_mac();
    let response = Modal::new(egui::Id::unique("keys")).show(ui.ctx(), |ui| {
        ui.set_max_width(520.0_f32.min(ui.ctx().content_rect().width() - 60.0));
        ui.heading("Keys");
        ui.add_space(space::S);
        let height = ui.ctx().content_rect().height() - 170.0;
        egui::ScrollArea::vertical().max_height(height).show(ui, |ui| {
            Grid::new("keys").num_columns(2).spacing([space::L, 6.0]).show(ui, |ui| {
                for (keys, what) in KEYS {
                    let keys = if mac { keys.replace("Ctrl", "⌘") } else { (*keys).to_owned() };
                    ui.label(RichText::new(keys).strong());
                    ui.add(egui::Label::new(*what).wrap());
                    ui.end_row();
                }
            });
        });
        ui.add_space(space::S);
        if ui.button("Close").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
    if response.should_close() {
        actions.push(Action::CloseDialog);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_paths_are_known_from_pasted_text() {
        let one = if cfg!(windows) { "C:\\a b.jpg" } else { "/home/me/a b.jpg" };
        assert_eq!(paths(one), [std::path::PathBuf::from(one)]);
        assert_eq!(paths(&format!("\"{one}\"\n{one}\n")).len(), 2);
        assert!(paths("What is that?").is_empty());
        assert!(paths("and/or").is_empty());
        assert!(paths(&format!("{one}\nand what is that?")).is_empty());
        if cfg!(unix) {
            assert_eq!(
                paths("file:///tmp/a%20b%C3%A9.png"),
                [std::path::PathBuf::from("/tmp/a bé.png")]
            );
        }
    }

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%4"), "%zz%4");
        assert_eq!(decoded("%é"), "%é");
    }

    #[test]
    fn escape_does_the_first_thing_that_applies() {
        let mut view = View::default();
        view.settings.camera.on = false;
        assert_eq!(escape(&view), None);
        view.stage.region = values::region::Region::new(0.1, 0.1, 0.2, 0.2).ok();
        assert_eq!(escape(&view), Some(Action::Mark(None)));
        let asked =
            conversation::Exchange::new("?", vec![], conversation::Options::default(), None);
        view.talk.cards.push(crate::talk::Card::asked(asked));
        assert_eq!(escape(&view), Some(Action::Stop));
        view.dialog = Some(Dialog::Keys);
        assert_eq!(escape(&view), Some(Action::CloseDialog));
    }
}
