//! Maps: sampling, numbers, colours and files.

#![allow(clippy::float_cmp, reason = "exact by construction")]

use image::{Rgb, RgbImage};
use safetensors::SafeTensors;

use super::numbers::{Named, to_safetensors};
use super::paint::{self, Scale};
use super::stats::{FLAT, spearman};
use super::*;

fn map(rows: usize, cols: usize, values: &[f32]) -> Heatmap {
    Heatmap::new(rows, cols, values.to_vec()).unwrap()
}

fn region(x: f32, y: f32, width: f32, height: f32) -> Region {
    Region::new(x, y, width, height).unwrap()
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-5
}

#[test]
fn what_does_not_fill_a_grid_is_refused() {
    let shape = |rows, cols, values: &[f32]| Heatmap::new(rows, cols, values.to_vec());
    assert!(matches!(shape(2, 2, &[1.0; 3]), Err(HeatmapError::Shape { values: 3, .. })));
    assert!(shape(0, 5, &[]).is_err());
    assert!(shape(usize::MAX, 2, &[1.0; 2]).is_err(), "the product overflows");
    assert_eq!(shape(1, 2, &[1.0, f32::NAN]), Err(HeatmapError::NotFinite(1)));
}

#[test]
fn points_are_sampled_inside_the_area_only() {
    let whole = map(2, 2, &[0.0, 1.0, 2.0, 3.0]);
    assert_eq!(whole.nearest(0.1, 0.9), Some(2.0));
    assert_eq!(whole.nearest(1.0, 1.0), Some(3.0), "the far edge belongs to the last cell");
    assert_eq!(whole.bilinear(0.25, 0.25), Some(0.0), "a cell's centre has its value");
    assert_eq!(whole.bilinear(0.5, 0.5), Some(1.5));
    assert_eq!(whole.bilinear(0.5, 0.0), Some(0.5), "beyond the centres it stays as it is there");
    let part = whole.over(region(0.5, 0.5, 0.5, 0.25));
    assert_eq!(part.nearest(0.4, 0.6), None);
    assert_eq!(part.bilinear(0.6, 0.8), None);
    assert_eq!(part.nearest(0.9, 0.7), Some(3.0));
    assert_eq!(part.bilinear(0.75, 0.625), Some(1.5));
    assert_eq!(part.bilinear(f32::NAN, 0.6), None);
    let single = map(1, 1, &[7.0]);
    assert_eq!(single.bilinear(0.3, 0.9), Some(7.0));
}

#[test]
fn statistics_and_the_peak() {
    let values = map(2, 3, &[1.0, 2.0, 3.0, 4.0, 8.0, 0.0]);
    let stats = values.stats();
    assert_eq!((stats.min, stats.max, stats.mean), (0.0, 8.0, 3.0));
    assert!(near(stats.deviation, (40.0_f32 / 6.0).sqrt()));
    assert!(near(stats.prominence(), 5.0 / (40.0_f32 / 6.0).sqrt()));
    assert_eq!(values.peak_cell(), (1, 1));
    assert_eq!(values.peak(), (0.5, 0.75));
    let part = values.over(region(0.5, 0.0, 0.5, 0.5));
    assert_eq!(part.peak(), (0.75, 0.375));
    assert_eq!(map(1, 2, &[5.0, 5.0]).peak_cell(), (0, 0));
}

#[test]
fn contrast_has_no_unit_and_flat_maps_say_so() {
    let contrast = |values: &[f32]| map(1, values.len(), values).stats().contrast();
    assert_eq!(contrast(&[3.0, 3.0]).to_bits(), 0.0_f32.to_bits());
    assert_eq!(contrast(&[0.0, 0.0]).to_bits(), 0.0_f32.to_bits());
    assert!(near(contrast(&[1.0, 3.0]), 0.5));
    assert!(near(contrast(&[1e-6, 3e-6]), 0.5));
    assert!(near(contrast(&[-3.0, -1.0]), 0.5));
    assert!(near(contrast(&[-1.0, 0.2]), 1.0));
    assert!(near(contrast(&[f32::MIN, f32::MAX]), 1.0), "no overflow");
    let flat = |most: f32| map(1, 2, &[1.0, most]).is_flat();
    assert!(flat(1.2) && !flat(1.25));
    assert!(near(contrast(&[1.0, 1.222_222]), FLAT));
    assert!(map(1, 3, &[0.0; 3]).is_flat());
    assert!(!map(1, 3, &[0.0, 0.0, 1e-9]).is_flat(), "a weak map is not a flat one");
}

