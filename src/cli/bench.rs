//! `lorgnette bench`: start, shutter to first word, speed and memory, in one run.

use std::io::{BufRead, BufReader, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conversation::Answer;
use engine::{Question, REST};
use evidence::Sighting;
use evidence::live::Pace;
use explain::{Grounding, Told, unconfirmed};
use serde::Serialize;
use values::config::DEFAULT_QUESTION;
use values::frame::{Frame, Source};
use values::picture::{Filter, Look, resize};
use values::region::Region;

use super::ask::read;
use super::demo::samples;
use super::heatmaps::Maps;
use super::output::{json_line, text_line};
use super::session::{Session, evidence_of};
use super::{BenchArgs, CliError, Tools};

/// A question whose answers are long enough to time decoding.
const DESCRIBE: &str = "Describe this picture in detail.";
/// What the child process prints when its model is ready.
const READY: &str = "ready";
/// Pictures whose answers are tied to them.
const GROUNDED: usize = 5;

/// Pictures whose text is read.
const SCENES: usize = 6;
/// The size at which it is.
const SCENE: (u32, u32) = (1280, 720);
/// How long a moving scene is looked at, and how long one frame of it stands.
const LIVE: Duration = Duration::from_secs(4);
const FRAME: Duration = Duration::from_millis(33);
/// How long before the question a picture is shown that is looked at ahead.
const SHOWN: Duration = Duration::from_secs(2);

/// Figures of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    n: usize,
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// `None` where nothing was measured.
    fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let n = figures.len();
        let median = f64::midpoint(figures[(n - 1) / 2], figures[n / 2]);
        Some(Self { n, median, min, max })
    }
}

#[derive(Serialize)]
struct Figures {
    model: String,
    weights: String,
    device: String,
    cores: usize,
    /// From the start of the process to a loaded model, in seconds, the weights' file in the
    /// system's memory already.
    start: Option<Spread>,
    /// From the file to the first token: reading, decoding, resizing, encoding, prefill; seconds.
    shutter_to_first_word: Option<Spread>,
    /// From the question to the first token where the picture was shown two seconds before, as in the
    /// window: specialists look and read, then the engine looks ahead; seconds.
    first_word_looked_ahead: Option<Spread>,
    /// Of the shutter to the first word: reading and decoding the file.
    decode_picture: Option<Spread>,
    /// From the file to what specialists see in it, on the way to the first token; where the model
    /// is told of it.
    shutter_to_first_label: Option<Spread>,
    /// Of that: the specialists alone.
    evidence: Option<Spread>,
    /// Reading what is written in a scene of 1280 × 720 pixels: seconds, over the last pictures enlarged
    /// to that.
    text: Option<Spread>,
    /// Of that: resizing, and counting the words.
    prepare: Option<Spread>,
    /// Of that: encoder, projector and prefill.
    prefill: Option<Spread>,
    /// Tokens a second, encoding included.
    prefill_rate: Option<Spread>,
    /// The vision encoder's attention, computed again beside the answer: seconds.
    attention: Option<Spread>,
    /// The same for each second from the shutter to the first word.
    attention_share: Option<Spread>,
    /// Reading the answer back once, for the maps of its words: seconds.
    reading: Option<Spread>,
    /// The same for each second of encoding and prefill.
    reading_share: Option<Spread>,
    /// Tying an answer to the picture, all readings: seconds, over the first pictures.
    grounding: Option<Spread>,
    /// Tying what names a label, without a reading, and holding the answer against the labels: seconds.
    tying: Option<Spread>,
    /// Looks a second at a scene that goes on moving, and the share of one core that they take.
    live_looks: Option<Spread>,
    live_share: Option<Spread>,
    /// Tokens a second after the first one.
    decode_rate: Option<Spread>,
    /// Largest resident memory of the process, in bytes, where the system tells.
    peak_memory: Option<u64>,
}

