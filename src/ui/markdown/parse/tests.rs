use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;

/// The blocks in a short notation: what they stand in, their markers, their kind and their text.
fn outline(text: &str) -> Vec<String> {
    parse(text, text.len()).iter().map(line).collect()
}

fn line(block: &Block) -> String {
    let mut line = String::new();
    for (place, inside) in block.inside.iter().enumerate() {
        let marker = block.markers.iter().find(|(at, _)| *at == place).map(|(_, marker)| *marker);
        match (inside, marker) {
            (Inside::Quote(_), _) => line.push('>'),
            (Inside::Item { .. }, None) => line.push('_'),
            (Inside::Item { .. }, Some(Marker::Bullet(depth))) => write!(line, "-{depth}").unwrap(),
            (Inside::Item { .. }, Some(Marker::Number(number))) => {
                write!(line, "{number}.").unwrap();
            }
            (Inside::Item { .. }, Some(Marker::Task(done))) => {
                line.push_str(if done { "[x]" } else { "[ ]" });
            }
        }
        line.push(' ');
    }
    line + &match &block.kind {
        Kind::Paragraph(rich) => marked(rich),
        Kind::Heading(level, rich) => format!("h{level} {}", marked(rich)),
        Kind::Code(language, rich) => format!("code({language}) {}", rich.text),
        Kind::Rule => "rule".to_owned(),
        Kind::Table(table) => {
            let row = |cells: &Vec<Rich>| cells.iter().map(marked).collect::<Vec<_>>().join("|");
            let rows = std::iter::once(&table.head).chain(&table.rows);
            format!("table {}", rows.map(row).collect::<Vec<_>>().join("/"))
        }
    }
}

/// A text with its looks as letters: `{b:strong}`.
fn marked(rich: &Rich) -> String {
    let letters = [
        (Look::STRONG, 'b'),
        (Look::EMPHASIS, 'i'),
        (Look::STRUCK, 's'),
        (Look::CODE, 'c'),
        (Look::ASIDE, 'a'),
    ];
    let mut line = String::new();
    for piece in &rich.pieces {
        let looks: String =
            letters.iter().filter(|(look, _)| piece.look.has(*look)).map(|(_, c)| *c).collect();
        let text = &rich.text[piece.at.clone()];
        if looks.is_empty() {
            line.push_str(text);
        } else {
            write!(line, "{{{looks}:{text}}}").unwrap();
        }
    }
    line
}

#[test]
fn running_text_keeps_its_looks() {
    let text = "A **bold _and_ slanted** ~~old~~ `code *x*` word &amp; 5 < 6.\nNext  \nlast";
    assert_eq!(
        outline(text),
        ["A {b:bold }{bi:and}{b: slanted} {s:old} {c:code *x*} word & 5 < 6. Next\nlast"]
    );
    assert_eq!(
        outline("# One\n## Two ##\ntext\n\n---\nmore"),
        ["h1 One", "h2 Two", "text", "rule", "more"]
    );
    assert_eq!(outline(""), [] as [&str; 0]);
    assert_eq!(outline(" \n\n"), [] as [&str; 0]);
}

#[test]
fn lists_and_quotations_are_flat() {
    let text = "- a\n- b\n  1. c\n  2. d\n\n     more\n- [x] e\n- [ ] f\n\n> q\n> - g\n>\n> ```py\n> h\n> ```\n-";
    let wanted = [
        "-0 a",
        "-0 b",
        "_ 1. c",
        "_ 2. d",
        "_ _ more",
        "[x] e",
        "[ ] f",
        "> q",
        "> -0 g",
        "> code(py) h",
        "-0 ",
    ];
    assert_eq!(outline(text), wanted);
    assert_eq!(outline("7. a\n8. b"), ["7. a", "8. b"]);
    assert_eq!(outline("- - a"), ["-0 -1 a"]);
}

#[test]
fn a_list_without_empty_lines_is_tight() {
    let tight = |text: &str| parse(text, text.len()).iter().map(|b| b.tight).collect::<Vec<_>>();
    assert_eq!(tight("- a\n- b"), [true, true]);
    assert_eq!(tight("- a\n\n- b"), [false, false]);
    assert_eq!(tight("a\n\nb"), [false, false]);
}

#[test]
fn links_are_text_with_their_address() {
    assert_eq!(outline("[a *b*](http://c.d)"), ["a {i:b}{a: (http://c.d)}"]);
    assert_eq!(outline("<http://c.d> <me@c.d>"), ["http://c.d me@c.d"]);
    assert_eq!(outline("[](http://c.d)"), ["{a:http://c.d}"]);
    assert_eq!(outline("[a]()"), ["a"]);
    assert_eq!(outline("![a cat](file:///etc/passwd)"), ["{i:a cat}"]);
    assert_eq!(outline("[a][b]\n\n[b]: http://c.d"), ["a{a: (http://c.d)}"]);
}

#[test]
fn html_and_footnotes_are_shown_as_written() {
    assert_eq!(outline("a <b>c</b> <script>x</script>"), ["a <b>c</b> <script>x</script>"]);
    assert_eq!(outline("<div>\nx\n</div>"), ["<div>\nx\n</div>"]);
    assert_eq!(outline("a[^1] $x^2$"), ["a[^1] $x^2$"]);
    assert_eq!(outline("one<br>two<br />three"), ["one\ntwo\nthree"]);
}

