//! Chooses each token from the raw logits, inside mistral.rs's own loop.
//!
//! mistral.rs calls a logits processor once for each token. Choosing there, and handing back
//! logits in which only the choice is left, gives what its sampler does not (`sampler.rs`): true
//! log-probabilities, a random stream of our own, an end at once when the answer is stopped, runs
//! too long or repeats itself, and the numbers of tokens whose text is not yet complete.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use candle_core::{Device, Result, Tensor};
use conversation::{Finish, Options};
use mistralrs::CustomLogitsProcessor;
use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use tokio::sync::mpsc;

/// A token was chosen, or the answer ended.
#[derive(Debug, Clone, Copy)]
pub struct SampledToken {
    /// The token and the natural logarithm of its probability; `None` where none belongs to the
    /// answer any more.
    pub token: Option<(u32, f32)>,
    /// Set on the last one of an answer.
    pub finish: Option<Finish>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// When.
    pub at: Instant,
}

/// One answer's sampler.
pub struct Sampler {
    options: Options,
    eos_tokens: Vec<u32>,
    max_positions: usize,
    held: Vec<u32>,
    stopped: Arc<AtomicBool>,
    choices: mpsc::Sender<SampledToken>,
    state: Mutex<State>,
}

struct State {
    random: StdRng,
    prompt_tokens: Option<usize>,
    answer: Vec<u32>,
    ended: bool,
}

impl Sampler {
    /// A sampler, the switch that ends it, and what it samples. `eos_tokens` must not be empty;
    /// prompt and answer together end at `max_positions`. `held` are the tokens of the prompt without a
    /// question that mistral.rs holds keys and values of.
    pub fn new(
        options: Options,
        eos_tokens: Vec<u32>,
        max_positions: usize,
        held: Vec<u32>,
    ) -> (Self, Arc<AtomicBool>, mpsc::Receiver<SampledToken>) {
        let stopped = Arc::new(AtomicBool::new(false));
        // Room for every choice an answer can have, so that sending never waits or fails.
        let (choices, receiver) = mpsc::channel(options.max_tokens + 2);
        let state = State {
            random: StdRng::seed_from_u64(options.seed),
            prompt_tokens: None,
            answer: Vec::new(),
            ended: false,
        };
        let state = Mutex::new(state);
        (
            Self {
                options,
                eos_tokens,
                max_positions,
                held,
                stopped: stopped.clone(),
                choices,
                state,
            },
            stopped,
            receiver,
        )
    }

    /// Chooses from `logits` and says whether the answer ends here.
    fn choose(&self, logits: &[f32], context: &[u32]) -> Result<u32> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let prompt_tokens =
            *state.prompt_tokens.get_or_insert_with(|| prompt_tokens(&self.held, context));
        let end = self.eos_tokens[0];
        if state.ended {
            return Ok(end);
        }
        let (token, finish) = if self.stopped.load(Ordering::Relaxed) {
            (None, Some(Finish::Stopped))
        } else {
            let id = pick(logits, self.options.temperature, &mut state.random)?;
            if self.eos_tokens.contains(&id) {
                (None, Some(Finish::End))
            } else {
                state.answer.push(id);
                let finish = if repeats_itself(&state.answer) {
                    Some(Finish::Repetition)
                } else if state.answer.len() >= self.options.max_tokens
                    || prompt_tokens + state.answer.len() >= self.max_positions
                {
                    Some(Finish::Length)
                } else {
                    None
                };
                (Some((id, log_probability(logits, id))), finish)
            }
        };
        state.ended = finish.is_some();
        // The receiver is gone when nobody waits for this answer any more.
        let _ = self.choices.try_send(SampledToken {
            token,
            finish,
            prompt_tokens,
            at: Instant::now(),
        });
        Ok(match (token, finish) {
            (Some((id, _)), None) => id,
            _ => end,
        })
    }
}

impl CustomLogitsProcessor for Sampler {
    fn apply(&self, logits: &Tensor, context: &[u32]) -> Result<Tensor> {
        let values = logits.to_vec1::<f32>()?;
        let id = self.choose(&values, context)?;
        only(id, values.len())
    }
}

