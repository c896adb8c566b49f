//! What the threads say, taken without waiting.

use std::collections::HashMap;

use capture::CameraState;
use conversation::{Exchange, Finish};
use ui::gallery::Tile;
use ui::stage::Shown;
use ui::talk::{Card, Talk};
use ui::toast::Kind;
use ui::{Action, Dialog, HistoryAction};
use values::frame::{Frame, Source};
use values::job::Trouble;
use values::region::Region;

use super::App;
use super::files::{self, FileNews, Files};
use super::keeper::{Asked, Job, Keeper, News, Opened};
use super::viewfinder::{CameraNews, Sight};

/// Events taken in one frame. An engine that says more than this between two frames is far ahead
/// of what anybody reads.
const EVENTS: usize = 512;

impl App {
    /// Takes everything that came since the last frame.
    pub(super) fn take_news(&mut self, ctx: &egui::Context) {
        for _ in 0..EVENTS {
            let Some(event) = self.engine.try_event() else { break };
            self.take_event(event);
        }
        if self.engine.is_gone() {
            self.engine_gone();
        }
        self.take_camera(ctx);
        self.take_maps();
        self.take_evidence();
        while let Some(news) = self.files.as_mut().and_then(Files::news) {
            self.take_file(ctx, news);
        }
        match self.files.as_mut().and_then(Files::trouble) {
            // What was to be shown is asked for again already.
            Some(Trouble::Restarted(_)) => {
                tracing::error!("the thread of the files was started again");
            }
            Some(Trouble::Dead(_)) => {
                self.view.stage.reading = None;
                self.fail(files::DEAD);
            }
            None => {}
        }
        self.take_history_news(ctx);
        while let Some((number, chosen)) = self.desktop.chosen() {
            self.take_choice(number, chosen);
        }
        if self.view.talk.spoken.is_some() {
            if self.voice.speaking() {
                ctx.request_repaint_after(std::time::Duration::from_millis(300));
            } else {
                self.view.talk.spoken = None;
            }
        }
        if let Some(error) = self.voice.trouble() {
            self.fail(error.to_string());
        }
        self.follow_evidence();
        self.tie_at_once();
        self.follow_maps();
        self.follow_ahead(ctx);
        if self.view.dialog == Some(Dialog::Settings) {
            self.view.system.frames = self.meter.cost().map(|cost| cost.to_string());
        }
    }

    fn take_camera(&mut self, ctx: &egui::Context) {
        // A picture that was opened or frozen stays until the user goes back to live.
        let free = self.view.stage.shown.is_none() || self.view.stage.is_live();
        let Some(viewfinder) = &mut self.viewfinder else { return };
        viewfinder.set_wanted(free);
        let trouble = viewfinder.trouble();
        let mut newest = None;
        while let Some(news) = viewfinder.news() {
            match news {
                CameraNews::Sight(sight) => newest = Some(*sight),
                CameraNews::View(view) => {
                    let live = |state: &CameraState| matches!(state, CameraState::Live { .. });
                    if live(&view.state) && !live(&self.view.camera.state) {
                        tracing::info!("the camera delivers");
                    }
                    self.view.camera = view;
                }
            }
        }
        match trouble {
            Some(Trouble::Restarted(_)) => {
                tracing::error!("the thread of the camera was started again");
            }
            Some(Trouble::Dead(reason)) => {
                self.view.camera.state = CameraState::Failed(reason);
                self.fail("The camera cannot be used any more: start Lorgnette again.");
            }
            None => {}
        }
        let Some(Sight { frame, image, changed, moved }) = newest else { return };
        if !free || !self.view.settings.camera.on {
            return;
        }
        let mirrored = self.view.settings.camera.mirror;
        let shown = Shown { frame, live: true, mirrored };
        self.view.stage.set(ctx, shown.clone(), image);
        self.glance(&shown.frame, moved);
        self.live_ask(&shown, changed);
    }