#[test]
fn energy_counts_positive_mass_and_parts_of_cells() {
    let values = map(2, 2, &[1.0, -5.0, 2.0, 1.0]);
    assert!(near(values.energy(Region::WHOLE), 1.0));
    assert!(near(values.energy(region(0.0, 0.5, 0.5, 0.5)), 0.5));
    assert!(near(values.energy(region(0.0, 0.5, 0.25, 0.5)), 0.25), "half of the cell");
    let right = values.clone().over(region(0.5, 0.0, 0.5, 1.0));
    assert!(near(right.energy(region(0.0, 0.0, 0.5, 1.0)), 0.0));
    assert!(near(right.energy(region(0.0, 0.0, 0.75, 1.0)), 0.75));
    assert!(near(map(1, 2, &[-1.0, 0.0]).energy(Region::WHOLE), 0.0));
}

#[test]
fn a_usual_scale_ends_below_what_sticks_out() {
    let mut values: Vec<f32> = (0..100).map(|value| value as f32 / 100.0).collect();
    values[7] = 50.0;
    let scale = Scale::usual(&map(10, 10, &values));
    assert!(near(scale.low, 0.0) && near(scale.high, 0.98), "{scale:?}");
    let alone = map(1, 2, &[0.0, 9.0]);
    assert_eq!(Scale::usual(&alone), Scale::of(&alone));
    let mut lonely = vec![0.0; 100];
    lonely[3] = 1.0;
    let lonely = map(10, 10, &lonely);
    assert_eq!(Scale::usual(&lonely), Scale::of(&lonely), "nothing but what sticks out");
}

