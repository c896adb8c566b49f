//! Maps beside `tests/golden/tam`, made by `tests/reference/golden_tam.py`.

#![allow(
    clippy::single_range_in_vec_init,
    clippy::float_cmp,
    reason = "one picture, exact numbers"
)]

use std::path::Path;

use safetensors::SafeTensors;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    side: usize,
    tokens: Vec<u32>,
    prompt: Vec<usize>,
    answer: (usize, usize),
    columns: Vec<u32>,
}

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tam").join(file))
        .unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn logits(case: &Case, file: &SafeTensors<'_>) -> TokenLogits {
    let (start, end) = case.answer;
    TokenLogits {
        tokens: case.tokens.clone(),
        image: vec![0..case.side * case.side],
        prompt: case.prompt.clone(),
        answer: start..end,
        columns: case.columns.clone(),
        logits: floats(file, &format!("{}.logits", case.name)),
        logprobs: vec![-1.0; end - start],
    }
}

/// The greatest difference.
fn off(mine: &[f64], golden: &[f32]) -> f64 {
    assert_eq!(mine.len(), golden.len());
    mine.iter().zip(golden).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max)
}

#[test]
fn every_token_has_the_maps_of_the_reference() {
    let (cases, tensors) = (golden("tam.json"), golden("tam.safetensors"));
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    let file = SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let logits = logits(&case, &file);
        let tam = Tam::new(&logits).unwrap();
        let cells = case.side * case.side;
        let of = |key: &str| floats(&file, &format!("{}.{key}", case.name));
        let (raw, denoised) = (of("raw"), of("denoised"));
        let (normal, filtered) = (of("normal"), of("filtered"));
        let mut most = [0.0_f64; 2];
        for token in 0..logits.answer.len() {
            let here = token * cells..(token + 1) * cells;
            let mine = tam.activation(token).unwrap();
            assert!(off(&mine.raw, &raw[here.clone()]) < 1e-6, "{} {token}", case.name);
            let before = off(&mine.denoised, &denoised[here.clone()])
                .max(off(&mine.normal, &normal[here.clone()]));
            let after = rank_gaussian(&mine.normal, case.side, case.side);
            let after = off(&after, &filtered[here]);
            most = [most[0].max(before), most[1].max(after)];
        }
        eprintln!("{}: {:.1e} before the filter, {:.1e} after", case.name, most[0], most[1]);
        assert!(most[0] < 1e-5 && most[1] < 1e-5, "{}: {most:?}", case.name);
        assert_eq!(tam.activation(logits.answer.len()), None);
        assert_eq!(tam.activation(usize::MAX), None);
    }
}

/// Four patches, the prompt 10, the answer 11 12 11; `rows` are the logits of 10, 11 and 12.
fn small(rows: [[f32; 3]; 8]) -> TokenLogits {
    TokenLogits::new(
        vec![1, 1, 1, 1, 10, 11, 12, 11],
        vec![0..4],
        vec![4],
        5..8,
        vec![10, 11, 12],
        rows.concat(),
        vec![-0.5; 3],
    )
    .unwrap()
}

#[test]
fn what_the_text_before_explains_is_taken_away() {
    // The patches say of 11 twice what they say of 10, and at the last one 6 more.
    let mut rows = [[0.0; 3]; 8];
    rows[..4].copy_from_slice(&[
        [1.0, 2.0, 0.0],
        [2.0, 4.0, 0.0],
        [3.0, 6.0, 0.0],
        [0.0, 6.0, 0.0],
    ]);
    rows[4] = [0.0, 5.0, 0.0];
    let logits = small(rows);
    let first = Tam::new(&logits).unwrap().activation(0).unwrap();
    assert_eq!(first.raw, [2.0, 4.0, 6.0, 6.0]);
    assert!(off(&first.denoised, &[0.0, 0.0, 0.0, 6.0]) < 1e-6);
    // 6 is the greatest of patches and text, whose one token before has 5.
    assert!(off(&first.normal, &[0.0, 0.0, 0.0, 1.0]) < 1e-6);
    assert_eq!(first.text, [5.0]);
}

#[test]
fn its_own_repeats_take_nothing_from_a_token() {
    let mut rows = [[0.0; 3]; 8];
    rows[..4].copy_from_slice(&[
        [0.0, 4.0, 1.0],
        [0.0, 1.0, 1.0],
        [0.0, 2.0, 1.0],
        [0.0, 1.0, 1.0],
    ]);
    // 11 is told by the position of the first 11 alone, and by that of 12.
    rows[4] = [0.0, 9.0, 0.0];
    let logits = small(rows);
    let tam = Tam::new(&logits).unwrap();
    let repeated = tam.activation(2).unwrap();
    assert_eq!(repeated.text, [9.0, 9.0, 0.0], "the text keeps them");
    assert_eq!(repeated.denoised, repeated.raw, "nothing else speaks for 11");
    // With 12 speaking for it too, only 12 counts, whose map is even: 2 is the mean.
    rows[5] = [0.0, 3.0, 0.0];
    let logits = small(rows);
    let repeated = Tam::new(&logits).unwrap().activation(2).unwrap();
    assert!(off(&repeated.denoised, &[2.0, 0.0, 0.0, 0.0]) < 1e-6);
}

#[test]
fn the_filter_drops_outliers_and_keeps_even_windows() {
    let mut spot = vec![1.0; 25];
    spot[12] = 1.2;
    let filtered = rank_gaussian(&spot, 5, 5);
    assert!(filtered.iter().all(|value| (value - 1.0).abs() < 1e-6), "{filtered:?}");
    assert_eq!(rank_gaussian(&[0.5; 4], 2, 2), [0.5; 4]);
    assert_eq!(rank_gaussian(&[0.0; 6], 3, 2), [0.0; 6]);
    assert_eq!(rank_gaussian(&[0.25], 1, 1), [0.25]);
    assert!(rank_gaussian(&[0.1, 0.9, 0.4], 1, 3).iter().all(|value| value.is_finite()));
    assert!(rank_gaussian(&[], 0, 0).is_empty());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let good = small([[0.0; 3]; 8]);
    let bad = |change: fn(&mut TokenLogits)| {
        let mut logits = good.clone();
        change(&mut logits);
        Tam::new(&logits).err().unwrap()
    };
    assert_eq!(bad(|l| l.image.clear()), GroundingError::NoPicture);
    assert_eq!(bad(|l| l.image = vec![0..9]), GroundingError::Position("picture", 8));
    assert_eq!(bad(|l| l.image = vec![2..4, 0..2]), GroundingError::Position("picture", 8));
    assert_eq!(bad(|l| l.image = vec![0..4, 6..7]), GroundingError::Position("picture", 8));
    assert_eq!(bad(|l| l.prompt = vec![5]), GroundingError::Position("prompt", 8));
    assert_eq!(bad(|l| l.answer = 5..9), GroundingError::Position("answer", 8));
    assert_eq!(bad(|l| l.answer = 0..3), GroundingError::Position("answer", 8));
    assert_eq!(bad(|l| l.tokens[6] = 99), GroundingError::NoColumn(99));
    assert_eq!(bad(|l| l.logits[7] = f32::NAN), GroundingError::NotFinite);
    assert!(matches!(bad(|l| l.logits.truncate(5)), GroundingError::Count { given: 5, .. }));
    assert!(matches!(bad(|l| l.logprobs.clear()), GroundingError::Count { needed: 3, .. }));
    assert_eq!(good.logit(7, 12), Some(0.0));
    assert_eq!((good.logit(8, 12), good.logit(0, 13)), (None, None));
}
