//! What the command line writes: answers as text and as JSON.

use std::io::Write;
use std::time::Duration;

use conversation::{Answer, Finish, ModelInfo, Timings, Token};
use engine::LoadedModel;
use evidence::{Caution, Evidence, Label, Labels};
use explain::Claim;
use serde::Serialize;
use values::picture::Look;
use values::region::Region;
use values::text::one_line;

use super::CliError;

/// One answer with all that is needed to judge or repeat it.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Line of a batch, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub model: ModelReport<'a>,
    pub pictures: Vec<PictureReport>,
    pub question: &'a str,
    pub text: &'a str,
    tokens: &'a [Token],
    finish: Finish,
    /// What is said under it, whatever the model says.
    #[serde(skip_serializing_if = "Option::is_none")]
    caution: Option<&'static Caution>,
    /// What it says to be there and nothing in the picture bears out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<Claim>,
    usage: Usage,
    timings: Timings,
    /// Seconds to read and decode the pictures.
    pub decode_pictures: f64,
    /// Tokens a second after the first.
    pub tokens_per_second: Option<f64>,
    /// Where the answer's words and phrases are in the picture, where that was asked for: null where the
    /// answer or the model has no maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maps: Option<serde_json::Value>,
}

#[derive(Serialize)]
pub struct ModelReport<'a> {
    #[serde(flatten)]
    info: &'a ModelInfo,
    /// Seconds from the start of loading until it was ready.
    load: f64,
}

/// Tokens counted.
#[derive(Serialize)]
struct Usage {
    /// Of the prompt, pictures included; 0 where it was stopped before they were read.
    prompt_tokens: usize,
    answer_tokens: usize,
    /// Earlier turns left out because the model could not have held them.
    dropped_turns: usize,
}

#[derive(Serialize)]
pub struct PictureReport {
    file: String,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    /// What specialists see in it, where the model was told, or nothing else is asked.
    #[serde(skip_serializing_if = "Evidence::is_empty")]
    evidence: Evidence,
}

impl PictureReport {
    pub fn of(look: &Look, evidence: Evidence) -> Self {
        let Look { frame, region } = look;
        let (file, width, height) = (frame.source.location(), frame.width(), frame.height());
        Self { file, width, height, region: *region, evidence }
    }
}

impl<'a> Report<'a> {
    pub fn new(
        model: &'a LoadedModel,
        pictures: &[Look],
        evidence: &[Evidence],
        question: &'a str,
        answer: &'a Answer,
        decode_pictures: Duration,
    ) -> Self {
        Self {
            line: None,
            model: ModelReport { info: &model.info, load: model.load_time.as_secs_f64() },
            pictures: pictures
                .iter()
                .zip(evidence.iter().cloned().chain(std::iter::repeat(Evidence::default())))
                .map(|(look, evidence)| PictureReport::of(look, evidence))
                .collect(),
            question,
            text: &answer.text,
            tokens: &answer.tokens,
            finish: answer.finish,
            caution: caution(question, &answer.text, evidence),
            unconfirmed: Vec::new(),
            usage: Usage {
                prompt_tokens: answer.prompt_tokens,
                answer_tokens: answer.tokens.len(),
                dropped_turns: answer.dropped_turns,
            },
            timings: answer.timings,
            decode_pictures: decode_pictures.as_secs_f64(),
            tokens_per_second: answer.decode_rate(),
            maps: None,
        }
    }
}

/// The caution that belongs under `answer`, where one does, `evidence` being of its pictures.
pub fn caution(question: &str, answer: &str, evidence: &[Evidence]) -> Option<&'static Caution> {
    // The question is about the last picture.
    let nothing = Labels::default();
    let labels = evidence.last().map_or(&nothing, |evidence| &evidence.labels);
    evidence::caution(question, answer, labels)
}

/// What was found in a picture, in one line: labels with chances, colours, what was read.
pub fn seen_words(evidence: &Evidence) -> String {
    let label = |label: &Label| format!("{} {:.0} %", label.name, label.probability * 100.0);
    let labels: Vec<String> = evidence.labels.iter().map(label).collect();
    let colours: Vec<&str> = evidence.colours.iter().map(|colour| colour.term.name()).collect();
    let lines: Vec<String> = evidence.lines.iter().map(|line| one_line(&line.text)).collect();
    let parts = [labels.join(", "), colours.join(", "), lines.join(" / ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Writes a JSON object on a line of its own.
pub fn json_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Usage(error.to_string()))?;
    text_line(out, &text)
}

/// Writes a line, so that a reader has it at once.
pub fn text_line(out: &mut (impl Write + ?Sized), text: &str) -> Result<(), CliError> {
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|_| CliError::OutputClosed)
}

/// What there is to say of an answer beside its text, or nothing.
pub fn remark(answer: &Answer) -> Option<String> {
    let why = match answer.finish {
        Finish::Length => Some("the answer reached its longest length (--max-tokens)".to_owned()),
        Finish::Repetition => Some("the answer began to repeat itself and was cut off".to_owned()),
        _ => None,
    };
    let dropped = match answer.dropped_turns {
        0 => None,
        turns => Some(format!("{turns} earlier turns were left out: the model holds no more")),
    };
    match (why, dropped) {
        (Some(why), Some(dropped)) => Some(format!("{why}; {dropped}")),
        (why, dropped) => why.or(dropped),
    }
}
