//! A heatmap: how strongly each cell of a grid over the picture speaks for something.
//!
//! Pure numbers: the raw values as they were computed, the part of the frame that the grid covers,
//! and what can be said of them ([`stats`]). How a map is coloured is decided in [`paint`], how its
//! numbers are written down in [`numbers`].

pub mod numbers;
pub mod paint;
pub mod stats;

use thiserror::Error;

use crate::region::Region;

/// Why numbers do not make a heatmap.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeatmapError {
    /// Not as many values as cells, or no cells.
    #[error("{values} values do not fill a grid of {rows} by {cols}")]
    Shape {
        /// Values given.
        values: usize,
        /// Rows of the grid.
        rows: usize,
        /// Columns of the grid.
        cols: usize,
    },
    /// A value is NaN or infinite.
    #[error("the value of cell {0} is not a finite number")]
    NotFinite(usize),
    /// No maps to take together.
    #[error("there are no maps to take together")]
    NoMaps,
    /// Maps with other grids or over other areas.
    #[error("map {0} has another grid or area than the first: only like maps are taken together")]
    Unlike(usize),
    /// The maps could not be written as safetensors.
    #[error("the maps could not be written: {0}")]
    Write(String),
}

/// A grid of raw values over a part of a frame, row by row from the top left.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    rows: usize,
    cols: usize,
    values: Vec<f32>,
    area: Region,
}

impl Heatmap {
    /// A map of `rows` × `cols` cells over the whole frame.
    ///
    /// # Errors
    /// An empty grid, another number of values than cells, or a value that is not finite.
    pub fn new(rows: usize, cols: usize, values: Vec<f32>) -> Result<Self, HeatmapError> {
        if values.is_empty() || rows.checked_mul(cols) != Some(values.len()) {
            return Err(HeatmapError::Shape { values: values.len(), rows, cols });
        }
        if let Some(cell) = values.iter().position(|value| !value.is_finite()) {
            return Err(HeatmapError::NotFinite(cell));
        }
        Ok(Self { rows, cols, values, area: Region::WHOLE })
    }

    /// The same map, laid over `area` of the frame: the part that the encoder was shown.
    #[must_use]
    pub fn over(mut self, area: Region) -> Self {
        self.area = area;
        self
    }

    /// Several maps taken together cell by cell, each with its weight; the weights are scaled to a
    /// sum of 1.
    ///
    /// # Errors
    /// No maps, maps that are not alike, or weights that leave no finite number.
    pub fn mean(maps: &[(&Self, f32)]) -> Result<Self, HeatmapError> {
        let total: f64 = maps.iter().map(|(_, weight)| f64::from(*weight)).sum();
        Self::together(maps.iter().map(|(map, _)| *map), |cell| {
            let sum: f64 = maps
                .iter()
                .map(|(map, weight)| f64::from(map.values[cell]) * f64::from(*weight))
                .sum();
            (sum / total) as f32
        })
    }

    /// The strongest value of several maps in each cell.
    ///
    /// # Errors
    /// No maps, or maps that are not alike.
    pub fn strongest(maps: &[&Self]) -> Result<Self, HeatmapError> {
        Self::together(maps.iter().copied(), |cell| {
            maps.iter().map(|map| map.values[cell]).fold(f32::NEG_INFINITY, f32::max)
        })
    }

    /// A map like `maps`, which are checked to be alike, with the values that `value` gives.
    fn together<'a>(
        mut maps: impl Iterator<Item = &'a Self>,
        value: impl Fn(usize) -> f32,
    ) -> Result<Self, HeatmapError> {
        let first = maps.next().ok_or(HeatmapError::NoMaps)?;
        let like =
            |map: &Self| (map.rows, map.cols, map.area) == (first.rows, first.cols, first.area);
        if let Some(other) = maps.position(|map| !like(map)) {
            return Err(HeatmapError::Unlike(other + 1));
        }
        let values = (0..first.values.len()).map(value).collect();
        Ok(Self::new(first.rows, first.cols, values)?.over(first.area))
    }

    /// Rows of the grid.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the grid.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The raw values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The part of the frame that the grid covers.
    pub fn area(&self) -> Region {
        self.area
    }

    /// The value of the cell under a point, given in fractions of the frame; `None` outside the
    /// area.
    pub fn nearest(&self, x: f32, y: f32) -> Option<f32> {
        let (u, v) = self.inside(x, y)?;
        let col = ((u * self.cols as f32) as usize).min(self.cols - 1);
        let row = ((v * self.rows as f32) as usize).min(self.rows - 1);
        Some(self.values[row * self.cols + col])
    }

    /// The value at a point, given in fractions of the frame, bilinear between the centres of the
    /// cells; `None` outside the area.
    pub fn bilinear(&self, x: f32, y: f32) -> Option<f32> {
        let (u, v) = self.inside(x, y)?;
        Some(self.blend(between(u, self.cols), between(v, self.rows)))
    }

    /// The values at the centres of `width` × `height` pixels that cover the area, row by row, as
    /// [`Heatmap::bilinear`] has them.
    fn spread(&self, width: u32, height: u32) -> Vec<f32> {
        let centre = |at: u32, pixels: u32| (at as f32 + 0.5) / pixels as f32;
        let columns = (0..width).map(|x| between(centre(x, width), self.cols));
        let columns: Vec<(usize, usize, f32)> = columns.collect();
        let row = |y: u32| {
            let rows = between(centre(y, height), self.rows);
            columns.iter().map(move |columns| self.blend(*columns, rows))
        };
        (0..height).flat_map(row).collect()
    }

    /// The value between two columns and two rows. Beyond the outermost centres it goes on as it is
    /// there.
    fn blend(
        &self,
        (left, right, across): (usize, usize, f32),
        (top, bottom, down): (usize, usize, f32),
    ) -> f32 {
        let row = |row: usize| {
            let cells = &self.values[row * self.cols..(row + 1) * self.cols];
            cells[left] * (1.0 - across) + cells[right] * across
        };
        row(top) * (1.0 - down) + row(bottom) * down
    }

    /// A point of the frame in fractions of the area.
    fn inside(&self, x: f32, y: f32) -> Option<(f32, f32)> {
        let u = (x - self.area.x()) / self.area.width();
        let v = (y - self.area.y()) / self.area.height();
        ((0.0..=1.0).contains(&u) && (0.0..=1.0).contains(&v)).then_some((u, v))
    }
}

/// The two of `cells` whose centres a point lies between, and how far it is from the first to the
/// second.
fn between(point: f32, cells: usize) -> (usize, usize, f32) {
    let at = (point * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(cells - 1), at - first as f32)
}

#[cfg(test)]
mod tests;
