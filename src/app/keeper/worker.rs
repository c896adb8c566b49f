//! The thread's side of the conversations on disk.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, TryRecvError};

use chrono::{Local, TimeZone};
use conversation::Picture;
use session::{KEPT_IN_TRASH, SessionError, SessionId, Store, Summary, Writer};
use values::picture::Look;

use super::super::viewfinder::{CARD, for_screen, small};
use super::{Asked, Job, Listed, News, Opened};

/// What the thread knows.
pub(super) struct Worker<'a, T: Fn(News)> {
    store: Option<Store>,
    writer: Option<Writer>,
    search: String,
    told: HashSet<SessionId>,
    /// The last failure that was told: the same one again and again is one.
    failed: Option<String>,
    tell: &'a T,
}

impl<'a, T: Fn(News)> Worker<'a, T> {
    pub fn new(folder: &std::path::Path, tell: &'a T) -> Self {
        let mut worker = Self {
            store: None,
            writer: None,
            search: String::new(),
            told: HashSet::new(),
            failed: None,
            tell,
        };
        worker.open_store(folder);
        worker
    }

    fn open_store(&mut self, folder: &std::path::Path) {
        self.writer = None;
        match Store::open(folder) {
            Ok(store) => {
                if let Err(error) = store.purge(KEPT_IN_TRASH) {
                    tracing::warn!("the trash could not be emptied: {error}");
                }
                self.store = Some(store);
            }
            Err(error) => {
                self.store = None;
                (self.tell)(News::Unkept(error.to_string()));
            }
        }
    }

    pub fn run(mut self, inbox: &Receiver<Job>) {
        let mut stale = true;
        loop {
            let job = match inbox.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => return,
                // What is to be written comes before what is to be shown.
                Err(TryRecvError::Empty) if std::mem::take(&mut stale) => {
                    self.list();
                    continue;
                }
                Err(TryRecvError::Empty) => match inbox.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            let changes = !matches!(
                job,
                Job::Token(_)
                    | Job::Model(_)
                    | Job::New
                    | Job::Open(_)
                    | Job::Look(..)
                    | Job::Export(..)
            );
            match self.work(job) {
                Err(error) => {
                    let text = error.to_string();
                    if self.failed.as_ref() != Some(&text) {
                        (self.tell)(News::Failed(text.clone()));
                        self.failed = Some(text);
                    }
                }
                Ok(()) if changes => self.failed = None,
                Ok(()) => {}
            }
            stale |= changes;
        }
    }

