//! An answer as it is being written: Markdown, with how sure the model was of each word.
//!
//! The model's tokens are drawn fainter the less probable they were, and phrases can be underlined,
//! pointed at and clicked. Both are given in bytes of the answer's source, so that every laid-out
//! letter has to know where it came from: that is why this is not a ready-made viewer.
//!
//! Nothing in an answer is ever opened, fetched or loaded: a link is shown with its address, a
//! picture as its description, and HTML as it was written.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use egui::cache::{ComputerMut, FrameCache};
use egui::{Rect, Ui};

mod draw;
mod layout;
mod mend;
mod parse;
mod phrase;
mod rich;
mod style;
mod table;

use draw::Leaf;
pub use style::{LEAST_CONTRAST, MarkdownStyle, contrast, strength};

/// How strongly a part of the answer is drawn: usually one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it stands, in bytes of the answer's source text.
    pub bytes: Range<usize>,
    /// How strongly, from 0 (faintest, and still readable) to 1: see [`strength`].
    pub strength: f32,
}

impl Hash for Span {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
        self.strength.to_bits().hash(state);
    }
}

/// A phrase of the answer that can be pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands, in bytes of the answer's source text.
    pub bytes: Range<usize>,
    /// What the caller knows it by. Unique among the marks of one answer.
    pub id: usize,
    /// Whether it is lit, as the phrase whose place in the picture is shown.
    pub active: bool,
    /// Whether nothing bears it out: its line is dotted, and it is spoken as not confirmed.
    pub unconfirmed: bool,
}

/// What is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The answer's source, Markdown.
    pub text: &'a str,
    /// How strongly its parts are drawn: ascending, and none over another. What has no span is
    /// drawn in full.
    pub spans: &'a [Span],
    /// Its phrases, in any order.
    pub marks: &'a [Mark],
    /// Whether more of it is to come. Then what is half-written at its end is held back or closed.
    pub streaming: bool,
}

/// What the person did with a shown answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkdownResponse {
    /// The phrase under the pointer, or the one with the keyboard's focus.
    pub hovered_mark: Option<usize>,
    /// The phrase that was clicked, by pointer, keyboard or assistive technology.
    pub clicked_mark: Option<usize>,
    /// Where the answer was drawn.
    pub rect: Rect,
}

/// Shows an answer as wide as there is room.
///
/// What was parsed is kept while it is shown unchanged, and egui keeps the layout of each block
/// that did not change: another token costs the last block.
pub fn show(ui: &mut Ui, answer: &Answer<'_>, style: &MarkdownStyle) -> MarkdownResponse {
    let key = Key {
        text: answer.text,
        spans: answer.spans,
        streaming: answer.streaming,
        style: StyleKey(style),
    };
    let page = ui.memory_mut(|memory| Arc::clone(memory.caches.cache::<Pages>().get(key)));
    draw::page(ui, &page, answer.marks, style)
}

/// The words of a complete answer without its Markdown, one line for each block, to be read aloud
/// or announced. Links lose their addresses.
pub fn plain(text: &str) -> String {
    parse::plain(text)
}

/// The blocks of an answer, with their text ready to be laid out at any width.
type Page = Arc<Vec<Leaf>>;

type Pages = FrameCache<Page, Paginate>;

/// All that a page depends on.
#[derive(Clone, Copy, Hash)]
struct Key<'a> {
    text: &'a str,
    spans: &'a [Span],
    streaming: bool,
    style: StyleKey<'a>,
}

#[derive(Clone, Copy)]
struct StyleKey<'a>(&'a MarkdownStyle);

impl Hash for StyleKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Taken apart, so that a new field is not forgotten here.
        let MarkdownStyle {
            size,
            fg,
            faint,
            weak,
            code_bg,
            line,
            accent,
            doubt,
            tint,
            family,
            code_family,
            strong_family,
            dots,
        } = self.0;
        size.to_bits().hash(state);
        (fg, faint, weak, code_bg, line, accent, doubt, tint).hash(state);
        (family, code_family, strong_family, dots).hash(state);
    }
}

#[derive(Default)]
struct Paginate;

impl ComputerMut<Key<'_>, Page> for Paginate {
    fn compute(&mut self, key: Key<'_>) -> Page {
        Arc::new(paginate(key.text, key.spans, key.streaming, key.style.0))
    }
}

fn paginate(text: &str, spans: &[Span], streaming: bool, style: &MarkdownStyle) -> Vec<Leaf> {
    let mended = if streaming { mend::mend(text) } else { text.into() };
    // What was added at the end stands nowhere in the answer.
    let known = mended.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let blocks = parse::parse(&mended, known);
    blocks.into_iter().map(|block| Leaf::new(block, spans, style)).collect()
}

#[cfg(test)]
mod tests;
