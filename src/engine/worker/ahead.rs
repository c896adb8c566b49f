//! The worker's part that looks at a picture before it is asked about: one prefill of what its question
//! will begin with, when nothing else is to be done.
//!
//! mistral.rs keeps the encoder's outputs by picture, and in its prefix cache keys and values by
//! tokens. On a CPU that cache lets go of nothing, and it is not to be trusted with more than is done
//! here (mistral.rs 0.8.1, `prefix_cacher.rs`): it hands what it has to whatever begins with the same
//! token, a reading among them, whose logits are then missing; of each entry it counts the last token,
//! of which no keys and values were computed; and pictures are left out of a prompt that shares them
//! with an entry, also where their places lie behind what is shared. So nothing is in it but one prompt
//! without a question, for a question that goes on from there; before anything else, and after each
//! answer, it is made to let go of all.

use std::sync::{Arc, OnceLock};

use candle_core::Tensor;
use engine::{EngineError, EngineEvent, Question, RequestId};
use mistralrs::core::Response;
use mistralrs::{CustomLogitsProcessor, NormalRequest, Request, RequestMessage, SamplingParams};
use tokio::sync::mpsc;
use values::panics;

use crate::Worker;
use crate::ending::{Ending, Of};
use crate::load::Loaded;
use crate::prompt::{self, Prompt, Written};
use crate::sampler::only;

/// The longest prompt that is looked at ahead, in tokens: with the shipped model its keys and values
/// take 94 MB.
const MOST_TOKENS: usize = 2048;
/// mistral.rs sends two responses at the most.
const RESPONSES: usize = 4;
/// A token that no vocabulary has. The largest number of all would stand for nothing in candle.
const NO_TOKEN: u32 = u32::MAX - 1;

/// What is in mistral.rs's prefix cache.
pub enum Held {
    /// Nothing.
    Nothing,
    /// A prompt without a question.
    Beginning(Beginning),
    /// What an answer left.
    Answer,
}

/// A prompt without a question, as mistral.rs holds it.
pub struct Beginning {
    written: Vec<Written>,
    tokens: Vec<u32>,
}

/// What is being looked at.
pub struct Looking {
    pub request: RequestId,
    written: Vec<Written>,
    glimpse: Arc<Glimpse>,
}

impl Looking {
    /// What is held once it is over.
    pub fn held(self) -> Held {
        match self.glimpse.tokens.get() {
            Some(tokens) => {
                Held::Beginning(Beginning { written: self.written, tokens: tokens.clone() })
            }
            None => Held::Nothing,
        }
    }
}

/// Ends an answer before its first word, and takes down the tokens of its prompt.
struct Glimpse {
    end: u32,
    tokens: OnceLock<Vec<u32>>,
}

impl CustomLogitsProcessor for Glimpse {
    fn apply(&self, logits: &Tensor, context: &[u32]) -> mistralrs::Result<Tensor> {
        self.tokens.get_or_init(|| context.to_vec());
        only(self.end, logits.elem_count())
    }
}

impl Held {
    /// The tokens from which `prompt` goes on: none where nothing is held, and `None` where what is held
    /// must go first.
    pub fn for_prompt(&self, prompt: &Prompt) -> Option<Vec<u32>> {
        match self {
            Self::Nothing => Some(Vec::new()),
            Self::Beginning(beginning) => {
                let goes_on = prompt.goes_on_from(&beginning.written);
                goes_on.then(|| beginning.tokens.clone())
            }
            Self::Answer => None,
        }
    }

    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl Worker {
    /// Looks at what waits to be looked at.
    pub(super) async fn look_waiting(&mut self) {
        let Some((request, beginning)) = self.to_look.take() else { return };
        panics::forget();
        let prompt = match &self.model {
            Some(model) => panics::guard(|| prompt_of(model, &beginning))
                .unwrap_or_else(|reason| Err(EngineError::Answer(reason))),
            None => Err(EngineError::NoModel),
        };
        let begun = match prompt {
            Ok(prompt) => match &self.held {
                Held::Beginning(held) if held.written == prompt.written => {
                    return self.send(EngineEvent::LookedAhead(request)).await;
                }
                Held::Nothing => self.look(request, prompt),
                Held::Beginning(_) | Held::Answer => {
                    self.to_look = Some((request, beginning));
                    return self.let_go_of_held();
                }
            },
            Err(error) => Err(error),
        };
        if let Err(error) = begun {
            let crashed = matches!(error, EngineError::Crashed(_));
            self.send(EngineEvent::Failed(request, error)).await;
            if crashed {
                self.reload(request).await;
            }
        }
    }

    /// Sends mistral.rs a prompt whose answer has no words.
    fn look(&mut self, request: RequestId, mut prompt: Prompt) -> Result<(), EngineError> {
        let Some(model) = &self.model else { return Err(EngineError::NoModel) };
        let glimpse = Arc::new(Glimpse { end: model.facts.eos_tokens[0], tokens: OnceLock::new() });
        let processor: Arc<dyn CustomLogitsProcessor> = glimpse.clone();
        let messages = prompt.take_request(&model.category);
        let responses = send(model, messages, true, Some(processor))?;
        let looking = Looking { request, written: prompt.written, glimpse };
        self.ending = Some(Ending::new(responses, Of::Looking(looking)));
        Ok(())
    }

    /// Makes mistral.rs let go of what it holds, as it does after a pass that fails: a token that the
    /// embedding does not have is refused before anything is computed.
    pub(super) fn let_go_of_held(&mut self) {
        self.held = Held::Nothing;
        let Some(model) = &self.model else { return };
        let nothing = RequestMessage::CompletionTokens(vec![NO_TOKEN]);
        // Where nobody takes it, the next question finds that out and has the model loaded again.
        if let Ok(responses) = send(model, nothing, false, None) {
            self.ending = Some(Ending::new(responses, Of::LettingGo));
        }
    }

    /// Forgets what waits to be looked at.
    pub(super) async fn forget_look(&mut self) {
        if let Some((request, _)) = self.to_look.take() {
            self.send(EngineEvent::Failed(request, EngineError::Superseded)).await;
        }
    }
}

fn prompt_of(model: &Loaded, beginning: &Question) -> Result<Prompt, EngineError> {
    beginning.check_ahead()?;
    let prompt = prompt::build(beginning, model.speech())?;
    if prompt.used > MOST_TOKENS {
        return Err(EngineError::TooLong { tokens: prompt.used, limit: MOST_TOKENS });
    }
    Ok(prompt)
}

/// Sends mistral.rs what brings one token at the most.
fn send(
    model: &Loaded,
    messages: RequestMessage,
    is_streaming: bool,
    processor: Option<Arc<dyn CustomLogitsProcessor>>,
) -> Result<mpsc::Receiver<Response>, EngineError> {
    let (sender, responses) = mpsc::channel(RESPONSES);
    let sampling = SamplingParams { max_len: Some(1), ..SamplingParams::deterministic() };
    let normal = NormalRequest {
        is_streaming,
        logits_processors: processor.map(|processor| vec![processor]),
        ..NormalRequest::new_simple(messages, sampling, sender, 0, None, None)
    };
    model
        .requests
        .try_send(Request::Normal(Box::new(normal)))
        .map_err(|_| EngineError::Crashed(panics::take_last()))?;
    Ok(responses)
}
