//! An answer read back by the model: one teacher-forced prefill with raw logits.
//!
//! mistral.rs then gives one row of logits for every position of the prompt, the picture's
//! included. Of these rows, some 20 MB for the shipped model and several hundred for a large
//! vocabulary, only the columns of the tokens at hand are kept.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Instant;

use candle_core::{DType, Device, IndexOp, Tensor};
use engine::{EngineError, RequestId, ScoreRequest, Scores};
use grounding::{Piece, TokenLogits};
use mistralrs::core::Response;
use mistralrs::{NormalRequest, Request, SamplingParams};
use tokenizers::Tokenizer;
use tokio::sync::mpsc;
use values::panics;
use values::text::first_line;

use crate::answer::TextStream;
use crate::load::Loaded;
use crate::prompt;

/// mistral.rs answers such a request twice before it lets go of it; a full channel would hold up
/// its thread.
const RESPONSES: usize = 4;

/// A reading under way.
pub struct Scoring {
    /// Its id.
    pub request: RequestId,
    /// What mistral.rs says of it. Never dropped before it closes: mistral.rs panics where it
    /// cannot answer.
    pub responses: mpsc::Receiver<Response>,
    /// Whether its result was given already.
    pub told: bool,
    /// Whether mistral.rs gave up on it.
    pub failed: bool,
    text: String,
    sampled: Vec<u32>,
    started: Instant,
}

impl Scoring {
    /// Sends the conversation with the answer to mistral.rs.
    pub fn begin(
        model: &Loaded,
        request: RequestId,
        wanted: ScoreRequest,
    ) -> Result<Self, EngineError> {
        if model.facts.input.image_token().is_none() {
            return Err(EngineError::NoMaps(model.about.info.name.clone()));
        }
        if wanted.answer.trim().is_empty() {
            return Err(EngineError::EmptyAnswer);
        }
        wanted.question.check()?;
        let started = Instant::now();
        let ScoreRequest { question, answer, sampled } = wanted;
        let (mut prompt, text) = prompt::build_with_answer(&question, &answer, model.speech())?;
        let (sender, responses) = mpsc::channel(RESPONSES);
        let messages = prompt.take_request(&model.category);
        let sampling = SamplingParams { max_len: Some(1), ..SamplingParams::deterministic() };
        let normal = NormalRequest {
            return_raw_logits: true,
            ..NormalRequest::new_simple(messages, sampling, sender, 0, None, None)
        };
        model
            .requests
            .try_send(Request::Normal(Box::new(normal)))
            .map_err(|_| EngineError::Crashed(panics::take_last()))?;
        let (told, failed) = (false, false);
        Ok(Self { request, responses, told, failed, text, sampled, started })
    }

    /// The result, from mistral.rs's raw logits.
    pub fn read(
        &self,
        model: &Loaded,
        chunks: &[Tensor],
        tokens: Vec<u32>,
    ) -> Result<Scores, EngineError> {
        let unreadable = |error: candle_core::Error| EngineError::Answer(first_line(&error));
        let rows = Tensor::cat(chunks, 0).map_err(unreadable)?;
        let tokenizer = &model.tokenizer;
        let Some(image_token) = model.facts.input.image_token() else {
            return Err(EngineError::NoMaps(model.about.info.name.clone()));
        };
        let image = runs(&tokens, image_token);
        let answer = find_answer(&tokens, &self.sampled, &self.text, tokenizer)
            .filter(|answer| answer.start > image.last().map_or(0, |last| last.end))
            .ok_or(EngineError::Answer("its answer could not be found again".into()))?;
        let prompt = prompt_positions(&tokens, &image, answer.start, tokenizer);
        let mut seen = HashSet::new();
        let columns: Vec<u32> = prompt
            .iter()
            .copied()
            .chain(answer.clone())
            .map(|position| tokens[position])
            .filter(|id| seen.insert(*id))
            .collect();
        let (logits, logprobs) = reduce(&rows, &tokens, &answer, &columns).map_err(unreadable)?;
        let pieces = pieces(&tokens[answer.clone()], tokenizer);
        let logits = TokenLogits { tokens, image, prompt, answer, columns, logits, logprobs };
        Ok(Scores { logits, pieces, took: self.started.elapsed().as_secs_f64() })
    }
}

/// The columns of `columns` in every row, and ln softmax of each token of the answer.
fn reduce(
    rows: &Tensor,
    tokens: &[u32],
    answer: &Range<usize>,
    columns: &[u32],
) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let (positions, vocabulary) = rows.dims2()?;
    if positions < answer.end {
        candle_core::bail!("{positions} rows of logits for {} tokens", tokens.len());
    }
    let rows = rows.to_device(&Device::Cpu)?;
    let index = Tensor::new(columns, &Device::Cpu)?;
    let kept = rows.index_select(&index, 1)?.to_dtype(DType::F32)?;
    let mut logprobs = Vec::with_capacity(answer.len());
    for position in answer.clone() {
        let row: Vec<f32> = rows.i(position - 1)?.to_dtype(DType::F32)?.to_vec1()?;
        let id = tokens[position];
        if id as usize >= vocabulary {
            candle_core::bail!("the token {id} is not in the vocabulary");
        }
        logprobs.push(super::sampler::log_probability(&row, id));
    }
    let logits: Vec<f32> = kept.flatten_all()?.to_vec1()?;
    if logits.iter().chain(&logprobs).any(|value| !value.is_finite()) {
        candle_core::bail!("the model computed a value that is not a number");
    }
    Ok((logits, logprobs))
}

