//! From a phrase's map to a place in the picture.

use values::heatmap::Heatmap;
use values::region::Region;

/// A place takes in the cells around the peak that reach this share of the map's range.
const SHARE: f32 = 0.5;

/// A place in the picture that a phrase was found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The box, in fractions of the frame.
    pub region: Region,
    /// How strongly the phrase points there, from 0 to 1.
    pub strength: f32,
}

/// The box around the peak of a map: the cells joined to it, side to side, that reach half of the
/// map's range. `None` where the map is flat.
///
/// Whether `strength`, from 0 to 1, is enough to speak of a place at all is for the caller to say.
pub fn locate(map: &Heatmap, strength: f32) -> Option<Place> {
    if map.is_flat() {
        return None;
    }
    let stats = map.stats();
    let least = stats.min + SHARE * (stats.max - stats.min);
    let (rows, cols) = (map.rows(), map.cols());
    let (row, col) = map.peak_cell();
    let (mut top, mut bottom, mut left, mut right) = (row, row, col, col);
    let mut seen = vec![false; rows * cols];
    let mut waiting = vec![(row, col)];
    while let Some((row, col)) = waiting.pop() {
        let cell = row * cols + col;
        if seen[cell] || map.values()[cell] < least {
            continue;
        }
        seen[cell] = true;
        (top, bottom) = (top.min(row), bottom.max(row));
        (left, right) = (left.min(col), right.max(col));
        waiting.extend(row.checked_sub(1).map(|row| (row, col)));
        waiting.extend(col.checked_sub(1).map(|col| (row, col)));
        waiting.extend((row + 1 < rows).then_some((row + 1, col)));
        waiting.extend((col + 1 < cols).then_some((row, col + 1)));
    }
    let area = map.area();
    let (width, height) = (area.width() / cols as f32, area.height() / rows as f32);
    let region = Region::new(
        area.x() + left as f32 * width,
        area.y() + top as f32 * height,
        (right + 1 - left) as f32 * width,
        (bottom + 1 - top) as f32 * height,
    );
    region.ok().map(|region| Place { region, strength })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(rows: usize, cols: usize, values: &[f32]) -> Option<Region> {
        let map = Heatmap::new(rows, cols, values.to_vec()).unwrap();
        locate(&map, 0.9).map(|place| place.region)
    }

    fn region(x: f32, y: f32, width: f32, height: f32) -> Region {
        Region::new(x, y, width, height).unwrap()
    }

    #[test]
    fn the_box_holds_what_is_joined_to_the_peak() {
        // The lower right corner is strong but apart; so is what touches at a corner only.
        let map = [
            0.0, 9.0, 5.0, 0.0, //
            0.0, 5.0, 0.0, 0.0, //
            6.0, 0.0, 0.0, 8.0, //
            0.0, 0.0, 0.0, 8.0,
        ];
        assert_eq!(place(4, 4, &map), Some(region(0.25, 0.0, 0.5, 0.5)));
        assert_eq!(place(1, 4, &[1.0, 0.0, 0.0, 0.0]), Some(region(0.0, 0.0, 0.25, 1.0)));
        let ring = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(place(3, 3, &ring), Some(region(0.0, 0.0, 1.0, 1.0)));
        assert_eq!(place(1, 2, &[-4.0, -1.0]), Some(region(0.5, 0.0, 0.5, 1.0)));
    }

    #[test]
    fn it_lies_in_the_area_of_the_map() {
        let area = Region::new(0.5, 0.25, 0.5, 0.5).unwrap();
        let map = Heatmap::new(2, 2, vec![0.0, 0.0, 0.0, 1.0]).unwrap().over(area);
        let found = locate(&map, 0.9).unwrap();
        assert_eq!(found.region, region(0.75, 0.5, 0.25, 0.25));
    }

    #[test]
    fn flat_maps_have_no_place() {
        assert_eq!(place(1, 2, &[1.0, 1.1]), None);
        assert_eq!(place(1, 1, &[0.0]), None);
    }
}
