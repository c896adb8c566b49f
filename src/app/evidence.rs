//! What specialists see and read: in the picture that is shown, at once, and in those that a question
//! is about. It waits for names, and where it asks for text for that as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conversation::Exchange;
use evidence::live::{Pace, Steady};
use evidence::{
    Evidence, Glanced, LabelMaps, Observed, Observer, ReadText, Seen, Sighting, asks_for_text,
};
use ui::maps::Wanted;
use values::frame::Frame;
use values::job::Trouble;
use values::picture::{About, Look};
use values::region::Region;

use super::App;
use super::answers::Target;

/// Pictures, and parts of them, of which the evidence is kept.
const KEPT: usize = 32;
/// Shortest time between two things that a screen reader is told of the live picture.
const TELL: Duration = Duration::from_secs(3);
/// Said once the thread is gone.
const NO_OBSERVER: &str =
    "Nothing is named in this picture: if that stays so, start Lorgnette again.";

/// A question that waits until it is known what is to be seen in its pictures.
pub struct Waiting {
    pub(super) exchange: Exchange,
    pub(super) looks: Vec<Look>,
    pub(super) target: Target,
}

/// What is to be seen in a picture, or why nobody could look.
type Found = Result<Sighting, String>;

/// What is known of a picture, or of the part of one.
struct Known {
    about: About,
    found: Found,
    /// Whether it was read: until then its lines are none.
    read: bool,
}

/// What this needs to remember between frames.
#[derive(Default)]
pub struct EvidenceState {
    /// What the evidence that is shown is about.
    about: Option<About>,
    /// What was found, or why nothing was, the newest last.
    known: VecDeque<Known>,
    /// The question that waits for some.
    pub(super) waiting: Option<Waiting>,
    /// Pictures of that question that are being read.
    reading: Vec<About>,
    /// Whether a specialist that fails was told of.
    told: bool,
    live: Live,
}

/// What is known of the live picture.
#[derive(Default)]
struct Live {
    names: Steady,
    pace: Pace,
    /// The part that is being glanced at, or was last; of the whole picture `None`.
    region: Option<Region>,
    glancing: bool,
    /// Whether the live picture was glanced at since it is shown.
    shown: bool,
    /// When a screen reader was last told of it.
    told: Option<Instant>,
}

impl EvidenceState {
    fn find(&self, about: &About) -> Option<&Known> {
        self.known.iter().find(|known| known.about == *about)
    }

    fn put(&mut self, about: About, found: Found) {
        self.known.retain(|known| known.about != about);
        // What nobody can look at is not read either.
        let read = found.is_err();
        self.known.push_back(Known { about, found, read });
        if self.known.len() > KEPT {
            self.known.pop_front();
        }
    }
}

impl App {
    /// Whether the model is told what specialists see. One that is still being loaded may take it.
    pub(super) fn tells(&self) -> bool {
        let takes = |model: &engine::LoadedModel| model.evidence_words().is_some();
        self.view.settings.evidence && self.view.engine.model().is_none_or(takes)
    }

    /// What a question about `picture` is told that is to be seen in it, once that is known: nothing
    /// where nobody could look.
    pub(super) fn evidence_of(&self, picture: &Look) -> Option<Evidence> {
        if !self.tells() {
            return Some(Evidence::default());
        }
        let known = self.evidence.find(&picture.about());
        known.map(|known| match &known.found {
            Ok(seen) => seen.evidence.clone(),
            Err(_) => Evidence::default(),
        })
    }

    /// The same, once it was read as well and nothing more will be found.
    pub(super) fn settled_evidence_of(&self, picture: &Look) -> Option<Evidence> {
        let settled = !self.tells() || self.is_read(picture);
        self.evidence_of(picture).filter(|_| settled)
    }

    /// Where the labels of `about` are, once somebody looked.
    pub(super) fn label_maps(&self, about: &About) -> Option<Arc<LabelMaps>> {
        Some(self.evidence.find(about)?.found.as_ref().ok()?.maps.clone())
    }

    /// Whether nobody is looking at a picture or reading in one.
    pub(super) fn evidence_is_settled(&self) -> bool {
        let state = &self.evidence;
        let shown = state
            .about
            .as_ref()
            .is_none_or(|about| state.find(about).is_some_and(|known| known.read));
        shown && state.waiting.is_none()
    }