    fn take_file(&mut self, ctx: &egui::Context, news: FileNews) {
        match news {
            FileNews::Found(paths) => {
                self.view.settings.pictures_folder =
                    paths.first().and_then(|path| path.parent()).map(std::path::Path::to_path_buf);
                self.unsaved.get_or_insert_with(std::time::Instant::now);
                self.view.stage.opened = paths;
                self.view.stage.at = 0;
                self.read_opened();
            }
            FileNews::Read(frame, image) => {
                self.view.stage.reading = None;
                self.leave_live_mode();
                self.view.stage.region = None;
                let shown = Shown { frame: *frame, live: false, mirrored: false };
                self.view.stage.set(ctx, shown, image);
                self.view.ask.focus = true;
            }
            FileNews::Ready(frame, region, image) => {
                let mirrored =
                    matches!(frame.source, Source::Camera(_)) && self.view.settings.camera.mirror;
                let shown = Shown { frame: *frame, live: false, mirrored };
                self.view.stage.set(ctx, shown, image);
                self.view.stage.region = region;
            }
            FileNews::Failed(reason) => {
                self.view.stage.reading = None;
                self.fail(reason);
            }
            FileNews::Thumbnail(sha256, image) => {
                let name = format!("card {sha256}");
                let texture = ctx.load_texture(name, image, egui::TextureOptions::LINEAR);
                let cards = self.view.talk.cards.iter_mut();
                for card in cards.filter(|card| card.is_about(&sha256)) {
                    card.thumbnail.get_or_insert_with(|| texture.clone());
                }
            }
            FileNews::Tile(file, image) => {
                let name = Source::File(file.clone()).name();
                let name = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                let texture = ctx.load_texture(name, image, egui::TextureOptions::LINEAR);
                let name = name.replace('-', " ");
                self.view.gallery.tiles.push(Tile { file, name, texture });
            }
            FileNews::Network(network) => self.view.network = network,
            FileNews::Power(on_battery) => self.ahead.set_on_battery(on_battery),
        }
    }

    /// Begins to read the opened picture that is to be shown.
    pub(super) fn read_opened(&mut self) {
        let stage = &mut self.view.stage;
        let Some(path) = stage.opened.get(stage.at).cloned() else { return };
        stage.reading = Some(Source::File(path.clone()).name());
        if !self.with_files(|files| files.read(path)) {
            self.view.stage.reading = None;
        }
    }

    /// Shows a picture that stays, with this part of it marked, as soon as it is ready for the
    /// screen; until then the one that is shown stays.
    pub(super) fn show_still(&mut self, frame: Frame, region: Option<Region>) {
        self.freeze();
        self.view.stage.reading = None;
        self.with_files(|files| files.show(frame, region));
    }

    /// Has the thumbnail of the newest card made, unless another card has it.
    pub(super) fn want_thumbnail(&mut self, frame: &Frame) {
        let cards = &mut self.view.talk.cards;
        let same = |card: &&Card| card.thumbnail.is_some() && card.is_about(frame.sha256());
        let known = cards.iter().find(same).and_then(|card| card.thumbnail.clone());
        match (known, cards.last_mut()) {
            (Some(known), Some(card)) => card.thumbnail = Some(known),
            // A card without one is only less pretty.
            _ => drop(self.files.as_ref().map(|files| files.thumbnail(frame.clone()))),
        }
    }

    /// Takes the news of the history. Where a panic lost what its thread knew, that is given it
    /// again; where it is gone, the user is told.
    pub(super) fn take_history_news(&mut self, ctx: &egui::Context) {
        // Looked for first: what was told before it counts.
        let trouble = self.keeper.as_ref().and_then(Keeper::trouble);
        while let Some(news) = self.keeper.as_ref().and_then(Keeper::news) {
            self.take_history(ctx, news);
        }
        match trouble {
            Some(Trouble::Restarted(_)) => {
                tracing::error!("the thread of the history was started again");
                self.keep_again();
            }
            Some(Trouble::Dead(reason)) => {
                self.keeper = None;
                let text = format!(
                    "Conversations are no longer kept: {reason}. Start Lorgnette again; what is \
                     said stays in this window until then."
                );
                self.view.history.trouble = Some(text.clone());
                self.fail(text);
            }
            None => {}
        }
    }

    fn take_history(&mut self, ctx: &egui::Context, news: News) {
        match news {
            News::Listed(mut rows) => {
                for row in &mut rows {
                    row.thumbnail = self.thumbnails.get(&row.id).cloned();
                }
                self.view.history.rows = rows;
                self.view.history.trouble = None;
            }
            News::Thumbnail(id, image) => {
                let name = format!("thumbnail {id}");
                let texture = ctx.load_texture(name, image, egui::TextureOptions::LINEAR);
                if let Some(row) = self.view.history.rows.iter_mut().find(|row| row.id == id) {
                    row.thumbnail = Some(texture.clone());
                }
                self.thumbnails.insert(id, texture);
            }
            News::Current(id, title) => {
                // News of a conversation that was left meanwhile are out of date.
                if !self.view.talk.cards.is_empty() {
                    self.view.history.open = Some(id);
                    self.view.talk.title = title;
                }
            }
            News::Imported(id) => {
                self.opening = Some(id);
                self.view.toasts.add(Kind::Done, "Imported");
            }
            News::Opened(opened) => self.show_conversation(ctx, *opened),
            News::Looked(pictures, looks) => {
                // Meanwhile another question may have been asked, or asked for.
                let wanted = self.again.take_if(|(_, wanted)| *wanted == pictures);
                let Some((question, _)) = wanted else { return };
                match looks {
                    Ok(looks) => self.put_again(question, looks),
                    Err(reason) => self.picture_is_gone(&reason),
                }
            }
            News::Deleted(id, title) => {
                self.thumbnails.remove(&id);
                if self.view.history.open.as_ref() == Some(&id) {
                    self.new_conversation();
                }
                let text = if title.is_empty() {
                    "The conversation is deleted.".to_owned()
                } else {
                    format!("Deleted: {title}")
                };
                let undo = Action::History(HistoryAction::Undelete(id));
                self.view.toasts.with_way_out(Kind::Done, text, "Undo", undo);
            }
            News::Done(text) => self.view.toasts.add(Kind::Done, text),
            News::Note(text) => self.view.toasts.add(Kind::Note, text),
            News::Exists(id, path, format) => {
                let text = format!("{} is there already.", Source::File(path.clone()).name());
                let over = Action::History(HistoryAction::Overwrite(id, path, format));
                self.view.toasts.with_way_out(Kind::Error, text, "Write over it", over);
            }
            News::Failed(reason) => {
                tracing::error!("the history: a conversation could not be kept or read");
                self.fail(reason);
            }
            News::Unkept(reason) => {
                let text = format!("Conversations cannot be kept: {reason}");
                self.view.history.trouble = Some(text.clone());
                self.fail(text);
            }
        }
    }

