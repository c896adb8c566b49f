//! The conversation: questions with the part they are about, and answers as they come.

mod foot;

use std::time::Instant;

use ::evidence::Caution;
use conversation::{Certainty, Exchange, Finish, Token};
use egui::{
    CornerRadius, Frame as UiFrame, Image, Label, Layout, Margin, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextureHandle, Ui, WidgetInfo, vec2,
};
use egui_material_icons::icons::{ICON_VISIBILITY, ICON_WARNING};
use explain::{Claim, Grounding, doubt};
use values::region::Region;

use super::announce::whole_sentences;
use super::maps::Wanted;
use super::markdown::{self, Answer, Mark, MarkdownResponse, MarkdownStyle, Span};
use super::theme::{Palette, ROUND, ROUND_SMALL, space};
use super::widgets::{follow_focus, seconds};
use super::{Action, View, evidence, live, maps, mark};

/// The conversation that is shown.
#[derive(Default)]
pub struct Talk {
    /// What it is called; empty before the first answer.
    pub title: String,
    /// Its exchanges, oldest first.
    pub cards: Vec<Card>,
    /// The card that is read aloud.
    pub spoken: Option<usize>,
    /// Pages that are still to be scrolled, down where positive.
    pub scroll: f32,
}

/// One exchange with what drawing it needs.
pub struct Card {
    /// What was asked and answered, so far.
    pub exchange: Exchange,
    /// The picture, small.
    pub thumbnail: Option<TextureHandle>,
    /// Where the text of each token ends in [`Card::text`].
    pub ends: Vec<usize>,
    /// How much each stretch of the text is shown, by its probability.
    pub spans: Vec<Span>,
    /// Its words and phrases with their places in the picture, once they are known.
    pub grounding: Wanted<Grounding>,
    /// What it says to be there and nothing bears out; `None` until it was held against what is to be
    /// seen.
    pub claims: Option<Vec<Claim>>,
    /// What is said under the answer, whatever the model says.
    pub caution: Option<&'static Caution>,
    /// Whether the answer is still to come or coming, here.
    pub under_way: bool,
    /// When it was asked.
    pub asked: Instant,
    /// When the first word came.
    pub first: Option<Instant>,
    /// What it took, in words.
    pub took: Option<String>,
}

impl Card {
    /// A question just asked.
    pub fn asked(exchange: Exchange) -> Self {
        Self {
            exchange,
            thumbnail: None,
            ends: Vec::new(),
            spans: Vec::new(),
            grounding: Wanted::None,
            claims: None,
            caution: None,
            under_way: true,
            asked: Instant::now(),
            first: None,
            took: None,
        }
    }

    /// An exchange that was kept.
    pub fn kept(mut exchange: Exchange) -> Self {
        let kept = std::mem::take(&mut exchange.answer);
        let finish = kept.finish;
        let mut card = Self::asked(exchange);
        for token in &kept.tokens {
            card.push(token.clone());
        }
        card.finish(kept);
        // As it is written, even if it is still coming elsewhere.
        card.exchange.answer.finish = finish;
        let answer = &card.exchange.answer;
        if card.spans.is_empty() && !answer.tokens.is_empty() && !card.text().is_empty() {
            let strength = markdown::strength(0.0);
            card.spans = vec![Span { bytes: 0..card.text().len(), strength }];
        }
        let answer = &card.exchange.answer;
        card.took = answer.first_word().map(|first| took(first, answer.decode_rate()));
        card
    }

    /// The answer so far. Its first word brings a space that belongs to no text before it.
    pub fn text(&self) -> &str {
        self.exchange.answer.text.trim_start()
    }

    /// About which part of the picture.
    pub fn region(&self) -> Option<Region> {
        self.exchange.pictures.first()?.region
    }

    /// Whether it is about these pixels.
    pub fn is_about(&self, sha256: &str) -> bool {
        self.exchange.pictures.first().is_some_and(|picture| picture.sha256 == sha256)
    }

    /// Takes in the next token of the answer.
    pub fn push(&mut self, token: Token) {
        let start = self.text().len();
        let strength = markdown::strength(token.logprob);
        self.exchange.answer.push(token);
        let end = self.text().len();
        self.ends.push(end);
        if end > start {
            self.spans.push(Span { bytes: start..end, strength });
        }
        self.first.get_or_insert_with(Instant::now);
    }

