//! What the user wants, carried out.

use std::path::PathBuf;
use std::time::Instant;

use session::{ExportFormat, ExportOptions, SessionId};
use ui::live::Live;
use ui::toast::Kind;
use ui::{Action, HistoryAction, Place};
use values::config::DEFAULT_QUESTION;

use super::App;
use super::desktop::Wish;
use super::files::{self, Files};
use super::keeper::Job;

/// What is to be done with what a dialog gives.
pub enum Waiting {
    /// Open it.
    Open,
    /// Export a conversation there.
    Export(SessionId, ExportFormat),
    /// Import it.
    Import,
    /// Keep conversations in it.
    Keep,
    /// Take the dual encoder from it.
    Dual,
}

impl App {
    /// Carries out what the user wants.
    pub(super) fn act(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::ChoosePictures => {
                self.wish(
                    Wish::Pictures(self.view.settings.pictures_folder.clone()),
                    Waiting::Open,
                );
            }
            Action::ChooseFolder => {
                self.wish(Wish::Folder(self.view.settings.pictures_folder.clone()), Waiting::Open);
            }
            Action::Open(paths) => self.open(paths),
            Action::Paste(image) => {
                self.view.stage.opened.clear();
                self.with_files(|files| files.take(image.0));
            }
            Action::Turn(steps) => {
                let stage = &mut self.view.stage;
                let to = stage.at.saturating_add_signed(steps);
                if to != stage.at && to < stage.opened.len() {
                    stage.at = to;
                    self.read_opened();
                }
            }
            Action::Shutter => {
                if self.view.stage.is_live() {
                    self.freeze();
                    self.view.ask.focus = true;
                } else if self.view.settings.camera.on {
                    self.go_live();
                } else {
                    self.act(ctx, Action::UseCamera(true));
                }
            }
            Action::Capture => {
                let presets = self.view.questions();
                let question = presets.iter().find(|preset| !preset.trim().is_empty()).cloned();
                let _asked = self.ask(question.as_deref().unwrap_or(DEFAULT_QUESTION));
            }
            Action::GoLive => self.go_live(),
            Action::UseCamera(on) => {
                self.view.settings.camera.on = on;
                self.settings_changed(ctx);
                if on {
                    self.go_live();
                } else {
                    self.leave_live_mode();
                }
            }
            Action::Mark(region) => self.view.stage.region = region,
            Action::Ask => {
                let question = self.view.ask.question.clone();
                if self.ask(&question) {
                    self.view.ask.question.clear();
                }
                self.view.ask.focus = true;
            }
            Action::AskThis(question) => {
                let _asked = self.ask(&question);
            }
            Action::Stop => self.stop(),
            Action::AskAgain(index) => self.ask_about(index, None),
            Action::AskAbout(index, question) => self.ask_about(index, Some(question)),
            Action::Maps(action) => self.maps(action),
            Action::LiveMode(on) => self.live_mode(ctx, on),
            Action::KeepLive => self.keep_live(),
            Action::Speak(index) => {
                if self.view.talk.spoken == Some(index) {
                    self.voice.stop();
                    self.view.talk.spoken = None;
                } else {
                    self.speak(index);
                }
            }
            Action::Say(text) => {
                if let Err(error) = self.voice.say(&text) {
                    self.fail(error.to_string());
                }
            }
            Action::Copy(text) => {
                ctx.copy_text(text);
                self.view.toasts.add(Kind::Done, "Copied");
            }
            Action::New => {
                self.new_conversation();
                self.keep(Job::New);
                self.view.ask.focus = true;
            }
            Action::History(action) => self.history(action),
            Action::SettingsChanged => self.settings_changed(ctx),
            Action::Reload => self.load(),
            Action::Show(dialog) => self.view.dialog = Some(dialog),
            Action::CloseDialog => {
                self.view.dialog = None;
                self.view.ask.focus = true;
            }
            Action::ChooseHistoryFolder => self.wish(Wish::HistoryFolder, Waiting::Keep),
            Action::Reveal(place) => self.reveal(place),
            Action::Fullscreen => {
                let full = ctx.input(|input| input.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!full));
            }
        }
    }

    fn history(&mut self, action: HistoryAction) {
        match action {
            HistoryAction::Open(id) => {
                if self.view.history.open.as_ref() == Some(&id) {
                    self.leave_opening();
                } else {
                    self.give_up();
                    self.opening = Some(id.clone());
                    self.keep(Job::Open(id));
                }
            }
            HistoryAction::Search(text) => self.keep(Job::List(text)),
            HistoryAction::Rename(id, title) => self.keep(Job::Rename(id, title)),
            HistoryAction::Delete(id) => {
                if self.view.history.open.as_ref() == Some(&id) {
                    self.give_up();
                }
                if self.opening.as_ref() == Some(&id) {
                    self.leave_opening();
                }
                self.keep(Job::Delete(id));
            }
            HistoryAction::Undelete(id) => self.keep(Job::Undelete(id)),
            HistoryAction::DeleteAll => {
                self.thumbnails.clear();
                self.new_conversation();
                self.keep(Job::DeleteAll);
            }
            HistoryAction::Export(id, format) => {
                let row = self.view.history.rows.iter().find(|row| row.id == id);
                let name = file_name(row.map_or("", |row| row.title.as_str()));
                let wish = match format {
                    ExportFormat::Zip => Wish::Save { name: format!("{name}.zip"), ending: "zip" },
                    ExportFormat::Markdown => {
                        Wish::Save { name: format!("{name}.md"), ending: "md" }
                    }
                    ExportFormat::Folder => Wish::SaveIn,
                };
                self.wish(wish, Waiting::Export(id, format));
            }
            HistoryAction::Overwrite(id, path, format) => {
                let text = self.view.settings.export_text;
                self.keep(Job::Export(id, path, format, ExportOptions { overwrite: true, text }));
            }
            HistoryAction::Import => self.wish(Wish::Bundle, Waiting::Import),
            HistoryAction::ImportFolder => self.wish(Wish::BundleFolder, Waiting::Import),
        }
    }

    pub(super) fn keep(&mut self, job: Job) {
        if let Some(keeper) = &mut self.keeper
            && let Err(reason) = keeper.send(job)
        {
            self.fail(reason);
        }
    }

    pub(super) fn wish(&mut self, wish: Wish, waiting: Waiting) {
        let number = self.next_wish;
        self.next_wish += 1;
        self.wishes.push((number, waiting));
        self.desktop.choose(number, wish);
    }

    /// Takes what was chosen in a dialog; nothing where it was cancelled.
    pub(super) fn take_choice(&mut self, number: u64, chosen: Result<Vec<PathBuf>, String>) {
        let Some(at) = self.wishes.iter().position(|(wish, _)| *wish == number) else { return };
        let (_, waiting) = self.wishes.remove(at);
        let paths = match chosen {
            Ok(paths) => paths,
            Err(reason) => return self.fail(reason),
        };
        let Some(first) = paths.first().cloned() else { return };
        match waiting {
            Waiting::Open => self.open(paths),
            Waiting::Export(id, format) => {
                let path = match format {
                    ExportFormat::Folder => {
                        let row = self.view.history.rows.iter().find(|row| row.id == id);
                        first.join(file_name(row.map_or("", |row| row.title.as_str())))
                    }
                    ExportFormat::Zip | ExportFormat::Markdown => first,
                };
                let text = self.view.settings.export_text;
                self.keep(Job::Export(id, path, format, ExportOptions { overwrite: false, text }));
            }
            Waiting::Import => self.keep(Job::Import(first)),
            Waiting::Dual => {
                self.view.settings.maps.dual = Some(first);
                self.unsaved.get_or_insert_with(Instant::now);
                self.follow_maps();
            }
            Waiting::Keep => {
                self.view.settings.history_folder = Some(first.clone());
                self.view.system.history.clone_from(&first);
                self.unsaved.get_or_insert_with(Instant::now);
                self.new_conversation();
                self.view.history.rows.clear();
                self.thumbnails.clear();
                self.keep(Job::Move(first));
            }
        }
    }

    pub(super) fn open(&mut self, paths: Vec<PathBuf>) {
        self.with_files(|files| files.find(paths));
    }

    /// Has the thread of the files do something, or says why it does not. Whether it does.
    pub(super) fn with_files(
        &mut self,
        job: impl FnOnce(&mut Files) -> Result<(), &'static str>,
    ) -> bool {
        let sent = self.files.as_mut().map_or(Err(files::DEAD), job);
        sent.map_err(|reason| self.fail(reason)).is_ok()
    }

    /// Makes the camera's picture stay as it is.
    pub(super) fn freeze(&mut self) {
        if let Some(shown) = &mut self.view.stage.shown {
            shown.live = false;
        }
    }

    /// Shows what the camera sees, from its next frame on.
    fn go_live(&mut self) {
        if let Some(files) = &mut self.files {
            files.forget();
        }
        self.view.stage.opened.clear();
        self.view.stage.clear();
    }

    /// Ends live mode where the picture is no longer the camera's.
    pub(super) fn leave_live_mode(&mut self) {
        if self.view.live.on {
            if self.view.live.coming.is_some() {
                self.stop();
            }
            self.finish_live();
            self.view.live = Live::default();
        }
    }

    fn live_mode(&mut self, ctx: &egui::Context, on: bool) {
        self.leave_live_mode();
        if !on {
            return;
        }
        if !self.view.settings.camera.on {
            self.view.settings.camera.on = true;
            self.settings_changed(ctx);
        }
        if !self.view.stage.is_live() {
            self.go_live();
        }
        let typed = self.view.ask.question.trim();
        let question = if typed.is_empty() { DEFAULT_QUESTION } else { typed };
        self.view.live = Live { on: true, question: question.to_owned(), ..Live::default() };
        self.live_frame = None;
        if let Some(viewfinder) = &self.viewfinder {
            viewfinder.forget();
        }
    }

    fn settings_changed(&mut self, ctx: &egui::Context) {
        self.view.settings.clamp_numbers();
        self.apply_settings(ctx);
        self.unsaved = Some(Instant::now());
    }

    /// Reads the answer of a card aloud.
    pub(super) fn speak(&mut self, index: usize) {
        let Some(card) = self.view.talk.cards.get(index) else { return };
        let text = card.spoken();
        match self.voice.say(&text) {
            Ok(()) => self.view.talk.spoken = Some(index),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn reveal(&mut self, place: Place) {
        let folder = match place {
            Place::Data => Some(self.folders.data.clone()),
            Place::Log => self
                .view
                .system
                .log
                .as_ref()
                .and_then(|log| log.parent().map(std::path::Path::to_path_buf)),
        };
        let Some(folder) = folder else { return };
        let shown = folder.display().to_string();
        if let Err(reason) = self.desktop.reveal(folder) {
            self.fail(format!("{shown} could not be shown: {reason}"));
        }
    }
}

/// A title as the name of a file on any system.
fn file_name(title: &str) -> String {
    let name: String = title
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_') { c } else { ' ' })
        .take(60)
        .collect();
    let name = values::text::words(&name);
    if name.is_empty() { "conversation".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_names_of_files() {
        assert_eq!(file_name("What is that? A cat."), "What is that A cat");
        assert_eq!(file_name("../../etc/passwd"), "etc passwd");
        assert_eq!(file_name("?!"), "conversation");
        assert_eq!(file_name("猫は何？"), "猫は何");
    }
}