/// Loads the model, says so, and ends: what the cold starts are timed on.
pub fn only_start(tools: Tools<'_>, args: &BenchArgs) -> Result<(), CliError> {
    Session::start(tools, &args.model)?.ready()?;
    text_line(&mut stdout(), READY)
}

pub fn run(tools: Tools<'_>, args: &BenchArgs) -> Result<(), CliError> {
    let folders = tools.folders;
    // The first load may unpack; the starts that are timed find everything in place.
    let mut session = Session::start(tools, &args.model)?;
    let model = session.ready()?;
    let files: Vec<_> =
        samples(folders)?.iter().map(|sample| folders.samples.join(&sample.file)).collect();

    // What runs for the first time pays for memory and threads that later answers find ready.
    let (warm_up, _) = read(&files[..1], &[])?;
    let corner = Region::new(0.0, 0.0, 0.5, 0.5).ok();
    let warm_up: Vec<_> = warm_up.into_iter().map(|look| Look { region: corner, ..look }).collect();
    let evidence = session.evidence(&warm_up, DEFAULT_QUESTION)?;
    session.ask(Question::told(&warm_up, &evidence, DEFAULT_QUESTION), |_| Ok(()))?;

    // Models of other kinds have no maps to measure.
    let vision = (tools.encoders.vision)(&model.folder).ok();
    let mut columns: [Vec<f64>; 14] = Default::default();
    let [first_word, decode_picture, prepare, prefill, prefill_rate, decode_rate, maps @ ..] =
        &mut columns;
    let [attention, attention_share, reading, reading_share, grounding, tying, seen @ ..] = maps;
    let [first_label, seeing] = seen;
    for (index, file) in files.iter().enumerate() {
        // Each picture is new to the engine, which keeps the last ones it encoded.
        let shutter = Instant::now();
        let (pictures, decoded) = read(std::slice::from_ref(file), &[])?;
        let looking = Instant::now();
        let seen = session.sightings(&pictures, DEFAULT_QUESTION)?;
        let evidence = evidence_of(&seen);
        if !evidence.is_empty() {
            first_label.push(shutter.elapsed().as_secs_f64());
            seeing.push(looking.elapsed().as_secs_f64());
        }
        let mut first = None;
        let question = Question::told(&pictures, &evidence, DEFAULT_QUESTION);
        let answer = session.ask(question.clone(), |_| {
            first.get_or_insert_with(|| shutter.elapsed());
            Ok(())
        })?;
        if let Some(first) = first {
            first_word.push(first.as_secs_f64());
        }
        if let Some(Sighting { maps, .. }) = seen.first() {
            let started = Instant::now();
            let claims = unconfirmed(&answer.text, maps);
            drop((claims, Grounding::at_once(&answer.text, maps)));
            tying.push(started.elapsed().as_secs_f64());
        }
        decode_picture.push(decoded.as_secs_f64());
        prepare.push(answer.timings.prepare);
        prefill.push(answer.timings.prefill);
        prefill_rate.push(answer.prompt_tokens as f64 / answer.timings.prefill);
        let told = told(question, &answer);
        if let (Some(first), Some(told), Some(vision)) = (first, told, &vision) {
            let started = Instant::now();
            vision.attention(&told.picture)?;
            let seconds = started.elapsed().as_secs_f64();
            attention.push(seconds);
            attention_share.push(seconds / first.as_secs_f64());
            let once = session.score(told.as_given())?.took;
            reading.push(once);
            reading_share.push(once / answer.timings.prefill);
            if index < GROUNDED {
                let started = Instant::now();
                Maps::of(&mut session, tools.encoders, &model, told, None)?;
                grounding.push(started.elapsed().as_secs_f64());
            }
        }
        let question = Question::told(&pictures, &evidence, DESCRIBE);
        let answer = session.ask(question, |_| Ok(()))?;
        decode_rate.extend(answer.decode_rate());
    }
    let ahead = files.iter().map(|file| shown_before(&mut session, file));
    let ahead: Vec<_> = ahead.collect::<Result<_, _>>()?;
    let text = files.iter().rev().take(SCENES).map(|file| read_scene(&session, file));
    let text = text.collect::<Result<Vec<_>, _>>()?;
    let live = files.iter().rev().take(SCENES).map(|file| glance_at(&session, file));
    let (looks, shares) = live.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let peak_memory = peak_memory();
    drop(session);
    let starts = (0..args.starts).map(|_| cold_start(args)).collect::<Result<Vec<_>, _>>()?;

    let [first_word, decode_picture, prepare, prefill, prefill_rate, decode_rate, maps @ ..] =
        columns;
    let [attention, attention_share, reading, reading_share, grounding, tying, seen @ ..] = maps;
    let [first_label, seeing] = seen;
    let figures = Figures {
        model: format!("{} {}", model.info.name, model.info.revision),
        weights: model.info.weights,
        device: model.info.device,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        start: Spread::of(starts),
        shutter_to_first_word: Spread::of(first_word),
        first_word_looked_ahead: Spread::of(ahead.into_iter().flatten().collect()),
        decode_picture: Spread::of(decode_picture),
        shutter_to_first_label: Spread::of(first_label),
        evidence: Spread::of(seeing),
        text: Spread::of(text),
        prepare: Spread::of(prepare),
        prefill: Spread::of(prefill),
        prefill_rate: Spread::of(prefill_rate),
        attention: Spread::of(attention),
        attention_share: Spread::of(attention_share),
        reading: Spread::of(reading),
        reading_share: Spread::of(reading_share),
        grounding: Spread::of(grounding),
        tying: Spread::of(tying),
        live_looks: Spread::of(looks),
        live_share: Spread::of(shares),
        decode_rate: Spread::of(decode_rate),
        peak_memory,
    };
    if args.json { json_line(&mut stdout(), &figures) } else { table(&figures) }
}

