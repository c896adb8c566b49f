use std::sync::atomic::{AtomicUsize, Ordering};

use egui::accesskit::Role;
use egui::{Color32, Key, Modifiers, PointerButton, Pos2, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::draw::Content;
use super::layout::fragments;
use super::*;

mod robust;

const SAMPLE: &str = include_str!("sample.md");

/// What a test shows, and what came of it.
#[derive(Default)]
struct Shown {
    text: String,
    spans: Vec<Span>,
    marks: Vec<Mark>,
    streaming: bool,
    hovered: Option<usize>,
    clicked: Vec<usize>,
}

fn harness(text: &str, marks: &[Mark]) -> Harness<'static, Shown> {
    let shown = Shown { text: text.to_owned(), marks: marks.to_vec(), ..Shown::default() };
    Harness::builder()
        .allow_missing_glyphs()
        .with_size(Vec2::new(420.0, 900.0))
        .build_ui_state(draw, shown)
}

fn draw(ui: &mut Ui, shown: &mut Shown) {
    let style = MarkdownStyle::from(&*ui);
    let Shown { text, spans, marks, streaming, .. } = &*shown;
    let response = show(ui, &Answer { text, spans, marks, streaming: *streaming }, &style);
    shown.hovered = response.hovered_mark;
    shown.clicked.extend(response.clicked_mark);
}

fn style() -> MarkdownStyle {
    let mut style = None;
    let context = egui::Context::default();
    let output =
        context.run_ui(egui::RawInput::default(), |ui| style = Some(MarkdownStyle::from(&*ui)));
    output.drop_without_applying_deltas();
    style.unwrap()
}

/// The colours of a text's letters.
fn colours(text: &str, spans: &[Span]) -> Vec<(char, Color32)> {
    let style = style();
    let leaves = paginate(text, spans, false, &style);
    let mut colours = Vec::new();
    let context = egui::Context::default();
    let output = context.run_ui(egui::RawInput::default(), |ui| {
        colours.clear();
        for leaf in &leaves {
            let Content::Paragraph(text) = &leaf.content else { panic!("{leaf:?}") };
            let (galley, _) = text.lay_out(ui, 1000.0);
            for (at, c) in galley.text().char_indices() {
                let color = galley.job.format_at_byte(egui::text::ByteIndex(at)).color;
                colours.push((c, color));
            }
        }
    });
    output.drop_without_applying_deltas();
    colours
}

#[test]
fn a_token_is_as_faint_as_it_was_improbable() {
    let style = style();
    // Two letters of `bold` and the space after it belong to one faint token.
    let text = "A **bold** cat";
    let spans = [Span { bytes: 0..4, strength: 1.0 }, Span { bytes: 6..11, strength: 0.0 }];
    let seen = colours(text, &spans);
    let letters: String = seen.iter().map(|(c, _)| *c).collect();
    assert_eq!(letters, "A bold cat");
    for (index, (c, colour)) in seen.iter().enumerate() {
        let wanted = if (4..7).contains(&index) { style.faint } else { style.fg };
        assert_eq!(*colour, wanted, "{c:?} at {index}");
    }
}

#[test]
fn spans_of_any_bytes_colour_whole_letters() {
    let style = style();
    // The bytes of 猫 are two tokens; the spans end beyond the text, and one is empty.
    let spans = [
        Span { bytes: 0..2, strength: 0.0 },
        Span { bytes: 2..2, strength: 0.5 },
        Span { bytes: 2..900, strength: 1.0 },
    ];
    assert_eq!(colours("猫x", &spans), [('猫', style.faint), ('x', style.fg)]);
    // An entity is one letter of several tokens.
    let spans = [Span { bytes: 0..2, strength: 1.0 }, Span { bytes: 2..5, strength: 0.0 }];
    assert_eq!(colours("&amp;x", &spans), [('&', style.faint), ('x', style.fg)]);
    // Strengths out of order, out of range and no number at all do no harm.
    let odd = [
        Span { bytes: 3..9, strength: f32::NAN },
        Span { bytes: 0..4, strength: -7.0 },
        Span { bytes: 1..2, strength: f32::INFINITY },
    ];
    assert_eq!(colours("some words", &odd).len(), 10);
}

