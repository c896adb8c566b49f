//! From logits to words, phrases and places.

#![allow(
    clippy::single_range_in_vec_init,
    clippy::float_cmp,
    reason = "one picture, exact numbers"
)]

use std::path::Path;

use safetensors::SafeTensors;

use super::*;

/// An answer of words, each one token with its leading space, about pictures of `sides`.
///
/// `peaks` are cells of the last picture, given by row and column, where a word's logit stands out
/// by the number given; all others are even, but lower by 6 for what is `absent`.
struct Scene {
    text: &'static str,
    sides: &'static [usize],
    peaks: Vec<(&'static str, usize, usize, f32)>,
    absent: &'static [&'static str],
}

/// A square of three by three cells from a row and a column.
fn square(
    word: &'static str,
    row: usize,
    col: usize,
    height: f32,
) -> Vec<(&'static str, usize, usize, f32)> {
    (0..9).map(|cell| (word, row + cell / 3, col + cell % 3, height)).collect()
}

impl Scene {
    /// One id a distinct word, from 100; the prompt is one token, 50.
    fn read(&self) -> (Vec<(u32, Range<usize>)>, TokenLogits) {
        let mut starts: Vec<usize> =
            self.text.match_indices([' ', '.']).map(|(at, _)| at).collect();
        starts.insert(0, 0);
        let ends = starts.iter().skip(1).copied().chain([self.text.len()]);
        let bytes: Vec<Range<usize>> =
            starts.iter().copied().zip(ends).map(|(a, b)| a..b).collect();
        let mut known = vec![];
        let ids: Vec<u32> = bytes
            .iter()
            .map(|bytes| {
                let piece = &self.text[bytes.clone()];
                let at = known.iter().position(|other| *other == piece);
                100 + at.unwrap_or_else(|| {
                    known.push(piece);
                    known.len() - 1
                }) as u32
            })
            .collect();
        let mut columns: Vec<u32> = vec![50];
        columns.extend((0..known.len()).map(|at| 100 + at as u32));
        let (mut tokens, mut image) = (Vec::new(), Vec::new());
        for side in self.sides {
            tokens.push(2);
            image.push(tokens.len()..tokens.len() + side * side);
            tokens.extend(vec![1; side * side]);
        }
        let prompt = vec![tokens.len()];
        tokens.push(50);
        let answer = tokens.len()..tokens.len() + ids.len();
        tokens.extend(&ids);
        let mut logits = vec![1.0; tokens.len() * columns.len()];
        let column =
            |word: &str| 1 + known.iter().position(|piece| piece.trim_start() == word).unwrap();
        for word in self.absent {
            let column = column(word);
            logits.iter_mut().skip(column).step_by(columns.len()).for_each(|logit| *logit -= 6.0);
        }
        let (first, side) = (image.last().unwrap().start, *self.sides.last().unwrap());
        for (word, row, col, height) in &self.peaks {
            let row = first + row * side + col;
            logits[row * columns.len() + column(word)] += height;
        }
        let logprobs = vec![-0.25; ids.len()];
        let logits =
            TokenLogits::new(tokens, image, prompt, answer, columns, logits, logprobs).unwrap();
        (ids.into_iter().zip(bytes).collect(), logits)
    }

    fn ground(&self) -> (Vec<WordMap>, Vec<Phrase>) {
        let (tokens, logits) = self.read();
        ground(self.text, &tokens, &logits, Region::WHOLE).unwrap()
    }
}

fn region(x: f32, y: f32, width: f32, height: f32) -> Region {
    Region::new(x, y, width, height).unwrap()
}

#[test]
fn phrases_are_found_where_their_words_stand_out() {
    let scene = Scene {
        text: "A red dog and the cat.",
        sides: &[8],
        peaks: [square("dog", 3, 2, 6.0), square("red", 3, 2, 6.0), square("cat", 2, 5, 9.0)]
            .concat(),
        absent: &[],
    };
    let (words, phrases) = scene.ground();
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["A", "red", "dog", "and", "the", "cat"]);
    assert!(words.iter().all(|word| scene.text[word.bytes.clone()] == word.text));
    let names: Vec<&str> = phrases.iter().map(|phrase| phrase.text.as_str()).collect();
    assert_eq!(names, ["A red dog", "the cat"]);
    let dog = phrases[0].place.unwrap();
    assert_eq!(dog.region, region(0.25, 0.375, 0.375, 0.375));
    let cat = phrases[1].place.unwrap();
    assert_eq!(cat.region, region(0.625, 0.25, 0.375, 0.375));
    assert!(cat.strength > dog.strength, "{cat:?} {dog:?}");
    let head = &words[2];
    assert_eq!(head.map.area(), Region::WHOLE);
    assert!((head.evidence.logprob + 0.25).abs() < 1e-6);
    assert!((head.evidence.raw - 7.0).abs() < 1e-6 && (head.evidence.own - 1.0).abs() < 1e-6);
    assert!(head.evidence.peak < head.evidence.raw && head.evidence.relative() > 0.5);
    assert!(head.evidence.prominence() > 1.0);
}