/// Seconds from the question to the first word about a picture that was shown before. It is mirrored, so
/// that the engine has not encoded it.
fn shown_before(session: &mut Session, file: &Path) -> Result<Option<f64>, CliError> {
    let (pictures, _) = read(&[file], &[])?;
    let pixels = image::imageops::flip_horizontal(&*pictures[0].frame.pixels);
    let frame = Frame::new(pixels, Source::Memory("mirrored".into()));
    let pictures = [Look { frame, region: None }];
    let shown = Instant::now();
    let mut evidence = session.evidence(&pictures, DEFAULT_QUESTION)?;
    for (evidence, picture) in evidence.iter_mut().zip(&pictures) {
        evidence.lines = session.witness.lines(picture, &mut |_| true)?;
    }
    std::thread::sleep(REST.saturating_sub(shown.elapsed()));
    session.look_ahead(Question::told(&pictures, &evidence, ""))?;
    std::thread::sleep(SHOWN.saturating_sub(shown.elapsed()));
    let asked = Instant::now();
    let mut first = None;
    session.ask(Question::told(&pictures, &evidence, DEFAULT_QUESTION), |_| {
        first.get_or_insert_with(|| asked.elapsed());
        Ok(())
    })?;
    Ok(first.map(|first| first.as_secs_f64()))
}