    /// Takes the final answer, from which a repetition may have been cut off.
    pub fn finish(&mut self, answer: conversation::Answer) {
        let came = self.text().to_owned();
        self.exchange.answer.end(answer);
        let text = self.text();
        if came.starts_with(text) {
            let kept = text.len();
            self.spans.retain_mut(|span| {
                span.bytes.end = span.bytes.end.min(kept);
                span.bytes.start < span.bytes.end
            });
        } else {
            self.spans.clear();
        }
        self.ends.truncate(self.exchange.answer.tokens.len());
        let said = !self.exchange.answer.text.trim().is_empty();
        self.caution = self.exchange.caution().filter(|_| said);
        self.under_way = false;
    }

    /// What a screen reader is told of the answer.
    pub fn announcement(&self) -> String {
        whole_sentences(&self.spoken(), !self.under_way).to_owned()
    }

    /// The answer as it is read aloud, with the caution that belongs to it.
    pub fn spoken(&self) -> String {
        let text = markdown::plain(self.text());
        let doubt = self.doubt();
        let added = [doubt.as_deref(), self.caution.map(|caution| &*caution.text)];
        added.into_iter().flatten().fold(text, |text, more| format!("{} {more}", text.trim_end()))
    }

    /// What is said of what nothing bears out, where there is any.
    pub fn doubt(&self) -> Option<String> {
        self.claims.as_deref().and_then(doubt)
    }

    /// What else its picture may show than what the answer names: the likeliest first.
    pub fn others(&self) -> Vec<&::evidence::Label> {
        let Some(seen) = self.exchange.evidence() else { return Vec::new() };
        let named = seen.labels.named_in(self.text());
        let is_other =
            |label: &&::evidence::Label| named.is_none_or(|named| named.name != label.name);
        seen.labels.iter().filter(is_other).collect()
    }
}

impl Talk {
    /// Whether an answer is under way.
    pub fn is_answering(&self) -> bool {
        self.cards.iter().any(|card| card.under_way)
    }

    /// When the answer under way was asked for, and when its first word came.
    pub fn under_way(&self) -> Option<(Instant, Option<Instant>)> {
        let card = self.cards.iter().rev().find(|card| card.under_way)?;
        Some((card.asked, card.first))
    }
}

/// Draws the conversation.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    ScrollArea::vertical().id_salt("talk").stick_to_bottom(true).auto_shrink([false, false]).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing.y = space::M;
            let pages = std::mem::take(&mut view.talk.scroll);
            if pages != 0.0 {
                ui.scroll_with_delta(vec2(0.0, -pages * ui.clip_rect().height() * 0.85));
            }
            for index in 0..view.talk.cards.len() {
                let pointed = ui.push_id(index, |ui| draw(ui, view, index, actions)).inner;
                view.maps.pointed = view.maps.pointed.or(pointed);
            }
            if view.live.on {
                live::show(ui, view, actions);
            }
            ui.add_space(space::S);
            follow_focus(ui);
        },
    );
}

/// Draws one exchange; gives the phrase of it that is pointed at.
fn draw(
    ui: &mut Ui,
    view: &View,
    index: usize,
    actions: &mut Vec<Action>,
) -> Option<(usize, usize)> {
    let palette = Palette::of(ui.visuals());
    let card = &view.talk.cards[index];
    question(ui, card, palette);
    let frame = UiFrame::new()
        .fill(palette.card)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(Margin::symmetric(14, 10));
    let mut pointed = None;
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::S;
        let answer = &card.exchange.answer;
        if card.under_way && answer.tokens.is_empty() {
            // Nothing that moves: without a graphics card, drawing takes from the model.
            ui.horizontal(|ui| {
                ui.label(ICON_VISIBILITY.rich_text().size(18.0).color(palette.accent));
                ui.label(RichText::new("Looking …").color(palette.weak));
            });
        } else if answer.finish == Finish::Failed {
            if !card.text().is_empty() {
                self::answer(ui, card, &[], palette);
            }
            let reason = answer.error.as_deref().unwrap_or("The answer failed.");
            ui.horizontal_wrapped(|ui| {
                ui.label(ICON_WARNING.rich_text().size(18.0).color(palette.bad));
                ui.label(reason);
            });
        } else {
            let marks = maps::marks(view, index);
            pointed = self::answer(ui, card, &marks, palette)
                .and_then(|response| maps::pointed_at(&view.maps, card, index, response, actions));
        }
        if !card.under_way {
            maps::marks_legend(ui, view, index);
            caution(ui, card, palette);
            remarks(ui, view, card, palette);
            foot::show(ui, view, index, actions, palette);
        }
    });
    pointed
}

