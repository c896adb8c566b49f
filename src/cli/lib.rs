//! The command line: `ask`, `labels`, `read`, `cameras`, `replay`, `eval`, `bench`, `demo`.
//!
//! Exit codes: 0 answered; 1 the model or the engine failed, a line of a batch did, or a replayed
//! answer came out differently; 2 the command line is wrong; 3 a picture could not be read, or a
//! camera gave none; 130 stopped by Ctrl-C.

mod ask;
mod batch;
mod bench;
mod cameras;
mod demo;
mod drawing;
mod eval;
mod heatmaps;
mod look;
mod output;
mod replay;
mod session;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use ::eval::EvalError;
use ::session::SessionError;
use capture::{CameraError, CaptureError};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use conversation::Options;
use encoder::{EncoderError, Encoders};
use engine::{Backend, EngineError};
use evidence::{EvidenceError, Specialists, Witness};
use grounding::GroundingError;
use model_store::ModelError;
use values::config::{ConfigError, DEFAULT_MODEL, Folders, Precision};
use values::region::{RegionError, RegionSpec};

#[derive(Parser)]
#[command(
    name = "lorgnette",
    version,
    about = "Asks \"what is that?\" about a picture, on this machine alone.",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Pictures or folders to open in the window.
    pictures: Vec<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Start {
    /// The window.
    Window {
        /// Where everything lies.
        folders: Folders,
        /// What it opens first.
        pictures: Vec<PathBuf>,
    },
    /// It was a command, which is done.
    Done(ExitCode),
}

#[derive(Subcommand)]
enum Command {
    /// Answer a question about one or more pictures.
    Ask(AskArgs),
    /// Name what is in one or more pictures, without the language model.
    Labels(LookArgs),
    /// Read what is written in one or more pictures, without the language model.
    Read(LookArgs),
    /// List the cameras that are connected, or try one.
    Cameras(cameras::CamerasArgs),
    /// Ask a kept conversation's questions again and compare the answers.
    Replay(ReplayArgs),
    /// Judge the maps on pictures where the answer is known.
    Eval(eval::EvalArgs),
    /// Measure start, answering and memory over the sample pictures.
    Bench(BenchArgs),
    /// Ask "What is that?" about every sample picture and draw the answers into a folder.
    Demo(DemoArgs),
}

#[derive(Args)]
#[command(after_help = "Exit codes: 0 answered; 1 the model or the engine failed, or a line of a \
    batch did; 2 the command line is wrong; 3 a picture could not be read, or a camera gave none; \
    130 stopped by Ctrl-C.")]
struct AskArgs {
    /// Pictures (files, - for standard input, camera:0 for one from that camera), then the
    /// question. Without a question: "What is that?"
    #[arg(value_name = "PICTURE... QUESTION", required_unless_present = "batch")]
    words: Vec<OsString>,
    /// The part of the picture that "that" means: x,y,width,height in pixels or, none above 1, as
    /// fractions. Once for each picture, in their order.
    #[arg(long, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    region: Vec<RegionSpec>,
    #[command(flatten)]
    answer: AnswerArgs,
    /// Print one JSON object: answer, tokens with log-probabilities, timings, model, what it was told
    /// of each picture, a caution; with --heatmap or --ground also phrases with their boxes and
    /// strengths.
    #[arg(long)]
    json: bool,
    /// Tie the answer to the picture and draw it into this folder: the encoder's attention, a map
    /// for each word, each phrase with its box, and the raw numbers as maps.safetensors.
    #[arg(long, value_name = "DIR")]
    heatmap: Option<PathBuf>,
    /// Tie the answer to the picture, without drawing.
    #[arg(long)]
    ground: bool,
    /// Answer every line of a file (- for standard input): {"image", "question", "region"?} as
    /// JSON, one answer a line as it comes. Pictures are found relative to the file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "region", "json", "heatmap", "ground"])]
    batch: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 a specialist failed; 2 the command line is wrong; 3 a \
    picture could not be opened, or a camera gave none."
)]
struct LookArgs {
    /// Pictures: files, - for standard input, camera:0 for one from that camera.
    #[arg(value_name = "PICTURE", required = true)]
    pictures: Vec<OsString>,
    /// The part of the picture to look at, as in ask. Once for each picture, in their order.
    #[arg(long, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    region: Vec<RegionSpec>,
    /// Print one JSON object a picture: labels with chances and kinds, and colours; or lines with
    /// chances and corners.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct AnswerArgs {
    /// Longest answer, in tokens.
    #[arg(long, default_value_t = Options::default().max_tokens)]
    max_tokens: usize,
    /// 0 takes the likeliest words; above it they are drawn by chance.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Start of the chance that a temperature above 0 draws from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Args, PartialEq)]
struct ModelArgs {
    /// A shipped model's name, also with a revision (NAME@2), or a folder with a checkpoint.
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// Precision of the language model's matrices.
    #[arg(long, value_parser = precision(), default_value = Precision::default().name())]
    weights: Precision,
    /// Do not tell the model what specialists see in the pictures.
    #[arg(long)]
    no_evidence: bool,
}

#[derive(Args)]
#[command(after_help = "Exit codes: 0 every answer came out the same; 1 one did not, or the \
    bundle, the model or the engine failed; 2 the command line is wrong; 130 stopped by Ctrl-C.\n\
    Only answers at temperature 0, from the same model, are promised to come out the same.")]
struct ReplayArgs {
    /// An exported conversation (a folder or a .zip), or the name of one in the history.
    bundle: PathBuf,
    /// A shipped model's name, also with a revision (NAME@2), or a folder with a checkpoint.
    /// Without it: the model that was asked, in that revision, where it is shipped.
    #[arg(long)]
    model: Option<String>,
    /// Precision of the language model's matrices. Without it: as it was asked.
    #[arg(long, value_parser = precision())]
    weights: Option<Precision>,
    /// Print one JSON object: what became of each question, and where answers part.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct BenchArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// How many cold starts to time.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Load the model, say so, and end: one cold start, for the measurement itself.
    #[arg(long, hide = true)]
    only_start: bool,
}

#[derive(Args)]
struct DemoArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Where the drawn answers go.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// What `--weights` takes.
fn precision() -> impl TypedValueParser<Value = Precision> {
    let value = |precision: Precision, help| PossibleValue::new(precision.name()).help(help);
    let values = [
        value(Precision::Q8_0, "8-bit blocks: small and fast"),
        value(Precision::F32, "32-bit floating point: the reference"),
    ];
    PossibleValuesParser::new(values)
        .try_map(|name| Precision::named(&name).ok_or("there is no such precision"))
}

impl AnswerArgs {
    fn options(&self) -> Options {
        let Self { max_tokens, temperature, seed, .. } = *self;
        Options { max_tokens, temperature, seed }
    }
}

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Camera(#[from] CameraError),
    #[error("{0}")]
    Region(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error("{0}")]
    Usage(String),
    #[error("{file}: {reason}")]
    File { file: String, reason: String },
    #[error("{failed} of {all} lines could not be answered")]
    Batch { failed: usize, all: usize },
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("no question in it was answered: there is nothing to compare")]
    NothingToReplay,
    #[error("{different} of {all} answers came out differently")]
    Replay { different: usize, all: usize },
    #[error("the answer has no maps: {0}")]
    Maps(String),
    #[error(transparent)]
    Eval(#[from] EvalError),
    #[error("stopped")]
    Interrupted,
    /// Whoever read the output has gone; there is nobody to tell.
    #[error("the output was closed")]
    OutputClosed,
}

impl From<EncoderError> for CliError {
    fn from(error: EncoderError) -> Self {
        Self::Maps(error.to_string())
    }
}

impl From<GroundingError> for CliError {
    fn from(error: GroundingError) -> Self {
        Self::Maps(error.to_string())
    }
}

impl From<ModelError> for CliError {
    fn from(error: ModelError) -> Self {
        Self::Engine(error.into())
    }
}

impl CliError {
    fn region(picture: &str, error: &RegionError) -> Self {
        Self::Region(format!("{picture}: {error}"))
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Engine(
                EngineError::EmptyQuestion | EngineError::NoPicture | EngineError::BadOption(_),
            )
            | Self::Region(_)
            | Self::Usage(_) => 2,
            Self::Config(_)
            | Self::Engine(_)
            | Self::File { .. }
            | Self::Batch { .. }
            | Self::Session(_)
            | Self::Eval(_)
            | Self::Evidence(_)
            | Self::Maps(_)
            | Self::NothingToReplay
            | Self::Replay { .. } => 1,
            Self::Capture(_) | Self::Camera(_) => 3,
            Self::Interrupted => 130,
        }
    }
}

