//! From logits to words.

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
/// by the number given; all others are even.
struct Scene {
    text: &'static str,
    sides: &'static [usize],
    peaks: Vec<(&'static str, usize, usize, f32)>,
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
    fn read(&self) -> (Vec<Piece>, TokenLogits) {
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
        let (first, side) = (image.last().unwrap().start, *self.sides.last().unwrap());
        for (word, row, col, height) in &self.peaks {
            let row = first + row * side + col;
            logits[row * columns.len() + column(word)] += height;
        }
        let logprobs = vec![-0.25; ids.len()];
        let logits =
            TokenLogits::new(tokens, image, prompt, answer, columns, logits, logprobs).unwrap();
        let pieces = ids.into_iter().zip(bytes).map(|(id, bytes)| Piece { id, bytes });
        (pieces.collect(), logits)
    }

    fn words(&self) -> Vec<WordMap> {
        let (pieces, logits) = self.read();
        word_maps(self.text, &pieces, &logits, (8, 8), Region::WHOLE).unwrap()
    }
}

#[test]
fn words_have_their_maps_where_they_stand_out() {
    let scene = Scene {
        text: "A red dog and the cat.",
        sides: &[8],
        peaks: [square("dog", 3, 2, 6.0), square("red", 3, 2, 6.0), square("cat", 2, 5, 9.0)]
            .concat(),
    };
    let words = scene.words();
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["A", "red", "dog", "and", "the", "cat"]);
    assert!(words.iter().all(|word| scene.text[word.bytes.clone()] == word.text));
    assert_eq!((words[2].map.area(), words[2].map.peak_cell()), (Region::WHOLE, (4, 3)));
    assert_eq!(words[5].map.peak_cell(), (3, 6));
    assert!(words[5].raw.stats().max > words[2].raw.stats().max);
}

#[test]
fn maps_are_of_the_last_picture_and_over_its_area() {
    let scene = Scene { text: "A dog.", sides: &[3, 2], peaks: vec![("dog", 1, 1, 8.0)] };
    let (pieces, logits) = scene.read();
    let half = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
    let words = word_maps(scene.text, &pieces, &logits, (2, 2), half).unwrap();
    assert_eq!((words[1].map.rows(), words[1].map.cols()), (2, 2));
    assert_eq!(words[1].raw.peak(), (0.875, 0.75));
    let wide = word_maps(scene.text, &pieces, &logits, (1, 4), half).unwrap();
    assert_eq!((wide[1].map.rows(), wide[1].raw.peak_cell()), (1, (0, 3)));
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
    let said = ids("tokens")[answer[0]..].to_vec().into_iter().zip(bytes);
    let pieces: Vec<Piece> = said.map(|(id, bytes)| Piece { id, bytes }).collect();
    let words = word_maps(text, &pieces, &logits, (8, 8), Region::WHOLE).unwrap();
    assert_eq!(words.len(), 3);
    let most = |maps: Vec<f32>, golden: Vec<f32>| {
        assert_eq!(maps.len(), golden.len());
        maps.iter().zip(golden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let map = words.iter().flat_map(|word| word.map.values().to_vec()).collect();
    let raw = words.iter().flat_map(|word| word.raw.values().to_vec()).collect();
    assert!(most(map, floats("words.filtered")) < 1e-5);
    assert!(most(raw, floats("words.denoised")) < 1e-5);
}

#[test]
fn what_does_not_fit_is_refused() {
    let scene = Scene { text: "A dog.", sides: &[2], peaks: Vec::new() };
    let (pieces, logits) = scene.read();
    let refused = |text: &str, pieces: &[Piece], logits: &TokenLogits| {
        word_maps(text, pieces, logits, (2, 2), Region::WHOLE).err()
    };
    assert_eq!(refused(scene.text, &pieces, &logits), None);
    assert_eq!(refused("A d", &pieces, &logits), Some(GroundingError::Text(1)));
    assert_eq!(refused(scene.text, &pieces[1..], &logits), Some(GroundingError::OtherAnswer));
    let mut backwards = pieces.clone();
    backwards[2].bytes = 0..1;
    assert_eq!(refused(scene.text, &backwards, &logits), Some(GroundingError::Text(2)));
    let mut wide = logits.clone();
    wide.image[0].end -= 1;
    let grid = GroundingError::Grid { tokens: 3, rows: 2, columns: 2 };
    assert_eq!(refused(scene.text, &pieces, &wide), Some(grid));
    let mut none = logits;
    none.image.clear();
    assert_eq!(refused(scene.text, &pieces, &none), Some(GroundingError::NoPicture));
}
