//! Rectangles that lie in any direction.

use super::Quad;

/// How far, in pixels, a round corner that is drawn with straight lines may lie from the circle.
const ROUNDNESS: f64 = 0.25;

/// A rectangle by its corners: of the two leftmost the upper one first, then the upper one of the
/// others, and on clockwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    pub corners: Quad,
    /// The shorter side.
    pub shorter: f32,
}

impl Rectangle {
    /// The rectangle of least area around `points`; none where there are none. One of its sides lies
    /// on a side of their convex hull: Freeman and Shapira, "Determining the Minimum-Area Encasing
    /// Rectangle for an Arbitrary Closed Curve", 1975.
    pub fn around(points: impl IntoIterator<Item = (f32, f32)>) -> Option<Self> {
        let points = points.into_iter().map(|(x, y)| (f64::from(x), f64::from(y)));
        let hull = hull(points.collect());
        let first = *hull.first()?;
        let sides = hull.iter().zip(hull.iter().cycle().skip(1));
        let directions = sides.map(|(from, to)| (to.0 - from.0, to.1 - from.1));
        let mut best = (f64::MAX, [first; 4], 0.0);
        for (along, down) in directions {
            let length = along.hypot(down);
            // The hull of a single point has one side without a length.
            let (along, down) =
                if length > 0.0 { (along / length, down / length) } else { (1.0, 0.0) };
            let (mut least, mut most) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
            for (x, y) in &hull {
                let (u, v) = (x * along + y * down, y * along - x * down);
                least = (least.0.min(u), least.1.min(v));
                most = (most.0.max(u), most.1.max(v));
            }
            let (width, height) = (most.0 - least.0, most.1 - least.1);
            if width * height < best.0 {
                let at = |u: f64, v: f64| (u * along - v * down, u * down + v * along);
                let corners = [
                    at(least.0, least.1),
                    at(most.0, least.1),
                    at(most.0, most.1),
                    at(least.0, most.1),
                ];
                best = (width * height, corners, width.min(height));
            }
        }
        let (_, corners, shorter) = best;
        let corners = ordered(corners.map(|(x, y)| (x as f32, y as f32)));
        Some(Self { corners, shorter: shorter as f32 })
    }

    /// The rectangle of least area around this one after each side has moved outwards by `ratio` ·
    /// area / perimeter, with round corners. In whole pixels, as the reference does it by Clipper:
    /// fractions of the corners are cut off before, and the result is rounded.
    pub fn grown(&self, ratio: f32) -> Option<Self> {
        let [a, b, _, d] = self.corners;
        let (width, height) = (length(a, b), length(a, d));
        let perimeter = 2.0 * (width + height);
        if perimeter <= 0.0 {
            return None;
        }
        let distance = f64::from(width * height * ratio / perimeter);
        let whole = self.corners.map(|(x, y)| (f64::from(x.trunc()), f64::from(y.trunc())));
        let side = |number: usize| {
            let (from, to) = (whole[number % 4], whole[(number + 1) % 4]);
            // Of what points outwards, which lies to the left of a side that runs clockwise.
            (from.0 - to.0).atan2(to.1 - from.1)
        };
        let turn = std::f64::consts::TAU;
        let tolerance = ROUNDNESS * distance.min(1.0);
        let steps = (turn / 2.0 / (1.0 - tolerance / distance).acos()).min(distance * turn / 2.0);
        let mut points = Vec::new();
        for (number, (x, y)) in whole.into_iter().enumerate() {
            let (before, after) = (side(number + 3), side(number));
            let angle = (after - before).rem_euclid(turn);
            let count = (steps / turn * angle).round().max(1.0);
            let last = if count.is_finite() { count as u32 } else { 1 };
            points.extend((0..=last).map(|step| {
                let part = (f64::from(step) * turn / steps).min(angle);
                let at = before + if step == last { angle } else { part };
                let (sin, cos) = at.sin_cos();
                ((x + distance * cos).round() as f32, (y + distance * sin).round() as f32)
            }));
        }
        Self::around(points)
    }
}