/// Seconds to read what is written in a picture, enlarged to a scene.
fn read_scene(session: &Session, file: &Path) -> Result<f64, CliError> {
    let (pictures, _) = read(&[file], &[])?;
    let (width, height) = SCENE;
    let pixels = resize(&pictures[0].frame.pixels, width, height, Filter::Lanczos);
    let frame = Frame::new(pixels, Source::Memory("a scene".into()));
    let started = Instant::now();
    session.witness.lines(&Look { frame, region: None }, &mut |_| true)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Looks a second at a scene that moves with each frame of a camera, and the share of one core that
/// they take. A look runs on one thread.
fn glance_at(session: &Session, file: &Path) -> Result<(f64, f64), CliError> {
    let (pictures, _) = read(&[file], &[])?;
    let (width, height) = SCENE;
    let scene = resize(&pictures[0].frame.pixels, width, height, Filter::Lanczos);
    let (mut pace, started) = (Pace::default(), Instant::now());
    let (mut looks, mut took) = (0, Duration::ZERO);
    while started.elapsed() < LIVE {
        std::thread::sleep(FRAME);
        if pace.is_due(Instant::now()) {
            let mut pixels = scene.clone();
            let row = 3 * width as usize;
            pixels.rotate_left(row * looks % (row * height as usize));
            let frame = Frame::new(pixels, Source::Memory("a moving scene".into()));
            let began = Instant::now();
            pace.begin(began);
            session.witness.glance(&Look { frame, region: None })?;
            pace.took(began.elapsed());
            (looks, took) = (looks + 1, took + began.elapsed());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok((looks as f64 / seconds, took.as_secs_f64() / seconds))
}

/// What was asked and answered about one picture; `None` for an answer without words.
fn told(question: Question, answer: &Answer) -> Option<Told> {
    let picture = question.turns.first()?.pictures.last()?.clone();
    (!answer.text.is_empty()).then(|| Told {
        question,
        picture,
        answer: answer.text.clone(),
        sampled: answer.tokens.iter().map(|token| token.id).collect(),
    })
}

fn table(figures: &Figures) -> Result<(), CliError> {
    let Figures { model, weights, device, cores, .. } = figures;
    let mut out = stdout().lock();
    text_line(&mut out, &format!("{model}, {weights}, {device}, {cores} cores"))?;
    let head = format!("{:34} {:>8} {:>8} {:>8} {:>4}", "", "median", "min", "max", "n");
    text_line(&mut out, &head)?;
    let rows = [
        ("start to ready, s", figures.start),
        ("shutter to first word, s", figures.shutter_to_first_word),
        ("  read and decode the picture, s", figures.decode_picture),
        ("shutter to first label, s", figures.shutter_to_first_label),
        ("  specialists, s", figures.evidence),
        ("  resize and count, s", figures.prepare),
        ("  encode and prefill, s", figures.prefill),
        ("first word, shown 2 s before, s", figures.first_word_looked_ahead),
        ("prefill with encoding, tok/s", figures.prefill_rate),
        ("decode, tok/s", figures.decode_rate),
        ("read the text of a scene, s", figures.text),
        ("encoder attention, s", figures.attention),
        ("  for a second to the first word", figures.attention_share),
        ("reading back (word maps), s", figures.reading),
        ("  for a second of prefill", figures.reading_share),
        ("tying an answer, seen alone, s", figures.grounding),
        ("tying an answer by its labels, s", figures.tying),
        ("live: looks a second", figures.live_looks),
        ("live: share of one core", figures.live_share),
    ];
    for (name, spread) in rows {
        let Some(Spread { n, median, min, max }) = spread else {
            continue;
        };
        let row = format!("{name:34} {median:8.3} {min:8.3} {max:8.3} {n:4}");
        text_line(&mut out, &row)?;
    }
    let memory = figures.peak_memory.map_or("not told by this system".to_owned(), |bytes| {
        format!("{:8.0} MB", bytes as f64 / 1e6)
    });
    text_line(&mut out, &format!("{:34} {memory}", "peak memory"))
}

/// Seconds from the start of a process of this program until its model is ready.
fn cold_start(args: &BenchArgs) -> Result<f64, CliError> {
    let failed = |reason: String| CliError::File { file: "a cold start".into(), reason };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let weights = args.model.weights;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(["bench", "--only-start", "--model", &args.model.model, "--weights", weights.name()])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if line.trim() == READY && status.success() {
        Ok(seconds)
    } else {
        Err(failed(format!("it ended with {status}")))
    }
}

/// Largest resident memory of this process so far, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0, 10.0]).unwrap();
        assert_eq!(spread, Spread { n: 4, median: 2.5, min: 1.0, max: 10.0 });
        assert_eq!(Spread::of(vec![5.0]).map(|spread| spread.n), Some(1));
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_of_memory_is_told() {
        assert!(peak_memory().unwrap() > 1_000_000);
    }
}
