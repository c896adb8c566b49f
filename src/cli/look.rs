//! `lorgnette labels` and `lorgnette read`: what the specialists see in pictures and read there,
//! without the language model.

use std::io::{Write, stdout};
use std::time::Instant;

use evidence::{Evidence, EvidenceError, Witness};
use serde::Serialize;
use values::picture::Look;
use values::text::one_line;

use super::ask::{check_regions, read};
use super::output::{PictureReport, json_line, text_line};
use super::{CliError, LookArgs, Tools};

/// What was found in one picture.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    picture: PictureReport,
    /// Seconds to find it.
    seconds: f64,
}

/// Names what is in the pictures.
pub fn labels(tools: Tools<'_>, args: &LookArgs) -> Result<(), CliError> {
    each(tools, args, Witness::evidence, write_labels)
}

/// Reads what is written in the pictures.
pub fn text(tools: Tools<'_>, args: &LookArgs) -> Result<(), CliError> {
    let find = |witness: &Witness, picture: &Look| {
        let lines = witness.lines(picture, &mut |_| true)?;
        Ok(Evidence { lines, ..Evidence::default() })
    };
    each(tools, args, find, write_lines)
}

/// Looks at each picture with `find`, and has what it gives written as JSON or by `write`.
fn each(
    tools: Tools<'_>,
    args: &LookArgs,
    find: impl Fn(&Witness, &Look) -> Result<Evidence, EvidenceError>,
    write: impl Fn(&mut dyn Write, &Evidence) -> Result<(), CliError>,
) -> Result<(), CliError> {
    check_regions(&args.pictures, &args.region)?;
    let (pictures, _) = read(&args.pictures, &args.region)?;
    let witness = tools.witness();
    let mut out = stdout().lock();
    let several = pictures.len() > 1;
    for picture in pictures {
        let started = Instant::now();
        let found = find(&witness, &picture)?;
        let seconds = started.elapsed().as_secs_f64();
        if args.json {
            let picture = PictureReport::of(&picture, found);
            json_line(&mut out, &Found { picture, seconds })?;
        } else {
            if several {
                text_line(&mut out, &picture.frame.source.location())?;
            }
            write(&mut out, &found)?;
        }
    }
    Ok(())
}

/// Each line as it is read. What is written somewhere must not move the cursor of a terminal.
fn write_lines(out: &mut dyn Write, found: &Evidence) -> Result<(), CliError> {
    if found.lines.is_empty() {
        eprintln!("lorgnette: nothing that is written could be read");
    }
    found.lines.iter().try_for_each(|line| text_line(out, &one_line(&line.text)))
}

/// Each label with its chance and kind on a line, and the colours on one.
fn write_labels(out: &mut dyn Write, found: &Evidence) -> Result<(), CliError> {
    for label in found.labels.iter() {
        let kind = label.kind.as_ref().map_or(String::new(), |kind| format!(" · {kind}"));
        let percent = label.probability * 100.0;
        text_line(out, &format!("{percent:4.0} %  {}{kind}", label.name))?;
    }
    if found.labels.iter().next().is_none() {
        text_line(out, "   –    nothing that it has a name for")?;
    }
    let colours: Vec<&str> = found.colours.iter().map(|colour| colour.term.name()).collect();
    text_line(out, &format!("        {}", colours.join(", ")))
}

#[cfg(test)]
mod tests {
    use evidence::colours::Term;
    use evidence::{Colour, Label, Labels};
    use image::RgbImage;
    use values::frame::{Frame, Source};

    use super::*;

    fn found(sure: bool) -> Evidence {
        let label = |name: &str, kind: Option<&str>, probability| Label {
            name: name.into(),
            kind: kind.map(str::to_owned),
            probability,
        };
        let labels = Labels {
            sure: sure.then(|| label("tabby cat", Some("cat"), 0.62)),
            perhaps: if sure { vec![label("drum", None, 0.074)] } else { Vec::new() },
        };
        let colour = |term| Colour { term, share: 0.3 };
        Evidence {
            labels,
            colours: [Term::Orange, Term::White].map(colour).to_vec(),
            ..<_>::default()
        }
    }

    #[test]
    fn labels_are_told_with_chance_and_kind() {
        let written = |found: &Evidence| {
            let mut out = Vec::new();
            write_labels(&mut out, found).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            written(&found(true)),
            "  62 %  tabby cat · cat\n   7 %  drum\n        orange, white\n"
        );
        assert_eq!(
            written(&found(false)),
            "   –    nothing that it has a name for\n        orange, white\n"
        );
    }

    #[test]
    fn a_program_reads_all_of_it() {
        let frame = Frame::new(RgbImage::new(4, 3), Source::Memory("made".into()));
        let picture = PictureReport::of(&Look { frame, region: None }, found(true));
        let json = serde_json::to_value(Found { picture, seconds: 0.05 }).unwrap();
        assert_eq!(json["evidence"]["labels"]["sure"]["name"], "tabby cat");
        assert_eq!(json["evidence"]["labels"]["perhaps"][0]["kind"], serde_json::Value::Null);
        assert_eq!(json["evidence"]["colours"][1]["term"], "white");
        assert_eq!(json["width"], 4);
    }
}