#[test]
fn every_block_can_be_read_by_a_screen_reader() {
    let mut harness = harness(SAMPLE, &[]);
    harness.run();
    harness.check_accessibility();
    harness.get_by_role_and_label(Role::Heading, "What the picture shows");
    let all: Vec<String> = harness
        .root()
        .children_recursive()
        .filter_map(|node| {
            let node = node.accesskit_node();
            node.label().or_else(|| node.value())
        })
        .collect();
    for wanted in [
        "• A tabby cat, asleep",
        "2. Then the window",
        "Done: The cat was found",
        "To do: The dog was not",
        "A quotation, which is set apart.",
        "Second cell",
    ] {
        assert!(all.iter().any(|name| name == wanted), "{wanted:?} is in {all:#?}");
    }
    assert!(all.iter().any(|name| name.starts_with("rust code: fn main()")), "{all:#?}");
}

#[test]
fn code_is_copied_as_it_was_written() {
    let mut harness = harness("```rust\nlet a = 1;\n\tb();\n```", &[]);
    harness.run();
    harness.get_by_label("Copy code").click();
    harness.step();
    let commands = &harness.output().platform_output.commands;
    let copied = egui::OutputCommand::CopyText("let a = 1;\n\tb();".to_owned());
    assert!(commands.contains(&copied), "{commands:?}");
}

fn mark(text: &str, words: &str, id: usize) -> Mark {
    let start = text.find(words).unwrap();
    Mark { bytes: start..start + words.len(), id, active: false, unconfirmed: false }
}

/// Where a phrase's button is.
fn place(harness: &Harness<'_, Shown>, name: &str) -> Pos2 {
    harness.get_by_role_and_label(Role::Button, name).rect().center()
}

#[test]
fn a_phrase_is_pointed_at_and_clicked() {
    let text = "There is a **tabby** cat beside the *old window* in the room.";
    let marks = [mark(text, "**tabby** cat", 7), mark(text, "old window", 9)];
    let mut harness = harness(text, &marks);
    harness.run();
    harness.hover_at(place(&harness, "tabby cat"));
    harness.run();
    assert_eq!(harness.state().hovered, Some(7));
    assert!(harness.state().clicked.is_empty());
    harness.hover_at(place(&harness, "old window"));
    harness.run();
    assert_eq!(harness.state().hovered, Some(9));
    harness.get_by_label("old window").click();
    harness.run();
    assert_eq!(harness.state().clicked, [9]);
    harness.hover_at(Pos2::new(400.0, 800.0));
    harness.run();
    assert_eq!(harness.state().hovered, None);
}

#[test]
fn a_phrase_is_reached_by_the_keyboard() {
    let text = "A cat and a dog.";
    let mut harness = harness(text, &[mark(text, "cat", 1), mark(text, "dog", 2)]);
    harness.run();
    harness.key_press(Key::Tab);
    harness.run();
    assert_eq!(harness.state().hovered, Some(1));
    harness.key_press(Key::Tab);
    harness.run();
    assert_eq!(harness.state().hovered, Some(2));
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(harness.state().clicked, [2]);
}

#[test]
fn a_phrase_broken_over_two_rows_is_one() {
    let text = format!("{} a large striped cat that sleeps on the sofa", "word ".repeat(9));
    let mut harness =
        harness(&text, &[mark(&text, "a large striped cat that sleeps on the sofa", 3)]);
    harness.set_size(Vec2::new(200.0, 400.0));
    harness.run();
    let node = harness.get_by_role(Role::Button);
    let name = node.accesskit_node().label().unwrap();
    assert_eq!(name, "a large striped cat that sleeps on the sofa");
    let (first, below) = (node.rect(), MarkdownStyle::line_height(style().size));
    // The row below the first part belongs to the phrase as well.
    harness.hover_at(Pos2::new(20.0, first.center().y + below));
    harness.run();
    assert_eq!(harness.state().hovered, Some(3));
}

#[test]
fn text_is_selected_and_copied_across_blocks_and_phrases() {
    let text = "First line.\n\nSecond line.";
    let mut harness = harness(text, &[mark(text, "First", 1)]);
    harness.run();
    let (from, to) = (Pos2::new(9.0, 16.0), Pos2::new(405.0, 44.0));
    let button = |pressed, pos| egui::Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    harness.event(egui::Event::PointerMoved(from));
    harness.run();
    harness.event(button(true, from));
    harness.run();
    for step in 1..=4_u8 {
        harness.event(egui::Event::PointerMoved(from.lerp(to, f32::from(step) / 4.0)));
        harness.run();
    }
    harness.event(button(false, to));
    harness.run();
    harness.event(egui::Event::Copy);
    harness.step();
    let commands = &harness.output().platform_output.commands;
    let copied = commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.as_str()),
        _ => None,
    });
    let copied = copied.unwrap_or_default();
    assert!(copied.contains("First") && copied.contains("Second line"), "{copied:?}");
    assert!(harness.state().clicked.is_empty(), "dragging is no click");
}

