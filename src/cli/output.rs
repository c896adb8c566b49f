//! What the command line writes: answers as text and as JSON.

use std::io::Write;
use std::time::Duration;

use engine::{Answer, Finish, ModelInfo};
use serde::Serialize;
use values::frame::Frame;
use values::region::Region;

use super::CliError;
use super::heatmaps::MapsReport;

/// One answer with all that is needed to judge or repeat it.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Line of a batch, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub model: ModelReport<'a>,
    pub pictures: Vec<PictureReport>,
    pub question: &'a str,
    #[serde(flatten)]
    pub answer: &'a Answer,
    /// Seconds to read and decode the pictures.
    pub decode_pictures: f64,
    /// Tokens a second after the first.
    pub tokens_per_second: Option<f64>,
    /// Where the answer's words and phrases are in the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maps: Option<MapsReport<'a>>,
}

#[derive(Serialize)]
pub struct ModelReport<'a> {
    name: &'a str,
    revision: &'a str,
    weights: &'static str,
    device: &'a str,
    /// Seconds from the start of loading until it was ready.
    load: f64,
}

#[derive(Serialize)]
pub struct PictureReport {
    file: String,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

impl<'a> Report<'a> {
    pub fn new(
        model: &'a ModelInfo,
        pictures: &[(Frame, Option<Region>)],
        question: &'a str,
        answer: &'a Answer,
        decode_pictures: Duration,
    ) -> Self {
        let picture = |(frame, region): &(Frame, Option<Region>)| PictureReport {
            file: frame.source.location(),
            width: frame.width(),
            height: frame.height(),
            region: *region,
        };
        Self {
            line: None,
            model: ModelReport {
                name: &model.name,
                revision: &model.revision,
                weights: model.weights.name(),
                device: model.device,
                load: model.load_time.as_secs_f64(),
            },
            pictures: pictures.iter().map(picture).collect(),
            question,
            answer,
            decode_pictures: decode_pictures.as_secs_f64(),
            tokens_per_second: answer.timings.decode_rate(&answer.usage),
            maps: None,
        }
    }
}

/// Writes a JSON object on a line of its own.
pub fn json_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Usage(error.to_string()))?;
    text_line(out, &text)
}

/// Writes a line, so that a reader has it at once.
pub fn text_line(out: &mut impl Write, text: &str) -> Result<(), CliError> {
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|_| CliError::OutputClosed)
}

/// What there is to say of an answer beside its text, or nothing.
pub fn remark(answer: &Answer) -> Option<String> {
    let why = match answer.finish {
        Finish::Length => Some("the answer reached its longest length (--max-tokens)".to_owned()),
        Finish::Repetition => Some("the answer began to repeat itself and was cut off".to_owned()),
        Finish::End | Finish::Stopped => None,
    };
    let dropped = match answer.usage.dropped_turns {
        0 => None,
        turns => Some(format!("{turns} earlier turns were left out: the model holds no more")),
    };
    match (why, dropped) {
        (Some(why), Some(dropped)) => Some(format!("{why}; {dropped}")),
        (why, dropped) => why.or(dropped),
    }
}
