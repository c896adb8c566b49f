//! `lorgnette eval`: how right the maps are.

use std::io::stdout;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use eval::composites::{self, Named};
use eval::{EvalError, Looker, Row, dataset, pointing};
use values::config::Folders;

use super::demo::samples;
use super::output::{json_line, text_line};
use super::session::Session;
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
    /// Ask each map where named things are, on pictures with boxes.
    Pointing(PointingArgs),
    /// Put four sample pictures into one and ask for each by name.
    Composites(CompositesArgs),
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
    common: Common,
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
    common: Common,
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    model: ModelArgs,
    /// Print the table as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(tools: Tools<'_>, args: &EvalArgs) -> Result<(), CliError> {
    match &args.what {
        What::Pointing(args) => {
            let set = dataset::read(&args.dataset)?;
            let dual = args.dual.as_deref().map(tools.encoders.dual).transpose();
            let dual = dual.map_err(EvalError::from)?;
            let rows = with_looker(tools, &args.common.model, |looker| {
                let all = set.len();
                let mut told = |done: usize, boxed: &dataset::Boxed| {
                    eprintln!("{done} of {all}: {} in {}", boxed.label, boxed.file.display());
                };
                Ok(pointing::play(&set, looker, dual, &mut told)?)
            })?;
            if args.common.json { json_line(&mut stdout(), &rows) } else { table(&rows) }
        }
        What::Composites(args) => {
            let pictures = pictures(tools.folders)?;
            let outcome = with_looker(tools, &args.common.model, |looker| {
                let mut told = |done: usize| eprintln!("{done} of {}", args.count);
                Ok(composites::play(&pictures, args.count, args.seed, looker, &mut told)?)
            })?;
            if args.common.json {
                return json_line(&mut stdout(), &outcome);
            }
            table(&outcome.rows)?;
            let presence = format!(
                "a name that is there has more support than one that is not: {:.0} % of {} pairs",
                outcome.presence * 100.0,
                outcome.pairs
            );
            text_line(&mut stdout(), &presence)
        }
    }
}

/// The samples that show one thing each, by its name.
fn pictures(folders: &Folders) -> Result<Vec<Named>, CliError> {
    let samples = samples(folders)?.into_iter();
    let alone = samples.filter(|sample| !MIXED.contains(&sample.file.as_str()));
    alone
        .map(|sample| {
            let frame = capture::load(&folders.samples.join(&sample.file))?;
            let name = sample.names.first().cloned().unwrap_or_default();
            Ok(Named { name, pixels: (*frame.pixels).clone() })
        })
        .collect()
}

/// Has the model loaded and waits for each answer to be read back.
fn with_looker<T>(
    tools: Tools<'_>,
    args: &ModelArgs,
    work: impl FnOnce(&mut Looker<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut session = Session::start(tools, args)?;
    let model = session.ready()?;
    let vision = (tools.encoders.vision)(&model.folder).map_err(EvalError::from)?;
    let mut stopped = None;
    let mut read = |wanted| match session.score(wanted) {
        Ok(scores) => Ok(scores),
        Err(CliError::Engine(error)) => Err(EvalError::Engine(error)),
        Err(other) => {
            stopped = Some(other);
            Err(EvalError::Engine(engine::EngineError::Superseded))
        }
    };
    let result = work(&mut Looker { read: &mut read, input: &model.input, vision: &*vision });
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
