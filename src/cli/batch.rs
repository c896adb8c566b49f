//! `lorgnette ask --batch`: many questions, one loaded model, one JSON line an answer.

use std::fs::File;
use std::io::{BufRead, BufReader, stdout};
use std::path::{Path, PathBuf};

use engine::{EngineError, LoadedModel, Question};
use serde::{Deserialize, Serialize};
use values::region::RegionSpec;

use super::ask::{self, STDIN};
use super::output::{Report, json_line};
use super::session::{Session, evidence_of};
use super::{AnswerArgs, CliError, Tools};

/// One line of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    image: Images,
    question: String,
    /// The part of the first picture that "that" means, as `--region` takes it.
    region: Option<RegionField>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Images {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RegionField {
    Text(String),
    Numbers([f64; 4]),
}

/// A line that could not be answered.
#[derive(Serialize)]
struct Failure {
    line: usize,
    error: String,
}

/// Answers every line of `file`, going on after a bad one.
pub fn run(tools: Tools<'_>, file: &Path, args: &AnswerArgs) -> Result<(), CliError> {
    let from_stdin = file.as_os_str() == STDIN;
    let name = if from_stdin { "stdin".into() } else { file.display().to_string() };
    let unreadable =
        |error: std::io::Error| CliError::File { file: name.clone(), reason: error.to_string() };
    let input: Box<dyn BufRead> = if from_stdin {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(unreadable)?))
    };
    let folder = if from_stdin { Path::new("") } else { file.parent().unwrap_or(Path::new("")) };

    let mut session = Session::start(tools, &args.model)?;
    let model = session.ready()?;
    let mut out = stdout().lock();
    let (mut all, mut failed) = (0, 0);
    for (index, text) in input.split(b'\n').enumerate() {
        let text = text.map_err(unreadable)?;
        if text.trim_ascii().is_empty() {
            continue;
        }
        all += 1;
        let line = index + 1;
        match answer(&mut session, &model, folder, args, line, &text, &mut out) {
            Ok(()) => {}
            Err(
                error @ (CliError::Interrupted
                | CliError::OutputClosed
                | CliError::Engine(EngineError::Unreachable)),
            ) => return Err(error),
            Err(error) => {
                failed += 1;
                json_line(&mut out, &Failure { line, error: error.to_string() })?;
            }
        }
    }
    if failed > 0 { Err(CliError::Batch { failed, all }) } else { Ok(()) }
}

fn answer(
    session: &mut Session,
    model: &LoadedModel,
    folder: &Path,
    args: &AnswerArgs,
    number: usize,
    text: &[u8],
    out: &mut impl std::io::Write,
) -> Result<(), CliError> {
    let line: Line = serde_json::from_slice(text)
        .map_err(|error| CliError::Usage(format!("not a question in JSON ({error})")))?;
    let images = match line.image {
        Images::One(image) => vec![image],
        Images::Many(images) => images,
    };
    if images.iter().any(|image| image == STDIN) {
        return Err(CliError::Usage("a batch takes no picture from standard input".into()));
    }
    let place = |image: &String| match ask::camera(image.as_ref()) {
        Some(_) => PathBuf::from(image),
        None => folder.join(image),
    };
    let files: Vec<_> = images.iter().map(place).collect();
    let region = match line.region {
        None => None,
        Some(RegionField::Text(text)) => Some(text),
        Some(RegionField::Numbers([x, y, width, height])) => {
            Some(format!("{x},{y},{width},{height}"))
        }
    };
    let region = region
        .map(|text| text.parse::<RegionSpec>())
        .transpose()
        .map_err(|error| CliError::Region(error.to_string()))?;
    let (pictures, decode) = ask::read(&files, region.as_slice())?;
    let seen = session.sightings(&pictures, &line.question)?;
    let evidence = evidence_of(&seen);
    let mut question = Question::told(&pictures, &evidence, line.question.as_str());
    question.options = args.options();
    let answer = session.ask(question, |_| Ok(()))?;
    let mut report = Report::new(model, &pictures, &evidence, &line.question, &answer, decode);
    report.line = Some(number);
    report.unconfirmed = session.unconfirmed(&pictures, &seen, &answer.text);
    json_line(out, &report)
}
