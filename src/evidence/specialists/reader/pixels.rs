//! Resampling as `OpenCV` does it, which the networks were trained with: it never looks at more than
//! the nearest pixels, however much a picture shrinks.

use image::{Rgb, RgbImage, imageops};

use super::Quad;
use super::rectangle::length;

/// A crop at least this many times as high as wide is turned.
const HIGH: f32 = 1.5;
/// Shares of two pixels add up to this.
const WHOLE: f32 = 2048.0;
/// The parameter of the cubic kernel, as `OpenCV`'s.
const SHARPNESS: f32 = -0.75;

/// `pixels` at another size, by the four nearest pixels (`INTER_LINEAR`). Both sizes are above 0.
pub fn bilinear(pixels: &RgbImage, width: u32, height: u32) -> RgbImage {
    if pixels.dimensions() == (width, height) {
        return pixels.clone();
    }
    let across = neighbours(pixels.width(), width);
    let down = neighbours(pixels.height(), height);
    let mut target = RgbImage::new(width, height);
    for (row, (tops, low)) in target.rows_mut().zip(&down) {
        for (pixel, (lefts, far)) in row.zip(&across) {
            let at = |x: usize, y: usize| pixels.get_pixel(lefts[x], tops[y]).0.map(i32::from);
            let corners = [[at(0, 0), at(1, 0)], [at(0, 1), at(1, 1)]];
            pixel.0 = std::array::from_fn(|channel| {
                // In whole numbers, and cut where OpenCV cuts them.
                let [upper, lower] = corners
                    .map(|[left, right]| (left[channel] * far[0] + right[channel] * far[1]) >> 4);
                ((((upper * low[0]) >> 16) + ((lower * low[1]) >> 16) + 2) >> 2).clamp(0, 255) as u8
            });
        }
    }
    target
}

/// For each of `to` pixels the two nearest of `from`, and their shares, in parts of [`WHOLE`].
fn neighbours(from: u32, to: u32) -> Vec<([u32; 2], [i32; 2])> {
    let scale = f64::from(from) / f64::from(to.max(1));
    let last = from.saturating_sub(1);
    let neighbour = |at: u32| {
        let place = ((f64::from(at) + 0.5) * scale - 0.5).clamp(0.0, f64::from(last)) as f32;
        let first = place.floor();
        let share = |of: f32| (of * WHOLE).round_ties_even() as i32;
        let shares = [share(1.0 - (place - first)), share(place - first)];
        ([first as u32, (first as u32 + 1).min(last)], shares)
    };
    (0..to).map(neighbour).collect()
}

/// What lies in `quad`, set upright by a perspective transform (`PaddleOCR`'s
/// `get_rotate_crop_image`), and turned to the left where it is high. `None` where it has no area.
pub fn upright(pixels: &RgbImage, quad: &Quad) -> Option<RgbImage> {
    let side = |from: usize, to: usize| length(quad[from], quad[to]);
    let (width, height) = (side(0, 1).max(side(3, 2)) as u32, side(0, 3).max(side(1, 2)) as u32);
    if width == 0 || height == 0 {
        return None;
    }
    let project = from_unit_square(quad)?;
    let line = RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let (x, y) = project(u, v);
        cubic(pixels, x, y)
    });
    let is_high = height as f32 >= width as f32 * HIGH;
    Some(if is_high { imageops::rotate270(&line) } else { line })
}

/// The projection of the unit square to `quad`, whose corners are those of (0, 0), (1, 0), (1, 1)
/// and (0, 1): Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3.
#[expect(clippy::many_single_char_names, reason = "as they are called there")]
fn from_unit_square(quad: &Quad) -> Option<impl Fn(f32, f32) -> (f32, f32) + use<>> {
    let [(x0, y0), (x1, y1), (x2, y2), (x3, y3)] = *quad;
    let (dx1, dx2, dx3) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
    let (dy1, dy2, dy3) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
    let area = dx1 * dy2 - dx2 * dy1;
    if !area.is_normal() {
        return None;
    }
    let (g, h) = ((dx3 * dy2 - dx2 * dy3) / area, (dx1 * dy3 - dx3 * dy1) / area);
    let (a, b, d, e) = (x1 - x0 + g * x1, x3 - x0 + h * x3, y1 - y0 + g * y1, y3 - y0 + h * y3);
    Some(move |u, v| {
        let depth = g * u + h * v + 1.0;
        ((a * u + b * v + x0) / depth, (d * u + e * v + y0) / depth)
    })
}

