//! Any map as it may be shown: never without what it may claim and its raw range.

use encoder::{Attention, EncoderMaps, Found};
use evidence::LabelMap;
use values::heatmap::Heatmap;
use values::heatmap::paint::Scale;
use values::region::Region;

use super::ties::LEAST_CHANCE;
use super::told::as_answer;
use super::{Causal, ForcedWord, Grounding, LEAST_SUPPORT};

/// What is said of the encoder before a picture of one colour.
const PLAIN: &str = "The picture is of one colour: this is what the encoder does by itself.";
/// What is said of a map in which nothing stands out.
const FLAT: &str = "Low contrast: nothing stands out.";
/// What is said of a check in which nothing mattered.
const NOTHING: &str = "No area mattered more than a random one.";
/// What the raw range is of.
const OWN: &str = "The raw values of this map";
/// The same, where the colours are not the map's own.
const SHARED: &str =
    "The raw values of this map. The colours have one scale for all words of the answer.";

/// A map with what must be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownMap {
    /// The map.
    pub map: Heatmap,
    /// The lowest and the highest raw value.
    pub range: Scale,
    /// The values at the two ends of the colours.
    pub scale: Scale,
    /// What it finds, up to the place where it is strongest: "Attention is strongest".
    pub finding: String,
    /// What it may claim.
    pub claim: String,
    /// What one value is.
    pub unit: &'static str,
    /// What the raw range is of.
    pub hint: &'static str,
    /// Why it is drawn in grey: what was looked for is not there, and colours would say more than
    /// it does.
    pub absent: Option<String>,
    /// What else there is to doubt.
    pub doubt: Option<&'static str>,
    /// The area that the claim calls "this area".
    pub outline: Option<Region>,
}

impl ShownMap {
    /// A map with colours and figures of its own.
    fn new(map: Heatmap, unit: &'static str, finding: String, claim: String) -> Self {
        let own = Scale::of(&map);
        let doubt = map.is_flat().then_some(FLAT);
        let (absent, outline) = (None, None);
        Self {
            map,
            range: own,
            scale: own,
            finding,
            claim,
            unit,
            hint: OWN,
            absent,
            doubt,
            outline,
        }
    }

    /// The attention of the vision encoder; `None` where it has no such layer or head.
    #[must_use]
    pub fn attention(maps: &EncoderMaps, attention: Attention) -> Option<Self> {
        let map = maps.of(attention)?;
        let unit = if attention == Attention::Rollout { "rollout" } else { "attention" };
        let claim = "Where the vision encoder's attention flowed. The same for every question. Not \
                     why the model answered.";
        let finding = "Attention is strongest".to_owned();
        // A few patches gather most of the attention: the rest is to be told apart.
        let scale = Scale::usual(&map);
        let absent = maps.plain.then(|| PLAIN.to_owned());
        Some(Self { scale, absent, ..Self::new(map, unit, finding, claim.to_owned()) })
    }

    /// Where the label encoder sees a label.
    #[must_use]
    pub fn label(of: &LabelMap) -> Self {
        let LabelMap { label, map, chance } = of;
        let claim = format!(
            "The label encoder's score of '{}' is the mean of this map, exactly: it is what the name \
             rests on, and not what the answering model looked at.",
            label.name
        );
        let finding = format!("The label encoder sees '{}' most", label.name);
        let own = Self::new(map.clone(), "logits", finding, claim);
        // Below the mean it speaks against the label.
        let scale = Scale { low: map.stats().mean.min(own.scale.high), ..own.scale };
        let unseen = || format!("The label encoder sees no '{}' here.", label.name);
        let absent = (*chance < LEAST_CHANCE).then(unseen);
        Self { scale, absent, ..own }
    }

    /// Where the features of this word of an answer lie.
    #[must_use]
    pub fn features(of: &Grounding, word: usize) -> Option<Self> {
        let word = of.words.get(word)?;
        let claim = format!(
            "Image patches whose features point to '{}' in the answering model. Correlational.",
            word.text
        );
        let finding = format!("Features point to '{}' most", word.text);
        let own = Self::new(word.map.clone(), "logits", finding, claim);
        // One scale for all words, so that one that the picture hardly carries looks like it.
        let scale = Scale::shared(of.words.iter().map(|word| &word.map)).unwrap_or(own.scale);
        let absent = word.seen.as_ref().and_then(|seen| unseen(&word.text, seen));
        Some(Self { range: Scale::of(&word.raw), scale, hint: SHARED, absent, ..own })
    }

