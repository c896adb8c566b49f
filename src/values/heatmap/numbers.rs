//! Maps as safetensors: the raw numbers, for other programs.

use std::collections::{HashMap, HashSet};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;

use super::{Heatmap, HeatmapError};
use crate::region::Region;

/// A map with what it is called.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The name of its tensor, such as `word.2`; unique.
    pub name: &'a str,
    /// What it shows, for people.
    pub label: &'a str,
    /// The map.
    pub map: &'a Heatmap,
}

/// What is said of a map in the metadata.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    label: &'a str,
    area: Region,
    min: f32,
    max: f32,
}

/// The bytes of a safetensors file with one f32 tensor [rows, cols] a map.
///
/// The metadata's `maps` is a JSON list with each map's `name`, `label`, `area` (x, y, width and
/// height in fractions of the frame), `min` and `max`.
///
/// # Errors
/// The format refuses a name: one that comes twice, or so many that the header is too long.
pub fn to_safetensors(maps: &[Named<'_>]) -> Result<Vec<u8>, HeatmapError> {
    let mut seen = HashSet::new();
    if let Some(twice) = maps.iter().find(|named| !seen.insert(named.name)) {
        return Err(HeatmapError::Write(format!("two are named {:?}", twice.name)));
    }
    let little =
        |map: &Heatmap| map.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = maps.iter().map(|named| little(named.map)).collect();
    let about: Vec<About<'_>> = maps
        .iter()
        .map(|Named { name, label, map }| {
            let stats = map.stats();
            About { name, label, area: map.area(), min: stats.min, max: stats.max }
        })
        .collect();
    // One key: several would come in another order each time.
    let about = serde_json::to_string(&about).map_err(|e| HeatmapError::Write(e.to_string()))?;
    let metadata = HashMap::from([("maps".to_owned(), about)]);
    let tensors = maps.iter().zip(&bytes).map(|(Named { name, map, .. }, bytes)| {
        let view = TensorView::new(Dtype::F32, vec![map.rows(), map.cols()], bytes);
        view.map(|view| (*name, view))
    });
    let tensors = tensors.collect::<Result<Vec<_>, _>>();
    tensors
        .and_then(|tensors| safetensors::serialize(tensors, Some(metadata)))
        .map_err(|error| HeatmapError::Write(error.to_string()))
}
