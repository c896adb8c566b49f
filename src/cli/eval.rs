//! `lorgnette eval`: how right answers and maps are.

use std::io::stdout;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use engine::Question;
use eval::composites::{self, Named};
use eval::naming::{self, Bin, Naming, Outcome};
use eval::reading::{self, Reading};
use eval::{EvalError, Interval, Looker, Row, dataset, pointing};
use evidence::Witness;
use indicatif::ProgressBar;
use values::config::{DEFAULT_QUESTION, Folders};
use values::text::one_line;

use super::ask::read;
use super::demo::samples;
use super::output::{json_line, text_line};
use super::session::{Session, evidence_of};
use super::{CliError, ModelArgs, Tools};

/// Samples that show more than one thing, or a drawing of a word.
const MIXED: &[&str] = &["two-objects.jpg", "hotel-sign.jpg"];

#[derive(Args)]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Ask about pictures whose names are known, and count the right answers.
    Name(NameArgs),
    /// Read what is written in pictures whose words are known, and count those that are found.
    Read(ReadArgs),
    /// Ask each map where named things are, on pictures with boxes.
    Pointing(PointingArgs),
    /// Put four sample pictures into one and ask for each by name.
    Composites(CompositesArgs),
}

#[derive(Args)]
struct NameArgs {
    /// A file with one JSON object a line: "image" (a path relative to the file) and "accept": the
    /// names that count as right.
    dataset: PathBuf,
    /// What is asked about each picture.
    #[arg(long, default_value = DEFAULT_QUESTION)]
    question: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct ReadArgs {
    /// A file with one JSON object a line: "image" (a path relative to the file) and "text": the words
    /// that are written in it. Those of three letters or more count.
    dataset: PathBuf,
    /// Print what is found as JSON.
    #[arg(long)]
    json: bool,
}

/// Which maps are judged.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhichMaps {
    /// All of them.
    All,
    /// The label encoder's alone: seconds, and no model is loaded.
    Label,
}

#[derive(Args)]
struct PointingArgs {
    /// A file with one JSON object a line: "image" (a path relative to the file) and "boxes":
    /// [[label, x0, y0, x1, y1], ...] in pixels.
    dataset: PathBuf,
    #[arg(
        long,
        help = "A folder with a CLIP or SigLIP checkpoint, whose phrase maps are judged too"
    )]
    dual: Option<PathBuf>,
    #[command(flatten)]
    judged: Judged,
}

#[derive(Args)]
struct CompositesArgs {
    /// How many composites; each has four names.
    #[arg(long, default_value_t = 12)]
    count: usize,
    /// Which ones are drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    judged: Judged,
}

#[derive(Args)]
struct Judged {
    /// Which maps are judged.
    #[arg(long, value_enum, default_value_t = WhichMaps::All)]
    maps: WhichMaps,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    model: ModelArgs,
    /// Print what is found as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(tools: Tools<'_>, args: &EvalArgs) -> Result<(), CliError> {
    match &args.what {
        What::Name(args) => name(tools, args),
        What::Read(args) => read_set(tools, args),
        What::Pointing(args) => {
            let set = dataset::read(&args.dataset)?;
            let dual = args.dual.as_deref().map(tools.encoders.dual).transpose();
            let dual = dual.map_err(EvalError::from)?;
            let rows = with_looker(tools, &args.judged, |witness, looker| {
                let all = set.len();
                let mut told = |done: usize, boxed: &dataset::Boxed| {
                    eprintln!("{done} of {all}: {} in {}", boxed.label, boxed.file.display());
                };
                Ok(pointing::play(&set, witness, looker, dual, &mut told)?)
            })?;
            if args.judged.common.json { json_line(&mut stdout(), &rows) } else { table(&rows) }
        }
        What::Composites(args) => {
            let pictures = pictures(tools.folders)?;
            let outcome = with_looker(tools, &args.judged, |witness, looker| {
                let mut told = |done: usize| eprintln!("{done} of {}", args.count);
                let CompositesArgs { count, seed, .. } = *args;
                Ok(composites::play(&pictures, count, seed, witness, looker, &mut told)?)
            })?;
            if args.judged.common.json {
                return json_line(&mut stdout(), &outcome);
            }
            table(&outcome.rows)?;
            let Some(presence) = outcome.presence else { return Ok(()) };
            let presence = format!(
                "a name that is there has more support than one that is not: {:.0} % of {} pairs",
                presence * 100.0,
                outcome.pairs
            );
            text_line(&mut stdout(), &presence)
        }
    }
}