    /// Where this word of an answer is seen alone; `None` where that was not tried.
    #[must_use]
    pub fn seen(of: &Grounding, word: usize) -> Option<Self> {
        let word = of.words.get(word)?;
        let seen = word.seen.as_ref()?;
        let absent = unseen(&word.text, seen);
        let claim = match absent {
            Some(_) => format!("Where the model would see '{}' if it saw it.", word.text),
            None => format!(
                "Parts of the picture that, seen alone, make the model say '{}': up to {:.1} nats \
                 likelier than with a blurred one.",
                word.text,
                seen.stats().max
            ),
        };
        let finding = format!("Seen alone, '{}' is likeliest", word.text);
        let own = Self::new(seen.clone(), "gain of ln p", finding, claim);
        let maps = of.words.iter().filter_map(|word| word.seen.as_ref());
        let most = Scale::shared(maps).unwrap_or(own.scale).high;
        // What a part of the picture makes less probable is not seen there.
        let scale = Scale { low: 0.0, high: most.max(LEAST_SUPPORT) };
        Some(Self { scale, hint: SHARED, absent, ..own })
    }

    /// Where a word lies that the model did not say.
    #[must_use]
    pub fn forced(of: &ForcedWord) -> Self {
        let (word, answer) = (&of.word, as_answer(&of.word));
        let claim = format!(
            "Image patches whose features point to '{word}' in the answering model, teacher-forced \
             as \"{answer}\": it did not say so itself. Correlational."
        );
        let absent = (!of.is_present()).then(|| not_found(word));
        let finding = format!("Features point to '{word}' most");
        Self { absent, ..Self::new(of.map.clone(), "activation", finding, claim) }
    }

    /// Where the dual encoder called `model` finds a phrase.
    #[must_use]
    pub fn found(of: &Found, model: &str) -> Self {
        let claim = format!("Where {model} finds '{}'.", of.phrase);
        let absent = (!of.present).then(|| not_found(&of.phrase));
        let finding = format!("It finds '{}' most", of.phrase);
        Self { absent, ..Self::new(of.map.clone(), "similarity", finding, claim) }
    }

    /// What moved an answer.
    #[must_use]
    pub fn causal(of: &Causal) -> Self {
        let random = of.random.map_or("not hidden yet".to_owned(), nats);
        let claim = format!(
            "Hiding this area changed the answer's log-probability by {} (random area: {random}).",
            nats(of.greatest)
        );
        let finding = "The answer needs most what lies".to_owned();
        let own = Self::new(of.map.clone(), "fall of ln p", finding, claim);
        // It begins at no change: what made the answer likelier did not speak for it.
        let scale = Scale { low: 0.0, high: own.scale.high.max(f32::MIN_POSITIVE) };
        let nothing = of.random.is_some_and(|random| of.greatest <= random);
        let doubt = if of.running { own.doubt } else { nothing.then_some(NOTHING) };
        let outline = of.area.filter(|_| of.greatest > 0.0);
        Self { scale, doubt, outline, ..own }
    }

    /// Whether it is drawn in grey.
    #[must_use]
    pub fn is_grey(&self) -> bool {
        self.absent.is_some() || self.map.is_flat()
    }

    /// What it comes to in one sentence: what there is to doubt, else what it finds `place`, such as
    /// "at the top left".
    #[must_use]
    pub fn verdict(&self, place: &str) -> String {
        self.doubts().map_or_else(|| format!("{} {place}.", self.finding), str::to_owned)
    }

    /// What there is to doubt, in words.
    #[must_use]
    pub fn doubts(&self) -> Option<&str> {
        self.absent.as_deref().or(self.doubt)
    }
}

/// What is said of a word that no part of the picture makes the model say.
fn unseen(word: &str, seen: &Heatmap) -> Option<String> {
    (seen.stats().max < LEAST_SUPPORT)
        .then(|| format!("No part of the picture alone makes the model say '{word}'."))
}

fn not_found(text: &str) -> String {
    format!("Not found: '{text}' does not stand out in this picture.")
}