/// The question, with the picture or the part of it that it is about.
fn question(ui: &mut Ui, card: &Card, palette: Palette) {
    let room = ui.available_width();
    ui.allocate_ui_with_layout(vec2(room, 40.0), Layout::right_to_left(egui::Align::Min), |ui| {
        let frame = UiFrame::new()
            .fill(palette.button)
            .corner_radius(CornerRadius::same(ROUND))
            .inner_margin(Margin::symmetric(12, 8));
        if let Some(texture) = &card.thumbnail {
            thumbnail(ui, texture, card.region(), palette);
        }
        frame.show(ui, |ui| {
            ui.set_max_width((room - 110.0).max(120.0));
            ui.with_layout(Layout::top_down(egui::Align::Min), |ui| {
                ui.add(Label::new(&card.exchange.question).wrap());
                if let Some(region) = card.region() {
                    let text = format!("About the marked part: {}", mark::describe(region, false));
                    ui.add(Label::new(RichText::new(text).size(12.5).color(palette.weak)).wrap());
                }
            });
        });
    });
}

fn thumbnail(ui: &mut Ui, texture: &TextureHandle, region: Option<Region>, palette: Palette) {
    let size = texture.size_vec2();
    let size = size * (64.0 / size.x.max(1.0)).min(54.0 / size.y.max(1.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let label = match region {
        Some(region) => format!("The picture, marked: {}", mark::describe(region, false)),
        None => "The picture".to_owned(),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
    let round = CornerRadius::same(ROUND_SMALL);
    Image::from_texture((texture.id(), size)).corner_radius(round).paint_at(ui, rect);
    if let Some(region) = region {
        let at = rect.min + vec2(region.x(), region.y()) * rect.size();
        let marked =
            egui::Rect::from_min_size(at, vec2(region.width(), region.height()) * rect.size());
        let stroke = Stroke::new(2.0, super::theme::DARK.accent);
        ui.painter().rect_stroke(marked, 2.0, stroke, StrokeKind::Middle);
    } else {
        ui.painter().rect_stroke(rect, round, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    }
}

fn answer(ui: &mut Ui, card: &Card, marks: &[Mark], palette: Palette) -> Option<MarkdownResponse> {
    if card.text().is_empty() {
        ui.label(RichText::new("The model gave no words.").color(palette.weak));
        return None;
    }
    let streaming = card.under_way;
    let answer = Answer { text: card.text(), spans: &card.spans, marks, streaming };
    Some(markdown::show(ui, &answer, &MarkdownStyle::on(ui, palette.card)))
}

/// The words that stand under an answer which must not be relied on.
pub(super) fn caution(ui: &mut Ui, card: &Card, palette: Palette) {
    let Some(caution) = card.caution else { return };
    let frame = UiFrame::new()
        .stroke(Stroke::new(1.0, palette.warn))
        .corner_radius(CornerRadius::same(ROUND_SMALL))
        .inner_margin(Margin::symmetric(10, 6));
    frame.show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.label(ICON_WARNING.rich_text().size(16.0).color(palette.warn));
            ui.label(RichText::new(&caution.text).size(13.5));
        });
    });
}