#[test]
fn tables_keep_their_cells() {
    let text = "| a | **b** |\n|:-:|--:|\n| 1 | `2` |\n| 3 |\n\nafter";
    assert_eq!(outline(text), ["table a|{b:b}/1|{c:2}/3|", "after"]);
    let blocks = parse(text, text.len());
    let Kind::Table(table) = &blocks[0].kind else { panic!("{blocks:?}") };
    assert_eq!(table.align, [Alignment::Center, Alignment::Right]);
}

#[test]
fn every_letter_knows_where_it_came_from() {
    let text =
        "# H\n\n> - **b** c &lt; `d`\n>   [e](f) g\n\n| h |\n|---|\n| i |\n\n```\nj\nk\n```\n";
    for block in parse(text, text.len()) {
        let riches: Vec<&Rich> = match &block.kind {
            Kind::Paragraph(rich) | Kind::Heading(_, rich) | Kind::Code(_, rich) => vec![rich],
            Kind::Table(table) => table.head.iter().chain(table.rows.iter().flatten()).collect(),
            Kind::Rule => Vec::new(),
        };
        for rich in riches {
            for piece in &rich.pieces {
                let (shown, source) = (&rich.text[piece.at.clone()], &text[piece.source.clone()]);
                match shown {
                    "<" => assert_eq!(source, "&lt;"),
                    " (f)" => assert_eq!(source, "](f)"),
                    " " => assert!(source.trim().is_empty() || source == "\n", "{source:?}"),
                    _ => assert_eq!(shown, source),
                }
            }
        }
    }
}

#[test]
fn what_was_added_at_the_end_stands_nowhere_in_the_answer() {
    let blocks = parse("a **b**", 5);
    let Kind::Paragraph(rich) = &blocks[0].kind else { panic!("{blocks:?}") };
    assert!(rich.pieces.iter().all(|piece| piece.source.end <= 5), "{rich:?}");
}

#[test]
fn nothing_in_an_answer_can_disguise_its_line() {
    let text = "a\u{202e}b\u{1b}[2J\u{2066}c\n\n```\nx\u{202d}\n\ty\n```\n\n| \u{202e} |\n|-|\n";
    let all = outline(text).join("\n");
    assert!(
        !all.chars()
            .any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{1b}'))
    );
    assert!(all.contains("a\\u{202e}b\\u{1b}[2J\\u{2066}c"), "{all}");
    assert!(all.contains("\n\ty"), "line ends and tabs stay: {all}");
}

#[test]
fn deep_nesting_is_flattened_and_stays_quick() {
    let begin = Instant::now();
    for part in [
        ">", "> ", "- ", "1. ", "[", "![", "*", "**a ", "_", "`", "~~", "<", "(", "|", "\\", "&",
        "#",
    ] {
        let text = part.repeat(10_000) + "x";
        let blocks = parse(&text, text.len());
        assert!(blocks.iter().all(|block| block.inside.len() <= MAX_DEPTH), "{part}");
        assert!(blocks.len() <= MAX_BLOCKS + 2, "{part}");
        plain(&text);
    }
    let deep = "> ".repeat(40) + "low\n\nup";
    let blocks = parse(&deep, deep.len());
    assert_eq!(blocks.len(), 2);
    assert_eq!((blocks[0].inside.len(), blocks[1].inside.len()), (MAX_DEPTH, 0));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn too_much_is_cut_and_shown_as_written() {
    let text = "- x\n".repeat(5000);
    let blocks = parse(&text, text.len());
    assert!(blocks.len() <= MAX_BLOCKS + 50, "{}", blocks.len());
    let Kind::Paragraph(last) = &blocks.last().unwrap().kind else { panic!() };
    assert!(last.text.ends_with("- x"), "nothing is lost");

    let table = format!("|{}\n|{}\n", "a|".repeat(300), "-|".repeat(300))
        + &("|b".repeat(300) + "\n").repeat(300);
    let blocks = parse(&table, table.len());
    assert!(blocks.len() < 100, "{}", blocks.len());

    let words = "word ".repeat(10_000);
    let blocks = parse(&words, words.len());
    let texts: Vec<usize> = blocks
        .iter()
        .map(|block| match &block.kind {
            Kind::Paragraph(rich) => rich.text.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(texts.len() > 5 && texts.iter().all(|length| *length <= MAX_PARAGRAPH), "{texts:?}");

    let words = "字\u{3000}".repeat(5_000) + &"字".repeat(5_000);
    let blocks = parse(&words, words.len());
    let length = |block: &Block| match &block.kind {
        Kind::Paragraph(rich) => rich.text.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(blocks.iter().map(length).sum::<usize>(), words.len(), "nothing is lost");

    let endless = "é".repeat(MAX_BYTES);
    let blocks = parse(&endless, endless.len());
    let Kind::Paragraph(last) = &blocks.last().unwrap().kind else { panic!() };
    assert_eq!(last.text, "…");
}

#[test]
fn the_plain_words_have_no_marks() {
    let text = "# Cat\n\nA **big** [cat](http://c.d), `Felis`.\n\n1. one\n2. two\n\n- [x] done\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rs\nlet x;\n```";
    let wanted = "Cat\nA big cat, Felis.\n1. one\n2. two\ndone\na, b\n1, 2\nlet x;";
    assert_eq!(plain(text), wanted);
    assert_eq!(plain(""), "");
}
