//! Answers tied to their pictures: at once by what the label encoder sees, and for the rest by reading
//! them back, when nothing else is to be done.

use std::sync::Arc;

use conversation::Finish;
use evidence::LabelMaps;
use explain::{Aim, Grounding, READINGS, Search, unconfirmed};
use ui::maps::{Wanted, card};
use ui::talk::Card;
use values::job::Progress;

use super::App;
use super::maps::What;

impl App {
    /// Ties answers to what the label encoder sees in their pictures, and holds against it what they
    /// say to be there, as soon as both are known.
    pub(super) fn tie_at_once(&mut self) {
        for index in 0..self.view.talk.cards.len() {
            let card = &self.view.talk.cards[index];
            let answered = !card.under_way && !card.text().is_empty();
            if !answered || card.claims.is_some() || card.exchange.answer.finish == Finish::Failed {
                continue;
            }
            let Some(maps) = self.label_maps_of(card) else { continue };
            let claims = unconfirmed(card.text(), &maps);
            let tied = Grounding::at_once(card.text(), &maps);
            let card = &mut self.view.talk.cards[index];
            card.claims = Some(claims);
            if self.view.settings.maps.ground_answers && matches!(card.grounding, Wanted::None) {
                card.grounding = Wanted::Ready(tied);
            }
        }
    }

    /// Where labels are in the picture that a card is about, once somebody looked.
    pub(super) fn label_maps_of(&self, card: &Card) -> Option<Arc<LabelMaps>> {
        self.label_maps(&card.exchange.pictures.first()?.about())
    }

    /// This card has its answer.
    pub(super) fn answered(&mut self, index: usize) {
        self.map_state.answered = Some(index);
    }

    /// Begins to read back the newest answer, for the phrases that no label ties, where nothing else is
    /// to be done.
    pub(super) fn look_alone(&mut self) {
        let nothing_else = self.under_way.is_empty()
            && !self.is_reading_back()
            && self.evidence_is_settled()
            && !self.view.live.on;
        if !self.view.settings.maps.ground_answers || !nothing_else {
            return;
        }
        let answered = card(&self.view).filter(|index| self.map_state.answered == Some(*index));
        let Some(index) = answered else { return };
        let card = &self.view.talk.cards[index];
        let open = match &card.grounding {
            // Nobody could say what is to be seen in its picture.
            Wanted::None => true,
            Wanted::Ready(found) => found.search == Search::Open,
            Wanted::Coming | Wanted::Failed(_) => false,
        };
        if open && card.exchange.answer.finish != Finish::Stopped {
            self.ground(index);
        }
    }

    /// Begins to tie the answer of a card to the picture, with the label encoder's help.
    pub(super) fn ground(&mut self, index: usize) {
        let Some(told) = self.told(index) else { return };
        let labels = self.label_maps(&told.picture.about());
        self.begin(told, Aim::Ground(labels), What::Ground(index));
    }

    /// The same without it.
    pub(super) fn look_again(&mut self, index: usize) {
        let Some(told) = self.told(index) else { return };
        self.begin(told, Aim::Ground(None), What::Ground(index));
    }
}

/// Takes in how far the search for the places of phrases has come: what is tied stays until it is tied
/// otherwise.
pub(super) fn show_grounding(known: &mut Wanted<Grounding>, news: Wanted<Grounding>) {
    match (&mut *known, news) {
        (Wanted::Ready(known), Wanted::Ready(news)) => *known = news.keeping(known),
        (Wanted::Ready(known), Wanted::Coming) => {
            known.search = Search::UnderWay(Progress::new(0, READINGS));
        }
        (Wanted::Ready(known), Wanted::None) => known.search = Search::Open,
        (Wanted::Ready(known), Wanted::Failed(reason)) => known.search = Search::Failed(reason),
        (_, news) => *known = news,
    }
}
