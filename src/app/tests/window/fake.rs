//! An engine, a camera, a desktop and a voice that a test speaks for.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use capture::{CameraChoice, CameraDevice, CameraFeed, CameraState};
use conversation::{Answer, Finish, ModelCard, ModelInfo, Timings, Token};
use encoder::{DualEncoder, EncoderError, EncoderMaps, Encoders, Found, VisionEncoder};
use engine::{
    Answering, EngineError, EngineEvent, LoadRequest, LoadedModel, Question, RequestId,
    ScoreRequest, Scores,
};
use grounding::{Piece, TokenLogits};
use lorgnette_app::desktop::{Desktop, Wish};
use speech::{SpeechError, Voice};
use values::frame::{Frame, Source};
use values::heatmap::Heatmap;
use values::picture::{ImageInput, Look};

/// No folder has an encoder in it.
pub const NO_ENCODERS: Encoders = Encoders {
    vision: |_| Err(EncoderError("there is no encoder".into())),
    dual: |_| Err(EncoderError("there is no encoder".into())),
};

/// Encoders that see the same in every picture, and panic where they are let go.
pub const FRAGILE_ENCODERS: Encoders =
    Encoders { vision: |_| Ok(Box::new(Fragile)), dual: |_| Ok(Box::new(Fragile)) };

struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "let go");
    }
}

fn spot() -> Heatmap {
    Heatmap::new(2, 2, vec![0.0, 1.0, 2.0, 3.0]).unwrap()
}

impl VisionEncoder for Fragile {
    fn attention(&self, _: &Look) -> Result<EncoderMaps, EncoderError> {
        let heads = vec![vec![spot()]];
        Ok(EncoderMaps { rollout: spot(), heads, plain: false, took: Duration::ZERO })
    }
}

impl DualEncoder for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn find(&mut self, _: &Look, phrase: &str) -> Result<Found, EncoderError> {
        Ok(Found { phrase: phrase.to_owned(), map: spot(), present: true })
    }

    fn shares(&mut self, _: &Look, words: &[String]) -> Result<Vec<(String, f32)>, EncoderError> {
        Ok(words.iter().map(|word| (word.clone(), 1.0 / words.len() as f32)).collect())
    }
}

/// An engine that says what it is told to.
#[derive(Clone, Default)]
pub struct FakeEngine(Arc<Mutex<EngineInside>>);

#[derive(Default)]
pub struct EngineInside {
    pub asked: Vec<Question>,
    /// Answers to be read back.
    pub scored: Vec<(RequestId, ScoreRequest)>,
    /// What was to be looked at ahead, each with how many questions had been asked before.
    pub ahead: Vec<(usize, Question)>,
    /// How many of those were read.
    read: usize,
    pub loads: usize,
    pub stops: usize,
    /// What is said of the model.
    pub card: Option<Arc<ModelCard>>,
    /// The next load fails with this.
    pub load_error: Option<EngineError>,
    /// The next question is refused with this.
    pub ask_error: Option<EngineError>,
    /// Every question is answered at once with these words.
    pub ready_answer: Option<Vec<&'static str>>,
    /// Loads are left without an end.
    pub slow: bool,
    /// The worker is gone.
    pub gone: bool,
    next: u64,
    current: Option<RequestId>,
    said: Vec<Token>,
    events: VecDeque<EngineEvent>,
}

pub fn model() -> LoadedModel {
    LoadedModel {
        info: ModelInfo {
            name: "fake".into(),
            revision: "1".into(),
            weights: "q8_0".into(),
            device: "CPU".into(),
        },
        card: None,
        context: 2048,
        input: ImageInput::square(224, (8, 8), 3),
        folder: PathBuf::new(),
        load_time: Duration::from_millis(700),
    }
}

impl FakeEngine {
    pub fn inside(&self) -> MutexGuard<'_, EngineInside> {
        self.0.lock().unwrap()
    }

    /// Says the next words of the answer under way, each with this probability.
    pub fn say(&self, words: &[&str], probability: f32) {
        let mut inside = self.inside();
        let request = inside.current.expect("a question is under way");
        for word in words {
            let id = inside.said.len() as u32 + 100;
            let token = Token { id, text: (*word).to_owned(), logprob: probability.ln() };
            inside.said.push(token.clone());
            inside.events.push_back(EngineEvent::Token(request, token));
        }
    }

    /// Ends the answer under way.
    pub fn end(&self, finish: Finish) {
        self.inside().end(finish);
    }

    pub fn fail(&self, error: EngineError) {
        let mut inside = self.inside();
        let request = inside.current.take().expect("a question is under way");
        inside.said.clear();
        inside.events.push_back(EngineEvent::Failed(request, error));
    }

    /// The answers that were to be read back, in order.
    pub fn readings(&self) -> Vec<ScoreRequest> {
        self.inside().scored.iter().map(|(_, wanted)| wanted.clone()).collect()
    }

    /// Reads the next answer back, as probable as any other; says whether there was one.
    pub fn read_next(&self) -> bool {
        let mut inside = self.inside();
        let Some((request, wanted)) = inside.scored.get(inside.read).cloned() else { return false };
        inside.read += 1;
        inside.events.push_back(EngineEvent::Scored(request, Box::new(scores(&wanted))));
        true
    }

    /// The answers that wait to be read back come to nothing.
    pub fn fail_readings(&self, error: &EngineError) {
        let mut inside = self.inside();
        let waiting: Vec<RequestId> =
            inside.scored[inside.read..].iter().map(|(request, _)| *request).collect();
        inside.read = inside.scored.len();
        for request in waiting {
            inside.events.push_back(EngineEvent::Failed(request, error.clone()));
        }
    }

    pub fn questions(&self) -> Vec<String> {
        let text = |question: &Question| question.turns.last().unwrap().text.clone();
        self.inside().asked.iter().map(text).collect()
    }
}

