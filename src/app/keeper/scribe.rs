//! The thread's side of the conversations on disk.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Local, TimeZone};
use conversation::Picture;
use session::{KEPT_IN_TRASH, SessionError, SessionId, Store, Summary, Writer};
use ui::history::Row;
use values::job::{Rest, Work};
use values::picture::Look;

use super::super::viewfinder::{CARD, for_screen, small};
use super::{Asked, Desk, Job, News, Opened};

/// What the thread knows.
pub(super) struct Scribe {
    /// Where the conversations lie: outlives a panic.
    folder: Arc<Mutex<PathBuf>>,
    store: Option<Store>,
    /// The conversation that is shown.
    writer: Option<Writer>,
    /// The one that was read to be shown next; without a writer where another window has it.
    next: Option<(SessionId, Option<Writer>)>,
    search: String,
    /// The list is out of date.
    stale: bool,
    /// Thumbnails that are to be read.
    thumbnails: VecDeque<(SessionId, PathBuf)>,
    /// Those that were told.
    told: HashSet<SessionId>,
    /// The last failure that was told: the same one again and again is one.
    failed: Option<String>,
}

impl Work for Scribe {
    type Job = Job;
    type News = News;

    fn work(&mut self, job: Job, desk: &Desk<'_>) {
        let changes = !matches!(
            job,
            Job::Tokens(_)
                | Job::Model(_)
                | Job::New
                | Job::Open(_)
                | Job::Enter(_)
                | Job::Leave
                | Job::Look(..)
                | Job::Export(..)
        );
        match self.carry_out(job, desk) {
            Err(error) => {
                let text = error.to_string();
                if self.failed.as_ref() != Some(&text) {
                    desk.tell(News::Failed(text.clone()));
                    self.failed = Some(text);
                }
            }
            Ok(()) if changes => self.failed = None,
            Ok(()) => {}
        }
        self.stale |= changes;
    }

    /// What is to be written comes before what is to be shown.
    fn idle(&mut self, desk: &Desk<'_>) -> Rest {
        if std::mem::take(&mut self.stale) {
            self.list(desk);
            return Rest::Again;
        }
        let Some((id, file)) = self.thumbnails.pop_front() else { return Rest::Job };
        if let Ok(frame) = capture::load(&file) {
            self.told.insert(id.clone());
            desk.tell(News::Thumbnail(id, small(&frame.pixels, CARD)));
        }
        Rest::Again
    }
}

impl Scribe {
    pub fn new(folder: Arc<Mutex<PathBuf>>, desk: &Desk<'_>) -> Self {
        let mut scribe = Self {
            folder,
            store: None,
            writer: None,
            next: None,
            search: String::new(),
            stale: true,
            thumbnails: VecDeque::new(),
            told: HashSet::new(),
            failed: None,
        };
        scribe.open_store(desk);
        scribe
    }

    fn open_store(&mut self, desk: &Desk<'_>) {
        (self.writer, self.next) = (None, None);
        // Nothing panics while it holds the lock.
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match Store::open(&folder) {
            Ok(store) => {
                if let Err(error) = store.purge(KEPT_IN_TRASH) {
                    tracing::warn!("the trash could not be emptied: {error}");
                }
                self.store = Some(store);
            }
            Err(error) => {
                self.store = None;
                desk.tell(News::Unkept(error.to_string()));
            }
        }
    }

    fn move_to(&mut self, folder: PathBuf, desk: &Desk<'_>) {
        self.close(desk);
        self.told.clear();
        self.thumbnails.clear();
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = folder;
        self.open_store(desk);
    }