    /// Glances at the live picture, where it has moved and it is time.
    pub(super) fn glance(&mut self, frame: &Frame, moved: bool) {
        let (now, live) = (Instant::now(), &mut self.evidence.live);
        let region = self.view.stage.region;
        let wanted = (moved || live.region != region) && !live.glancing && live.pace.is_due(now);
        let (Some(observer), true) = (&self.observer, wanted) else { return };
        observer.glance(Look { frame: frame.clone(), region });
        live.pace.begin(now);
        (live.region, live.glancing, live.shown) = (region, true, true);
        if let Some(viewfinder) = &self.viewfinder {
            viewfinder.glanced();
        }
    }

    /// Takes what a glance at the live picture showed.
    fn take_glance(&mut self, glanced: Glanced) {
        let live = &mut self.evidence.live;
        live.glancing = false;
        live.pace.took(glanced.took);
        // One that fails is not worth a word for each frame.
        let Ok(mut seen) = glanced.found else { return };
        if !self.view.stage.is_live() {
            return;
        }
        seen.evidence.labels = live.names.take(&seen.maps);
        let words = ui::evidence::announcement(&seen);
        if words != self.view.stage.names_told && live.told.is_none_or(|at| at.elapsed() >= TELL) {
            self.view.stage.names_told = words;
            live.told = Some(Instant::now());
        }
        self.view.stage.evidence = Wanted::Ready(seen);
    }

    /// What is seen is shown, and a screen reader told of it.
    fn show_evidence(&mut self, seen: Wanted<Sighting>) {
        self.view.stage.names_told =
            seen.ready().map(ui::evidence::announcement).unwrap_or_default();
        self.view.stage.evidence = seen;
    }

    /// Makes what is seen follow what is shown. A picture that goes on changing is glanced at.
    pub(super) fn follow_evidence(&mut self) {
        if !self.view.stage.is_live() && self.evidence.live.shown {
            let pace = self.evidence.live.pace;
            self.evidence.live = Live { pace, ..Live::default() };
            if self.view.stage.shown.is_none() {
                self.show_evidence(Wanted::None);
            }
        }
        let picture = self.asked_about();
        let about = picture.as_ref().map(Look::about);
        if about == self.evidence.about {
            return;
        }
        self.evidence.about.clone_from(&about);
        let known = about.and_then(|about| self.evidence.find(&about));
        let known = known.map(|known| (known.found.clone(), known.read));
        let stage = &mut self.view.stage;
        (stage.text_read, stage.line) = (None, None);
        let seen = match (known, picture, &self.observer) {
            (Some((found, read)), picture, observer) => {
                if let (false, Some(picture), Some(observer)) = (read, picture, observer) {
                    observer.read_shown(picture);
                }
                found.map_or_else(Wanted::Failed, Wanted::Ready)
            }
            (None, None, _) => Wanted::None,
            (None, Some(picture), Some(observer)) => {
                observer.shown(picture);
                Wanted::Coming
            }
            (None, Some(_), None) => Wanted::Failed(NO_OBSERVER.to_owned()),
        };
        self.show_evidence(seen);
        // What a question waits for is no longer read as what is shown.
        self.want_text();
    }

    /// Has a question asked as soon as it is known what is to be seen in its pictures.
    pub(super) fn ask_seeing(&mut self, waiting: Waiting) {
        for look in &waiting.looks {
            let looks = || self.observer.as_ref().is_some_and(|thread| thread.asked(look.clone()));
            if self.evidence_of(look).is_none() && !looks() {
                self.evidence.put(look.about(), Err(NO_OBSERVER.to_owned()));
            }
        }
        self.evidence.waiting = Some(waiting);
        self.want_text();
        self.go_ahead();
    }

    /// Has the pictures of the question that waits read, where it waits for that, once they are named.
    /// The one that is shown is read in any case.
    fn want_text(&mut self) {
        let Some(waiting) = self.evidence.waiting.as_ref() else { return };
        let Some(observer) = self.observer.as_ref().filter(|_| self.waits_for_text(waiting)) else {
            return;
        };
        for look in &waiting.looks {
            let about = look.about();
            let is_named = self.evidence.find(&about).is_some_and(|known| !known.read);
            // One that is behind is asked again with the next news.
            if is_named
                && self.evidence.about.as_ref() != Some(&about)
                && !self.evidence.reading.contains(&about)
                && observer.read_asked(look.clone())
            {
                self.evidence.reading.push(about);
            }
        }
    }

    /// Nothing need be read for a question any more.
    pub(super) fn leave_text(&mut self) {
        self.evidence.reading.clear();
        if let Some(observer) = &self.observer {
            observer.leave_asked();
        }
    }

