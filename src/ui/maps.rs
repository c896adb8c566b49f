//! Maps over the picture: which one is shown, and what is said of it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::explain::{Causal, EncoderMaps};
use crate::grounding::{Phrase, WordMap};
use crate::heatmap::Heatmap;

/// The four maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// Attention rollout of the vision encoder.
    Encoder,
    /// Where a dual encoder finds a phrase.
    Phrase,
    /// Which patches carry a word in the answering model.
    Word,
    /// What moved the answer.
    Causal,
}

/// Which attention of the encoder is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attention {
    /// Through all layers.
    #[default]
    Rollout,
    /// Of one layer, heads averaged.
    Layer(usize),
    /// Of one head of one layer.
    Head(usize, usize),
}

/// A map that is computed when it is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Wanted<T> {
    /// Not asked for.
    #[default]
    None,
    /// Being computed.
    Coming,
    /// There.
    Ready(T),
    /// It could not be computed, for this reason.
    Failed(String),
}

/// The maps of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grounding {
    /// A map for each word of the answer.
    pub words: Vec<WordMap>,
    /// Its noun phrases.
    pub phrases: Vec<Phrase>,
}

/// A map of a word or phrase that the user typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// What was typed.
    pub text: String,
    /// Where it is.
    pub map: Heatmap,
    /// Whether the model finds it in the picture at all.
    pub present: bool,
}

/// What is wanted of the maps.
#[derive(Debug, Clone, PartialEq)]
pub enum MapAction {
    /// Show this map, or none.
    Show(Option<MapKind>),
    /// Which attention of the encoder.
    Attention(Attention),
    /// The map of this word of this card.
    Word(usize, usize),
    /// Light the phrase of this card until told otherwise; `None` lets go.
    Pin(Option<(usize, usize)>),
    /// A map of this word in the answering model.
    TypeWord(String),
    /// A map of this phrase in the dual encoder.
    FindPhrase(String),
    /// Begin a causal check of the answer of this card.
    Check(usize),
    /// Stop it.
    StopCheck,
    /// Choose the folder of a dual encoder in a dialog.
    ChooseDual,
    /// Do without a dual encoder.
    ForgetDual,
}

/// The state of the maps.
#[derive(Default)]
pub struct Maps {
    /// The map over the picture.
    pub kind: Option<MapKind>,
    /// Which attention.
    pub attention: Attention,
    /// The encoder's attention on the picture that is shown.
    pub encoder: Wanted<Arc<EncoderMaps>>,
    /// The card and the word whose map is shown.
    pub word: Option<(usize, usize)>,
    /// The card and the phrase that is pinned.
    pub pinned: Option<(usize, usize)>,
    /// The card and the phrase that is pointed at.
    pub pointed: Option<(usize, usize)>,
    /// The word that was typed, in the answering model; shown in place of `word`.
    pub typed: Wanted<Typed>,
    /// The phrase that was typed, in the dual encoder.
    pub phrase: Wanted<Typed>,
    /// The causal check.
    pub causal: Wanted<Causal>,
    /// The card that the causal check is about.
    pub checked: Option<usize>,
    /// The dual encoder: its name, or why it cannot be used.
    pub dual: Wanted<String>,
    /// Zero-shot labels of the picture: each with its share, 0 to 1.
    pub labels: Vec<(String, f32)>,
    /// What is typed for a word map.
    pub typing_word: String,
    /// What is typed for a phrase map.
    pub typing_phrase: String,
    /// Where the dual encoder lies, for the settings.
    pub dual_folder: Option<PathBuf>,
}
