//! An engine with one model, driven step by step from the command line.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conversation::{Answer, Token};
use engine::{
    Engine, EngineError, EngineEvent, LoadProgress, LoadRequest, LoadedModel, Question,
    ScoreRequest, Scores,
};
use evidence::{Evidence, EvidenceError, Sighting, Witness, asks_for_text};
use explain::Claim;
use model_store::Step;
use values::config::{Device, Folders};
use values::picture::Look;

use super::{CliError, ModelArgs, Tools};

/// How often Ctrl-C is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether someone looks for Ctrl-C, and will end what is under way.
static WATCHED: AtomicBool = AtomicBool::new(false);

#[expect(clippy::disallowed_methods, reason = "a blocked read or decode knows no other end")]
fn interrupted() {
    if INTERRUPTED.swap(true, Ordering::Relaxed) || !WATCHED.load(Ordering::Relaxed) {
        std::process::exit(i32::from(CliError::Interrupted.exit_code()));
    }
}

/// An engine whose model is loaded or on its way.
pub struct Session {
    engine: Engine,
    /// The model, once it is ready.
    pub model: Option<LoadedModel>,
    /// Who says what is to be seen in a picture.
    pub witness: Witness,
    /// Whether a model that takes it is told of that.
    told: bool,
}

impl Session {
    /// Starts the engine and the loading of the model.
    pub fn start(tools: Tools<'_>, args: &ModelArgs) -> Result<Self, CliError> {
        ctrlc::set_handler(interrupted).map_err(|error| CliError::Usage(error.to_string()))?;
        let engine = (tools.backend.start)(Box::new(|| ()))?;
        let (witness, told) = (tools.witness(), !args.no_evidence);
        let mut session = Self { engine, model: None, witness, told };
        session.load(tools.folders, args)?;
        Ok(session)
    }

    /// Starts the loading of another model in place of the one there is.
    pub fn load(&mut self, folders: &Folders, args: &ModelArgs) -> Result<(), CliError> {
        self.model = None;
        self.engine.load(LoadRequest {
            model: model_store::locate(folders, &args.model)?,
            folders: folders.clone(),
            weights: args.weights,
            device: Device::Auto,
        })?;
        Ok(())
    }

    /// Waits until the model is ready.
    pub fn ready(&mut self) -> Result<LoadedModel, CliError> {
        let mut progress = ProgressLine::default();
        loop {
            if let Some(model) = &self.model {
                return Ok(model.clone());
            }
            match self.next()? {
                EngineEvent::Loading(_, LoadProgress::Files(step)) => progress.show(step),
                EngineEvent::Ready(_, model) => {
                    progress.clear();
                    self.model = Some(model);
                }
                EngineEvent::Failed(_, error) => {
                    progress.clear();
                    return Err(error.into());
                }
                _ => {}
            }
        }
    }

    /// What specialists see in each of `pictures`, as far as the model is told of it, and what they
    /// read, where `question` asks for that. They look while it loads.
    pub fn evidence(
        &mut self,
        pictures: &[Look],
        question: &str,
    ) -> Result<Vec<Evidence>, CliError> {
        Ok(evidence_of(&self.sightings(pictures, question)?))
    }

    /// The same, and where.
    pub fn sightings(
        &mut self,
        pictures: &[Look],
        question: &str,
    ) -> Result<Vec<Sighting>, CliError> {
        if self.model.is_some() && !self.tells() {
            return Ok(Vec::new());
        }
        let wanted = if self.told { pictures } else { &[] };
        let look = |picture: &Look| {
            let mut seen = self.witness.sighting(picture)?;
            if asks_for_text(question) {
                seen.evidence.lines = self.witness.lines(picture, &mut |_| true)?;
            }
            Ok::<_, EvidenceError>(seen)
        };
        let seen = wanted.iter().map(look);
        let seen: Result<Vec<_>, _> = seen.collect();
        self.ready()?;
        if self.tells() { Ok(seen?) } else { Ok(Vec::new()) }
    }

    /// What `answer` says to be there and the last of `pictures` does not bear out; what was seen of it
    /// is looked for in `seen` first. An answer is not lost where nobody can look.
    pub fn unconfirmed(&self, pictures: &[Look], seen: &[Sighting], answer: &str) -> Vec<Claim> {
        let looked = || match pictures.last().map(|picture| self.witness.sighting(picture)) {
            Some(Err(error)) => {
                eprintln!("lorgnette: the answer is not held against its picture: {error}");
                None
            }
            looked => looked?.ok(),
        };
        let seen = seen.last().cloned().or_else(looked);
        seen.map_or(Vec::new(), |seen| explain::unconfirmed(answer, &seen.maps))
    }

    /// Whether the model, which is ready, is told what specialists see.
    pub fn tells(&self) -> bool {
        let takes = self.model.as_ref().is_some_and(|model| model.evidence_words().is_some());
        self.told && takes
    }

    /// Asks, calls `each` with every token as it comes, and gives back the answer.
    pub fn ask(
        &mut self,
        question: Question,
        mut each: impl FnMut(&Token) -> Result<(), CliError>,
    ) -> Result<Answer, CliError> {
        let asked = self.engine.ask(question)?;
        loop {
            match self.next()? {
                event if event.request() != asked => {}
                EngineEvent::Token(_, token) => each(&token)?,
                EngineEvent::Done(_, answer) => return Ok(*answer),
                EngineEvent::Failed(_, error) => return Err(error.into()),
                _ => {}
            }
        }
    }

    /// Has the engine look at what a question would begin with, and does not wait for it.
    pub fn look_ahead(&self, beginning: Question) -> Result<(), CliError> {
        self.engine.look_ahead(beginning)?;
        Ok(())
    }

    /// Has an answer read back, and waits for it.
    pub fn score(&mut self, wanted: ScoreRequest) -> Result<Scores, CliError> {
        let asked = self.engine.score(wanted)?;
        loop {
            match self.next()? {
                EngineEvent::Scored(request, scores) if request == asked => return Ok(*scores),
                EngineEvent::Failed(request, error) if request == asked => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
    }

    /// The next event, unless Ctrl-C comes first.
    fn next(&self) -> Result<EngineEvent, CliError> {
        WATCHED.store(true, Ordering::Relaxed);
        let event = self.next_looking();
        WATCHED.store(false, Ordering::Relaxed);
        event
    }

    fn next_looking(&self) -> Result<EngineEvent, CliError> {
        loop {
            if INTERRUPTED.load(Ordering::Relaxed) {
                // The process may end before this is heard; then it ended the answer as well.
                let _: Result<(), EngineError> = self.engine.stop();
                return Err(CliError::Interrupted);
            }
            if let Some(event) = self.engine.wait_event(POLL_INTERVAL)? {
                return Ok(event);
            }
        }
    }
}

/// The line on stderr that says why the first start takes a little longer.
#[derive(Default)]
struct ProgressLine {
    percent: Option<u64>,
}

impl ProgressLine {
    fn show(&mut self, step: Step) {
        let Step::Unpacking(progress) = step else {
            return;
        };
        let percent = progress.done * 100 / progress.total;
        if std::io::stderr().is_terminal() && self.percent != Some(percent) {
            self.percent = Some(percent);
            eprint!("\rFirst start: unpacking the model {percent} %");
            let _ = std::io::stderr().flush();
        }
    }

    fn clear(&mut self) {
        if self.percent.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

/// What a model is told of these.
pub fn evidence_of(seen: &[Sighting]) -> Vec<Evidence> {
    seen.iter().map(|seen| seen.evidence.clone()).collect()
}
