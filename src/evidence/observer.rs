//! The thread on which specialists look at what is shown, before anything is asked.

use std::collections::VecDeque;

use values::job::{Desk, Lane, Refused, Trouble, Work, Worker};
use values::picture::{About, Look};

use crate::{Evidence, EvidenceError, Witness};

/// Pictures, and parts of them, of which the evidence is kept.
const KEPT: usize = 16;
/// Pictures and pieces of news that may wait.
const WAITING: usize = 16;
/// What is shown: another takes its place.
const SHOWN: Lane = Lane::new(1);

/// What was found in a picture.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The picture, or the part of it.
    pub about: About,
    /// What is in it.
    pub found: Result<Evidence, EvidenceError>,
}

/// The thread.
pub struct Observer(Worker<Look, Observed>);

impl Observer {
    /// Starts it; `wake` is called on it after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(witness: Witness, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let make = move |_: &Desk<'_, Look, Observed>| Observing {
            witness: witness.clone(),
            kept: VecDeque::new(),
        };
        Worker::start("lorgnette-evidence", WAITING, make, wake).map(Self)
    }

    /// Looks at what is shown now: what was shown before is out of date.
    pub fn shown(&self, picture: Look) {
        // There is room for one; of a thread that is dead, its trouble was told.
        drop(self.0.replace(SHOWN, picture));
    }

    /// Looks at what is asked about, which is wanted whatever is shown. Whether it does: not where
    /// the thread is dead or behind.
    #[must_use]
    pub fn asked(&self, picture: Look) -> bool {
        let sent: Result<(), Refused<Look>> = self.0.send(Lane::LASTING, picture);
        sent.is_ok()
    }

    /// What came, without waiting.
    #[must_use]
    pub fn news(&self) -> Option<Observed> {
        self.0.news()
    }

    /// What befell the thread. Begun anew, it knows of no picture.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.trouble()
    }
}

struct Observing {
    witness: Witness,
    kept: VecDeque<(About, Evidence)>,
}

impl Work for Observing {
    type Job = Look;
    type News = Observed;

    fn work(&mut self, picture: Look, desk: &Desk<'_, Look, Observed>) {
        let about = picture.about();
        let kept = self.kept.iter().find(|(kept, _)| *kept == about);
        let found = match kept {
            Some((_, evidence)) => Ok(evidence.clone()),
            None => self.witness.evidence(&picture),
        };
        if let (None, Ok(evidence)) = (kept, &found) {
            self.kept.truncate(KEPT - 1);
            self.kept.push_front((about.clone(), evidence.clone()));
        }
        desk.tell(Observed { about, found });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use image::{Rgb, RgbImage};
    use values::frame::{Frame, Source};

    use super::*;
    use crate::{Label, LabelEncoder, Labels, Specialists};

    /// Names a picture by its first value, and takes a while.
    struct Values;

    impl LabelEncoder for Values {
        fn labels(&self, picture: &Look) -> Result<Labels, EvidenceError> {
            std::thread::sleep(Duration::from_millis(50));
            let name = match picture.frame.pixels.as_raw().first() {
                Some(0) | None => return Err(EvidenceError::NoPixels),
                Some(value) => value.to_string(),
            };
            let label = Label { name, kind: None, probability: 0.9, map: None };
            Ok(Labels { sure: Some(label), perhaps: Vec::new() })
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
            if let Some(news) = observer.news() {
                return news;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is observed");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn name(observed: &Observed) -> &str {
        &observed.found.as_ref().unwrap().labels.sure.as_ref().unwrap().name
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