/// An answer read back: a token a word, each with its space, on a grid of eight by eight patches. A
/// robot is said more surely the more is sharp.
fn scores(wanted: &ScoreRequest) -> Scores {
    let answer = &wanted.answer;
    let mut pieces: Vec<Piece> = Vec::new();
    for (at, c) in answer.char_indices() {
        if at == 0 || c == ' ' || c == '.' {
            pieces.push(Piece { id: 40 + pieces.len() as u32, bytes: at..at });
        }
        pieces.last_mut().unwrap().bytes.end = at + c.len_utf8();
    }
    let said = pieces.iter().map(|piece| piece.id);
    let tokens: Vec<u32> = [[3; 64].as_slice(), &[20]].concat().into_iter().chain(said).collect();
    let columns: Vec<u32> = tokens[64..].to_vec();
    let logits = (0..tokens.len() * columns.len()).map(|cell| (cell % 7) as f32).collect();
    let pixels = &wanted.question.turns.iter().flat_map(|turn| &turn.pictures).last().unwrap();
    let (width, values) = (pixels.frame.width() as usize * 3, pixels.frame.pixels.as_raw());
    let steps = values.iter().zip(&values[width..]).map(|(a, b)| f32::from(a.abs_diff(*b)));
    let sharpness = steps.sum::<f32>() / values.len() as f32;
    let logprob = |piece: &Piece| {
        if &answer[piece.bytes.clone()] == " robot" {
            -6.0 + (2.0 * sharpness).min(5.0)
        } else {
            -0.1
        }
    };
    let logprobs = pieces.iter().map(logprob).collect();
    let answer = 65..tokens.len();
    let logits = TokenLogits {
        tokens,
        image: std::iter::once(0..64).collect(),
        prompt: vec![64],
        answer,
        columns,
        logits,
        logprobs,
    };
    Scores { logits, pieces, took: 0.01 }
}

impl EngineInside {
    fn end(&mut self, finish: Finish) {
        let Some(request) = self.current.take() else { return };
        let tokens = std::mem::take(&mut self.said);
        let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
        let timings = Timings { prepare: 0.05, prefill: 0.83, decode: 0.2 };
        let text = text.trim().to_owned();
        let answer =
            Answer { text, tokens, finish, timings, prompt_tokens: 88, ..Answer::default() };
        self.events.push_back(EngineEvent::Done(request, Box::new(answer)));
    }

    fn number(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }
}

impl Answering for FakeEngine {
    fn load(&self, _: LoadRequest) -> Result<RequestId, EngineError> {
        let mut inside = self.inside();
        inside.loads += 1;
        let request = inside.number();
        if let Some(error) = inside.load_error.take() {
            inside.events.push_back(EngineEvent::Failed(request, error));
        } else if !inside.slow {
            let folder = PathBuf::from(format!("loaded {}", inside.loads));
            let model = LoadedModel { folder, card: inside.card.clone(), ..model() };
            inside.events.push_back(EngineEvent::Ready(request, model));
        }
        Ok(request)
    }

    fn ask(&self, question: Question) -> Result<RequestId, EngineError> {
        question.check()?;
        let mut inside = self.inside();
        if let Some(error) = inside.ask_error.take() {
            return Err(error);
        }
        inside.end(Finish::Stopped);
        let request = inside.number();
        inside.asked.push(question);
        inside.current = Some(request);
        if let Some(words) = inside.ready_answer.clone() {
            for (index, word) in words.iter().enumerate() {
                let token = Token { id: index as u32, text: (*word).into(), logprob: -0.1 };
                inside.said.push(token.clone());
                inside.events.push_back(EngineEvent::Token(request, token));
            }
            inside.end(Finish::End);
        }
        Ok(request)
    }

