//! The conversation: questions with the part they are about, and answers as they come.

mod foot;

use std::time::Instant;

use egui::{
    CornerRadius, Frame as UiFrame, Image, Label, Layout, Margin, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextureHandle, Ui, WidgetInfo, vec2,
};
use egui_material_icons::icons::{ICON_VISIBILITY, ICON_WARNING};
use session::Finish;
use values::frame::FrameId;
use values::region::Region;

use super::announce::whole_sentences;
use super::maps::{Grounding, Wanted};
use super::markdown::{self, Answer, Mark, MarkdownResponse, MarkdownStyle, Span};
use super::theme::{Palette, ROUND, ROUND_SMALL, space};
use super::widgets::{follow_focus, seconds};
use super::{Action, View, live, maps, mark};

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

/// One exchange.
pub struct Card {
    /// What was asked.
    pub question: String,
    /// About which picture.
    pub frame: Option<FrameId>,
    /// About which part of it.
    pub region: Option<Region>,
    /// The picture, small.
    pub thumbnail: Option<TextureHandle>,
    /// The answer so far.
    pub text: String,
    /// Its tokens: where the text of each ends in `text`, and ln p.
    pub tokens: Vec<(usize, f32)>,
    /// How much each stretch of the text is shown, by its probability.
    pub spans: Vec<Span>,
    /// Its words and phrases with their places in the picture, once they are known.
    pub grounding: Wanted<Grounding>,
    /// How far it has come.
    pub state: CardState,
    /// When it was asked.
    pub asked: Instant,
    /// When the first word came.
    pub first: Option<Instant>,
    /// What it took, in words.
    pub took: Option<String>,
    /// Earlier turns that the model could not hold.
    pub dropped_turns: usize,
}

/// How far an exchange has come.
#[derive(Debug, Clone, PartialEq)]
pub enum CardState {
    /// No word yet.
    Looking,
    /// The answer is coming.
    Answering,
    /// It is over.
    Done(Finish),
    /// It came to nothing, for this reason.
    Failed(String),
}

impl Card {
    /// A question just asked.
    pub fn asked(question: String, frame: Option<FrameId>, region: Option<Region>) -> Self {
        Self {
            question,
            frame,
            region,
            thumbnail: None,
            text: String::new(),
            tokens: Vec::new(),
            spans: Vec::new(),
            grounding: Wanted::None,
            state: CardState::Looking,
            asked: Instant::now(),
            first: None,
            took: None,
            dropped_turns: 0,
        }
    }

    /// Takes in the next token of the answer.
    pub fn push(&mut self, text: &str, logprob: f32) {
        // The first word of an answer brings a space that belongs to no text before it.
        let text = if self.text.is_empty() { text.trim_start() } else { text };
        let start = self.text.len();
        self.text.push_str(text);
        self.tokens.push((self.text.len(), logprob));
        if !text.is_empty() {
            let strength = markdown::strength(logprob);
            self.spans.push(Span { bytes: start..self.text.len(), strength });
        }
        self.first.get_or_insert_with(Instant::now);
        self.state = CardState::Answering;
    }

    /// Takes the final answer, from which a repetition may have been cut off.
    pub fn finish(&mut self, text: &str, tokens: usize, finish: Finish) {
        let text = text.trim();
        if self.text.starts_with(text) {
            let kept = text.len();
            self.text.truncate(kept);
            self.spans.retain_mut(|span| {
                span.bytes.end = span.bytes.end.min(kept);
                span.bytes.start < span.bytes.end
            });
            self.tokens.truncate(tokens);
        } else {
            text.clone_into(&mut self.text);
            self.spans.clear();
        }
        self.state = CardState::Done(finish);
    }

    /// Whether the answer is still to come or coming.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, CardState::Looking | CardState::Answering)
    }

    /// What a screen reader is told of the answer.
    pub fn announcement(&self) -> String {
        whole_sentences(&markdown::plain(&self.text), !self.is_under_way()).to_owned()
    }

    /// The geometric mean of the tokens' probabilities, 0 to 1.
    pub fn certainty(&self) -> Option<f32> {
        let tokens = self.tokens.len() as f32;
        let sum: f32 = self.tokens.iter().map(|(_, logprob)| logprob).sum();
        (tokens > 0.0).then(|| (sum / tokens).exp())
    }
}

impl Talk {
    /// Whether an answer is under way.
    pub fn is_answering(&self) -> bool {
        self.cards.iter().any(Card::is_under_way)
    }

