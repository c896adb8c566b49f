//! `lorgnette ask`: one question about one or more pictures.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use engine::{EngineError, Question};
use explain::Told;
use values::config::DEFAULT_QUESTION;
use values::frame::Source;
use values::picture::Look;
use values::region::RegionSpec;

use super::heatmaps::Maps;
use super::output::{Report, caution, json_line, remark, seen_words, text_line};
use super::session::{Session, evidence_of};
use super::{AskArgs, CliError, Tools};

/// The name that stands for standard input.
pub const STDIN: &str = "-";
/// What stands before a camera's number.
const CAMERA: &str = "camera:";
/// How long a camera may take for a picture.
const CAMERA_PATIENCE: Duration = Duration::from_secs(30);

/// Pictures with the parts to look at, and how long they took to decode.
pub type Pictures = (Vec<Look>, Duration);

pub fn run(tools: Tools<'_>, args: &AskArgs) -> Result<(), CliError> {
    let (files, question) = split(&args.words);
    check_regions(files, &args.region)?;
    // The pictures are read while the model loads.
    let mut session = Session::start(tools, &args.answer.model)?;
    let (pictures, decode) = read(files, &args.region)?;
    Question { options: args.answer.options(), ..Question::new(&pictures, &*question) }.check()?;
    let seen = session.sightings(&pictures, &question)?;
    let evidence = evidence_of(&seen);
    let model = session.ready()?;
    let mut request = Question::told(&pictures, &evidence, &*question);
    request.options = args.answer.options();
    let conversation = request.clone();

    let mut out = stdout().lock();
    for evidence in evidence.iter().filter(|_| !args.json) {
        eprintln!("[seen: {}]", seen_words(evidence));
    }
    let mut begun = false;
    let answer = session.ask(request, |token| {
        if args.json {
            return Ok(());
        }
        // The first word of an answer brings a space that belongs to no text before it.
        let text = if begun { token.text.as_str() } else { token.text.trim_start() };
        begun |= !text.is_empty();
        write!(out, "{text}").and_then(|()| out.flush()).map_err(|_| CliError::OutputClosed)
    })?;
    let unconfirmed = session.unconfirmed(&pictures, &seen, answer.text.trim_start());
    // The question is about the last picture.
    let about = conversation.turns[0].pictures.last().cloned();
    let wanted = args.ground || args.heatmap.is_some();
    // An answer is not lost because its model has no maps.
    let none = (wanted && model.input.grid().is_none())
        .then(|| EngineError::NoMaps(model.info.name.clone()).to_string());
    let maps = match about.filter(|_| wanted && none.is_none()) {
        Some(picture) if !answer.text.is_empty() => {
            let told = Told {
                question: conversation,
                picture,
                answer: answer.text.clone(),
                sampled: answer.tokens.iter().map(|token| token.id).collect(),
            };
            let frame = told.picture.frame.clone();
            let labels = seen.last().map(|seen| seen.maps.clone());
            Some((frame, Maps::of(&mut session, tools.encoders, &model, told, labels)?))
        }
        _ => None,
    };
    if let (Some((frame, maps)), Some(folder)) = (&maps, &args.heatmap) {
        maps.write(&frame.pixels, folder)?;
    }
    if args.json {
        let mut report = Report::new(&model, &pictures, &evidence, &question, &answer, decode);
        report.unconfirmed = unconfirmed;
        let maps = maps.as_ref().map(|(frame, maps)| maps.report(frame.pixels.dimensions()));
        let maps =
            serde_json::to_value(maps).map_err(|error| CliError::Usage(error.to_string()))?;
        report.maps = wanted.then_some(maps);
        json_line(&mut out, &report)?;
    } else {
        text_line(&mut out, "")?;
        if let Some(doubt) = explain::doubt(&unconfirmed) {
            text_line(&mut out, &doubt)?;
        }
        if let Some(caution) = caution(&question, &answer.text, &evidence) {
            text_line(&mut out, &caution.text)?;
        }
        let first_word = decode.as_secs_f64() + answer.first_word().unwrap_or_default();
        let rate = answer.decode_rate();
        let rate = rate.map_or(String::new(), |rate| format!(" at {rate:.0} tok/s"));
        eprintln!(
            "[model ready in {:.2} s, first word after {first_word:.2} s, {} tokens{rate}]",
            model.load_time.as_secs_f64(),
            answer.tokens.len(),
        );
    }
    for remark in remark(&answer).into_iter().chain(none) {
        eprintln!("lorgnette: {remark}");
    }
    Ok(())
}