/// A fall of the log-probability as the change that it is, in nats.
fn nats(fall: f32) -> String {
    let change = if fall.abs() < 0.005 { 0.0 } else { -fall };
    let sign = if change > 0.0 { "+" } else { "" };
    format!("{sign}{change:.2}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evidence::Label;
    use grounding::WordMap;
    use values::config::Fill;

    use super::*;

    fn map(values: [f32; 4]) -> Heatmap {
        Heatmap::new(2, 2, values.to_vec()).unwrap()
    }

    #[test]
    fn falls_are_said_as_changes() {
        assert_eq!(nats(2.314), "−2.31");
        assert_eq!(nats(-0.5), "+0.50");
        assert_eq!(nats(0.004), "0.00");
        assert_eq!(nats(-0.004), "0.00");
    }

    #[test]
    fn attention_is_of_all_layers_of_one_or_of_a_head() {
        let heads = vec![vec![map([1.0, 2.0, 3.0, 4.0]), map([3.0, 2.0, 1.0, 0.0])]];
        let rollout = map([0.0, 1.0, 2.0, 3.0]);
        let maps = EncoderMaps { rollout, heads, plain: false, took: Duration::ZERO };
        let of = |attention| ShownMap::attention(&maps, attention);
        let all = of(Attention::Rollout).unwrap();
        assert_eq!((all.range, all.is_grey()), (Scale { low: 0.0, high: 3.0 }, false));
        let layer = of(Attention::Layer(0)).unwrap();
        assert_eq!(layer.range, Scale { low: 2.0, high: 2.0 }, "the mean of two heads is even");
        assert_eq!((layer.is_grey(), layer.doubts()), (true, Some(FLAT)));
        assert_eq!(of(Attention::Head(0, 9)), None);
        let plain = EncoderMaps { plain: true, ..maps.clone() };
        assert_eq!(
            ShownMap::attention(&plain, Attention::Head(0, 0)).unwrap().doubts(),
            Some(PLAIN)
        );
    }

    #[test]
    fn words_share_their_colours_and_keep_their_own_figures() {
        let word = |text: &str, most: f32, seen: f32| WordMap {
            bytes: 0..1,
            text: text.into(),
            map: map([0.0, 0.1, 0.0, most / 5.0]),
            raw: map([0.0, 0.5, 0.0, most]),
            seen: Some(map([-0.5, 0.0, 0.0, seen])),
        };
        let words = vec![word("red", 4.0, 3.4), word("beside", 1.0, 0.2)];
        let of = Grounding { words, ..Grounding::default() };
        let beside = ShownMap::features(&of, 1).unwrap();
        assert_eq!((beside.scale.high, beside.range.high), (0.8, 1.0));
        assert!(beside.doubts().unwrap().ends_with("say 'beside'."));
        let red = ShownMap::seen(&of, 0).unwrap();
        assert!(red.claim.contains("say 'red': up to 3.4 nats") && red.absent.is_none());
        assert_eq!((red.scale.low, red.scale.high, red.range.low), (0.0, 3.4, -0.5));
        assert!(ShownMap::seen(&of, 1).unwrap().is_grey());
        assert_eq!(ShownMap::features(&of, 2), None);
    }

    #[test]
    fn a_label_is_shown_where_its_score_comes_from() {
        let label = Label { name: "lynx".into(), kind: None, probability: 0.6 };
        let of =
            |chance| LabelMap { label: label.clone(), map: map([4.0, -2.0, 0.0, 2.0]), chance };
        let shown = ShownMap::label(&of(0.9));
        assert_eq!((shown.scale, shown.range.low), (Scale { low: 1.0, high: 4.0 }, -2.0));
        let said = shown.verdict("at the top left");
        assert_eq!(said, "The label encoder sees 'lynx' most at the top left.");
        let absent = ShownMap::label(&of(0.01));
        assert!(absent.is_grey());
        assert_eq!(absent.verdict("at the top"), "The label encoder sees no 'lynx' here.");
    }

    #[test]
    fn what_is_not_there_is_grey_and_said() {
        let forced = |support| ForcedWord {
            word: "pear".into(),
            map: map([0.0, 1.0, 2.0, 3.0]),
            support,
            seen: None,
        };
        let there = ShownMap::forced(&forced(2.0));
        assert!(there.claim.contains("teacher-forced as \"A pear.\"") && !there.is_grey());
        assert!(ShownMap::forced(&forced(0.2)).doubts().unwrap().starts_with("Not found: 'pear'"));
        let found =
            Found { phrase: "a pear".into(), map: map([0.0, 1.0, 2.0, 3.0]), present: false };
        let shown = ShownMap::found(&found, "CLIP");
        assert_eq!(shown.claim, "Where CLIP finds 'a pear'.");
        assert!(shown.is_grey());
    }

    #[test]
    fn a_check_is_doubted_once_it_is_over() {
        let causal = |greatest, running| Causal {
            map: map([0.0, -0.2, 1.5, 0.1]),
            fill: Fill::Mean,
            done: 4,
            total: 4,
            running,
            area: Some(Region::WHOLE),
            greatest,
            random: Some(-0.004),
        };
        let over = ShownMap::causal(&causal(1.5, false));
        assert!(over.claim.ends_with("by −1.50 (random area: 0.00)."), "{}", over.claim);
        assert_eq!((over.scale.low, over.range.low), (0.0, -0.2));
        assert_eq!((over.doubts(), over.outline), (None, Some(Region::WHOLE)));
        let nothing = ShownMap::causal(&causal(-0.1, false));
        assert_eq!((nothing.doubts(), nothing.outline), (Some(NOTHING), None));
        assert_eq!(ShownMap::causal(&causal(-0.1, true)).doubts(), None);
    }
}