/// The colour at a place, by the sixteen nearest pixels (`INTER_CUBIC`). Beyond the border the
/// nearest pixel goes on.
fn cubic(pixels: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let last = (i64::from(pixels.width()) - 1, i64::from(pixels.height()) - 1);
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (weights(x - left), weights(y - top));
    let mut sum = [0.0_f32; 3];
    for (row, low) in (-1..3).zip(down) {
        for (column, far) in (-1..3).zip(across) {
            let x = (left as i64 + column).clamp(0, last.0) as u32;
            let y = (top as i64 + row).clamp(0, last.1) as u32;
            for (sum, value) in sum.iter_mut().zip(pixels.get_pixel(x, y).0) {
                *sum += f32::from(value) * far * low;
            }
        }
    }
    Rgb(sum.map(|value| value.round().clamp(0.0, 255.0) as u8))
}

/// Of four pixels in a row, the second of which lies `t` before the place: Keys, "Cubic convolution
/// interpolation for digital image processing", 1981, with [`SHARPNESS`].
fn weights(t: f32) -> [f32; 4] {
    let a = SHARPNESS;
    let (back, on) = (t + 1.0, 1.0 - t);
    let first = ((a * back - 5.0 * a) * back + 8.0 * a) * back - 4.0 * a;
    let second = ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    let third = ((a + 2.0) * on - (a + 3.0)) * on * on + 1.0;
    [first, second, third, 1.0 - first - second - third]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose colours tell where a pixel is.
    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 4, y as u8 * 4, 0]))
    }

    #[test]
    fn bilinear_is_that_of_opencv() {
        // cv2.resize of a row 0, 100, 200, 40.
        let row = RgbImage::from_fn(4, 1, |x, _| Rgb([[0, 100, 200, 40][x as usize]; 3]));
        let values =
            |width| -> Vec<u8> { bilinear(&row, width, 1).pixels().map(|it| it.0[0]).collect() };
        assert_eq!(values(2), [50, 120]);
        assert_eq!(values(8), [0, 25, 75, 125, 175, 160, 80, 40]);
        assert_eq!(bilinear(&ramp(60, 40), 60, 40), ramp(60, 40));
    }

    #[test]
    fn a_part_is_cut_out_as_it_is_and_a_high_one_is_turned_to_the_left() {
        let pixels = ramp(60, 40);
        let wide = [(10.0, 5.0), (40.0, 5.0), (40.0, 15.0), (10.0, 15.0)];
        let line = upright(&pixels, &wide).unwrap();
        assert_eq!(line, imageops::crop_imm(&pixels, 10, 5, 30, 10).to_image());
        let high = [(10.0, 5.0), (20.0, 5.0), (20.0, 35.0), (10.0, 35.0)];
        let line = upright(&pixels, &high).unwrap();
        assert_eq!(line.dimensions(), (30, 10));
        // Its left is what was the top, its top what was the right.
        assert_eq!(line.get_pixel(0, 0).0, [19 * 4, 5 * 4, 0]);
        assert_eq!(line.get_pixel(29, 9).0, [10 * 4, 34 * 4, 0]);
    }

    #[test]
    fn what_lies_askew_is_set_upright() {
        let pixels = ramp(60, 60);
        let quad = [(10.0, 30.0), (30.0, 10.0), (40.0, 20.0), (20.0, 40.0)];
        let line = upright(&pixels, &quad).unwrap();
        assert_eq!(line.dimensions(), (28, 14));
        let middle = line.get_pixel(14, 7).0;
        assert!(middle[0].abs_diff(25 * 4) <= 1 && middle[1].abs_diff(25 * 4) <= 1, "{middle:?}");
        for empty in [[(5.0, 5.0); 4], [(0.0, 0.0), (9.0, 0.0), (9.0, 0.0), (0.0, 0.0)]] {
            assert!(upright(&pixels, &empty).is_none());
        }
        // A line through itself has no area.
        assert!(upright(&pixels, &[(0.0, 0.0), (9.0, 9.0), (5.0, 5.0), (1.0, 1.0)]).is_none());
    }
}
