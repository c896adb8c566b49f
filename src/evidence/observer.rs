//! The threads on which specialists look at what is shown, before anything is asked: one names, one
//! reads, which takes longer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use values::job::{Desk, Lane, Progress, Trouble, Work, Worker};
use values::picture::{About, Look};

use crate::{EvidenceError, Line, Sighting, Witness};

/// Pictures, and parts of them, of which the evidence is kept.
const KEPT: usize = 16;
/// Pictures and pieces of news that may wait.
const WAITING: usize = 16;
/// What is shown: another takes its place.
const SHOWN: Lane = Lane::new(1);
/// What is asked about, to be read.
const ASKED: Lane = Lane::new(2);

/// What the thread that names things says.
#[derive(Debug, Clone)]
pub enum Seen {
    /// What is in a picture.
    Still(Observed),
    /// What is in the live picture.
    Live(Glanced),
}

/// What a glance at the live picture showed.
#[derive(Debug, Clone)]
pub struct Glanced {
    /// What is in it.
    pub found: Result<Sighting, EvidenceError>,
    /// How long it took, on one thread.
    pub took: Duration,
}

/// What was found in a picture.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The picture, or the part of it.
    pub about: About,
    /// What is in it.
    pub found: Result<Sighting, EvidenceError>,
}

/// What is written in a picture, or how far its reading has come.
#[derive(Debug, Clone)]
pub struct ReadText {
    /// The picture, or the part of it.
    pub about: About,
    /// What is written in it; before that is known, how far it has come.
    pub read: Result<Result<Vec<Line>, EvidenceError>, Progress>,
}

/// A picture to be looked at.
enum Job {
    /// One that stays.
    Look(Look),
    /// The live one.
    Glance(Look),
}

/// The threads.
pub struct Observer {
    names: Worker<Job, Seen>,
    text: Worker<Look, ReadText>,
}

impl Observer {
    /// Starts them; `wake` is called on them after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        witness: Witness,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let reads = witness.clone();
        let read = move |_: &Desk<'_, Look, ReadText>| Reading(reads.clone());
        let text = Worker::start("lorgnette-text", WAITING, read, wake.clone())?;
        let make = move |_: &Desk<'_, Job, Seen>| Observing {
            witness: witness.clone(),
            kept: VecDeque::new(),
        };
        let names = Worker::start("lorgnette-evidence", WAITING, make, wake)?;
        Ok(Self { names, text })
    }

    /// Looks at what is shown now: what was shown before is out of date.
    pub fn shown(&self, picture: Look) {
        // There is room for one; of a thread that is dead, its trouble was told.
        self.text.forget(SHOWN);
        drop(self.names.replace(SHOWN, Job::Look(picture)));
    }

    /// Looks at what is asked about, which is wanted whatever is shown. Whether it does: not where
    /// the thread is dead or behind.
    #[must_use]
    pub fn asked(&self, picture: Look) -> bool {
        self.names.send(Lane::LASTING, Job::Look(picture)).is_ok()
    }

    /// Glances at the live picture, which is shown now.
    pub fn glance(&self, picture: Look) {
        drop(self.names.replace(SHOWN, Job::Glance(picture)));
    }

    /// Reads what is shown now.
    pub fn read_shown(&self, picture: Look) {
        drop(self.text.replace(SHOWN, picture));
    }

    /// Reads what is asked about, whatever is shown. Whether it does: not where the thread is dead or
    /// behind.
    #[must_use]
    pub fn read_asked(&self, picture: Look) -> bool {
        self.text.send(ASKED, picture).is_ok()
    }

    /// What was asked about need not be read any more.
    pub fn leave_asked(&self) {
        self.text.forget(ASKED);
    }

    /// What came, without waiting.
    #[must_use]
    pub fn news(&self) -> Option<Seen> {
        self.names.news()
    }

    /// What was read, without waiting.
    #[must_use]
    pub fn text(&self) -> Option<ReadText> {
        self.text.news()
    }

    /// What befell a thread. Begun anew, it knows of no picture.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.names.trouble().or_else(|| self.text.trouble())
    }
}

