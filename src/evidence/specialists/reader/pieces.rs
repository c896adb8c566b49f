//! Long pictures are read in overlapping pieces, so that small letters stay legible.

use values::region::PixelBox;

use super::Quad;
use super::detection::LONGEST;
use super::rectangle::{Rectangle, length};

/// A picture this many times as long as wide, or more, is read in pieces.
const LONG: f64 = 2.5;
/// How much of a piece the next one shows again: a fifth, which no line is higher than.
const OVERLAP: u32 = 5;
/// A line this near the border of a piece, in pixels, may go on beyond it.
const NEAR: f32 = 4.0;
/// Of the height of the lower of two lines, how much they share at least, if they are the same one.
const SHARED: f32 = 0.6;
/// Likewise of the length of the shorter of two that lie in no row.
const SAME: f32 = 0.5;

/// The pieces in which a picture of this size is read, along its longer side.
pub fn of(width: u32, height: u32) -> Vec<PixelBox> {
    let (short, long) = (width.min(height), width.max(height));
    let side = short.max(LONGEST);
    if f64::from(long) <= f64::from(short) * LONG || long <= side {
        return vec![PixelBox { x: 0, y: 0, width, height }];
    }
    let step = side - side / OVERLAP;
    let last = (long - side).div_ceil(step);
    let piece = |number: u32| {
        // Spread evenly: the last one ends where the picture does.
        let at = (u64::from(long - side) * u64::from(number) / u64::from(last)) as u32;
        if width > height {
            PixelBox { x: at, y: 0, width: side, height }
        } else {
            PixelBox { x: 0, y: at, width, height: side }
        }
    };
    (0..=last).map(piece).collect()
}

/// The lines of a picture from those `found` in its pieces (by the piece's number): of what two
/// pieces show, one.
pub fn merged(found: Vec<(usize, Quad)>, pieces: &[PixelBox]) -> Vec<Quad> {
    let is_whole = |(number, quad): &(usize, Quad)| {
        let Some(own) = pieces.get(*number) else { return false };
        let inside = |piece: &PixelBox| quad.iter().all(|corner| is_inside(*corner, piece, pieces));
        // What the border cuts is left to another piece that shows all of it.
        inside(own) || !pieces.iter().any(|other| other != own && inside(other))
    };
    let mut merged: Vec<(usize, Quad)> = Vec::new();
    for (number, mut quad) in found.into_iter().filter(is_whole) {
        while let Some(at) =
            merged.iter().position(|(other, it)| *other != number && is_same(it, &quad))
        {
            quad = union(&merged.swap_remove(at).1, &quad);
        }
        merged.push((number, quad));
    }
    merged.into_iter().map(|(_, quad)| quad).collect()
}

/// Whether a corner lies in `piece`, and not near a border of it that is none of the picture.
fn is_inside(corner: (f32, f32), piece: &PixelBox, pieces: &[PixelBox]) -> bool {
    let within = |at: f32, span: fn(&PixelBox) -> (u32, u32)| {
        let (start, end) = span(piece);
        let first = pieces.iter().map(|piece| span(piece).0).min() == Some(start);
        let last = pieces.iter().map(|piece| span(piece).1).max() == Some(end);
        (first || at > start as f32 + NEAR) && (last || at < end as f32 - 1.0 - NEAR)
    };
    within(corner.0, |piece| (piece.x, piece.x + piece.width))
        && within(corner.1, |piece| (piece.y, piece.y + piece.height))
}

/// Whether two quads show parts of one line: seen along the longer one, they share most of their
/// height, and some of their length.
fn is_same(one: &Quad, other: &Quad) -> bool {
    let extent = |quad: &Quad| length(quad[0], quad[1]).max(length(quad[0], quad[3]));
    let (long, short) = if extent(one) >= extent(other) { (one, other) } else { (other, one) };
    let [origin, right, _, below] = *long;
    let (width, height) = (length(origin, right), length(origin, below));
    if width <= 0.0 || height <= 0.0 {
        return false;
    }
    let axis =
        |to: (f32, f32), length: f32| ((to.0 - origin.0) / length, (to.1 - origin.1) / length);
    // How much the two share of the length of the shorter span, along one side of the long one.
    let shared = |axis: (f32, f32), length: f32| {
        let along = short.map(|(x, y)| (x - origin.0) * axis.0 + (y - origin.1) * axis.1);
        let (least, most) =
            along.iter().fold((f32::MAX, f32::MIN), |span, at| (span.0.min(*at), span.1.max(*at)));
        (most.min(length) - least.max(0.0)) / (most - least).min(length).max(f32::MIN_POSITIVE)
    };
    let (along, across) = (shared(axis(right, width), width), shared(axis(below, height), height));
    // In a row with one another, parts of a line may share little of their length.
    let (along, across) = if width >= height { (along, across) } else { (across, along) };
    across >= SHARED && (along >= SAME || (along > 0.0 && is_like(long, short)))
}