/// Parts the words of the command line into pictures and the question.
///
/// A last word that is a file, or stands alone, is a picture: people forget the question.
fn split(words: &[OsString]) -> (&[OsString], Cow<'_, str>) {
    match words.split_last() {
        Some((last, pictures)) if !pictures.is_empty() && !is_picture(last) => {
            (pictures, last.to_string_lossy())
        }
        _ => (words, DEFAULT_QUESTION.into()),
    }
}

fn is_picture(word: &OsStr) -> bool {
    // A picture that is missing is to be told, and not asked of the others.
    let is_named = |word: &OsStr| {
        let spaced = word.to_string_lossy().contains(char::is_whitespace);
        !spaced && capture::is_named_as_picture(Path::new(word))
    };
    word == STDIN || camera(word).is_some() || Path::new(word).is_file() || is_named(word)
}

/// The camera that a word like `camera:0` names. A file of that name is `./camera:0`.
pub fn camera(word: &OsStr) -> Option<u32> {
    word.to_str()?.strip_prefix(CAMERA)?.parse().ok()
}

/// Refuses more regions than there are pictures.
pub fn check_regions<P>(files: &[P], regions: &[RegionSpec]) -> Result<(), CliError> {
    if regions.len() > files.len() {
        let text = format!("{} regions for {} pictures", regions.len(), files.len());
        return Err(CliError::Usage(text));
    }
    Ok(())
}

/// Reads the pictures, each with the region that was given for it.
pub fn read<P: AsRef<Path>>(files: &[P], regions: &[RegionSpec]) -> Result<Pictures, CliError> {
    let started = Instant::now();
    let mut pictures = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let file = file.as_ref();
        let frame = if file.as_os_str() == STDIN {
            capture::load_reader(Source::Stdin, std::io::stdin().lock())?
        } else if let Some(index) = camera(file.as_os_str()) {
            capture::take_picture(index, CAMERA_PATIENCE)?
        } else {
            capture::load(file)?
        };
        let region = match regions.get(index) {
            Some(spec) => {
                let region = spec.resolve(frame.width(), frame.height());
                Some(region.map_err(|error| CliError::region(&frame.source.location(), &error))?)
            }
            None => None,
        };
        pictures.push(Look { frame, region });
    }
    Ok((pictures, started.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_question_unless_it_is_a_picture() {
        let split = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let (pictures, question) = split(&words);
            (pictures.len(), question.into_owned())
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();

        assert_eq!(split(&["a", "b", "What?"]), (2, "What?".to_owned()));
        assert_eq!(split(&["a", path]), (2, DEFAULT_QUESTION.to_owned()));
        assert_eq!(split(&["gone.jpg"]), (1, DEFAULT_QUESTION.to_owned()));
        assert_eq!(split(&["a", "gone.JPG"]), (2, DEFAULT_QUESTION.to_owned()));
        assert_eq!(split(&["a", "Is it cat.jpg"]), (1, "Is it cat.jpg".to_owned()));
        assert_eq!(split(&["a", "-"]), (2, DEFAULT_QUESTION.to_owned()));
        assert_eq!(split(&["a", "camera:1"]), (2, DEFAULT_QUESTION.to_owned()));
        assert_eq!(split(&["camera:0", "camera: what?"]), (1, "camera: what?".to_owned()));
    }
}
