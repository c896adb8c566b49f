//! `lorgnette labels`: what the specialists see in pictures, without the language model.

use std::io::{Write, stdout};
use std::time::Instant;

use evidence::{Colour, Evidence, LABEL_ENCODER};
use serde::Serialize;
use values::picture::Look;

use super::ask::{check_regions, read};
use super::output::{PictureReport, json_line, text_line};
use super::{CliError, LabelsArgs, Tools};

/// What was found in one picture.
#[derive(Serialize)]
struct Found<'a> {
    picture: PictureReport,
    labels: Vec<LabelReport<'a>>,
    colours: &'a [Colour],
    /// What a language model is told of it.
    told: String,
    /// Seconds to find it.
    seconds: f64,
}

#[derive(Serialize)]
struct LabelReport<'a> {
    name: &'a str,
    kind: Option<&'a str>,
    probability: f32,
    /// Whether it is the one that the picture shows for sure.
    sure: bool,
}

pub fn run(tools: Tools<'_>, args: &LabelsArgs) -> Result<(), CliError> {
    check_regions(&args.pictures, &args.region)?;
    let (pictures, _) = read(&args.pictures, &args.region)?;
    let mut encoder = (tools.specialists.labels)(&tools.folders.models.join(LABEL_ENCODER))?;
    let mut out = stdout().lock();
    let several = pictures.len() > 1;
    for (frame, region) in pictures {
        let started = Instant::now();
        let picture = PictureReport::of(&frame, region);
        let name = frame.source.location();
        let found = Evidence::of(&Look { frame, region }, &mut *encoder)?;
        if args.json {
            json_line(&mut out, &report(&found, picture, started.elapsed().as_secs_f64()))?;
        } else {
            if several {
                text_line(&mut out, &name)?;
            }
            write(&mut out, &found)?;
        }
    }
    Ok(())
}

fn report(found: &Evidence, picture: PictureReport, seconds: f64) -> Found<'_> {
    let sure = found.labels.sure.as_ref();
    let labels = found.labels.iter().map(|label| LabelReport {
        name: &label.name,
        kind: label.kind.as_deref(),
        probability: label.probability,
        sure: sure.is_some_and(|sure| std::ptr::eq(sure, label)),
    });
    let told = found.told(&[]).trim_end().to_owned();
    Found { picture, labels: labels.collect(), colours: &found.colours, told, seconds }
}

/// Each label with its chance and kind on a line, and the colours on one.
fn write(out: &mut impl Write, found: &Evidence) -> Result<(), CliError> {
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
    use evidence::{Label, Labels};
    use image::RgbImage;
    use values::frame::{Frame, Source};
    use values::heatmap::Heatmap;

    use super::*;

    fn found(sure: bool) -> Evidence {
        let label = |name: &str, kind: Option<&str>, probability| Label {
            name: name.into(),
            kind: kind.map(str::to_owned),
            probability,
            map: Heatmap::new(1, 1, vec![0.0]).unwrap(),
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
            write(&mut out, found).unwrap();
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
        let found = found(true);
        let json = serde_json::to_value(report(&found, PictureReport::of(&frame, None), 0.05));
        let json = json.unwrap();
        assert_eq!(json["labels"][0]["sure"], true);
        assert_eq!(json["labels"][1]["kind"], serde_json::Value::Null);
        assert_eq!(json["colours"][1]["term"], "white");
        assert_eq!(json["picture"]["width"], 4);
        assert_eq!(json["told"], "[Seen: tabby cat. Perhaps: drum. Colours: orange, white.]");
    }
}