#[test]
fn rank_correlation_is_spearmans() {
    let one = map(1, 5, &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let rho = |values: &[f32]| spearman(&one, &map(1, 5, values));
    assert!(near(rho(&[0.1, 10.0, 11.0, 50.0, 99.0]).unwrap(), 1.0));
    assert!(near(rho(&[5.0, 4.0, 3.0, 2.0, 1.0]).unwrap(), -1.0));
    // scipy.stats.spearmanr([1, 2, 3, 4, 5], [2, 2, 1, 5, 4]).
    assert!(near(rho(&[2.0, 2.0, 1.0, 5.0, 4.0]).unwrap(), 0.564_288));
    assert_eq!(rho(&[1.0; 5]), None);
    assert_eq!(spearman(&one, &map(5, 1, &[1.0, 2.0, 3.0, 4.0, 5.0])), None);
    let zeros = map(1, 3, &[0.0, -0.0, 1.0]);
    assert!(near(spearman(&zeros, &map(1, 3, &[3.0, 3.0, 4.0])).unwrap(), 1.0), "−0 equals 0");
}

#[test]
fn like_maps_are_taken_together() {
    let (one, other) = (map(1, 2, &[0.0, 4.0]), map(1, 2, &[2.0, 1.0]));
    let weighed = Heatmap::mean(&[(&one, 3.0), (&other, 1.0)]).unwrap();
    assert_eq!(weighed.values(), [0.5, 3.25]);
    assert_eq!(Heatmap::strongest(&[&one, &other]).unwrap().values(), [2.0, 4.0]);
    assert_eq!(Heatmap::strongest(&[]), Err(HeatmapError::NoMaps));
    assert_eq!(Heatmap::mean(&[]), Err(HeatmapError::NoMaps));
    let tall = map(2, 1, &[0.0, 1.0]);
    assert_eq!(Heatmap::strongest(&[&one, &other, &tall]), Err(HeatmapError::Unlike(2)));
    let part = other.over(region(0.0, 0.0, 0.5, 0.5));
    assert_eq!(Heatmap::mean(&[(&one, 1.0), (&part, 1.0)]), Err(HeatmapError::Unlike(1)));
    assert!(Heatmap::mean(&[(&one, 1.0), (&one, -1.0)]).is_err(), "weights that cancel");
}

#[test]
fn scales_are_a_maps_own_or_shared() {
    let (weak, strong) = (map(1, 2, &[1.0, 2.0]), map(1, 2, &[0.0, 10.0]));
    assert_eq!(Scale::of(&weak), Scale { low: 1.0, high: 2.0 });
    assert_eq!(Scale::shared([&weak, &strong]), Some(Scale { low: 0.0, high: 10.0 }));
    assert_eq!(Scale::shared([]), None);
    let scale = Scale { low: 1.0, high: 3.0 };
    assert_eq!([0.0, 1.5, 9.0].map(|value| scale.share(value)), [0.0, 0.25, 1.0]);
    assert!(near(Scale { low: 1.0, high: 1.0 }.share(1.0), 0.0));
}

/// Relative luminance of sRGB (WCAG 2.2).
fn luminance(colour: &[u8]) -> f32 {
    let linear = |value: u8| {
        let value = f32::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

#[test]
fn the_colours_only_grow_lighter_and_more_opaque() {
    let legend = paint::legend(64, 3);
    let row: Vec<[u8; 4]> = legend.rows().nth(2).unwrap().map(|pixel| pixel.0).collect();
    assert_eq!((row[0][3], row[63][3]), (0, 255));
    for pair in row.windows(2) {
        assert!(luminance(&pair[1]) > luminance(&pair[0]) && pair[1][3] > pair[0][3]);
    }
    assert_eq!(paint::legend(0, 0).len(), 0);
}

#[test]
fn a_layer_is_smooth_between_cells_and_follows_its_scale() {
    let values = map(1, 2, &[0.0, 1.0]);
    let layer = paint::layer(&values, Scale::of(&values), (40, 2));
    let alphas: Vec<u8> = (0..40).map(|x| layer.get_pixel(x, 1).0[3]).collect();
    assert_eq!((alphas[0], alphas[39]), (0, 255));
    assert!(alphas.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] < 16));
    let dim = paint::layer(&values, Scale { low: 0.0, high: 10.0 }, (40, 2));
    assert_eq!(dim.get_pixel(39, 0).0[3], 26, "a tenth of the scale");
    let flat = map(1, 2, &[1.0, 1.1]);
    let grey = paint::layer(&flat, Scale::of(&flat), (4, 4));
    assert!(grey.pixels().all(|pixel| pixel == grey.get_pixel(0, 0)));
    assert_eq!(grey.get_pixel(0, 0).0[..3], [128; 3]);
    assert!(paint::layer(&values, Scale::of(&values), (0, 7)).is_empty());
}

#[test]
fn an_overlay_changes_its_area_only() {
    let picture = RgbImage::from_pixel(40, 20, Rgb([200, 10, 10]));
    let values = map(2, 2, &[0.0, 0.0, 0.0, 1.0]).over(region(0.5, 0.0, 0.5, 1.0));
    let scale = Scale::of(&values);
    let shown = paint::overlay(&picture, &values, scale, 1.0);
    for (x, y, pixel) in shown.enumerate_pixels() {
        let weak = x < 20 || (x < 25 && y < 5);
        assert!(!weak || *pixel == Rgb([200, 10, 10]), "{x},{y}");
    }
    let Rgb(strong) = *shown.get_pixel(39, 19);
    assert_eq!(strong, [253, 231, 37], "the yellow that viridis ends in");
    let Rgb(half) = *paint::overlay(&picture, &values, scale, 0.5).get_pixel(39, 19);
    assert_eq!(half, [227, 121, 24]);
    assert_eq!(paint::overlay(&picture, &values, scale, 0.0), picture);
    assert!(paint::overlay(&RgbImage::new(0, 0), &values, scale, 1.0).is_empty());
}

#[test]
fn written_maps_are_read_back() {
    let dog = map(2, 3, &[0.0, 1.0, 2.0, -3.0, 4.0, 0.5]).over(region(0.25, 0.0, 0.5, 1.0));
    let cat = map(1, 1, &[9.0]);
    let named = [
        Named { name: "word.1", label: "a \"dog\"", map: &dog },
        Named { name: "word.0", label: "cat", map: &cat },
    ];
    let bytes = to_safetensors(&named).unwrap();
    assert_eq!(bytes, to_safetensors(&named).unwrap(), "the same maps, the same bytes");
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = read.tensor("word.1").unwrap();
    assert_eq!(tensor.shape(), [2, 3]);
    let values: Vec<f32> =
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, dog.values());
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = &header.metadata().as_ref().unwrap()["maps"];
    let about: serde_json::Value = serde_json::from_str(about).unwrap();
    assert_eq!(about[0]["label"], "a \"dog\"");
    assert_eq!(about[0]["area"]["width"], 0.5);
    assert_eq!((&about[0]["min"], &about[0]["max"]), (&(-3.0).into(), &4.0.into()));
    assert_eq!(about[1]["name"], "word.0");
    assert!(matches!(to_safetensors(&[named[0], named[0]]), Err(HeatmapError::Write(_))));
    assert!(SafeTensors::deserialize(&to_safetensors(&[]).unwrap()).is_ok());
}