/// The runs of `id` in `tokens`.
fn runs(tokens: &[u32], id: u32) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (position, _) in tokens.iter().enumerate().filter(|(_, token)| **token == id) {
        match runs.last_mut() {
            Some(run) if run.end == position => run.end += 1,
            _ => runs.push(position..position + 1),
        }
    }
    runs
}

/// Where the answer stands: its tokens as they were sampled, else as the tokenizer cuts its text.
fn find_answer(
    tokens: &[u32],
    sampled: &[u32],
    text: &str,
    tokenizer: &Tokenizer,
) -> Option<Range<usize>> {
    let encode = |text: &str| {
        let encoding = tokenizer.encode_fast(text, false).ok()?;
        Some(encoding.get_ids().to_vec())
    };
    let candidates =
        [Some(sampled.to_vec()), encode(text), encode(&format!(" {text}"))].into_iter().flatten();
    candidates.filter(|ids| !ids.is_empty()).find_map(|ids| {
        let start = tokens.windows(ids.len()).rposition(|window| window == ids)?;
        Some(start..start + ids.len())
    })
}

/// Positions of the text between the last picture and the answer, without control tokens and
/// without the line that says whose turn it is, as TAM takes the prompt (`tam.py`, `prompt_id`).
fn prompt_positions(
    tokens: &[u32],
    image: &[Range<usize>],
    answer: usize,
    tokenizer: &Tokenizer,
) -> Vec<usize> {
    let added = tokenizer.get_added_tokens_decoder();
    let special =
        |position: &usize| added.get(&tokens[*position]).is_some_and(|token| token.special);
    let start = image.last().map_or(0, |last| last.end);
    let end = (start..answer).rev().find(special).unwrap_or(answer);
    (start..end).filter(|position| !special(position)).collect()
}

/// Each token with the bytes of the answer's text that it completes.
fn pieces(ids: &[u32], tokenizer: &Tokenizer) -> Vec<Piece> {
    let mut stream = TextStream::default();
    let mut end = 0;
    let mut leading = true;
    ids.iter()
        .map(|id| {
            let text = stream.push(tokenizer, *id);
            // The answer's text is kept without the space that its first word may bring.
            let text = if leading { text.trim_start() } else { &text };
            leading = leading && text.is_empty();
            let start = end;
            end += text.len();
            Piece { id: *id, bytes: start..end }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../models/lorgnette-tiny/tokenizer.json");
        Tokenizer::from_file(file).unwrap()
    }

    fn encode(text: &str) -> Vec<u32> {
        tokenizer().encode(text, false).unwrap().get_ids().to_vec()
    }

    #[test]
    fn pictures_are_runs_of_their_token() {
        assert_eq!(runs(&[1, 3, 3, 2, 3, 5], 3), [1..3, 4..5]);
        assert!(runs(&[1, 2], 3).is_empty());
    }

    #[test]
    fn the_answer_is_found_at_its_last_place() {
        let tokenizer = tokenizer();
        let prompt = "<|im_start|>user\nIs it a cat?<|im_end|>\n<|im_start|>assistant\n";
        let tokens = encode(&format!("{prompt}A cat.<|im_end|>\n<|im_start|>assistant\n"));
        let sampled = encode("A cat.");
        let found = find_answer(&tokens, &sampled, "A cat.", &tokenizer).unwrap();
        assert_eq!(found.start, encode(prompt).len());
        assert_eq!(find_answer(&tokens, &[], "A cat.", &tokenizer), Some(found.clone()));
        assert_eq!(find_answer(&tokens, &[9, 9], "A cat.", &tokenizer), Some(found));
        assert_eq!(find_answer(&tokens, &[], "A dog.", &tokenizer), None);
    }

    #[test]
    fn the_prompt_is_the_text_after_the_picture() {
        let tokenizer = tokenizer();
        let text = "<|im_start|>user\n<fake_token_around_image><global-img><image><image>\
                    <fake_token_around_image>What is that?<|im_end|>\n<|im_start|>assistant\nA";
        let tokens = encode(text);
        let image = runs(&tokens, 3);
        let positions = prompt_positions(&tokens, &image, tokens.len() - 1, &tokenizer);
        let ids: Vec<u32> = positions.iter().map(|position| tokens[*position]).collect();
        assert_eq!(tokenizer.decode(&ids, false).unwrap().trim(), "What is that?");
    }

    #[test]
    fn pieces_cover_the_text_byte_by_byte() {
        let text = "A lemon 🍋 é.";
        let pieces = pieces(&encode(text), &tokenizer());
        assert_eq!(pieces.first().unwrap().bytes.start, 0);
        assert_eq!(pieces.last().unwrap().bytes.end, text.len());
        assert!(pieces.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start));
        let word = pieces.iter().find(|piece| &text[piece.bytes.clone()] == " lemon");
        assert!(word.is_some());
    }

    #[test]
    fn columns_and_log_probabilities_are_taken_from_the_right_rows() {
        let rows: Vec<f32> = (0..4 * 5).map(|cell| (cell * 7 % 11) as f32 * 0.5).collect();
        let tensor = Tensor::from_vec(rows.clone(), (4, 5), &Device::Cpu).unwrap();
        let tokens = [1, 4, 0, 2];
        let (logits, logprobs) = reduce(&tensor, &tokens, &(2..4), &[2, 0]).unwrap();
        assert_eq!(logits.len(), 8);
        assert_eq!(logits[..4], [rows[2], rows[0], rows[7], rows[5]]);
        let row = &rows[5..10];
        let sum: f32 = row.iter().map(|value| value.exp()).sum();
        assert!((logprobs[0] - (row[0].exp() / sum).ln()).abs() < 1e-5);
        assert!(reduce(&tensor, &tokens, &(4..6), &[2]).is_err(), "more tokens than rows");
    }
}