/// What every command works with.
#[derive(Clone, Copy)]
struct Tools<'a> {
    folders: &'a Folders,
    backend: Backend,
    encoders: Encoders,
    specialists: Specialists,
}

impl Tools<'_> {
    /// Who says what is to be seen in a picture.
    fn witness(&self) -> Witness {
        Witness::new(self.specialists, &self.folders.models)
    }
}

/// Runs the command that the process was started with; without one, the window is wanted. `backend`
/// answers, `encoders` compute maps, `specialists` find evidence.
#[must_use]
pub fn main(backend: Backend, encoders: Encoders, specialists: Specialists) -> Start {
    let Cli { command, pictures } = Cli::parse();
    let result = Folders::find().map_err(CliError::from).and_then(|folders| {
        keep_mistralrs_at_home(&folders);
        let Some(command) = command else {
            return Ok(Some(Start::Window { folders, pictures: absolute(pictures) }));
        };
        let tools = Tools { folders: &folders, backend, encoders, specialists };
        let done = match command {
            Command::Ask(AskArgs { batch: Some(file), answer, .. }) => {
                batch::run(tools, &file, &answer)
            }
            Command::Ask(ask) => ask::run(tools, &ask),
            Command::Labels(labels) => look::labels(tools, &labels),
            Command::Read(args) => look::text(tools, &args),
            Command::Cameras(cameras) => cameras::run(&cameras),
            Command::Replay(replay) => replay::run(tools, &replay),
            Command::Bench(bench) if bench.only_start => bench::only_start(tools, &bench),
            Command::Bench(bench) => bench::run(tools, &bench),
            Command::Demo(demo) => demo::run(tools, &demo),
            Command::Eval(eval) => eval::run(tools, &eval),
        };
        done.map(|()| None)
    });
    match result {
        Ok(Some(window)) => window,
        Ok(None) => Start::Done(ExitCode::SUCCESS),
        Err(error) => {
            if !matches!(error, CliError::OutputClosed) {
                eprintln!("lorgnette: {error}");
            }
            Start::Done(ExitCode::from(error.exit_code()))
        }
    }
}

/// The pictures by their full paths: the window is no place to know the current folder.
fn absolute(pictures: Vec<PathBuf>) -> Vec<PathBuf> {
    let full = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    pictures.into_iter().map(full).collect()
}

/// mistral.rs makes an empty Hugging Face folder in the user's home, wherever it loads from.
fn keep_mistralrs_at_home(folders: &Folders) {
    // SAFETY: no other thread has been started yet.
    unsafe {
        std::env::set_var("HF_HOME", folders.cache.join("huggingface"));
        std::env::remove_var("HF_HUB_CACHE");
    }
}
