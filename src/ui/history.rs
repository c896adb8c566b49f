//! The sidebar: conversations that are kept, to open, find, rename, export and delete.

use egui::{
    Button, CornerRadius, Image, Key, Label, Layout, Modal, Rect, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextEdit, TextureHandle, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use egui_material_icons::icons::{
    ICON_DELETE, ICON_DOWNLOAD, ICON_EDIT, ICON_IMAGE, ICON_MORE_VERT, ICON_SEARCH, ICON_UPLOAD,
};
use session::{ExportFormat, SessionId};

use super::theme::{Palette, ROUND_SMALL, space};
use super::widgets::{follow_focus, labelled_button};
use super::{Action, Dialog, HistoryAction, View, gallery};

/// Height of a row, in points.
const ROW: f32 = 58.0;

/// The sidebar's state.
#[derive(Default)]
pub struct History {
    /// The conversations that match the search, newest first.
    pub rows: Vec<Row>,
    /// The one that is shown.
    pub open: Option<SessionId>,
    /// What is searched for.
    pub search: String,
    /// The search field is to have the focus from now on.
    pub focus_search: bool,
    /// The one that is being renamed, and its new title so far.
    pub renaming: Option<(SessionId, String)>,
    /// Why they cannot be kept, where that is so.
    pub trouble: Option<String>,
}

/// One conversation.
pub struct Row {
    /// Its name on disk.
    pub id: SessionId,
    /// What it is called.
    pub title: String,
    /// When it was last changed, in words.
    pub when: String,
    /// How many questions it has.
    pub questions: usize,
    /// Its first picture.
    pub thumbnail: Option<TextureHandle>,
}

/// Draws the sidebar.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    search(ui, &mut view.history, actions);
    ui.add_space(space::XS);
    let foot = 40.0;
    let height = (ui.available_height() - foot).max(60.0);
    ScrollArea::vertical().id_salt("history").auto_shrink([false, false]).max_height(height).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            if view.history.rows.is_empty() {
                empty(ui, &view.history, palette);
            }
            for index in 0..view.history.rows.len() {
                ui.push_id(index, |ui| row(ui, &mut view.history, index, palette, actions));
            }
            follow_focus(ui);
        },
    );
    ui.horizontal(|ui| {
        let import = labelled_button(ui, ICON_UPLOAD, "Import");
        egui::Popup::menu(&import).show(|ui| {
            for (word, action) in [
                ("From a zip file", HistoryAction::Import),
                ("From a folder", HistoryAction::ImportFolder),
            ] {
                if labelled_button(ui, ICON_UPLOAD, word).clicked() {
                    actions.push(Action::History(action));
                    ui.close();
                }
            }
        });
        let any = !view.history.rows.is_empty();
        ui.add_enabled_ui(any, |ui| {
            if labelled_button(ui, ICON_DELETE, "Delete all").clicked() {
                actions.push(Action::Show(Dialog::DeleteAll));
            }
        });
    });
}

fn search(ui: &mut Ui, history: &mut History, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.label(ICON_SEARCH.rich_text().size(18.0));
        let edit = TextEdit::singleline(&mut history.search)
            .id(egui::Id::unique("search"))
            .hint_text("Search the conversations")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Search the conversations");
        if std::mem::take(&mut history.focus_search) {
            response.request_focus();
        }
        if response.changed() {
            actions.push(Action::History(HistoryAction::Search(history.search.clone())));
        }
    });
}

fn empty(ui: &mut Ui, history: &History, palette: Palette) {
    ui.add_space(space::L);
    let text = match &history.trouble {
        Some(trouble) => trouble.as_str(),
        None if history.search.trim().is_empty() => {
            "Your conversations are kept here, on this machine alone."
        }
        None => "Nothing found.",
    };
    ui.add(Label::new(RichText::new(text).color(palette.weak)).wrap());
}