fn name(tools: Tools<'_>, args: &NameArgs) -> Result<(), CliError> {
    let set = naming::read(&args.dataset)?;
    let mut session = Session::start(tools, &args.common.model)?;
    session.ready()?;
    // On a terminal alone, on stderr.
    let bar = ProgressBar::new(set.len() as u64);
    let mut outcomes = Vec::with_capacity(set.len());
    for item in &set {
        let (pictures, _) = read(std::slice::from_ref(&item.file), &[])?;
        let mut seen = session.sightings(&pictures, &args.question)?;
        let evidence = evidence_of(&seen);
        if seen.is_empty() {
            seen.push(session.witness.sighting(&pictures[0])?);
        }
        let question = Question::told(&pictures, &evidence, args.question.as_str());
        let answer = session.ask(question, |_| Ok(()))?;
        outcomes.push(Outcome::new(item, &seen[0], answer.text));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let naming = Naming::of(outcomes);
    if args.common.json {
        return json_line(&mut stdout(), &naming);
    }
    let mut out = stdout().lock();
    for Outcome { image, label, answer, named, label_right, claims, .. } in &naming.outcomes {
        let mark = |right: bool| if right { "named" } else { "-" };
        let label = label.as_ref().map_or("–", |(name, _)| name);
        let row =
            format!("{image:28} {:5} {label:28} {:5} {answer}", mark(*label_right), mark(*named));
        let doubtful = claims.iter().filter(|claim| !claim.is_confirmed());
        let doubtful: Vec<&str> = doubtful.map(|claim| &*claim.noun).collect();
        let doubtful = match &doubtful[..] {
            [] => String::new(),
            nouns => format!(" [not confirmed: {}]", nouns.join(", ")),
        };
        text_line(&mut out, &format!("{row}{doubtful}"))?;
    }
    let Naming { n, labels, answers, hedged, wrong, reliability, .. } = &naming;
    for (name, Interval { share, low, high }) in [("label encoder", labels), ("answers", answers)] {
        let [share, low, high] = [share, low, high].map(|share| share * 100.0);
        let row = format!("{name:14} {share:5.1} % of {n} named ({low:.1} – {high:.1} %)");
        text_line(&mut out, &row)?;
    }
    text_line(&mut out, &format!("{hedged} answers are not sure; {wrong} are, and wrong"))?;
    text_line(&mut out, "label's chance    n  mean chance  right")?;
    for Bin { from, n, chance, right } in reliability {
        let [from, chance, right] = [f64::from(*from), *chance, *right].map(|share| share * 100.0);
        let row = format!("{from:3.0} – {:3.0} % {n:6} {chance:10.1} % {right:5.1} %", from + 10.0);
        text_line(&mut out, &row)?;
    }
    Ok(())
}

fn read_set(tools: Tools<'_>, args: &ReadArgs) -> Result<(), CliError> {
    let set = reading::read(&args.dataset)?;
    let witness = tools.witness();
    let bar = ProgressBar::new(set.len() as u64);
    let mut outcomes = Vec::with_capacity(set.len());
    for item in &set {
        let (pictures, _) = read(std::slice::from_ref(&item.file), &[])?;
        let lines = witness.lines(&pictures[0], &mut |_| true)?;
        let lines = lines.into_iter().map(|line| line.text).collect();
        outcomes.push(reading::Outcome::new(item, lines));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let reading = Reading::of(outcomes);
    if args.json {
        return json_line(&mut stdout(), &reading);
    }
    let mut out = stdout().lock();
    for reading::Outcome { image, lines, found, missed } in &reading.outcomes {
        let count = format!("{} of {}", found.len(), found.len() + missed.len());
        let row = format!("{image:28} {count:8} {}", one_line(&lines.join(" / ")));
        text_line(&mut out, &row)?;
    }
    let Interval { share, low, high } = reading.found;
    let [share, low, high] = [share, low, high].map(|share| share * 100.0);
    let text = format!("{share:.1} % of {} words read ({low:.1} – {high:.1} %)", reading.n);
    text_line(&mut out, &text)
}

/// The samples that show one thing each, by its name.
fn pictures(folders: &Folders) -> Result<Vec<Named>, CliError> {
    let samples = samples(folders)?.into_iter();
    let alone = samples.filter(|sample| !MIXED.contains(&sample.file.as_str()));
    alone
        .map(|sample| {
            let frame = capture::load(&folders.samples.join(&sample.file))?;
            Ok(Named { names: sample.names, pixels: (*frame.pixels).clone() })
        })
        .collect()
}

/// Has the model loaded, where all maps are judged, and waits for each answer to be read back.
fn with_looker<T>(
    tools: Tools<'_>,
    args: &Judged,
    work: impl FnOnce(&Witness, Option<&mut Looker<'_>>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    if args.maps == WhichMaps::Label {
        return work(&tools.witness(), None);
    }
    let mut session = Session::start(tools, &args.common.model)?;
    let model = session.ready()?;
    let vision = (tools.encoders.vision)(&model.folder).map_err(EvalError::from)?;
    let (witness, told) = (&session.witness.clone(), session.tells());
    let mut stopped = None;
    let mut read = |wanted| match session.score(wanted) {
        Ok(scores) => Ok(scores),
        Err(CliError::Engine(error)) => Err(EvalError::Engine(error)),
        Err(other) => {
            stopped = Some(other);
            Err(EvalError::Engine(engine::EngineError::Superseded))
        }
    };
    let mut looker =
        Looker { read: &mut read, input: &model.input, vision: &*vision, witness, told };
    let result = work(witness, Some(&mut looker));
    match stopped {
        Some(error) => Err(error),
        None => result,
    }
}

fn table(rows: &[Row]) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let head =
        format!("{:20} {:>4} {:>9} {:>15} {:>8}", "", "n", "pointing", "95 % interval", "energy");
    text_line(&mut out, &head)?;
    for Row { name, n, pointing, energy } in rows {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let interval = format!("{} – {}", percent(pointing.low), percent(pointing.high));
        let energy = energy.map_or(String::new(), percent);
        let row =
            format!("{name:20} {n:4} {:>9} {interval:>15} {energy:>8}", percent(pointing.share));
        text_line(&mut out, &row)?;
    }
    Ok(())
}