/// What there is to say of an answer beside its text.
fn remarks(ui: &mut Ui, view: &View, card: &Card, palette: Palette) {
    let mut remarks = Vec::new();
    let answer = &card.exchange.answer;
    let certainty = card.exchange.certainty().filter(|_| answer.finish != Finish::Failed);
    let unsure = certainty.is_some_and(|it| it.chance() < view.settings.unsure_below);
    match certainty {
        Some(Certainty::Label(label)) => {
            let unsure_words = if unsure { "Not sure: " } else { "" };
            remarks.push((unsure, format!("{unsure_words}{}", evidence::words(label, true))));
        }
        Some(Certainty::Tokens(_)) if unsure => {
            let text = "The model is not sure of this. The fainter a word, the less.";
            remarks.push((true, text.to_owned()));
        }
        _ => {}
    }
    remarks.extend(card.doubt().map(|doubt| (true, doubt)));
    match answer.finish {
        Finish::Stopped => remarks.push((false, "Stopped.".to_owned())),
        Finish::Interrupted => {
            remarks.push((false, "Lorgnette ended before the answer did.".to_owned()));
        }
        Finish::Length => {
            remarks.push((false, "Cut at the longest length that the settings allow.".to_owned()));
        }
        Finish::Repetition => {
            remarks.push((false, "It began to repeat itself and was cut off.".to_owned()));
        }
        _ => {}
    }
    if answer.dropped_turns > 0 {
        remarks
            .push((false, "Earlier questions were left out: the model holds no more.".to_owned()));
    }
    for (doubt, text) in remarks {
        let colour = if doubt { palette.warn } else { palette.weak };
        ui.horizontal_wrapped(|ui| {
            if doubt {
                ui.label(ICON_WARNING.rich_text().size(15.0).color(colour));
            }
            ui.label(RichText::new(text).size(13.0).color(colour));
        });
    }
}

/// What an answer took: seconds to the first word, and tokens a second from there on.
pub fn took(first_word: f64, rate: Option<f64>) -> String {
    let rate = rate.map_or(String::new(), |rate| format!(" · {rate:.0} tok/s"));
    format!("{}{rate}", seconds(first_word))
}

#[cfg(test)]
mod tests {
    use conversation::Options;

    use super::*;

    fn card() -> Card {
        Card::asked(Exchange::new("What is that?", vec![], Options::default(), None))
    }

    fn push(card: &mut Card, text: &str, logprob: f32) {
        card.push(Token { id: 0, text: text.into(), logprob });
    }

    /// The answer that came, with this text and so many tokens, ended so.
    fn ended(card: &Card, text: &str, tokens: usize, finish: Finish) -> conversation::Answer {
        let mut answer = card.exchange.answer.clone();
        answer.tokens.truncate(tokens);
        conversation::Answer { text: text.into(), finish, ..answer }
    }

    #[test]
    fn an_answer_grows_token_by_token() {
        let mut card = card();
        assert!(card.under_way && card.exchange.answer.certainty().is_none());
        push(&mut card, " A", -0.1);
        push(&mut card, " cat", -0.3);
        push(&mut card, ".", -0.2);
        assert_eq!(card.text(), "A cat.");
        assert_eq!(
            card.spans.iter().map(|s| s.bytes.clone()).collect::<Vec<_>>(),
            [0..1, 1..5, 5..6]
        );
        assert_eq!(card.ends, [1, 5, 6]);
        let certainty = card.exchange.answer.certainty().unwrap();
        assert!((certainty - (-0.2_f32).exp()).abs() < 1e-6);
        card.finish(ended(&card, "A cat.", 3, Finish::End));
        assert!(!card.under_way);
        assert_eq!(card.spans.len(), 3);
    }

    #[test]
    fn a_repetition_is_taken_back() {
        let mut card = card();
        for word in ["A", " cat", " cat", " cat"] {
            push(&mut card, word, -0.1);
        }
        card.finish(ended(&card, "A cat", 2, Finish::Repetition));
        assert_eq!((card.text(), card.ends.len(), card.spans.len()), ("A cat", 2, 2));
        // An answer that is not what came keeps its text, without probabilities.
        card.finish(ended(&card, "A dog", 2, Finish::End));
        assert_eq!((card.text(), card.spans.len()), ("A dog", 0));
    }

    #[test]
    fn what_was_kept_is_shown_as_it_was() {
        let mut card = card();
        push(&mut card, " A", -0.1);
        push(&mut card, " cat", -0.3);
        let exchange = card.exchange.clone();
        // Still coming in another window.
        let kept = Card::kept(exchange.clone());
        assert!(!kept.under_way && kept.exchange == exchange);
        assert_eq!(
            (kept.text(), kept.ends.as_slice(), kept.spans.len()),
            ("A cat", &[1, 5][..], 2)
        );
    }
}