    fn show_conversation(&mut self, ctx: &egui::Context, opened: Opened) {
        let Opened { session, borrowed, pictures, shown } = opened;
        if self.opening.as_ref() != Some(&session.id) {
            // Meanwhile something else was asked for.
            return;
        }
        self.opening = None;
        self.give_up();
        self.keep(Job::Enter(session.id.clone()));
        self.leave_live_mode();
        if let Some(files) = &mut self.files {
            files.forget();
        }
        self.view.stage.reading = None;
        let texture = |(file, small): (String, egui::ColorImage)| {
            let texture = ctx.load_texture(&file, small, egui::TextureOptions::LINEAR);
            (file, texture)
        };
        let textures: HashMap<_, _> = pictures.into_iter().map(texture).collect();
        let card = |exchange: &Exchange| {
            let mut card = Card::kept(exchange.clone());
            let first = exchange.pictures.first();
            card.thumbnail = first.and_then(|picture| textures.get(&picture.file)).cloned();
            card
        };
        let cards = session.exchanges.iter().map(card).collect();
        self.forget_maps();
        self.view.talk = Talk { title: session.title.clone(), cards, ..Talk::default() };
        self.view.history.open = Some(session.id.clone());
        self.view.stage.clear();
        self.view.stage.opened.clear();
        self.borrowed = borrowed;
        self.again = None;
        self.album.clear();
        if let Some((frame, image)) = shown {
            let shown = Shown { frame, live: false, mirrored: false };
            self.view.stage.set(ctx, shown, image);
            let last = session.exchanges.last().and_then(|exchange| exchange.pictures.first());
            self.view.stage.region = last.and_then(|record| record.region);
        }
    }

    /// Gives up opening a conversation.
    pub(super) fn leave_opening(&mut self) {
        if self.opening.take().is_some() {
            self.keep(Job::Leave);
        }
    }

    /// Has everything kept that the thread of the history may not have written, and done what it
    /// may not have done.
    fn keep_again(&mut self) {
        if let Some(keeper) = &self.keeper {
            keeper.forget();
        }
        let cards = self.view.talk.cards.iter().map(|card| &card.exchange);
        // A question that the engine refused was never kept.
        let came = |exchange: &&Exchange| {
            exchange.answer.finish != Finish::Failed || !exchange.answer.tokens.is_empty()
        };
        let asked = |exchange: &Exchange| Asked {
            exchange: exchange.clone(),
            looks: self.album.looks(&exchange.pictures),
        };
        let exchanges: Vec<Asked> = cards.filter(came).map(asked).collect();
        let open = self.view.history.open.clone();
        // What is shown of another window's conversation is kept there.
        if !exchanges.is_empty() && !self.borrowed {
            self.keep(Job::TakeOver(open.clone(), exchanges));
        }
        self.keep(Job::List(self.view.history.search.clone()));
        if let Some(id) = self.opening.clone() {
            self.keep(Job::Open(id));
        }
        if let (Some((_, pictures)), Some(id)) = (&self.again, open) {
            self.keep(Job::Look(id, pictures.clone()));
        }
        if let Some(keeper) = &self.keeper {
            keeper.go_on();
        }
    }

    /// Forgets the conversation that is shown; its files stay.
    pub(super) fn new_conversation(&mut self) {
        self.give_up();
        (self.opening, self.again, self.borrowed) = (None, None, false);
        self.album.clear();
        self.forget_maps();
        self.view.talk = Talk::default();
        self.view.history.open = None;
        self.view.ask.timings = None;
    }
}