    fn carry_out(&mut self, job: Job, desk: &Desk<'_>) -> Result<(), SessionError> {
        let Some(store) = self.store.clone() else {
            if let Job::Move(folder) = job {
                self.move_to(folder, desk);
            }
            return Ok(());
        };
        match job {
            Job::List(search) => {
                self.search = search;
                Ok(())
            }
            Job::Ask(asked) => {
                let writer = self.writer.get_or_insert_with(|| store.create());
                let Asked { mut exchange, looks } = *asked;
                let mut asked = std::mem::take(&mut exchange.pictures).into_iter();
                let named = looks.iter().map(|look| Picture {
                    evidence: asked.next().map(|picture| picture.evidence).unwrap_or_default(),
                    ..writer.picture(&look.frame, look.region)
                });
                exchange.pictures = named.collect();
                let result = writer.ask(exchange);
                desk.tell(News::Current(writer.id().clone(), writer.session().title.clone()));
                result.map(|_| ())
            }
            Job::Model(model) => match &mut self.writer {
                Some(writer) => {
                    writer.answered_by(model);
                    Ok(())
                }
                None => Ok(()),
            },
            Job::Tokens(tokens) => match &mut self.writer {
                // Each of them is taken in, whatever came of the one before.
                Some(writer) => {
                    let mut result = Ok(());
                    for token in &tokens {
                        result = result.and(writer.token(token));
                    }
                    result
                }
                None => Ok(()),
            },
            Job::Finish(answer) => match &mut self.writer {
                Some(writer) => {
                    let result = writer.finish(*answer);
                    desk.tell(News::Current(writer.id().clone(), writer.session().title.clone()));
                    result
                }
                None => Ok(()),
            },
            Job::New => {
                self.next = None;
                self.close(desk);
                Ok(())
            }
            Job::Open(id) => self.open(&store, &id, desk),
            Job::Enter(id) => {
                if let Some((_, writer)) = self.next.take_if(|(next, _)| *next == id) {
                    self.close(desk);
                    self.writer = writer;
                }
                Ok(())
            }
            Job::Leave => {
                self.next = None;
                Ok(())
            }
            Job::TakeOver(id, exchanges) => self.take_over(&store, id, exchanges, desk),
            Job::Look(id, pictures) => {
                // The window does not know the files of what was asked since it was opened.
                let own = self.writer.as_ref().filter(|writer| *writer.id() == id);
                let kept: Vec<&Picture> = own.map_or(Vec::new(), |writer| {
                    writer.session().exchanges.iter().flat_map(|asked| &asked.pictures).collect()
                });
                let read = |picture: &Picture| {
                    let kept = kept.iter().find(|kept| kept.sha256 == picture.sha256);
                    let frame = store.picture(&id, kept.copied().unwrap_or(picture))?;
                    Ok(Look { frame, region: picture.region })
                };
                let looks = pictures.iter().map(read).collect::<Result<_, SessionError>>();
                let looks = looks.map_err(|error| error.to_string());
                desk.tell(News::Looked(pictures, looks));
                Ok(())
            }
            Job::Rename(id, title) => match self.writer_of(&id) {
                Some(writer) => {
                    let result = writer.rename(&title);
                    let title = writer.session().title.clone();
                    if self.writer.as_ref().is_some_and(|writer| *writer.id() == id) {
                        desk.tell(News::Current(id, title));
                    }
                    result
                }
                None => store.rename(&id, &title),
            },
            Job::Delete(id) => {
                let title = store.read(&id).map_or(String::new(), |session| session.title);
                if self.writer.as_ref().is_some_and(|writer| *writer.id() == id) {
                    self.close(desk);
                }
                store.delete(&id)?;
                desk.tell(News::Deleted(id, title));
                Ok(())
            }
            Job::Undelete(id) => store.undo_delete(&id),
            Job::DeleteAll => {
                self.next = None;
                self.close(desk);
                let deleted = store.delete_all()?;
                if deleted.kept.is_empty() {
                    desk.tell(News::Done("All conversations are deleted.".to_owned()));
                }
                for (_, error) in deleted.kept {
                    desk.tell(News::Failed(format!("One conversation stays: {error}")));
                }
                Ok(())
            }
            Job::Export(id, path, format, options) => {
                match store.export(&id, &path, format, options) {
                    Err(SessionError::Exists { .. }) if !options.overwrite => {
                        desk.tell(News::Exists(id, path, format));
                        Ok(())
                    }
                    Err(error) => Err(error),
                    Ok(()) => {
                        let name = values::frame::Source::File(path).name();
                        desk.tell(News::Done(format!("Exported as {name}")));
                        Ok(())
                    }
                }
            }
            Job::Import(path) => {
                let id = store.import(&path)?;
                desk.tell(News::Imported(id.clone()));
                self.open(&store, &id, desk)
            }
            Job::Move(folder) => {
                self.move_to(folder, desk);
                Ok(())
            }
            #[cfg(test)]
            Job::Panic => panic!("as a test wants it"),
        }
    }

    /// The one that writes this conversation, if that is here.
    fn writer_of(&mut self, id: &SessionId) -> Option<&mut Writer> {
        let next = self.next.as_mut().and_then(|(_, writer)| writer.as_mut());
        self.writer.iter_mut().chain(next).find(|writer| writer.id() == id)
    }

    /// Lets go of the conversation that is written, after a last try to write what is missing.
    fn close(&mut self, desk: &Desk<'_>) {
        if let Some(mut writer) = self.writer.take()
            && let Err(error) = writer.retry()
        {
            desk.tell(News::Failed(error.to_string()));
        }
    }