    fn work(&mut self, job: Job) -> Result<(), SessionError> {
        let Some(store) = self.store.clone() else {
            if let Job::Move(folder) = job {
                self.open_store(&folder);
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
                let named = looks.iter().map(|look| writer.picture(&look.frame, look.region));
                exchange.pictures = named.collect();
                let result = writer.ask(exchange);
                (self.tell)(News::Current(writer.id().clone(), writer.session().title.clone()));
                result.map(|_| ())
            }
            Job::Model(model) => match &mut self.writer {
                Some(writer) => {
                    writer.answered_by(model);
                    Ok(())
                }
                None => Ok(()),
            },
            Job::Token(token) => match &mut self.writer {
                Some(writer) => writer.token(&token),
                None => Ok(()),
            },
            Job::Finish(answer) => match &mut self.writer {
                Some(writer) => {
                    let result = writer.finish(*answer);
                    (self.tell)(News::Current(writer.id().clone(), writer.session().title.clone()));
                    result
                }
                None => Ok(()),
            },
            Job::New => {
                self.close();
                Ok(())
            }
            Job::Open(id) => self.open(&store, &id),
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
                (self.tell)(News::Looked(pictures, looks));
                Ok(())
            }
            Job::Rename(id, title) => match &mut self.writer {
                Some(writer) if *writer.id() == id => {
                    let result = writer.rename(&title);
                    (self.tell)(News::Current(id, writer.session().title.clone()));
                    result
                }
                _ => store.rename(&id, &title),
            },
            Job::Delete(id) => {
                let title = store.read(&id).map_or(String::new(), |session| session.title);
                if self.writer.as_ref().is_some_and(|writer| *writer.id() == id) {
                    self.close();
                }
                store.delete(&id)?;
                (self.tell)(News::Deleted(id, title));
                Ok(())
            }
            Job::Undelete(id) => store.undo_delete(&id),
            Job::DeleteAll => {
                self.close();
                let deleted = store.delete_all()?;
                if deleted.kept.is_empty() {
                    (self.tell)(News::Done("All conversations are deleted.".to_owned()));
                }
                for (_, error) in deleted.kept {
                    (self.tell)(News::Failed(format!("One conversation stays: {error}")));
                }
                Ok(())
            }
            Job::Export(id, path, format, overwrite) => {
                match store.export(&id, &path, format, overwrite) {
                    Err(SessionError::Exists { .. }) if !overwrite => {
                        (self.tell)(News::Exists(id, path, format));
                        Ok(())
                    }
                    Err(error) => Err(error),
                    Ok(()) => {
                        let name = values::frame::Source::File(path).name();
                        (self.tell)(News::Done(format!("Exported as {name}")));
                        Ok(())
                    }
                }
            }
            Job::Import(path) => {
                let id = store.import(&path)?;
                (self.tell)(News::Imported(id.clone()));
                self.open(&store, &id)
            }
            Job::Move(folder) => {
                self.close();
                self.told.clear();
                self.open_store(&folder);
                Ok(())
            }
        }
    }

    /// Lets go of the conversation that is written, after a last try to write what is missing.
    fn close(&mut self) {
        if let Some(mut writer) = self.writer.take()
            && let Err(error) = writer.retry()
        {
            (self.tell)(News::Failed(error.to_string()));
        }
    }

    fn open(&mut self, store: &Store, id: &SessionId) -> Result<(), SessionError> {
        if self.writer.as_ref().is_none_or(|writer| writer.id() != id) {
            self.close();
        }
        let mut borrowed = false;
        let session = match &self.writer {
            Some(writer) => writer.session().clone(),
            None => match store.resume(id) {
                Ok((session, writer)) => {
                    self.writer = Some(writer);
                    session
                }
                Err(SessionError::InUse) => {
                    (self.tell)(News::Note(
                        "This conversation is open in another window. Your next question begins a \
                         new one here."
                            .to_owned(),
                    ));
                    borrowed = true;
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
                Err(error) => (self.tell)(News::Failed(error.to_string())),
            }
        }
        (self.tell)(News::Opened(Box::new(Opened { session, borrowed, pictures, shown })));
        Ok(())
    }

    fn list(&mut self) {
        let Some(store) = &self.store else { return };
        let listing = match store.search(&self.search) {
            Ok(listing) => listing,
            Err(error) => {
                (self.tell)(News::Unkept(error.to_string()));
                return;
            }
        };
        for notice in &listing.notices {
            let text = notice.to_string();
            if self.failed.as_ref() != Some(&text) {
                (self.tell)(News::Failed(text.clone()));
                self.failed = Some(text);
            }
        }
        let mut thumbnails = Vec::new();
        let row = |summary: Summary| {
            if let Some(file) = summary.thumbnail
                && !self.told.contains(&summary.id)
            {
                thumbnails.push((summary.id.clone(), file));
            }
            Listed {
                id: summary.id,
                title: summary.title,
                when: when(summary.updated, &Local::now()),
                questions: summary.exchanges,
            }
        };
        let rows = listing.sessions.into_iter().map(row).collect();
        (self.tell)(News::Listed(rows));
        for (id, file) in thumbnails {
            if let Ok(frame) = capture::load(&file) {
                self.told.insert(id.clone());
                (self.tell)(News::Thumbnail(id, small(&frame.pixels, CARD)));
            }
        }
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