#[test]
fn what_is_not_in_the_picture_has_no_place() {
    let scene = Scene {
        text: "A dog and a cat.",
        sides: &[8],
        // The cat has a peak, but even there the head would say anything else sooner.
        peaks: [square("dog", 2, 2, 8.0), square("cat", 4, 4, 2.0)].concat(),
        absent: &["cat"],
    };
    let (_, phrases) = scene.ground();
    assert!(phrases[0].place.is_some());
    assert!(phrases[1].evidence.strength() < regions::MIN_STRENGTH);
    assert_eq!(phrases[1].place, None);
}

#[test]
fn maps_are_of_the_last_picture_and_over_its_area() {
    let scene =
        Scene { text: "A dog.", sides: &[3, 2], peaks: vec![("dog", 1, 1, 8.0)], absent: &[] };
    let (tokens, logits) = scene.read();
    let half = region(0.5, 0.0, 0.5, 1.0);
    let words = word_maps(scene.text, &tokens, &logits, half).unwrap();
    assert_eq!((words[1].map.rows(), words[1].map.cols()), (2, 2));
    assert_eq!(words[1].raw.peak(), (0.875, 0.75));
    let (_, phrases) = ground(scene.text, &tokens, &logits, half).unwrap();
    assert!(phrases[0].place.is_none_or(|place| place.region.x() >= 0.5));
}

#[test]
fn a_word_of_several_tokens_has_the_strongest_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tam");
    let cases = std::fs::read(folder.join("tam.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_slice(&cases).unwrap();
    let case = cases.as_array().unwrap().iter().find(|case| case["name"] == "words").unwrap();
    let file = std::fs::read(folder.join("tam.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = file.tensor(&format!("words.{name}")).unwrap().data().to_vec();
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let list = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
    let ids = |key: &str| -> Vec<u32> { serde_json::from_value(case[key].clone()).unwrap() };
    let answer = list("answer");
    let logits = TokenLogits::new(
        ids("tokens"),
        vec![0..64],
        list("prompt"),
        answer[0]..answer[1],
        ids("columns"),
        floats("logits"),
        vec![-1.0; 6],
    )
    .unwrap();
    let text = "one twothreefour fivesix";
    let bytes = [0..3, 3..7, 7..12, 12..16, 16..21, 21..24];
    let tokens: Vec<_> = ids("tokens")[answer[0]..].iter().copied().zip(bytes).collect();
    let words = word_maps(text, &tokens, &logits, Region::WHOLE).unwrap();
    assert_eq!(words.len(), 3);
    let most = |maps: Vec<f32>, golden: Vec<f32>| {
        assert_eq!(maps.len(), golden.len());
        maps.iter().zip(golden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let map = words.iter().flat_map(|word| word.map.values().to_vec()).collect();
    let raw = words.iter().flat_map(|word| word.raw.values().to_vec()).collect();
    assert!(most(map, floats("words.filtered")) < 1e-5);
    assert!(most(raw, floats("words.denoised")) < 1e-5);
    assert!((words[1].evidence.logprob + 3.0).abs() < 1e-6, "three tokens");
}

#[test]
fn what_does_not_fit_is_refused() {
    let scene = Scene { text: "A dog.", sides: &[2], peaks: Vec::new(), absent: &[] };
    let (tokens, logits) = scene.read();
    let refused = |text: &str, tokens: &[(u32, Range<usize>)], logits: &TokenLogits| {
        word_maps(text, tokens, logits, Region::WHOLE).err()
    };
    assert_eq!(refused(scene.text, &tokens, &logits), None);
    assert_eq!(refused("A d", &tokens, &logits), Some(GroundingError::Text(1)));
    assert_eq!(refused(scene.text, &tokens[1..], &logits), Some(GroundingError::OtherAnswer));
    let mut backwards = tokens.clone();
    backwards[2].1 = 0..1;
    assert_eq!(refused(scene.text, &backwards, &logits), Some(GroundingError::Text(2)));
    let mut wide = logits.clone();
    wide.image[0].end -= 1;
    assert_eq!(refused(scene.text, &tokens, &wide), Some(GroundingError::NotSquare(3)));
    let mut none = logits;
    none.image.clear();
    assert_eq!(refused(scene.text, &tokens, &none), Some(GroundingError::NoPicture));
}
