//! What specialists see: in the picture that is shown, at once, and in those that a question is about,
//! which waits for it.

use std::collections::VecDeque;

use conversation::Exchange;
use evidence::{Evidence, Observed, Observer};
use ui::maps::Wanted;
use values::job::Trouble;
use values::picture::{About, Look};

use super::App;
use super::answers::Target;

/// Pictures, and parts of them, of which the evidence is kept.
const KEPT: usize = 32;
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
type Found = Result<Evidence, String>;

/// What this needs to remember between frames.
#[derive(Default)]
pub struct EvidenceState {
    /// What the evidence that is shown is about.
    about: Option<About>,
    /// What was found, or why nothing was, the newest last.
    known: VecDeque<(About, Found)>,
    /// The question that waits for some.
    pub(super) waiting: Option<Waiting>,
    /// Whether a specialist that fails was told of.
    told: bool,
}

impl EvidenceState {
    fn find(&self, about: &About) -> Option<&Found> {
        self.known.iter().find(|(known, _)| known == about).map(|(_, found)| found)
    }

    fn put(&mut self, about: About, found: Found) {
        self.known.retain(|(known, _)| *known != about);
        self.known.push_back((about, found));
        if self.known.len() > KEPT {
            self.known.pop_front();
        }
    }
}

impl App {
    /// Whether the model is told what specialists see. One that is still being loaded may take it.
    fn tells(&self) -> bool {
        let takes = |model: &engine::LoadedModel| model.evidence_words().is_some();
        self.view.settings.evidence && self.view.engine.model().is_none_or(takes)
    }

    /// What a question about `picture` is told that is to be seen in it, once that is known: nothing
    /// where nobody could look.
    pub(super) fn evidence_of(&self, picture: &Look) -> Option<Evidence> {
        if !self.tells() {
            return Some(Evidence::default());
        }
        self.evidence.find(&picture.about()).map(|found| found.clone().unwrap_or_default())
    }

    /// Makes what is seen follow what is shown. A picture that goes on changing is not looked at.
    pub(super) fn follow_evidence(&mut self) {
        let picture = self.asked_about();
        let about = picture.as_ref().map(Look::about);
        if about == self.evidence.about {
            return;
        }
        self.evidence.about.clone_from(&about);
        let known = about.and_then(|about| self.evidence.find(&about)).cloned();
        let stage = &mut self.view.stage;
        stage.evidence = match (known, picture, &self.observer) {
            (Some(known), ..) => known.map_or_else(Wanted::Failed, Wanted::Ready),
            (None, None, _) => Wanted::None,
            (None, Some(picture), Some(observer)) => {
                observer.shown(picture);
                Wanted::Coming
            }
            (None, Some(_), None) => Wanted::Failed(NO_OBSERVER.to_owned()),
        };
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
        self.go_ahead();
    }

    /// Asks the question that waits, where it is known what is to be seen in its pictures.
    fn go_ahead(&mut self) {
        let Some(waiting) = &self.evidence.waiting else { return };
        let seen: Option<Vec<Evidence>> =
            waiting.looks.iter().map(|look| self.evidence_of(look)).collect();
        let Some(seen) = seen else { return };
        let Some(mut waiting) = self.evidence.waiting.take() else { return };
        for (picture, evidence) in waiting.exchange.pictures.iter_mut().zip(seen) {
            picture.evidence = evidence.without_maps();
        }
        self.send(waiting);
    }

    /// Takes what the thread says.
    pub(super) fn take_evidence(&mut self) {
        while let Some(Observed { about, found }) = self.observer.as_ref().and_then(Observer::news)
        {
            let found = found.map_err(|error| format!("Nothing can be named here: {error}"));
            if self.evidence.about.as_ref() == Some(&about) {
                let shown = found.clone();
                self.view.stage.evidence = shown.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            if let Err(reason) = &found
                && !std::mem::replace(&mut self.evidence.told, true)
            {
                self.fail(reason.clone());
            }
            self.evidence.put(about, found);
            self.go_ahead();
        }
        match self.observer.as_ref().and_then(Observer::trouble) {
            Some(Trouble::Restarted(_)) => {
                tracing::error!("the thread of the evidence was started again");
                // What it was at may make it fall again: a question goes on without.
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

    /// What was to be looked at is not.
    fn evidence_is_lost(&mut self) {
        let waiting = self.evidence.waiting.iter().flat_map(|waiting| &waiting.looks);
        let lost: Vec<About> =
            waiting.map(Look::about).chain(self.evidence.about.clone()).collect();
        for about in lost {
            if self.evidence.find(&about).is_none() {
                self.evidence.put(about, Err(NO_OBSERVER.to_owned()));
            }
        }
        if matches!(self.view.stage.evidence, Wanted::Coming) {
            self.view.stage.evidence = Wanted::Failed(NO_OBSERVER.to_owned());
        }
        self.go_ahead();
    }
}