/// Logits of so many tokens in which only this one is left.
pub fn only(id: u32, vocabulary: usize) -> Result<Tensor> {
    let mut logits = vec![f32::NEG_INFINITY; vocabulary];
    let Some(chosen) = logits.get_mut(id as usize) else {
        candle_core::bail!("the token {id} that ends answers is not in the vocabulary");
    };
    *chosen = 0.0;
    Tensor::from_vec(logits, vocabulary, &Device::Cpu)
}

/// Tokens of the prompt whose end is `context`. Of one that goes on from what is held, mistral.rs shows
/// the first time only what comes after that; of both the template's words after a question are the end.
fn prompt_tokens(held: &[u32], context: &[u32]) -> usize {
    if held.is_empty() || held.first() == context.first() {
        return context.len();
    }
    let end = held.iter().rev().zip(context.iter().rev()).take_while(|(a, b)| a == b).count();
    held.len() - end + context.len()
}

/// The likeliest token, or one drawn from softmax(logits / temperature).
fn pick(logits: &[f32], temperature: f64, random: &mut StdRng) -> Result<u32> {
    let mut likeliest = 0;
    for (id, logit) in logits.iter().enumerate() {
        if !logit.is_finite() && *logit != f32::NEG_INFINITY {
            candle_core::bail!("the model computed a value that is not a number");
        }
        // The first of equals, as PyTorch's argmax has it.
        if *logit > logits[likeliest] {
            likeliest = id;
        }
    }
    if temperature <= 0.0 {
        return Ok(likeliest as u32);
    }
    let top = f64::from(logits[likeliest]);
    let weights = logits.iter().map(|logit| ((f64::from(*logit) - top) / temperature).exp());
    let weights = WeightedIndex::new(weights).map_err(candle_core::Error::wrap)?;
    Ok(weights.sample(random) as u32)
}

/// ln softmax(logits)\[id\], summed in f64 after taking out the largest logit.
pub fn log_probability(logits: &[f32], id: u32) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from((logit - top).exp())).sum();
    (f64::from(logits[id as usize] - top) - sum.ln()) as f32
}

/// Longest phrase whose repetition is looked for, in tokens.
const LONGEST_PHRASE: usize = 48;
/// Copies of a phrase, one after the other, that make an answer repeat itself.
const COPIES: usize = 3;
/// Tokens the copies must make up, so that "ha ha ha" is left alone.
const LEAST_REPEATED: usize = 15;

/// Whether `answer` ends in three or more copies of one phrase.
fn repeats_itself(answer: &[u32]) -> bool {
    repeated_phrase(answer).is_some()
}

/// Length of the phrase that `answer` ends in copies of, and how many tokens those copies span.
fn repeated_phrase(answer: &[u32]) -> Option<(usize, usize)> {
    (1..=LONGEST_PHRASE.min(answer.len() / COPIES)).find_map(|length| {
        let same = answer.iter().rev().zip(answer.iter().rev().skip(length));
        let spanned = length + same.take_while(|(late, early)| late == early).count();
        (spanned >= length * COPIES && spanned >= LEAST_REPEATED).then_some((length, spanned))
    })
}

