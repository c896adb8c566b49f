//! An answer under way: from the question that mistral.rs is sent to the finished text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conversation::{Answer, Finish, Options, Timings, Token};
use engine::{EngineError, Question, RequestId};
use mistralrs::core::Response;
use mistralrs::{CustomLogitsProcessor, NormalRequest, Request, SamplingParams};
use tokenizers::Tokenizer;
use tokenizers::tokenizer::step_decode_stream;
use tokio::sync::mpsc;
use values::panics;

use crate::load::Loaded;
use crate::prompt::{self, Prompt};
use crate::sampler::{SampledToken, Sampler, without_repetition};

/// mistral.rs sends one response a token; the worker never leaves many lying.
const RESPONSES: usize = 64;

/// A question with its prompt.
pub struct Ready {
    prompt: Prompt,
    options: Options,
    took: Duration,
}

impl Ready {
    /// Builds the prompt for `question`.
    pub fn new(model: &Loaded, question: &Question) -> Result<Self, EngineError> {
        question.check()?;
        let started = Instant::now();
        let prompt = prompt::build(question, model.speech())?;
        let options = Options { max_tokens: prompt.max_tokens, ..question.options };
        Ok(Self { prompt, options, took: started.elapsed() })
    }

    /// Its prompt.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }
}

/// An answer under way.
pub struct Running {
    /// The question's id.
    pub request: RequestId,
    /// What mistral.rs says of it; closes when mistral.rs is done with it.
    pub responses: mpsc::Receiver<Response>,
    /// The tokens as they are sampled.
    pub sampled: mpsc::Receiver<SampledToken>,
    stop: Arc<AtomicBool>,
    tokenizer: Arc<Tokenizer>,
    text: TextStream,
    tokens: Vec<Token>,
    prompt_tokens: usize,
    dropped_turns: usize,
    prepare: Duration,
    sent: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Running {
    /// Sends a question to mistral.rs, which holds keys and values of the tokens `held`.
    pub fn begin(
        model: &Loaded,
        request: RequestId,
        question: Ready,
        held: Vec<u32>,
    ) -> Result<Self, EngineError> {
        let Ready { mut prompt, options, took: prepare } = question;
        let eos_tokens = model.facts.eos_tokens.clone();
        let (sampler, stop, tokens) =
            Sampler::new(options, eos_tokens, model.facts.max_positions, held);
        let sampler: Arc<dyn CustomLogitsProcessor> = Arc::new(sampler);
        let (sender, responses) = mpsc::channel(RESPONSES);
        let sampling = SamplingParams {
            temperature: Some(0.0),
            // The sampler ends the answer; this is for the case that its end goes unheard.
            max_len: Some(prompt.max_tokens + 1),
            ..SamplingParams::deterministic()
        };
        let messages = prompt.take_request(&model.category);
        let normal = NormalRequest {
            is_streaming: true,
            logits_processors: Some(vec![sampler]),
            ..NormalRequest::new_simple(messages, sampling, sender, 0, None, None)
        };
        let sent = Instant::now();
        model
            .requests
            .try_send(Request::Normal(Box::new(normal)))
            .map_err(|_| EngineError::Crashed(panics::take_last()))?;
        Ok(Self {
            request,
            responses,
            sampled: tokens,
            stop,
            tokenizer: model.tokenizer.clone(),
            text: TextStream::default(),
            tokens: Vec::new(),
            prompt_tokens: 0,
            dropped_turns: prompt.dropped_turns,
            prepare,
            sent,
            first: None,
            last: None,
        })
    }

    /// Takes in what the sampler says, and gives back the token if one came.
    pub fn take(&mut self, sampled: &SampledToken) -> Option<Token> {
        self.prompt_tokens = sampled.prompt_tokens;
        self.first.get_or_insert(sampled.at);
        self.last = Some(sampled.at);
        let (id, logprob) = sampled.token?;
        let token = Token { id, text: self.text.push(&self.tokenizer, id), logprob };
        self.tokens.push(token.clone());
        Some(token)
    }

    /// Ends the answer, and gives back what mistral.rs may still say of it.
    pub fn finish(mut self, finish: Finish) -> (Answer, mpsc::Receiver<Response>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut ids: Vec<u32> = self.tokens.iter().map(|token| token.id).collect();
        if finish == Finish::Repetition {
            ids.truncate(without_repetition(&ids));
            self.tokens.truncate(ids.len());
        }
        let text = self.tokenizer.decode(&ids, true).unwrap_or_default();
        let since = |start: Option<Instant>, end: Option<Instant>| match (start, end) {
            (Some(start), Some(end)) => end.duration_since(start).as_secs_f64(),
            _ => 0.0,
        };
        let answer = Answer {
            text: text.trim().to_owned(),
            timings: Timings {
                prepare: self.prepare.as_secs_f64(),
                prefill: since(Some(self.sent), self.first),
                decode: since(self.first, self.last),
            },
            tokens: self.tokens,
            finish,
            error: None,
            prompt_tokens: self.prompt_tokens,
            dropped_turns: self.dropped_turns,
        };
        (answer, self.responses)
    }
}

/// Turns tokens into text as they come, holding back characters that are not yet complete.
#[derive(Default)]
pub struct TextStream {
    ids: Vec<u32>,
    prefix: String,
    prefix_index: usize,
}

impl TextStream {
    /// The text that `id` completes.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        let Self { ids, prefix, prefix_index } = self;
        // The one error there is speaks of a decoder that takes text back; ours does not.
        step_decode_stream(tokenizer, id, true, ids, prefix, prefix_index)
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_made_of_several_tokens_comes_whole() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../models/lorgnette-tiny/tokenizer.json");
        let tokenizer = Tokenizer::from_file(file).unwrap();
        let text = "A lemon 🍋, déjà vu, 檸檬.";
        let ids = tokenizer.encode(text, false).unwrap().get_ids().to_vec();
        let mut stream = TextStream::default();
        let pieces: Vec<String> = ids.iter().map(|id| stream.push(&tokenizer, *id)).collect();
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().any(String::is_empty), "some tokens wait for the next");
        assert!(!pieces.concat().contains('\u{fffd}'));
    }
}