/// The distance between two points.
pub fn length(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn ordered(mut corners: Quad) -> Quad {
    corners.sort_by(|a, b| a.0.total_cmp(&b.0));
    let [a, b, c, d] = corners;
    let by_height = |a: (f32, f32), b: (f32, f32)| if b.1 > a.1 { (a, b) } else { (b, a) };
    let ((top_left, bottom_left), (top_right, bottom_right)) = (by_height(a, b), by_height(c, d));
    [top_left, top_right, bottom_right, bottom_left]
}

/// The convex hull of `points`: Andrew, "Another efficient algorithm for convex hulls in two
/// dimensions", 1979.
fn hull(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut chain: Vec<(f64, f64)> = Vec::new();
        for point in points {
            while let [.., a, b] = *chain {
                let turn = (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0);
                if turn > 0.0 {
                    break;
                }
                chain.pop();
            }
            chain.push(point);
        }
        // The last is the first of the other half.
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(ours: Quad, wanted: Quad, apart: f32) {
        for (one, other) in ours.into_iter().zip(wanted) {
            assert!(length(one, other) <= apart, "{ours:?} {wanted:?}");
        }
    }

    #[test]
    fn the_rectangle_of_least_area_lies_along_a_side_of_the_hull() {
        let points = [(100.0, 20.0), (140.0, 30.0), (130.0, 60.0), (80.0, 55.0), (60.0, 25.0)];
        let rectangle = Rectangle::around(points).unwrap();
        // As OpenCV's `minAreaRect` says.
        assert!((rectangle.shorter - 36.816).abs() < 1e-2, "{rectangle:?}");
        for point in points {
            let [a, b, _, d] = rectangle.corners;
            for (from, to) in [(a, b), (d, a)] {
                let side =
                    (to.0 - from.0) * (point.1 - from.1) - (to.1 - from.1) * (point.0 - from.0);
                assert!(side >= -0.1, "{rectangle:?} {point:?}");
            }
        }
        let level = [(1.0, 2.0), (9.0, 2.0), (9.0, 5.0), (1.0, 5.0)];
        let all = level.into_iter().chain([(4.0, 2.0), (5.0, 3.0), (9.0, 4.0)]);
        let rectangle = Rectangle::around(all).unwrap();
        assert_near(rectangle.corners, level, 1e-4);
        assert!((rectangle.shorter - 3.0).abs() < 1e-4);
        // A border with steps of a pixel, on which a hull in single precision goes astray.
        let steps =
            (0..1300).map(|at| ((at % 650) as f32, (at / 650 * 16 + at % 650 / 217) as f32));
        let rectangle = Rectangle::around(steps).unwrap();
        assert!((rectangle.shorter - 16.0).abs() < 2.5, "{rectangle:?}");
        assert_eq!(Rectangle::around([]), None);
        assert_eq!(Rectangle::around([(3.0, 4.0); 5]).unwrap().corners, [(3.0, 4.0); 4]);
        let line = Rectangle::around([(0.0, 0.0), (4.0, 4.0), (2.0, 2.0)]).unwrap();
        assert!(line.shorter.abs() < 1e-6);
    }

    #[test]
    fn a_rectangle_grows_by_area_over_perimeter() {
        let grown = |corners: Quad| Rectangle::around(corners).unwrap().grown(1.4).unwrap().corners;
        // 60 · 20 · 1.4 / 160 = 10.5, in whole pixels.
        let ours = grown([(50.0, 40.0), (110.0, 40.0), (110.0, 60.0), (50.0, 60.0)]);
        assert_near(ours, [(40.0, 30.0), (121.0, 30.0), (121.0, 71.0), (40.0, 71.0)], 1e-3);
        // 36 · 12 · 1.4 / 96 = 6.3. pyclipper and OpenCV give this.
        let ours = grown([(107.2, 90.4), (136.0, 112.0), (128.8, 121.6), (100.0, 100.0)]);
        let wanted = [(105.72, 81.04), (145.08, 110.56), (130.08, 130.56), (90.72, 101.04)];
        assert_near(ours, wanted, 0.02);
        let nothing = Rectangle::around([(3.0, 4.0)]).unwrap();
        assert_eq!(nothing.grown(1.4), None);
    }
}