fn row(
    ui: &mut Ui,
    history: &mut History,
    index: usize,
    palette: Palette,
    actions: &mut Vec<Action>,
) {
    let row = &history.rows[index];
    let id = row.id.clone();
    if let Some((renamed, title)) = &mut history.renaming
        && *renamed == id
    {
        if rename(ui, title) {
            let title = title.trim().to_owned();
            history.renaming = None;
            // Left by Esc, it keeps its title.
            if !ui.input(|input| input.key_pressed(Key::Escape)) {
                actions.push(Action::History(HistoryAction::Rename(id, title)));
            }
        }
        return;
    }
    let open = history.open.as_ref() == Some(&id);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let name = format!("Conversation: {}, {}", row.title, row.when);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, open, &name));
    let round = CornerRadius::same(ROUND_SMALL);
    let hot = response.hovered() || response.has_focus() || response.context_menu_opened();
    if open || hot {
        let fill = if open { palette.button } else { palette.card };
        ui.painter().rect_filled(rect, round, fill);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect, round, Stroke::new(1.5, palette.accent), StrokeKind::Inside);
    }
    let picture = Rect::from_min_size(rect.min + vec2(6.0, 7.0), vec2(56.0, 44.0));
    if let Some(texture) = &row.thumbnail {
        Image::from_texture((texture.id(), picture.size()))
            .uv(gallery::cover(texture.size_vec2(), picture.size()))
            .corner_radius(CornerRadius::same(5))
            .paint_at(ui, picture);
    } else {
        ui.painter().rect_filled(picture, CornerRadius::same(5), palette.button);
        let font = egui::FontId::new(20.0, ICON_IMAGE.font_family());
        let align = egui::Align2::CENTER_CENTER;
        ui.painter().text(picture.center(), align, ICON_IMAGE.codepoint, font, palette.weak);
    }
    let text = Rect::from_min_max(
        pos2(picture.right() + 8.0, rect.top() + 7.0),
        rect.max - vec2(6.0, 4.0),
    );
    let builder = UiBuilder::new().max_rect(text).layout(Layout::top_down(egui::Align::Min));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let title = if row.title.is_empty() { "Untitled" } else { &row.title };
        ui.add(Label::new(title).truncate().selectable(false));
        let questions = match row.questions {
            1 => "1 question".to_owned(),
            questions => format!("{questions} questions"),
        };
        let under = RichText::new(format!("{} · {questions}", row.when));
        ui.add(Label::new(under.size(12.0).color(palette.weak)).truncate().selectable(false));
    });
    let title = row.title.clone();
    if response.clicked() {
        actions.push(Action::History(HistoryAction::Open(id.clone())));
    }
    if response.has_focus() {
        let (delete, rename) =
            ui.input(|input| (input.key_pressed(Key::Delete), input.key_pressed(Key::F2)));
        if delete {
            actions.push(Action::History(HistoryAction::Delete(id.clone())));
        } else if rename {
            history.renaming = Some((id.clone(), title.clone()));
        }
    }
    menu(ui, &response, history, &id, &title, rect, actions);
}

fn menu(
    ui: &mut Ui,
    response: &egui::Response,
    history: &mut History,
    id: &SessionId,
    title: &str,
    rect: Rect,
    actions: &mut Vec<Action>,
) {
    let mut entries = |ui: &mut Ui| {
        if labelled_button(ui, ICON_EDIT, "Rename").clicked() {
            history.renaming = Some((id.clone(), title.to_owned()));
            ui.close();
        }
        for (word, format) in [
            ("Export as a folder", ExportFormat::Folder),
            ("Export as a zip file", ExportFormat::Zip),
            ("Export as Markdown", ExportFormat::Markdown),
        ] {
            if labelled_button(ui, ICON_DOWNLOAD, word).clicked() {
                actions.push(Action::History(HistoryAction::Export(id.clone(), format)));
                ui.close();
            }
        }
        if labelled_button(ui, ICON_DELETE, "Delete").clicked() {
            actions.push(Action::History(HistoryAction::Delete(id.clone())));
            ui.close();
        }
    };
    response.context_menu(&mut entries);
    // The same by a button, for fingers and keyboards; it stays out of the way until wanted.
    let corner =
        Rect::from_min_size(pos2(rect.right() - 30.0, rect.top() + 26.0), vec2(26.0, 26.0));
    let wanted = response.contains_pointer() || response.has_focus();
    let id = ui.scope_id().with("more");
    let focused = ui.memory(|memory| memory.has_focus(id)) || egui::Popup::is_id_open(ui.ctx(), id);
    let builder = UiBuilder::new().max_rect(corner);
    ui.scope_builder(builder, |ui| {
        if !(wanted || focused) {
            ui.set_opacity(0.0);
        }
        // As narrow as its place: what stands out would make the sidebar wider, frame by frame.
        ui.spacing_mut().button_padding = vec2(2.0, 2.0);
        let name = format!("More: {title}");
        let icon = ICON_MORE_VERT.rich_text().size(16.0);
        let more = ui.add(Button::new(icon).min_size(corner.size()));
        let more = more.on_hover_text(&name).accessible_name(name);
        egui::Popup::menu(&more).show(entries);
    });
}

/// Draws the field of a new title, and says whether it was left.
fn rename(ui: &mut Ui, title: &mut String) -> bool {
    let response = ui
        .add(TextEdit::singleline(title).desired_width(f32::INFINITY).char_limit(200))
        .accessible_name("New title");
    if !response.has_focus() && !response.lost_focus() {
        response.request_focus();
    }
    response.lost_focus()
}

/// Asks whether all conversations are to be deleted.
pub fn confirm_delete_all(ui: &Ui, actions: &mut Vec<Action>) {
    let response = Modal::new(egui::Id::unique("delete_all")).show(ui.ctx(), |ui| {
        let palette = Palette::of(ui.visuals());
        ui.set_max_width(400.0);
        ui.heading("Delete all conversations?");
        ui.label("Questions, answers and pictures are deleted for good. Settings and models stay.");
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            let delete = RichText::new("Delete all for good").color(palette.card);
            if ui.add(Button::new(delete).fill(palette.bad)).clicked() {
                actions.push(Action::History(HistoryAction::DeleteAll));
                actions.push(Action::CloseDialog);
            }
            if ui.button("Keep them").clicked() {
                actions.push(Action::CloseDialog);
            }
        });
    });
    if response.should_close() {
        actions.push(Action::CloseDialog);
    }
}
