//! A heatmap: how strongly each cell of a grid over the picture speaks for something.
//!
//! Pure numbers: the raw values as they were computed, the part of the frame that the grid covers,
//! and what can be said of them. How a map is coloured is decided in [`paint`].

pub mod paint;

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
}
