//! From a camera's bytes to RGB.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use nokhwa::utils::yuyv444_to_rgb;
use values::panics;

use super::mode::PixelFormat;
use crate::MAX_PIXELS;
use crate::container::is_complete_jpeg;

/// One frame as the camera wrote it.
pub(super) struct Raw<'a> {
    pub data: &'a [u8],
    pub pixels: PixelFormat,
    pub width: u32,
    pub height: u32,
    /// Bytes from one row to the next; 0 where nothing lies between the rows.
    pub stride: usize,
}

/// Converts a frame; what is too short or damaged is refused, in words.
///
/// YUV is taken as BT.601 in the narrow range, which is what webcams send.
pub(super) fn to_rgb(raw: &Raw<'_>) -> Result<RgbImage, String> {
    if raw.pixels == PixelFormat::Mjpeg {
        return jpeg(raw.data);
    }
    let (width, height) = (raw.width as usize, raw.height as usize);
    if width == 0 || height == 0 || width as u64 * height as u64 > MAX_PIXELS {
        return Err(format!("a picture of {width}×{height} pixels"));
    }
    let row = match raw.pixels {
        // The last pixel of an odd width shares its colours with nobody.
        PixelFormat::Yuyv => width.div_ceil(2) * 4,
        PixelFormat::Nv12 => width.div_ceil(2) * 2,
        PixelFormat::Rgb | PixelFormat::Bgr => width * 3,
        PixelFormat::Gray | PixelFormat::Mjpeg => width,
    };
    // A stride below a row's length is a driver's mistake.
    let stride = raw.stride.max(row);
    let rows = match raw.pixels {
        PixelFormat::Nv12 => height + height.div_ceil(2),
        _ => height,
    };
    // What pads the last row may be left out.
    let least = stride * (rows - 1) + row;
    if raw.data.len() < least {
        return Err(format!("a frame of {} bytes where {least} were due", raw.data.len()));
    }
    let mut picture = RgbImage::new(raw.width, raw.height);
    for (y, out) in picture.chunks_exact_mut(width * 3).enumerate() {
        let line = &raw.data[y * stride..];
        let (out, _) = out.as_chunks_mut::<3>();
        match raw.pixels {
            PixelFormat::Yuyv => {
                for (pair, out) in line[..row].chunks_exact(4).zip(out.chunks_mut(2)) {
                    for (pixel, out) in out.iter_mut().enumerate() {
                        *out = yuv(pair[pixel * 2], pair[1], pair[3]);
                    }
                }
            }
            PixelFormat::Nv12 => {
                let colours = &raw.data[(height + y / 2) * stride..][..row];
                let luma = line[..width].chunks(2);
                for ((luma, colour), out) in
                    luma.zip(colours.chunks_exact(2)).zip(out.chunks_mut(2))
                {
                    for (&luma, out) in luma.iter().zip(out) {
                        *out = yuv(luma, colour[0], colour[1]);
                    }
                }
            }
            PixelFormat::Rgb => out.as_flattened_mut().copy_from_slice(&line[..row]),
            PixelFormat::Bgr => {
                for (pixel, out) in line[..row].chunks_exact(3).zip(out) {
                    *out = [pixel[2], pixel[1], pixel[0]];
                }
            }
            PixelFormat::Gray | PixelFormat::Mjpeg => {
                for (&grey, out) in line[..row].iter().zip(out) {
                    *out = [grey; 3];
                }
            }
        }
    }
    Ok(picture)
}

fn yuv(y: u8, u: u8, v: u8) -> [u8; 3] {
    yuyv444_to_rgb(y.into(), u.into(), v.into())
}