#[test]
fn fragments_cover_the_letters_they_were_asked_for() {
    let mut checked = 0;
    let context = egui::Context::default();
    let output = context.run_ui(egui::RawInput::default(), |ui| {
        checked = 0;
        let text = "one two é three\nfour   five six seven eight nine";
        let job = egui::text::LayoutJob::simple(
            text.to_owned(),
            egui::FontId::proportional(14.0),
            Color32::WHITE,
            80.0,
        );
        let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
        assert!(galley.rows.len() > 3);
        let ends = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect::<Vec<_>>();
        for (index, start) in ends.iter().enumerate() {
            for end in &ends[index..] {
                let parts = fragments(&galley, &(*start..*end));
                let blank = text[*start..*end].trim().is_empty();
                assert_eq!(parts.is_empty(), blank, "{:?}", &text[*start..*end]);
                for part in parts {
                    assert!(galley.rect.expand(1.0).contains_rect(part.rect), "{part:?}");
                    assert!(part.rect.y_range().contains(part.baseline), "{part:?}");
                    checked += 1;
                }
            }
        }
        assert!(fragments(&galley, &(3..900)).is_empty(), "bytes beyond the text");
        assert!(fragments(&galley, &(9..10)).is_empty(), "bytes inside a letter");
    });
    output.drop_without_applying_deltas();
    assert!(checked > 500);
}

/// How often a page was made.
static MADE: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Counting;

impl ComputerMut<super::Key<'_>, Page> for Counting {
    fn compute(&mut self, key: super::Key<'_>) -> Page {
        MADE.fetch_add(1, Ordering::Relaxed);
        Paginate.compute(key)
    }
}

#[test]
fn an_unchanged_answer_is_parsed_once_and_a_changed_one_again() {
    let style = style();
    let mut other = style.clone();
    other.dots = !other.dots;
    let mut cache = FrameCache::<Page, Counting>::default();
    let mut get = |text: &str, spans: &[Span], streaming, style: &MarkdownStyle| {
        cache.get(super::Key { text, spans, streaming, style: StyleKey(style) });
        cache.evict_cache();
        MADE.load(Ordering::Relaxed)
    };
    let faint = [Span { bytes: 0..1, strength: 0.0 }];
    assert_eq!(get("a", &[], true, &style), 1);
    assert_eq!(get("a", &[], true, &style), 1);
    assert_eq!(get("ab", &[], true, &style), 2);
    assert_eq!(get("ab", &faint, true, &style), 3);
    assert_eq!(get("ab", &faint, false, &style), 4);
    assert_eq!(get("ab", &faint, false, &other), 5);
    assert_eq!(get("ab", &faint, false, &other), 5);
}

#[test]
fn a_phrase_in_a_table_that_scrolls_is_reached() {
    let cells = "a wide cell |".repeat(12);
    let text = format!("|{cells}\n|{}\n| here | {cells}\n", "-|".repeat(12));
    let mut harness = harness(&text, &[mark(&text, "here", 4)]);
    harness.run();
    harness.hover_at(place(&harness, "here"));
    harness.run();
    assert_eq!(harness.state().hovered, Some(4));
}

#[test]
fn both_themes_are_drawn_in_their_own_colours() {
    for theme in [Theme::Light, Theme::Dark] {
        let seen = std::rc::Rc::new(std::cell::Cell::new(None));
        let inner = seen.clone();
        let mut harness =
            Harness::builder().allow_missing_glyphs().with_theme(theme).build_ui(move |ui| {
                let style = MarkdownStyle::from(&*ui);
                inner.set(Some((style.fg, ui.visuals().panel_fill)));
                show(
                    ui,
                    &Answer { text: SAMPLE, spans: &[], marks: &[], streaming: false },
                    &style,
                );
            });
        harness.run();
        let (fg, panel) = seen.get().unwrap();
        assert_eq!(fg.intensity() > panel.intensity(), theme == Theme::Dark);
    }
}
