//! From a conversation to what mistral.rs is sent: pictures sized, text made safe, and no more
//! than the model can hold.

use image::{DynamicImage, RgbImage};
use mistralrs::{MultimodalMessages, TextMessageRole};
use tokenizers::Tokenizer;

use super::command::{AnswerOptions, Picture, Question, Role, Turn};
use super::event::EngineError;
use crate::model_store::{Architecture, ModelFacts};

/// Tokens a chat template may add around one turn.
const TEMPLATE_TOKENS: usize = 16;
/// Tokens set around one picture: two borders and a mark (`vision_models/idefics3`).
const PICTURE_BORDER_TOKENS: usize = 3;
/// Room kept for an answer when the prompt fills the context.
const LEAST_ANSWER: usize = 32;
/// Longest side, in pixels, handed to models whose own preprocessor does the resizing: above it
/// nothing is gained and encoding takes minutes.
const LONGEST_SIDE: u32 = 2048;
/// Shortest side that those preprocessors can cut patches from.
const SHORTEST_SIDE: u32 = 28;

/// A prompt that fits.
pub struct Prompt {
    /// What mistral.rs is sent.
    pub messages: MultimodalMessages,
    /// Earlier turns left out to make it fit.
    pub dropped_turns: usize,
    /// The longest answer there is room for.
    pub max_tokens: usize,
}

/// Refuses what no model could answer.
pub fn check(question: &Question) -> Result<(), EngineError> {
    let AnswerOptions { max_tokens, temperature, .. } = question.options;
    match question.turns.last() {
        Some(Turn { role: Role::User, text, .. }) if !text.trim().is_empty() => {}
        _ => return Err(EngineError::EmptyQuestion),
    }
    if max_tokens == 0 {
        return Err(EngineError::BadOption("the longest answer must be at least one token"));
    }
    if !temperature.is_finite() || temperature < 0.0 {
        return Err(EngineError::BadOption("the temperature must be 0 or more"));
    }
    Ok(())
}

/// Builds the prompt for `question`.
///
/// Where the whole conversation is too long, the oldest exchanges go first, but not the pictures:
/// they move to the oldest question that stays.
pub fn build(
    question: &Question,
    facts: &ModelFacts,
    tokenizer: &Tokenizer,
) -> Result<Prompt, EngineError> {
    let specials = special_texts(tokenizer);
    let mut turns = question.turns.clone();
    for turn in &mut turns {
        turn.text = neutralise(&turn.text, &specials);
    }
    let dropped_turns = drop_oldest(&mut turns, facts, tokenizer)?;
    let used: usize = turns.iter().map(|turn| cost(turn, facts, tokenizer)).sum();
    let room = facts.max_positions.saturating_sub(used);

    let mut messages = MultimodalMessages::new();
    for turn in turns {
        let pictures: Vec<_> =
            turn.pictures.iter().map(|picture| prepare(picture, &facts.architecture)).collect();
        messages = match turn.role {
            Role::Assistant => messages.add_message(TextMessageRole::Assistant, turn.text),
            Role::User if pictures.is_empty() => {
                messages.add_message(TextMessageRole::User, turn.text)
            }
            Role::User => messages.add_image_message(TextMessageRole::User, turn.text, pictures),
        };
    }
    Ok(Prompt { messages, dropped_turns, max_tokens: question.options.max_tokens.min(room) })
}

/// Drops turns from the front until the rest fits, and says how many went.
fn drop_oldest(
    turns: &mut Vec<Turn>,
    facts: &ModelFacts,
    tokenizer: &Tokenizer,
) -> Result<usize, EngineError> {
    let mut costs: Vec<usize> = turns.iter().map(|turn| cost(turn, facts, tokenizer)).collect();
    let mut dropped = 0;
    loop {
        let tokens = costs.iter().sum::<usize>() + LEAST_ANSWER;
        if tokens <= facts.max_positions {
            return Ok(dropped);
        }
        let next = (1..turns.len()).find(|turn| turns[*turn].role == Role::User);
        let Some(next) = next else {
            return Err(EngineError::TooLong { tokens, limit: facts.max_positions });
        };
        let mut pictures: Vec<Picture> =
            turns.drain(..next).flat_map(|turn| turn.pictures).collect();
        costs.drain(..next);
        pictures.append(&mut turns[0].pictures);
        turns[0].pictures = pictures;
        costs[0] = cost(&turns[0], facts, tokenizer);
        dropped += next;
    }
}