struct Observing {
    witness: Witness,
    kept: VecDeque<(About, Sighting)>,
}

impl Work for Observing {
    type Job = Job;
    type News = Seen;

    fn work(&mut self, job: Job, desk: &Desk<'_, Job, Seen>) {
        let picture = match job {
            Job::Look(picture) => picture,
            Job::Glance(picture) => {
                let began = Instant::now();
                let found = self.witness.glance(&picture);
                let news = Seen::Live(Glanced { found, took: began.elapsed() });
                desk.tell_instead(news, |old| matches!(old, Seen::Live(_)));
                return;
            }
        };
        let about = picture.about();
        let kept = self.kept.iter().find(|(kept, _)| *kept == about);
        let found = match kept {
            Some((_, sighting)) => Ok(sighting.clone()),
            None => self.witness.sighting(&picture),
        };
        if let (None, Ok(sighting)) = (kept, &found) {
            self.kept.truncate(KEPT - 1);
            self.kept.push_front((about.clone(), sighting.clone()));
        }
        desk.tell(Seen::Still(Observed { about, found }));
    }
}

struct Reading(Witness);

impl Work for Reading {
    type Job = Look;
    type News = ReadText;

    fn work(&mut self, picture: Look, desk: &Desk<'_, Look, ReadText>) {
        let about = picture.about();
        let mut go_on = |progress| {
            let news = ReadText { about: about.clone(), read: Err(progress) };
            desk.tell_instead(news, |old| old.read.is_err())
        };
        let read = self.0.lines(&picture, &mut go_on);
        desk.tell(ReadText { about, read: Ok(read) });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use image::{Rgb, RgbImage};
    use values::frame::{Frame, Source};

    use super::*;
    use crate::{LabelEncoder, LabelMaps, Specialists};

    /// Names a picture by its first value, and takes a while.
    struct Values;

    impl LabelEncoder for Values {
        fn maps(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
            std::thread::sleep(Duration::from_millis(50));
            let name = match picture.frame.pixels.as_raw().first() {
                Some(0) | None => return Err(EvidenceError::NoPixels),
                Some(value) => value.to_string(),
            };
            LabelMaps::of_names(&[(&name, None)], &[2.0, 0.0], (1, 1), picture.area())
        }
    }

    fn observer() -> Observer {
        let reader = |_: &Path| Err(EvidenceError::Failed("there is no reader".into()));
        let specialists = Specialists { labels: |_| Ok(Box::new(Values)), reader };
        Observer::start(Witness::new(specialists, Path::new("")), || ()).unwrap()
    }

    fn grey(value: u8) -> Look {
        let pixels = RgbImage::from_pixel(9, 9, Rgb([value; 3]));
        Look { frame: Frame::new(pixels, Source::Memory("grey".into())), region: None }
    }

    fn next(observer: &Observer) -> Observed {
        let begun = Instant::now();
        loop {
            if let Some(Seen::Still(news)) = observer.news() {
                return news;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is observed");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn name(observed: &Observed) -> &str {
        &observed.found.as_ref().unwrap().evidence.labels.sure.as_ref().unwrap().name
    }

    #[test]
    fn what_is_asked_about_is_looked_at_whatever_is_shown() {
        let observer = observer();
        assert!(observer.asked(grey(7)));
        observer.shown(grey(8));
        observer.shown(grey(9));
        let (first, second) = (next(&observer), next(&observer));
        assert_eq!((name(&first), name(&second)), ("7", "9"));
        assert_eq!(second.about, grey(9).about());
        assert!(observer.asked(grey(7)));
        assert_eq!(next(&observer).found, first.found);
    }

    #[test]
    fn what_cannot_be_looked_at_says_why_and_the_next_is() {
        let observer = observer();
        observer.shown(grey(0));
        assert_eq!(next(&observer).found, Err(EvidenceError::NoPixels));
        observer.shown(grey(3));
        assert_eq!(name(&next(&observer)), "3");
    }
}
