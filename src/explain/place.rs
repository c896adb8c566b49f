//! From a phrase's map to a place in the picture.

use values::heatmap::Heatmap;
use values::region::Region;

/// A place takes in the cells around the peak that reach this share of the map's range.
const SHARE: f32 = 0.5;
/// A thing takes in the cells that reach this share of the way from a label map's median to its
/// maximum. Of 0.3 to 0.8, of that range and of the whole one, it gave the boxes that overlap most
/// (intersection over union) with 160 quarters of composites (0.50) and 68 boxes of fruit (0.55).
const THING: f32 = 0.3;

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
    let mut left: Vec<bool> = map.values().iter().map(|value| *value >= least).collect();
    let region = joined(map, map.peak_cell(), &mut left)?;
    Some(Place { region, strength })
}

/// The boxes around the things of one name in a label's map, the one with the peak first.
pub fn things(map: &Heatmap) -> Vec<Region> {
    let mut sorted = map.values().to_vec();
    sorted.sort_by(f32::total_cmp);
    let median = sorted[sorted.len() / 2];
    let least = median + THING * (map.stats().max - median);
    let mut left: Vec<bool> = map.values().iter().map(|value| *value >= least).collect();
    let mut cells: Vec<usize> = (0..left.len()).collect();
    cells.sort_by(|a, b| map.values()[*b].total_cmp(&map.values()[*a]));
    let places = cells.into_iter().filter_map(|cell| {
        let at = (cell / map.cols(), cell % map.cols());
        joined(map, at, &mut left)
    });
    places.collect()
}

/// The box around the cells of `left_over` that are joined to the one at `start`, side to side; they are
/// taken out of it. `None` where that is no cell of it.
fn joined(map: &Heatmap, start: (usize, usize), left_over: &mut [bool]) -> Option<Region> {
    let (rows, cols) = (map.rows(), map.cols());
    let (row, col) = start;
    let (mut top, mut bottom, mut left, mut right) = (row, row, col, col);
    let mut waiting = vec![start];
    let mut any = false;
    while let Some((row, col)) = waiting.pop() {
        if !std::mem::take(&mut left_over[row * cols + col]) {
            continue;
        }
        any = true;
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
    region.ok().filter(|_| any)
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
    fn several_things_have_a_place_each_the_surest_first() {
        let map = [
            5.0, 5.0, -9.0, -9.0, //
            -9.0, -9.0, -9.0, -9.0, //
            -9.0, -9.0, -9.0, 8.0, //
            -9.0, -1.0, -9.0, 7.0,
        ];
        let map = Heatmap::new(4, 4, map.to_vec()).unwrap();
        assert_eq!(
            things(&map),
            [
                region(0.75, 0.5, 0.25, 0.5),
                region(0.0, 0.0, 0.5, 0.25),
                region(0.25, 0.75, 0.25, 0.25)
            ]
        );
        assert_eq!(things(&Heatmap::new(1, 1, vec![0.0]).unwrap()), [Region::WHOLE]);
    }

    #[test]
    fn flat_maps_have_no_place() {
        assert_eq!(place(1, 2, &[1.0, 1.1]), None);
        assert_eq!(place(1, 1, &[0.0]), None);
    }
}