/// Tokens of one turn, at the most.
fn cost(turn: &Turn, facts: &ModelFacts, tokenizer: &Tokenizer) -> usize {
    let words = tokenizer
        .encode_fast(turn.text.as_str(), false)
        .map_or(turn.text.len(), |encoding| encoding.len());
    let picture = match facts.architecture {
        Architecture::Idefics3 { image_tokens, .. } => image_tokens + PICTURE_BORDER_TOKENS,
        // mistral.rs counts these itself and refuses what is too long.
        Architecture::Other(_) => 0,
    };
    words + turn.pictures.len() * picture + TEMPLATE_TOKENS
}

/// The texts that the tokenizer would read as control.
fn special_texts(tokenizer: &Tokenizer) -> Vec<String> {
    let mut texts: Vec<String> = tokenizer
        .get_added_tokens_decoder()
        .into_values()
        .map(|token| token.content)
        .filter(|text| text.chars().count() > 1)
        .collect();
    texts.sort_unstable();
    texts
}

/// Breaks every special token in `text` with a space, so that it is read as the text it is.
fn neutralise(text: &str, specials: &[String]) -> String {
    let mut text = text.to_owned();
    // Breaking one may leave another standing that overlapped it.
    while let Some(special) = specials.iter().find(|special| text.contains(*special)) {
        let first = special.chars().next().map_or(0, char::len_utf8);
        let broken = format!("{} {}", &special[..first], &special[first..]);
        text = text.replace(special, &broken);
    }
    text
}

/// The pixels that the encoder is given for `picture`.
fn prepare(picture: &Picture, architecture: &Architecture) -> DynamicImage {
    let cropped;
    let pixels = match picture.region {
        Some(region) => {
            cropped = region.crop(&picture.frame.pixels);
            &cropped
        }
        None => &*picture.frame.pixels,
    };
    let (width, height) = match architecture {
        // Squashed, as in training: the aspect is not kept.
        Architecture::Idefics3 { image_side, .. } => (*image_side, *image_side),
        Architecture::Other(_) => bounded(pixels.width(), pixels.height()),
    };
    DynamicImage::ImageRgb8(resize(pixels, width, height))
}

/// The size nearest to this one whose sides lie between the shortest and the longest.
fn bounded(width: u32, height: u32) -> (u32, u32) {
    let (long, short) = (f64::from(width.max(height)), f64::from(width.min(height)));
    let shrink = (f64::from(LONGEST_SIDE) / long).min(1.0);
    let scale = shrink.max(f64::from(SHORTEST_SIDE) / short);
    let side = |side: u32| {
        ((f64::from(side) * scale).round() as u32).clamp(SHORTEST_SIDE, LONGEST_SIDE)
    };
    (side(width), side(height))
}

/// Resizes by Lanczos3 with antialiasing, as Pillow's `LANCZOS` does.
fn resize(pixels: &RgbImage, width: u32, height: u32) -> RgbImage {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

    if (pixels.width(), pixels.height()) == (width, height) {
        return pixels.clone();
    }
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    let mut target = Image::new(width, height, PixelType::U8x3);
    let source =
        ImageRef::new(pixels.width(), pixels.height(), pixels.as_raw(), PixelType::U8x3);
    let resized = source.map_err(|error| error.to_string()).and_then(|source| {
        Resizer::new()
            .resize(&source, &mut target, &options)
            .map_err(|error| error.to_string())
    });
    let copied = RgbImage::from_raw(width, height, target.into_vec());
    match (resized, copied) {
        (Ok(()), Some(image)) => image,
        // Only sizes that no picture has lead here; the slower resizer takes any.
        _ => image::imageops::resize(pixels, width, height, image::imageops::FilterType::Lanczos3),
    }
}