    /// When the answer under way was asked for, and when its first word came.
    pub fn under_way(&self) -> Option<(Instant, Option<Instant>)> {
        let card = self.cards.iter().rev().find(|card| card.is_under_way())?;
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
        match &card.state {
            CardState::Looking => {
                // Nothing that moves: without a graphics card, drawing takes from the model.
                ui.horizontal(|ui| {
                    ui.label(ICON_VISIBILITY.rich_text().size(18.0).color(palette.accent));
                    ui.label(RichText::new("Looking …").color(palette.weak));
                });
            }
            CardState::Failed(reason) => {
                if !card.text.is_empty() {
                    answer(ui, card, &[], palette);
                }
                ui.horizontal_wrapped(|ui| {
                    ui.label(ICON_WARNING.rich_text().size(18.0).color(palette.bad));
                    ui.label(reason);
                });
            }
            CardState::Answering | CardState::Done(_) => {
                let marks = maps::marks(view, index);
                pointed = answer(ui, card, &marks, palette).and_then(|response| {
                    maps::pointed_at(&view.maps, card, index, response, actions)
                });
            }
        }
        if !card.is_under_way() {
            maps::marks_legend(ui, view, index);
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
            thumbnail(ui, texture, card.region, palette);
        }
        frame.show(ui, |ui| {
            ui.set_max_width((room - 110.0).max(120.0));
            ui.with_layout(Layout::top_down(egui::Align::Min), |ui| {
                ui.add(Label::new(&card.question).wrap());
                if let Some(region) = card.region {
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
    if card.text.is_empty() {
        ui.label(RichText::new("The model gave no words.").color(palette.weak));
        return None;
    }
    let streaming = card.is_under_way();
    let answer = Answer { text: &card.text, spans: &card.spans, marks, streaming };
    Some(markdown::show(ui, &answer, &MarkdownStyle::on(ui, palette.card)))
}

/// What there is to say of an answer beside its text.
fn remarks(ui: &mut Ui, view: &View, card: &Card, palette: Palette) {
    let mut remarks = Vec::new();
    if let Some(certainty) = card.certainty()
        && certainty < view.settings.unsure_below
        && matches!(card.state, CardState::Done(_))
    {
        remarks.push((true, "The model is not sure of this. The fainter a word, the less.".into()));
    }
    match &card.state {
        CardState::Done(Finish::Stopped) => remarks.push((false, "Stopped.".to_owned())),
        CardState::Done(Finish::Interrupted) => {
            remarks.push((false, "Lorgnette ended before the answer did.".to_owned()));
        }
        CardState::Done(Finish::Length) => {
            remarks.push((false, "Cut at the longest length that the settings allow.".to_owned()));
        }
        CardState::Done(Finish::Repetition) => {
            remarks.push((false, "It began to repeat itself and was cut off.".to_owned()));
        }
        _ => {}
    }
    if card.dropped_turns > 0 {
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

/// The picture's pixels for a thumbnail: every so many of them.
pub fn small(pixels: &image::RgbImage, side: u32) -> egui::ColorImage {
    let (width, height) = pixels.dimensions();
    let scale = (f64::from(side) / f64::from(width.max(height).max(1))).min(1.0);
    let part = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let (w, h) = (part(width), part(height));
    let mut bytes = Vec::with_capacity((w * h * 3) as usize);
    for y in 0..h {
        for x in 0..w {
            let pixel = pixels.get_pixel(x * width / w, y * height / h);
            bytes.extend_from_slice(&pixel.0);
        }
    }
    egui::ColorImage::from_rgb([w as usize, h as usize], &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card::asked("What is that?".into(), None, None)
    }

    #[test]
    fn an_answer_grows_token_by_token() {
        let mut card = card();
        assert!(card.is_under_way() && card.certainty().is_none());
        card.push(" A", -0.1);
        card.push(" cat", -0.3);
        card.push(".", -0.2);
        assert_eq!(card.text, "A cat.");
        assert_eq!(
            card.spans.iter().map(|s| s.bytes.clone()).collect::<Vec<_>>(),
            [0..1, 1..5, 5..6]
        );
        assert!((card.certainty().unwrap() - (-0.2_f32).exp()).abs() < 1e-6);
        card.finish("A cat.", 3, Finish::End);
        assert!(!card.is_under_way());
        assert_eq!(card.spans.len(), 3);
    }

    #[test]
    fn a_repetition_is_taken_back() {
        let mut card = card();
        for word in ["A", " cat", " cat", " cat"] {
            card.push(word, -0.1);
        }
        card.finish("A cat", 2, Finish::Repetition);
        assert_eq!((card.text.as_str(), card.tokens.len(), card.spans.len()), ("A cat", 2, 2));
        // An answer that is not what came keeps its text, without probabilities.
        card.finish("A dog", 2, Finish::End);
        assert_eq!((card.text.as_str(), card.spans.len()), ("A dog", 0));
    }

    #[test]
    fn thumbnails_keep_the_aspect() {
        let small = small(&image::RgbImage::new(400, 100), 80);
        assert_eq!(small.size, [80, 20]);
        assert_eq!(super::small(&image::RgbImage::new(1, 3000), 80).size, [1, 80]);
    }
}