/// Whether two quads may be parts of one line that is cut: of one height.
fn is_like(one: &Quad, other: &Quad) -> bool {
    let height = |quad: &Quad| length(quad[0], quad[1]).min(length(quad[0], quad[3]));
    let (one, other) = (height(one), height(other));
    one.min(other) >= SHARED * one.max(other)
}

/// The rectangle of least area around both.
fn union(one: &Quad, other: &Quad) -> Quad {
    let both = one.iter().chain(other).copied();
    Rectangle::around(both).map_or(*one, |rectangle| rectangle.corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quad(x: f32, y: f32, width: f32, height: f32) -> Quad {
        [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    }

    #[test]
    fn long_pictures_are_covered_by_pieces_that_overlap() {
        assert_eq!(of(1280, 720).len(), 1);
        assert_eq!(of(1000, 2500).len(), 1);
        assert_eq!(of(100, 900).len(), 1);
        for (width, height) in
            [(1080, 9000), (9000, 1080), (100, 9000), (1, 100_000), (4000, 10_001)]
        {
            let pieces = of(width, height);
            let span = |piece: &PixelBox| {
                if width > height { (piece.x, piece.width) } else { (piece.y, piece.height) }
            };
            let long = width.max(height);
            let side = width.min(height).max(LONGEST);
            assert_eq!(span(&pieces[0]).0, 0);
            let last = span(pieces.last().unwrap());
            assert_eq!(last.0 + last.1, long);
            for pair in pieces.windows(2) {
                let (start, length) = span(&pair[0]);
                let shared = start + length - span(&pair[1]).0;
                assert!(shared >= side / OVERLAP && length == side, "{width} x {height}: {shared}");
            }
        }
    }

    #[test]
    fn what_two_pieces_show_is_one_line() {
        let pieces = of(1000, 3000);
        assert_eq!((pieces[0].y, pieces[1].y), (0, 666));
        let whole = quad(100.0, 800.0, 300.0, 40.0);
        let almost = quad(101.0, 799.0, 302.0, 41.0);
        let [one] = merged(vec![(0, whole), (1, almost)], &pieces).try_into().unwrap();
        assert!((length(one[0], one[1]) - 303.0).abs() < 1.0, "{one:?}");
        // The border of the first piece cuts through this.
        let (above, all) = (quad(100.0, 970.0, 300.0, 29.0), quad(100.0, 970.0, 300.0, 40.0));
        assert_eq!(merged(vec![(0, above), (1, all)], &pieces), [all]);
        // The next line is another, and so is one of the same piece.
        let next = quad(100.0, 845.0, 300.0, 40.0);
        assert_eq!(merged(vec![(0, whole), (1, next)], &pieces).len(), 2);
        assert_eq!(merged(vec![(0, whole), (0, almost)], &pieces).len(), 2);
    }

    #[test]
    fn a_line_that_runs_through_pieces_is_put_together() {
        let pieces = of(3000, 500);
        assert_eq!((pieces[0].x, pieces[1].x), (0, 680));
        let parts = vec![
            (0, quad(10.0, 100.0, 949.0, 40.0)),
            (1, quad(680.0, 101.0, 959.0, 40.0)),
            (2, quad(1370.0, 99.0, 500.0, 40.0)),
            // A line below, seen by one piece alone.
            (1, quad(800.0, 150.0, 300.0, 40.0)),
        ];
        let whole = merged(parts, &pieces);
        assert_eq!(whole.len(), 2);
        let long = whole.iter().map(|it| length(it[0], it[1])).fold(0.0, f32::max);
        assert!((long - 1860.0).abs() < 2.0, "{whole:?}");
    }
}
