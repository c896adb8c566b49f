//! From a phrase to the tokens a text tower reads, by `tokenizer.json` of the model's folder.
//!
//! CLIP: `transformers`' `tokenization_clip.py`; the text between a mark of its start and one of
//! its end. `SigLIP`: `tokenization_siglip.py`; lower case without punctuation, an end mark, and
//! padding up to the whole context, since the tower was trained so. `SigLIP` 2 folders of the same
//! `model_type` keep the punctuation (`tokenization_siglip2.py`).

use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::Tokenizer;
use values::text::{first_line, words};

use crate::config::{Family, read_object};
use crate::error::TowerError;

/// A model's tokenizer with the model's context.
#[derive(Debug)]
pub struct PhraseTokenizer {
    tokenizer: Tokenizer,
    /// Most tokens of a text.
    context: usize,
    /// The token that ends a text.
    end: u32,
    siglip: Option<Siglip>,
}

/// What is done to `SigLIP`'s texts only.
#[derive(Debug)]
struct Siglip {
    keeps_punctuation: bool,
    pads_left: bool,
    pad: u32,
}

impl PhraseTokenizer {
    /// Reads `tokenizer.json` and, where there is one, `tokenizer_config.json`.
    ///
    /// # Errors
    /// No `tokenizer.json`, or a damaged one, or one with more tokens than the `vocab_size` of the
    /// text tower.
    pub fn read(
        folder: &Path,
        family: Family,
        context: usize,
        vocab_size: usize,
    ) -> Result<Self, TowerError> {
        let name = "tokenizer.json";
        let file = folder.join(name);
        if !file.is_file() {
            return Err(TowerError::missing(folder, name));
        }
        let damaged = |reason: String| TowerError::damaged(&file, reason);
        let mut tokenizer =
            Tokenizer::from_file(&file).map_err(|error| damaged(first_line(error.as_ref())))?;
        // Both are done below, for the context of this model.
        tokenizer.with_padding(None);
        let cut = tokenizer.with_truncation(None).map(|_| ());
        cut.map_err(|error| damaged(first_line(error.as_ref())))?;
        let tokens = tokenizer.get_vocab_size(true);
        if tokens > vocab_size {
            return Err(damaged(format!("it has {tokens} tokens, its model {vocab_size}")));
        }
        let settings = read_object(folder, "tokenizer_config.json")?.unwrap_or_default();
        let class = settings.get("tokenizer_class").and_then(Value::as_str);
        let is_siglip_one = class.is_none_or(|class| class.starts_with("SiglipTokenizer"));
        let (end, pad) = match family {
            Family::Siglip if is_siglip_one => ("</s>", "</s>"),
            Family::Siglip => ("<eos>", "<pad>"),
            _ => ("<|endoftext|>", "<|endoftext|>"),
        };
        let id = |name, default| {
            let token = special(&settings, name).unwrap_or(default);
            tokenizer.token_to_id(token).ok_or_else(|| damaged(format!("it lacks {token}")))
        };
        let end = id("eos_token", end)?;
        let siglip = match family {
            Family::Siglip => Some(Siglip {
                keeps_punctuation: !is_siglip_one,
                pads_left: settings.get("padding_side").and_then(Value::as_str) == Some("left"),
                pad: id("pad_token", pad)?,
            }),
            _ => None,
        };
        Ok(Self { tokenizer, context, end, siglip })
    }

    /// The tokens of `text`, marks and padding among them: at most the context's number.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, TowerError> {
        let text = match &self.siglip {
            Some(siglip) if siglip.keeps_punctuation => text.to_lowercase(),
            Some(_) => canonical(text),
            None => text.to_owned(),
        };
        let encoding = self.tokenizer.encode_fast(text, true);
        let encoding = encoding.map_err(|error| TowerError::Compute(first_line(error.as_ref())))?;
        let mut tokens = encoding.get_ids().to_vec();
        if tokens.len() > self.context {
            tokens.truncate(self.context - 1);
        }
        if tokens.last() != Some(&self.end) {
            tokens.truncate(self.context - 1);
            tokens.push(self.end);
        }
        if let Some(siglip) = &self.siglip {
            let missing = vec![siglip.pad; self.context - tokens.len()];
            let at = if siglip.pads_left { 0 } else { tokens.len() };
            tokens.splice(at..at, missing);
        }
        Ok(tokens)
    }
}

/// A special token of `tokenizer_config.json`, which holds it as text or as an object.
fn special<'a>(settings: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let token = settings.get(name)?;
    token.as_str().or_else(|| token.get("content").and_then(Value::as_str))
}

/// Lower case, ASCII punctuation removed, runs of white space made one space; `SentencePiece`'s mark
/// of a space is one (`SiglipTokenizer.tokenize` and `canonicalize_text`).
fn canonical(text: &str) -> String {
    let text = text.to_lowercase().replace('\u{2581}', " ");
    let kept = text.replace(|c: char| c.is_ascii_punctuation(), "");
    words(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siglip_texts_lose_case_and_punctuation() {
        assert_eq!(canonical("  The RED\trocket,\n on its pad! "), "the red rocket on its pad");
        assert_eq!(canonical("T-shirt (#2)…"), "tshirt 2…", "only ASCII punctuation goes");
        assert_eq!(canonical("a\u{2581}\u{2581}cat"), "a cat");
        assert_eq!(canonical("?!"), "");
    }
}
