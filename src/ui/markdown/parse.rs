//! From Markdown to a flat list of blocks, each with the places its text came from.
//!
//! Flat, because nesting is what an answer could grow without end: a block lists the quotations
//! and list items it stands in, and nothing here or later recurses.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::rich::{Look, Rich};

/// The most quotations and list items around a block. What is deeper stands with the last of them.
const MAX_DEPTH: usize = 16;

/// The most blocks and table cells. What comes after them is shown as it was written.
const MAX_BLOCKS: usize = 1000;

/// The most bytes of an answer that are shown; its own limit on tokens is far below.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// The most bytes in one paragraph. A longer one is cut in several, so that a word more does not
/// lay all of it out again.
const MAX_PARAGRAPH: usize = 8 << 10;

/// What stands in front of a list item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// A dot; at which depth of lists, from 0.
    Bullet(usize),
    /// The item's number.
    Number(u64),
    /// A box, and whether it is ticked.
    Task(bool),
}

/// What a block stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// A quotation, by its number among the answer's.
    Quote(usize),
    /// An item of a list.
    Item {
        /// Which of the answer's lists.
        list: usize,
        /// The digits of the list's first number; 0 in a list of dots.
        digits: usize,
    },
}

/// What a block is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Paragraph(Rich),
    /// With its level, from 1.
    Heading(u8, Rich),
    /// With its language, which may be empty.
    Code(String, Rich),
    Rule,
    Table(Table),
}

/// A table. Rows may be shorter or longer than the head.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    pub(super) align: Vec<Alignment>,
    pub(super) head: Vec<Rich>,
    pub(super) rows: Vec<Vec<Rich>>,
}

/// One block.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// What it stands in, from the outside.
    pub(super) inside: Vec<Inside>,
    /// The markers in front of it: each with its place in `inside`.
    pub(super) markers: Vec<(usize, Marker)>,
    /// Whether it is a line of a list written without empty lines.
    pub(super) tight: bool,
}

/// The blocks of `text`.
///
/// `known` is how many bytes of `text` are the answer's: the rest was added to close what is open.
pub(super) fn parse(text: &str, known: usize) -> Vec<Block> {
    let shown = &text[..text.floor_char_boundary(MAX_BYTES)];
    let mut builder = Builder { text: shown, known, ..Builder::default() };
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for (event, range) in Parser::new_ext(shown, options).into_offset_iter() {
        if builder.count >= MAX_BLOCKS {
            builder.give_up(range.start);
            return builder.blocks;
        }
        builder.event(event, range);
    }
    builder.end_text();
    if shown.len() < text.len() {
        builder.raw("…", shown.len()..shown.len());
    }
    builder.blocks
}

/// The words of an answer without its Markdown, to be read aloud: a line for each block.
pub(super) fn plain(text: &str) -> String {
    let mut lines = Vec::new();
    for block in parse(text, text.len()) {
        let mut front = String::new();
        for (_, marker) in &block.markers {
            if let Marker::Number(number) = marker {
                front = format!("{front}{number}. ");
            }
        }
        match &block.kind {
            Kind::Paragraph(rich) | Kind::Heading(_, rich) | Kind::Code(_, rich) => {
                lines.push(front + &words(rich));
            }
            Kind::Rule => {}
            Kind::Table(table) => {
                for row in std::iter::once(&table.head).chain(&table.rows) {
                    lines.push(row.iter().map(words).collect::<Vec<_>>().join(", "));
                }
            }
        }
    }
    lines.join("\n")
}

/// The answer's own words in a text.
fn words(rich: &Rich) -> String {
    let own = rich.pieces.iter().filter(|piece| !piece.look.has(Look::ASIDE));
    own.map(|piece| &rich.text[piece.at.clone()]).collect()
}

/// A list that is open.
struct List {
    number: usize,
    next: Option<u64>,
    digits: usize,
}

/// A link that is open: its address, and where in the current text its words begin.
struct Link {
    url: String,
    from: usize,
}

/// The text block that is open.
enum Open {
    /// Paragraph; whether it is a line of a tight list.
    Paragraph(bool),
    Heading(u8),
    Code(String),
    Cell,
}

