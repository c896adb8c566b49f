//! A conversation as Markdown, for people and for what they write in.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use conversation::{Exchange, Finish, Picture};
use values::region::Region;

use super::record::Session;

/// The text. `folder` has the pictures, those named in `written` only.
pub fn render(session: &Session, folder: &str, written: &BTreeSet<String>) -> String {
    let mut text = format!("# {}\n\n{}\n", escape(&session.title), date(session.created));
    for exchange in &session.exchanges {
        text.push('\n');
        render_exchange(&mut text, exchange, folder, written);
    }
    text
}

fn render_exchange(
    text: &mut String,
    exchange: &Exchange,
    folder: &str,
    written: &BTreeSet<String>,
) {
    for record in &exchange.pictures {
        let name = escape(&record.name);
        let file = Path::new(&record.file).file_name().unwrap_or_default().to_string_lossy();
        if written.contains(&record.file) {
            let _ = writeln!(text, "![{name}]({}/{file})\n", link(folder));
        } else {
            let _ = writeln!(text, "*{name}: this picture could not be read*\n");
        }
        if let Some(region) = record.region {
            let _ = writeln!(text, "*Asked about {}*\n", part(region, record));
        }
    }
    for line in exchange.question.lines() {
        let _ = writeln!(text, "> {}", escape(line));
    }
    let answer = exchange.answer.text.trim();
    if !answer.is_empty() {
        let _ = writeln!(text, "\n{}", tame(answer));
    }
    if let Some(caution) = exchange.caution() {
        let _ = writeln!(text, "\n**{}**", escape(&caution.text));
    }
    let _ = writeln!(text, "\n*{}*", colophon(exchange));
}

/// The region in pixels, as people count them.
fn part(region: Region, record: &Picture) -> String {
    let part = region.pixels(record.width.max(1), record.height.max(1));
    format!("the {}×{} pixels from {}, {} of this picture", part.width, part.height, part.x, part.y)
}

/// Who answered, and how it ended.
fn colophon(exchange: &Exchange) -> String {
    let mut parts = vec![date(exchange.asked)];
    if let Some(model) = &exchange.model {
        let words =
            format!("{} {} ({}, {})", model.name, model.revision, model.weights, model.device);
        parts.push(escape(&words));
    }
    let answer = &exchange.answer;
    let end = match answer.finish {
        Finish::End => None,
        Finish::Length => Some("cut at its longest length".to_owned()),
        Finish::Repetition => Some("cut where it began to repeat itself".to_owned()),
        Finish::Stopped => Some("stopped".to_owned()),
        Finish::Pending | Finish::Interrupted => Some("interrupted".to_owned()),
        Finish::Failed => Some(match &answer.error {
            Some(error) => format!("failed: {}", escape(error)),
            None => "failed".to_owned(),
        }),
    };
    parts.extend(end);
    parts.join(" · ")
}

fn date(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    time.unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Text that stands for itself.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '~' | '&')
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// An answer keeps its Markdown, but for what would make a reader's program fetch or run something.
fn tame(answer: &str) -> String {
    answer.replace('<', "&lt;").replace("![", "!\\[")
}

/// A folder's name as a link takes it.
fn link(name: &str) -> String {
    let mut link = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            let _ = write!(link, "%{byte:02X}");
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionId;
    use crate::unit_tests::{exchange, picture_record};

    #[test]
    fn a_caution_goes_along() {
        let mut session = Session::new(SessionId::new(0), 0);
        session.exchanges.push(exchange(1, "Can I eat it?", vec![], "Yes."));
        let text = render(&session, "pictures", &BTreeSet::new());
        assert!(text.contains("\nYes.\n\n**Lorgnette cannot tell what is safe to eat"), "{text}");
    }

    #[test]
    fn questions_answers_and_pictures_can_be_read() {
        let mut session = Session::new(SessionId::new(0), 1_769_903_999_000);
        let region = Region::new(0.5, 0.0, 0.5, 0.5).unwrap();
        let pictures = vec![picture_record("a", None), picture_record("a", Some(region))];
        session.exchanges.push(exchange(1, "What is *that*?\nReally", pictures, "A **cat**."));
        session.exchanges.push(exchange(2, "And?", vec![picture_record("b", None)], "<b>![x](y)"));
        session.exchanges[1].pictures[0].file = "pictures/0002.png".into();
        session.exchanges[1].answer.finish = Finish::Length;
        session.retitle();
        let written = BTreeSet::from(["pictures/0001.png".to_owned()]);
        let text = render(&session, "my cat-pictures", &written);
        let wanted = "\
# What is \\*that\\*? Really – A cat.

2026-01-31 23:59 UTC

![a.png](my%20cat-pictures/0001.png)

![a.png](my%20cat-pictures/0001.png)

*Asked about the 20×15 pixels from 20, 0 of this picture*

> What is \\*that\\*?
> Really

A **cat**.

*2026-01-31 23:59 UTC · lorgnette-tiny 1 (q8\\_0, CPU)*

*a.png: this picture could not be read*

> And\\?

&lt;b>!\\[x](y)

*2026-01-31 23:59 UTC · lorgnette-tiny 1 (q8\\_0, CPU) · cut at its longest length*
";
        assert_eq!(text, wanted.replace("And\\?", "And?"));
    }
}