    /// Whether a question is worth waiting for what is written in its pictures.
    fn waits_for_text(&self, waiting: &Waiting) -> bool {
        self.tells() && self.observer.is_some() && asks_for_text(&waiting.exchange.question)
    }

    fn is_read(&self, picture: &Look) -> bool {
        self.evidence.find(&picture.about()).is_some_and(|known| known.read)
    }

    /// Asks the question that waits, where it is known what is to be seen in its pictures.
    fn go_ahead(&mut self) {
        let Some(waiting) = &self.evidence.waiting else { return };
        let seen: Option<Vec<Evidence>> =
            waiting.looks.iter().map(|look| self.evidence_of(look)).collect();
        let Some(seen) = seen else { return };
        if self.waits_for_text(waiting) && !waiting.looks.iter().all(|look| self.is_read(look)) {
            return;
        }
        let Some(mut waiting) = self.evidence.waiting.take() else { return };
        self.leave_text();
        for (picture, evidence) in waiting.exchange.pictures.iter_mut().zip(seen) {
            picture.evidence = evidence;
        }
        self.send(waiting);
    }

    /// Takes what the thread says.
    pub(super) fn take_evidence(&mut self) {
        while let Some(news) = self.observer.as_ref().and_then(Observer::news) {
            let Observed { about, found } = match news {
                Seen::Still(observed) => observed,
                Seen::Live(glanced) => {
                    self.take_glance(glanced);
                    continue;
                }
            };
            if self.evidence.find(&about).is_some_and(|known| known.found.is_ok()) {
                // It was shown and asked about at once: what was read since stays.
                continue;
            }
            let found = found.map_err(|error| format!("Nothing can be named here: {error}"));
            if self.evidence.about.as_ref() == Some(&about) {
                if let (Ok(_), Some(picture), Some(observer)) =
                    (&found, self.asked_about(), &self.observer)
                {
                    observer.read_shown(picture);
                }
                let shown = found.clone();
                self.show_evidence(shown.map_or_else(Wanted::Failed, Wanted::Ready));
            }
            if let Err(reason) = &found
                && !std::mem::replace(&mut self.evidence.told, true)
            {
                self.fail(reason.clone());
            }
            self.evidence.put(about, found);
            self.want_text();
            self.go_ahead();
        }
        while let Some(news) = self.observer.as_ref().and_then(Observer::text) {
            self.take_text(news);
        }
        match self.observer.as_ref().and_then(Observer::trouble) {
            Some(Trouble::Restarted(_)) => {
                tracing::error!("the thread of the evidence was started again");
                // What it was at may make it fall again: a question goes on without.
                self.evidence.live.glancing = false;
                self.evidence_is_lost();
            }
            Some(Trouble::Dead(_)) => {
                self.observer = None;
                self.fail(NO_OBSERVER);
                self.evidence_is_lost();
            }
            None => {}
        }
    }

    /// Takes what was read in a picture, or how far that has come.
    fn take_text(&mut self, news: ReadText) {
        let ReadText { about, read } = news;
        let shown = self.evidence.about.as_ref() == Some(&about);
        let read = match read {
            Ok(read) => read,
            Err(progress) => {
                if shown {
                    self.view.stage.text_read = Some(progress);
                }
                return;
            }
        };
        let reason = read.as_ref().err().map(|error| format!("The text cannot be read: {error}"));
        let known = self.evidence.known.iter_mut().find(|known| known.about == about);
        if let Some(Known { found: Ok(seen), read: is_read, .. }) = known {
            seen.evidence.lines = read.unwrap_or_default();
            *is_read = true;
            if shown {
                self.view.stage.evidence = Wanted::Ready(seen.clone());
                self.view.stage.text_read = None;
            }
        }
        if let Some(reason) = reason
            && !std::mem::replace(&mut self.evidence.told, true)
        {
            self.fail(reason);
        }
        self.go_ahead();
    }

    /// What was to be looked at is not.
    fn evidence_is_lost(&mut self) {
        let waiting = self.evidence.waiting.iter().flat_map(|waiting| &waiting.looks);
        let lost: Vec<About> =
            waiting.map(Look::about).chain(self.evidence.about.clone()).collect();
        for about in lost {
            match self.evidence.known.iter_mut().find(|known| known.about == about) {
                Some(known) => known.read = true,
                None => self.evidence.put(about, Err(NO_OBSERVER.to_owned())),
            }
        }
        self.view.stage.text_read = None;
        if matches!(self.view.stage.evidence, Wanted::Coming) {
            self.view.stage.evidence = Wanted::Failed(NO_OBSERVER.to_owned());
        }
        self.go_ahead();
    }
}