#[derive(Default)]
struct Builder<'a> {
    text: &'a str,
    known: usize,
    blocks: Vec<Block>,
    /// Blocks and cells so far.
    count: usize,
    inside: Vec<Inside>,
    /// Quotations and items that `inside` has no room for.
    deeper: usize,
    /// How many there were so far.
    quotes: usize,
    all_lists: usize,
    lists: Vec<List>,
    /// Markers that wait for their item's first block.
    markers: Vec<(usize, Marker)>,
    open: Option<Open>,
    rich: Rich,
    /// How many of each are open.
    strong: usize,
    emphasis: usize,
    struck: usize,
    links: Vec<Link>,
    /// The table that is open, and its row.
    table: Option<(Table, Vec<Rich>)>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag, range),
            Event::Code(text) => {
                let source = self.source(&text, range);
                self.push(&text, source, Look::CODE);
            }
            Event::InlineHtml(html) if is_line_break(&html) => {
                self.push("\n", range, Look::default());
            }
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.push(&text, range, Look::default()),
            Event::SoftBreak => self.push(" ", range, Look::default()),
            Event::HardBreak => self.push("\n", range, Look::default()),
            Event::Rule => {
                self.end_text();
                self.block(Kind::Rule, false);
            }
            Event::TaskListMarker(done) => {
                if let Some((_, marker)) = self.markers.last_mut() {
                    *marker = Marker::Task(done);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            // A picture is its description here: nothing is loaded.
            Tag::Emphasis | Tag::Image { .. } => self.emphasis += 1,
            Tag::Strong => self.strong += 1,
            Tag::Strikethrough => self.struck += 1,
            Tag::Link { dest_url, .. } => {
                self.links.push(Link { url: dest_url.into_string(), from: self.rich.text.len() });
            }
            Tag::Paragraph | Tag::HtmlBlock => self.begin(Open::Paragraph(false)),
            Tag::Heading { level, .. } => self.begin(Open::Heading(level as u8)),
            Tag::CodeBlock(kind) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => language(&info),
                    CodeBlockKind::Indented => String::new(),
                };
                self.begin(Open::Code(language));
            }
            Tag::BlockQuote(_) => {
                self.end_text();
                self.quotes += 1;
                self.enter(Inside::Quote(self.quotes));
            }
            Tag::List(first) => {
                self.end_text();
                let digits = first.map_or(0, |first| first.to_string().len());
                self.all_lists += 1;
                self.lists.push(List { number: self.all_lists, next: first, digits });
            }
            Tag::Item => self.start_item(),
            Tag::Table(align) => {
                self.end_text();
                self.table = Some((Table { align, ..Table::default() }, Vec::new()));
            }
            Tag::TableCell => self.begin(Open::Cell),
            // Without their extensions, the others do not come.
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Emphasis | TagEnd::Image => self.emphasis = self.emphasis.saturating_sub(1),
            TagEnd::Strong => self.strong = self.strong.saturating_sub(1),
            TagEnd::Strikethrough => self.struck = self.struck.saturating_sub(1),
            TagEnd::Link => self.end_link(range),
            TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::Heading(_) | TagEnd::CodeBlock => {
                self.end_text();
            }
            TagEnd::BlockQuote(_) => {
                self.end_text();
                self.leave();
            }
            TagEnd::List(_) => {
                self.end_text();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.end_text();
                let own = self.inside.len().wrapping_sub(1);
                if self.deeper == 0 && self.markers.last().is_some_and(|(at, _)| *at == own) {
                    // An item without content still has its marker.
                    self.block(Kind::Paragraph(Rich::default()), true);
                }
                self.leave();
            }
            TagEnd::TableCell => self.end_text(),
            TagEnd::TableHead => {
                if let Some((table, row)) = &mut self.table {
                    table.head = std::mem::take(row);
                }
            }
            TagEnd::TableRow => {
                if let Some((table, row)) = &mut self.table {
                    table.rows.push(std::mem::take(row));
                }
            }
            TagEnd::Table => self.end_table(),
            _ => {}
        }
    }

    fn start_item(&mut self) {
        self.end_text();
        let depth = self.lists.len().saturating_sub(1);
        let Some(list) = self.lists.last_mut() else { return };
        let (number, digits) = (list.number, list.digits);
        let marker = match &mut list.next {
            Some(next) => {
                let own = *next;
                *next = next.saturating_add(1);
                Marker::Number(own)
            }
            None => Marker::Bullet(depth),
        };
        if self.enter(Inside::Item { list: number, digits }) {
            self.markers.push((self.inside.len() - 1, marker));
        }
    }

    /// Goes into a quotation or an item, and says whether there was room for it.
    fn enter(&mut self, inside: Inside) -> bool {
        if self.deeper > 0 || self.inside.len() >= MAX_DEPTH {
            self.deeper += 1;
            return false;
        }
        self.inside.push(inside);
        true
    }

    fn leave(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.inside.pop();
        }
    }

    fn begin(&mut self, open: Open) {
        self.end_text();
        self.open = Some(open);
    }

    /// Adds text to the open block; one is opened where there is none, as in a tight list.
    fn push(&mut self, text: &str, range: Range<usize>, look: Look) {
        let open = self.open.get_or_insert(Open::Paragraph(true));
        let mut look = look;
        if !matches!(open, Open::Code(_)) {
            let flags = [
                (self.strong, Look::STRONG),
                (self.emphasis, Look::EMPHASIS),
                (self.struck, Look::STRUCK),
            ];
            for (count, flag) in flags {
                if count > 0 {
                    look = look.with(flag);
                }
            }
        }
        let source = range.start.min(self.known)..range.end.min(self.known);
        self.rich.push(text, source, look);
    }

    /// Where the code `text` stands in `range`, or all of `range` where its line ends were changed.
    fn source(&self, text: &str, range: Range<usize>) -> Range<usize> {
        let found = self.text.get(range.clone()).and_then(|whole| whole.find(text));
        found.map_or(range.clone(), |at| range.start + at..range.start + at + text.len())
    }

    /// Names a link's address behind its words, where it is not the words themselves. It is text:
    /// nothing can be opened by it.
    fn end_link(&mut self, range: Range<usize>) {
        let Some(link) = self.links.pop() else { return };
        let words = self.rich.text.get(link.from..).unwrap_or_default().trim();
        let bare = link.url.strip_prefix("mailto:").unwrap_or(&link.url);
        if bare.is_empty() || words == bare || words == link.url {
            return;
        }
        let aside = if words.is_empty() { link.url } else { format!(" ({})", link.url) };
        let after = self.rich.pieces.last().map_or(range.start, |piece| piece.source.end);
        let end = range.end.min(self.known);
        self.open.get_or_insert(Open::Paragraph(true));
        self.rich.push(&aside, after.min(end)..end, Look::ASIDE);
    }

    fn end_text(&mut self) {
        let Some(open) = self.open.take() else { return };
        let mut rich = std::mem::take(&mut self.rich);
        self.links.clear();
        rich.trim_end();
        match open {
            Open::Cell => {
                if let Some((_, row)) = &mut self.table {
                    row.push(rich);
                    self.count += 1;
                }
            }
            Open::Code(language) => self.block(Kind::Code(language, rich), false),
            _ if rich.is_blank() => {}
            Open::Heading(level) => self.block(Kind::Heading(level, rich), false),
            Open::Paragraph(tight) => {
                while rich.text.len() > MAX_PARAGRAPH {
                    let most = rich.text.floor_char_boundary(MAX_PARAGRAPH);
                    let mut spaces = rich.text[..most].char_indices().rev();
                    let space = spaces.find(|(_, c)| c.is_whitespace());
                    let cut = space.map_or(most, |(at, c)| at + c.len_utf8());
                    let rest = rich.split_off(cut);
                    self.block(Kind::Paragraph(std::mem::replace(&mut rich, rest)), true);
                }
                self.block(Kind::Paragraph(rich), tight);
            }
        }
    }

    fn end_table(&mut self) {
        self.end_text();
        if let Some((mut table, row)) = self.table.take() {
            if !row.is_empty() {
                table.rows.push(row);
            }
            self.block(Kind::Table(table), false);
        }
    }

    fn block(&mut self, kind: Kind, tight: bool) {
        self.count += 1;
        let tight = tight && self.inside.iter().any(|inside| matches!(inside, Inside::Item { .. }));
        let markers = std::mem::take(&mut self.markers);
        self.blocks.push(Block { kind, inside: self.inside.clone(), markers, tight });
    }

    /// Shows the text from byte `from` on as it was written.
    fn give_up(&mut self, from: usize) {
        self.end_table();
        self.inside.clear();
        let end = self.known.min(self.text.len());
        let from = self.text.floor_char_boundary(from.min(end));
        let rest = &self.text[from..end];
        self.raw(rest, from..end);
    }

    fn raw(&mut self, text: &str, range: Range<usize>) {
        self.markers.clear();
        self.open = Some(Open::Paragraph(false));
        self.rich.push(text, range, Look::default());
        self.end_text();
    }
}

/// The word that names a code block's language.
fn language(info: &str) -> String {
    let word = info.split_whitespace().next().unwrap_or_default();
    values::text::one_line(word).chars().take(24).collect()
}

/// Models write `<br>` where Markdown has no line break, in the cells of a table.
fn is_line_break(html: &str) -> bool {
    let name = html.trim_matches(['<', '>', '/', ' ']);
    name.eq_ignore_ascii_case("br")
}

#[cfg(test)]
mod tests;