    fn score(&self, wanted: ScoreRequest) -> Result<RequestId, EngineError> {
        let mut inside = self.inside();
        let request = inside.number();
        inside.scored.push((request, wanted));
        Ok(request)
    }

    fn forget_scores(&self) -> Result<(), EngineError> {
        Ok(())
    }

    fn look_ahead(&self, beginning: Question) -> Result<RequestId, EngineError> {
        beginning.check_ahead()?;
        let mut inside = self.inside();
        let request = inside.number();
        let asked = inside.asked.len();
        inside.ahead.push((asked, beginning));
        inside.events.push_back(EngineEvent::LookedAhead(request));
        Ok(request)
    }

    fn stop(&self) -> Result<(), EngineError> {
        let mut inside = self.inside();
        inside.stops += 1;
        inside.end(Finish::Stopped);
        Ok(())
    }

    fn try_event(&self) -> Option<EngineEvent> {
        self.inside().events.pop_front()
    }

    fn is_gone(&self) -> bool {
        self.inside().gone
    }
}

/// A camera that sees what it is shown.
#[derive(Clone)]
pub struct FakeCamera(Arc<Mutex<CameraInside>>);

pub struct CameraInside {
    pub state: CameraState,
    pub devices: Vec<CameraDevice>,
    pub wanted: Option<CameraChoice>,
    frame: Option<Frame>,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Default for FakeCamera {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(CameraInside {
            state: CameraState::Off,
            devices: vec![CameraDevice { index: 0, name: "Test camera".into() }],
            wanted: None,
            frame: None,
            wake: None,
        })))
    }
}

impl FakeCamera {
    pub fn inside(&self) -> MutexGuard<'_, CameraInside> {
        self.0.lock().unwrap()
    }

    pub fn open(&self, wake: Box<dyn Fn() + Send + Sync>) -> Box<dyn CameraFeed> {
        self.inside().wake = Some(wake);
        Box::new(self.clone())
    }

    pub fn show(&self, pixels: image::RgbImage) {
        let mut inside = self.inside();
        inside.frame = Some(Frame::new(pixels, Source::Camera("Test camera".into())));
        if let Some(wake) = &inside.wake {
            wake();
        }
    }

    pub fn becomes(&self, state: CameraState) {
        let mut inside = self.inside();
        inside.state = state;
        if let Some(wake) = &inside.wake {
            wake();
        }
    }
}

impl CameraFeed for FakeCamera {
    fn devices(&self) -> Vec<CameraDevice> {
        self.inside().devices.clone()
    }

    fn sizes(&self) -> Vec<(u32, u32)> {
        vec![(640, 480), (1280, 720)]
    }

    fn state(&self) -> CameraState {
        self.inside().state.clone()
    }

    fn newest(&self) -> Option<Frame> {
        self.inside().frame.take()
    }

    fn watch(&self, choice: Option<CameraChoice>) {
        self.inside().wanted = choice;
    }
}

/// A desktop whose dialogs are answered beforehand.
#[derive(Clone, Default)]
pub struct FakeDesktop(pub Arc<Mutex<DesktopInside>>);

#[derive(Default)]
pub struct DesktopInside {
    pub wishes: Vec<Wish>,
    /// What the next dialogs give.
    pub answers: VecDeque<Result<Vec<PathBuf>, String>>,
    pub revealed: Vec<PathBuf>,
    chosen: VecDeque<(u64, Result<Vec<PathBuf>, String>)>,
}

impl Desktop for FakeDesktop {
    fn choose(&mut self, number: u64, wish: Wish) {
        let mut inside = self.0.lock().unwrap();
        inside.wishes.push(wish);
        let answer = inside.answers.pop_front().unwrap_or(Ok(Vec::new()));
        inside.chosen.push_back((number, answer));
    }

    fn chosen(&mut self) -> Option<(u64, Result<Vec<PathBuf>, String>)> {
        self.0.lock().unwrap().chosen.pop_front()
    }

    fn reveal(&mut self, folder: PathBuf) -> Result<(), String> {
        self.0.lock().unwrap().revealed.push(folder);
        Ok(())
    }
}

/// A voice that remembers.
#[derive(Clone, Default)]
pub struct FakeVoice(pub Arc<Mutex<Vec<String>>>);

impl Voice for FakeVoice {
    fn available(&self) -> bool {
        true
    }

    fn say(&mut self, text: &str) -> Result<(), SpeechError> {
        self.0.lock().unwrap().push(text.to_owned());
        Ok(())
    }

    fn add(&mut self, text: &str) -> Result<(), SpeechError> {
        self.say(text)
    }

    fn stop(&mut self) {
        self.0.lock().unwrap().push("(stop)".to_owned());
    }

    fn trouble(&mut self) -> Option<SpeechError> {
        None
    }

    fn speaking(&mut self) -> bool {
        true
    }
}