/// How many tokens of an answer that repeats itself are worth keeping: up to one copy's end.
pub fn without_repetition(answer: &[u32]) -> usize {
    match repeated_phrase(answer) {
        Some((length, spanned)) => answer.len() - spanned + length,
        None => answer.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(max_tokens: usize) -> (Sampler, Arc<AtomicBool>, mpsc::Receiver<SampledToken>) {
        Sampler::new(Options { max_tokens, ..Options::default() }, vec![2], 100, Vec::new())
    }

    /// Logits of 8 tokens in which `id` leads.
    fn leading(id: usize) -> Vec<f32> {
        let mut logits = vec![0.0; 8];
        logits[id] = 3.0;
        logits
    }

    #[test]
    fn the_likeliest_token_is_chosen_with_its_true_log_probability() {
        let (sampler, _, mut choices) = sampler(9);
        let left = sampler
            .apply(&Tensor::new(leading(5), &Device::Cpu).unwrap(), &[1, 1, 1])
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert_eq!(left.iter().position(|v| v.is_finite()), Some(5));
        let choice = choices.try_recv().unwrap();
        let (id, logprob) = choice.token.unwrap();
        let wanted = (3f64.exp() / (3f64.exp() + 7.0)).ln();
        assert_eq!((id, choice.prompt_tokens, choice.finish), (5, 3, None));
        assert!((f64::from(logprob) - wanted).abs() < 1e-6);
    }

    #[test]
    fn an_answer_ends_at_its_end_its_length_or_the_switch() {
        let (first, _, mut choices) = sampler(9);
        assert_eq!(first.choose(&leading(2), &[1; 3]).unwrap(), 2);
        let choice = choices.try_recv().unwrap();
        assert_eq!((choice.token, choice.finish), (None, Some(Finish::End)));

        let (short, _, mut choices) = sampler(1);
        assert_eq!(short.choose(&leading(5), &[1; 3]).unwrap(), 2, "the end goes to mistral.rs");
        let choice = choices.try_recv().unwrap();
        assert_eq!(choice.token.unwrap().0, 5, "the token still belongs to the answer");
        assert_eq!(choice.finish, Some(Finish::Length));

        let (full, _, mut choices) = sampler(9);
        assert_eq!(
            full.choose(&leading(5), &[1; 99]).unwrap(),
            2,
            "the context has room for one more"
        );
        assert_eq!(choices.try_recv().unwrap().finish, Some(Finish::Length));

        let (stopped, switch, mut choices) = sampler(9);
        switch.store(true, Ordering::Relaxed);
        assert_eq!(stopped.choose(&leading(5), &[1; 3]).unwrap(), 2);
        assert_eq!(choices.try_recv().unwrap().finish, Some(Finish::Stopped));
        assert_eq!(stopped.choose(&leading(5), &[1; 4]).unwrap(), 2);
        assert!(choices.try_recv().is_err(), "nothing after the end");
    }

    #[test]
    fn the_tokens_of_a_prompt_are_counted_with_those_that_were_held() {
        // A picture of two tokens and its border; the end of a turn and the beginning of an answer.
        let held = [1, 3, 3, 7, 2, 8];
        assert_eq!(prompt_tokens(&[], &[1, 3, 3, 7, 20, 21, 2, 8]), 8);
        assert_eq!(prompt_tokens(&held, &[1, 3, 3, 7, 20, 21, 2, 8]), 8);
        assert_eq!(prompt_tokens(&held, &[20, 21, 2, 8]), 8);
        assert_eq!(prompt_tokens(&held, &[20, 2, 8, 30, 2, 1, 21, 2, 8]), 13);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let logits: Vec<f32> = (0..50).map(|i| (i % 7) as f32).collect();
        let draw = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            (0..20).map(|_| pick(&logits, 1.0, &mut random).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn drawing_follows_the_probabilities() {
        let logits = [0.0, 2.0, f32::NEG_INFINITY];
        let mut random = StdRng::seed_from_u64(7);
        let hits = (0..4000).filter(|_| pick(&logits, 1.0, &mut random).unwrap() == 1).count();
        let wanted = 4000.0 * 2f64.exp() / (1.0 + 2f64.exp());
        assert!((hits as f64 - wanted).abs() < 100.0, "{hits} of about {wanted}");
        let cold = (0..200).filter(|_| pick(&logits, 0.05, &mut random).unwrap() == 1).count();
        assert_eq!(cold, 200);
    }

    #[test]
    fn what_is_not_a_number_is_an_error_and_no_token() {
        let mut random = StdRng::seed_from_u64(0);
        assert!(pick(&[0.0, f32::NAN], 0.0, &mut random).is_err());
        assert!(pick(&[0.0, f32::INFINITY], 0.0, &mut random).is_err());
    }

    #[test]
    fn repetition_is_seen_and_cut_to_one_copy() {
        let phrase = [10, 11, 12, 13, 14];
        let mut answer = vec![1, 2, 3];
        answer.extend(phrase.repeat(3));
        assert!(repeats_itself(&answer));
        assert_eq!(without_repetition(&answer), 8);
        assert!(!repeats_itself(&answer[..answer.len() - 1]), "two and a half copies are no three");
        assert!(!repeats_itself(&[7; 14]), "a short run is left alone");
        assert!(repeats_itself(&[7; 15]));
        assert_eq!(without_repetition(&[7; 15]), 1);
        assert!(!repeats_itself(&[1, 2, 1, 2, 3, 1, 2, 1, 2, 3, 9, 9, 8, 8, 7, 7]));
    }
}
