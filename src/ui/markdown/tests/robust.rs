//! Half-written, hostile and endless answers.

use std::time::{Duration, Instant};

use egui::Vec2;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::super::draw::Content;
use super::*;

#[test]
fn every_prefix_of_an_answer_can_be_shown_while_it_is_written() {
    let style = style();
    for end in (0..=SAMPLE.len()).filter(|end| SAMPLE.is_char_boundary(*end)) {
        for streaming in [true, false] {
            let leaves = paginate(&SAMPLE[..end], &[], streaming, &style);
            if streaming {
                let shown = words(&leaves);
                assert!(!shown.contains("**") && !shown.contains("~~"), "{end}: {shown}");
            }
        }
    }
    let mut harness = harness("", &[]);
    let mut end = 0;
    while end < SAMPLE.len() {
        end = SAMPLE.ceil_char_boundary((end + 23).min(SAMPLE.len()));
        let state = harness.state_mut();
        state.text = SAMPLE[..end].to_owned();
        state.streaming = end < SAMPLE.len();
        state.marks =
            vec![Mark { bytes: end / 2..end + 3, id: 0, active: true, unconfirmed: true }];
        harness.run_steps(1);
    }
    harness.check_accessibility();
}

/// All running text of a page.
fn words(leaves: &[Leaf]) -> String {
    let texts = leaves.iter().filter_map(|leaf| match &leaf.content {
        Content::Paragraph(text) | Content::Heading(_, text) => Some(text.rich.text.as_str()),
        Content::Code(..) | Content::Rule | Content::Table(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_answer_never_shrinks_to_something_else_while_it_is_written() {
    let style = style();
    let text =
        "A **big _old_ cat** with `two` [eyes](http://a.b).\n\n- one\n- **two**\n\n1. x\n2. y\n";
    let mut before = String::new();
    for end in 1..=text.len() {
        let shown = words(&paginate(&text[..end], &[], true, &style));
        let address = shown.contains(" (http");
        assert!(address || shown.starts_with(before.trim_end()), "{before:?} became {shown:?}");
        before = if address { "A big old cat with two eyes".to_owned() } else { shown };
    }
}

#[test]
fn soup_does_no_harm() {
    const PARTS: &[&str] = &[
        "*",
        "**",
        "_",
        "`",
        "```",
        "~~",
        "[",
        "](",
        ")",
        "!",
        "<",
        ">",
        "|",
        "\n",
        "\n\n",
        " ",
        "  \n",
        "- ",
        "1. ",
        "# ",
        "---",
        "|-|-|\n",
        "| a | b |\n",
        "[x] ",
        "word",
        "猫",
        "é",
        "e\u{301}",
        "\u{202e}",
        "\u{0}",
        "\r",
        "\r\n",
        "\t",
        "\u{200d}",
        "👩‍🔬",
        "&amp;",
        "&#0;",
        "\\",
        "<br>",
        "<b>",
        "http://a.b",
        "    ",
        "> ",
        ":",
        "\u{2028}",
        "ﷺ",
        "\u{feff}",
        "^",
        "$",
        "[^1]",
        "==",
        "~~~rs\n",
    ];
    let mut random = StdRng::seed_from_u64(20_260);
    let style = style();
    let mut harness = harness("", &[]);
    for round in 0..600 {
        let count = random.random_range(1..60);
        let text: String = (0..count).map(|_| PARTS[random.random_range(0..PARTS.len())]).collect();
        let length = text.len();
        let mut spans = Vec::new();
        let mut at = 0;
        while at < length {
            let end = at + random.random_range(1..9);
            spans.push(Span { bytes: at..end, strength: random.random_range(0.0..1.0) });
            at = end;
        }
        let start = random.random_range(0..=length);
        let marks = vec![Mark {
            bytes: start..start + random.random_range(0..30),
            id: 1,
            active: round % 2 == 0,
            unconfirmed: round % 3 == 0,
        }];
        for streaming in [true, false] {
            paginate(&text, &spans, streaming, &style);
        }
        plain(&text);
        // Drawing is slower, and goes wrong less easily.
        if round % 6 == 0 {
            let state = harness.state_mut();
            (state.text, state.spans, state.marks) = (text, spans, marks);
            state.streaming = round % 4 == 0;
            harness.run_steps(1);
        }
    }
    harness.check_accessibility();
}

#[test]
fn monsters_are_drawn_too() {
    let mut harness = harness("", &[]);
    for monster in [
        "x".repeat(100_000),
        "> ".repeat(10_000) + "x",
        "- ".repeat(3_000) + "x",
        "[".repeat(10_000),
        format!("|{}\n|{}\n|{}", "cell|".repeat(60), "-|".repeat(60), "wide cell|".repeat(60)),
        format!("```\n{}\n```", "code ".repeat(2_000)),
    ] {
        harness.state_mut().text = monster;
        harness.run_steps(2);
    }
    harness.set_size(Vec2::new(1.0, 1.0));
    harness.state_mut().text = SAMPLE.to_owned();
    harness.run_steps(2);
}

#[test]
fn streaming_five_hundred_tokens_is_smooth() {
    let mut harness = harness("", &[]);
    let words = "a **tabby** cat sleeps on the `sofa` beside an old window. ";
    let mut slowest = Vec::new();
    for token in 0..500_usize {
        let state = harness.state_mut();
        let start = state.text.len();
        let word = words.split_inclusive(' ').nth(token % 11).unwrap();
        state.text.push_str(word);
        if token % 60 == 59 {
            state.text.push_str("\n\n");
        }
        let strength = (token % 7) as f32 / 6.0;
        state.spans.push(Span { bytes: start..state.text.len(), strength });
        state.streaming = true;
        let begin = Instant::now();
        harness.run_steps(1);
        slowest.push(begin.elapsed());
    }
    slowest.sort();
    // A frame has 16 ms. This machine may be busy and this build slow: the bound only catches what
    // grows with the length of the answer, or worse.
    let (median, worst) = (slowest[250], slowest[494]);
    assert!(median < Duration::from_millis(100), "median {median:?}, one in a hundred {worst:?}");
}