/// Decodes one frame of MJPEG. Other data may follow it: drivers hand over their whole buffer.
fn jpeg(data: &[u8]) -> Result<RgbImage, String> {
    // The decoder would fill what is missing with grey.
    if !data.starts_with(&[0xFF, 0xD8]) || !is_complete_jpeg(data) {
        return Err("a JPEG frame that ends early".to_owned());
    }
    let decode = || -> Result<RgbImage, image::ImageError> {
        let mut reader = ImageReader::with_format(Cursor::new(data), ImageFormat::Jpeg);
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_PIXELS * 3);
        reader.limits(limits.clone());
        let decoder = reader.into_decoder()?;
        limits.reserve(decoder.total_bytes())?;
        Ok(DynamicImage::from_decoder(decoder)?.into_rgb8())
    };
    match panics::guard(decode) {
        Ok(Ok(picture)) if picture.width() > 0 && picture.height() > 0 => Ok(picture),
        Ok(Ok(_)) => Err("a JPEG frame without pixels".to_owned()),
        Ok(Err(error)) => Err(format!("a damaged JPEG frame ({error})")),
        Err(panic) => Err(format!("a JPEG frame that the decoder failed on ({panic})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(pixels: PixelFormat, width: u32, height: u32, data: &[u8]) -> Raw<'_> {
        Raw { data, pixels, width, height, stride: 0 }
    }

    fn rgb(raw: &Raw<'_>) -> Vec<[u8; 3]> {
        to_rgb(raw).unwrap().into_raw().as_chunks::<3>().0.to_vec()
    }

    /// BT.601 by hand: R = 1.164 (Y − 16) + 1.596 (V − 128), G = 1.164 (Y − 16) − 0.392 (U − 128)
    /// − 0.813 (V − 128), B = 1.164 (Y − 16) + 2.017 (U − 128).
    #[test]
    fn colours_are_those_of_the_standard() {
        // Black, white, and the red, green and blue of 75 % colour bars.
        assert_eq!(yuv(16, 128, 128), [0, 0, 0]);
        assert_eq!(yuv(235, 128, 128), [255, 255, 255]);
        let near = |[r, g, b]: [u8; 3], want: [u8; 3]| {
            [r.abs_diff(want[0]), g.abs_diff(want[1]), b.abs_diff(want[2])].iter().all(|&d| d <= 2)
        };
        assert!(near(yuv(65, 100, 212), [191, 0, 0]), "{:?}", yuv(65, 100, 212));
        assert!(near(yuv(112, 72, 58), [0, 191, 0]), "{:?}", yuv(112, 72, 58));
        assert!(near(yuv(35, 212, 114), [0, 0, 191]), "{:?}", yuv(35, 212, 114));
        // Y 81, U 90, V 240: 75.7 + 178.8 = 254.4; 75.7 + 14.9 − 91.1 = −0.5; 75.7 − 76.6 = −1.
        assert!(near(yuv(81, 90, 240), [254, 0, 0]), "{:?}", yuv(81, 90, 240));
    }

    #[test]
    fn yuyv_shares_colours_between_two_pixels() {
        let (black, white) = ([0; 3], [255; 3]);
        let data = [16, 128, 235, 128, 235, 128, 16, 128];
        assert_eq!(rgb(&raw(PixelFormat::Yuyv, 4, 1, &data)), [black, white, white, black]);
        assert_eq!(rgb(&raw(PixelFormat::Yuyv, 2, 2, &data)), [black, white, white, black]);
        // Of an odd width the last half pair is left out.
        assert_eq!(rgb(&raw(PixelFormat::Yuyv, 3, 1, &data)), [black, white, white]);
        let red = [81, 90, 81, 240];
        assert_eq!(rgb(&raw(PixelFormat::Yuyv, 2, 1, &red)), [yuv(81, 90, 240); 2]);
    }

    #[test]
    fn nv12_shares_colours_between_four_pixels() {
        let data = [16, 235, 16, 16, 235, 16, 128, 128, 90, 240];
        let rows = [16, 235, 81, 0, 16, 235, 81, 0, 128, 128, 90, 240];
        let red = yuv(81, 90, 240);
        let want = [[0; 3], [255; 3], red, [0; 3], [255; 3], red];
        assert_eq!(rgb(&raw(PixelFormat::Nv12, 3, 2, &rows)), want);
        let square = raw(PixelFormat::Nv12, 2, 3, &data);
        assert_eq!(rgb(&square)[..4], [[0; 3], [255; 3], [0; 3], [0; 3]]);
        assert_eq!(rgb(&square)[4..], [yuv(235, 90, 240), yuv(16, 90, 240)]);
    }

    #[test]
    fn plain_formats_keep_their_samples() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let three = [[1, 2, 3], [4, 5, 6], [7, 8, 9]];
        assert_eq!(rgb(&raw(PixelFormat::Rgb, 1, 3, &data)), three);
        assert_eq!(rgb(&raw(PixelFormat::Bgr, 3, 1, &data)), three.map(|[b, g, r]| [r, g, b]));
        assert_eq!(rgb(&raw(PixelFormat::Gray, 3, 1, &data)), [[1; 3], [2; 3], [3; 3]]);
        // Padded rows, the last one without its padding.
        let padded = Raw { stride: 5, ..raw(PixelFormat::Rgb, 1, 2, &data[..8]) };
        assert_eq!(rgb(&padded), [[1, 2, 3], [6, 7, 8]]);
    }

    #[test]
    fn what_is_short_or_empty_is_refused() {
        for (pixels, due) in [
            (PixelFormat::Yuyv, 8 * 3),
            (PixelFormat::Nv12, 4 * 3 + 4 * 2),
            (PixelFormat::Rgb, 27),
            (PixelFormat::Bgr, 27),
            (PixelFormat::Gray, 9),
        ] {
            let data = vec![128; due];
            assert!(to_rgb(&raw(pixels, 3, 3, &data)).is_ok(), "{pixels}");
            let error = to_rgb(&raw(pixels, 3, 3, &data[1..])).unwrap_err();
            assert!(error.contains(&format!("{due} were due")), "{pixels}: {error}");
            assert!(to_rgb(&raw(pixels, 3, 3, &[])).is_err(), "{pixels}");
            assert!(to_rgb(&raw(pixels, 0, 3, &data)).is_err(), "{pixels}");
            assert!(to_rgb(&raw(pixels, u32::MAX, u32::MAX, &data)).is_err(), "{pixels}");
        }
    }

    #[test]
    fn a_jpeg_frame_is_decoded_whatever_follows_it_and_refused_when_cut() {
        let picture = RgbImage::from_pixel(33, 17, image::Rgb([200, 30, 30]));
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        let whole = bytes.len();
        bytes.extend([0xAB; 500]);
        let decoded = to_rgb(&raw(PixelFormat::Mjpeg, 33, 17, &bytes)).unwrap();
        assert_eq!(decoded.dimensions(), (33, 17));
        assert!(decoded.get_pixel(16, 8).0[0].abs_diff(200) < 6);
        for cut in [0, 2, 20, whole / 2, whole - 1] {
            assert!(to_rgb(&raw(PixelFormat::Mjpeg, 33, 17, &bytes[..cut])).is_err(), "{cut}");
        }
        let noise: Vec<u8> = (0..2000_u32).map(|i| ((i * 7919) >> 3) as u8).collect();
        assert!(to_rgb(&raw(PixelFormat::Mjpeg, 33, 17, &noise)).is_err());
    }
}