    /// Reads a conversation. What is shown stays the one that is written until the window shows it.
    fn open(&mut self, store: &Store, id: &SessionId, desk: &Desk<'_>) -> Result<(), SessionError> {
        self.next = None;
        let mut borrowed = false;
        let session = match &self.writer {
            Some(writer) if writer.id() == id => writer.session().clone(),
            _ => match store.resume(id) {
                Ok((session, writer)) => {
                    self.next = Some((id.clone(), Some(writer)));
                    session
                }
                Err(SessionError::InUse) => {
                    desk.tell(News::Note(
                        "This conversation is open in another window. Your next question begins a \
                         new one here."
                            .to_owned(),
                    ));
                    borrowed = true;
                    self.next = Some((id.clone(), None));
                    store.read(id)?
                }
                Err(error) => return Err(error),
            },
        };
        let records = session.exchanges.iter().flat_map(|exchange| &exchange.pictures);
        let last = records.clone().last();
        let mut pictures = HashMap::new();
        let mut shown = None;
        for record in records {
            if pictures.contains_key(&record.file) {
                continue;
            }
            match store.picture(id, record) {
                Ok(frame) => {
                    pictures.insert(record.file.clone(), small(&frame.pixels, CARD));
                    if last.is_some_and(|last| last.file == record.file) {
                        let image = for_screen(&frame);
                        shown = Some((frame, image));
                    }
                }
                Err(error) => {
                    desk.tell(News::Failed(error.to_string()));
                }
            }
        }
        desk.tell(News::Opened(Box::new(Opened { session, borrowed, pictures, shown })));
        Ok(())
    }

    /// Goes on with a conversation after a panic, with what the window has of it.
    fn take_over(
        &mut self,
        store: &Store,
        id: Option<SessionId>,
        exchanges: Vec<Asked>,
        desk: &Desk<'_>,
    ) -> Result<(), SessionError> {
        let resumed = id.map(|id| store.resume(&id)).transpose();
        let resumed = resumed.inspect_err(|error| tracing::warn!("a new one is begun: {error}"));
        let writer = match resumed.ok().flatten() {
            Some((_, writer)) => writer,
            None => store.create(),
        };
        let writer = self.writer.insert(writer);
        let mut result = Ok(());
        for Asked { mut exchange, looks } in exchanges {
            for picture in &mut exchange.pictures {
                let of = |look: &&Look| **look.frame.sha256() == picture.sha256;
                if let Some(look) = looks.iter().find(of) {
                    let evidence = std::mem::take(&mut picture.evidence);
                    let kept = writer.picture(&look.frame, picture.region);
                    *picture = Picture { evidence, ..kept };
                }
            }
            // Without its pixels it cannot be kept.
            exchange.pictures.retain(|picture| !picture.file.is_empty());
            result = result.and(writer.take_over(exchange));
        }
        desk.tell(News::Current(writer.id().clone(), writer.session().title.clone()));
        result
    }

    fn list(&mut self, desk: &Desk<'_>) {
        let Some(store) = &self.store else { return };
        let listing = match store.search(&self.search) {
            Ok(listing) => listing,
            Err(error) => {
                desk.tell(News::Unkept(error.to_string()));
                return;
            }
        };
        for notice in &listing.notices {
            let text = notice.to_string();
            if self.failed.as_ref() != Some(&text) {
                desk.tell(News::Failed(text.clone()));
                self.failed = Some(text);
            }
        }
        self.thumbnails.clear();
        let row = |summary: Summary| {
            if let Some(file) = summary.thumbnail
                && !self.told.contains(&summary.id)
            {
                self.thumbnails.push_back((summary.id.clone(), file));
            }
            Row {
                id: summary.id,
                title: summary.title,
                when: when(summary.updated, &Local::now()),
                questions: summary.exchanges,
                thumbnail: None,
            }
        };
        let rows = listing.sessions.into_iter().map(row).collect();
        desk.tell(News::Listed(rows));
    }
}

/// A time in milliseconds since 1970 as people say it on the day of `now`.
fn when<Z: TimeZone>(millis: u64, now: &chrono::DateTime<Z>) -> String
where
    Z::Offset: std::fmt::Display,
{
    let zone = now.timezone();
    let millis = i64::try_from(millis).unwrap_or(0);
    let Some(time) = zone.timestamp_millis_opt(millis).single() else {
        return String::new();
    };
    let days = (now.date_naive() - time.date_naive()).num_days();
    let clock = time.format("%H:%M");
    match days {
        0 => format!("Today {clock}"),
        1 => format!("Yesterday {clock}"),
        2..7 => format!("{} {clock}", time.format("%A")),
        _ => time.format("%Y-%m-%d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_names() {
        let zone = chrono::Utc;
        let now = zone.with_ymd_and_hms(2026, 3, 5, 9, 0, 0).unwrap();
        let said = |day, hour| {
            let time = zone.with_ymd_and_hms(2026, 3, day, hour, 30, 0).unwrap();
            when(time.timestamp_millis() as u64, &now)
        };
        assert_eq!(said(5, 8), "Today 08:30");
        assert_eq!(said(4, 23), "Yesterday 23:30");
        assert_eq!(said(2, 7), "Monday 07:30");
        assert_eq!(when(0, &now), "1970-01-01");
    }
}
