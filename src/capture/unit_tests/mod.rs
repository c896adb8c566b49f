//! From the bytes of a file to the pixels of a frame, through every decoder.

mod bad;
mod make;
mod orientation;

use std::io::Cursor;

use image::{
    DynamicImage, ImageBuffer, ImageFormat, LumaA, Pixel, PixelWithColorType, Rgb, RgbImage, Rgba,
    RgbaImage,
};
use values::frame::Source;

use super::{Reason, load_bytes};

/// Squares of 8×8 pixels in two rows of four: what the fixtures show.
const SQUARES: [[u8; 3]; 8] = [
    [255, 255, 255],
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [0, 0, 0],
    [0, 255, 255],
    [255, 128, 0],
    [128, 128, 128],
];

const CMYK_JPEG: &[u8] = include_bytes!("../../../tests/fixtures/pictures/cmyk.jpg");
const YCCK_JPEG: &[u8] = include_bytes!("../../../tests/fixtures/pictures/ycck.jpg");
const PROGRESSIVE_JPEG: &[u8] = include_bytes!("../../../tests/fixtures/pictures/progressive.jpg");
const LOSSY_WEBP: &[u8] = include_bytes!("../../../tests/fixtures/pictures/lossy.webp");
const ANIMATED_WEBP: &[u8] = include_bytes!("../../../tests/fixtures/pictures/animated.webp");
const FAX_TIFF: &[u8] = include_bytes!("../../../tests/fixtures/pictures/fax.tif");

fn load(bytes: &[u8]) -> Result<RgbImage, Reason> {
    match load_bytes(Source::Memory("test".into()), bytes) {
        Ok(frame) => Ok(RgbImage::clone(&frame.pixels)),
        Err(error) => Err(error.reason().clone()),
    }
}

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture with odd sides in which every pixel is different.
fn card() -> RgbImage {
    RgbImage::from_fn(13, 7, |x, y| Rgb([(x * 19) as u8, (y * 36) as u8, 255 - (x * 9) as u8]))
}

fn squares() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, y| Rgb(SQUARES[(y / 8 * 4 + x / 8) as usize]))
}

/// Checks that two pictures of squares agree within what lossy coding changes, and away from the
/// edges, over which coding at half the resolution smears colours.
fn assert_close(name: &str, picture: &RgbImage, expected: &RgbImage) {
    assert_eq!(picture.dimensions(), expected.dimensions(), "{name}");
    let inside = |at: u32| (2..6).contains(&(at % 8));
    for (x, y, pixel) in picture.enumerate_pixels().filter(|(x, y, _)| inside(*x) && inside(*y)) {
        let wanted = expected.get_pixel(x, y);
        let far = pixel.0.iter().zip(wanted.0).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(far <= 8, "{name}: {:?} for {:?} at {x},{y}", pixel.0, wanted.0);
    }
}

#[test]
fn lossless_formats_give_back_every_pixel() {
    use ImageFormat::{Bmp, Gif, Png, Pnm, Tiff, WebP};
    for format in [Png, WebP, Gif, Bmp, Tiff, Pnm] {
        assert_eq!(load(&encode(card(), format)), Ok(card()), "{format:?}");
    }
}

#[test]
fn lossy_formats_give_back_the_colours() {
    let baseline = encode(squares(), ImageFormat::Jpeg);
    for (name, bytes) in [
        ("baseline JPEG", baseline.as_slice()),
        ("progressive JPEG", PROGRESSIVE_JPEG),
        ("lossy WebP", LOSSY_WEBP),
    ] {
        assert_close(name, &load(bytes).unwrap(), &squares());
    }
}

#[test]
fn cmyk_jpegs_have_their_colours_the_right_way_round() {
    assert_close("CMYK", &load(CMYK_JPEG).unwrap(), &squares());
    assert_close("YCCK", &load(YCCK_JPEG).unwrap(), &squares());
}

#[test]
fn one_pixel_is_a_picture() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    let pixel = RgbImage::from_pixel(1, 1, Rgb([200, 200, 200]));
    for format in [Jpeg, Png, WebP, Gif, Bmp, Tiff, Pnm] {
        assert_eq!(load(&encode(pixel.clone(), format)), Ok(pixel.clone()), "{format:?}");
    }
}

#[test]
fn grey_becomes_rgb() {
    let grey = DynamicImage::ImageRgb8(card()).into_luma8();
    let expected = DynamicImage::ImageLuma8(grey.clone()).into_rgb8();
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Pnm] {
        assert_eq!(load(&encode(grey.clone(), format)), Ok(expected.clone()), "{format:?}");
    }
    let flat = image::GrayImage::from_pixel(16, 16, image::Luma([77]));
    let jpeg = load(&encode(flat, ImageFormat::Jpeg)).unwrap();
    assert_eq!(jpeg, RgbImage::from_pixel(16, 16, Rgb([77; 3])));
}

#[test]
fn one_bit_pictures_are_black_and_white() {
    let drawn = load(b"P1\n# a cross\n3 2\n1 0 1\n0 1 0\n").unwrap();
    let black: Vec<bool> = drawn.pixels().map(|pixel| pixel.0 == [0; 3]).collect();
    assert_eq!(black, [true, false, true, false, true, false]);
    let fax = load(FAX_TIFF).unwrap();
    let white = |x| *fax.get_pixel(x, 3) == Rgb([255; 3]);
    assert_eq!([white(3), white(11), white(19), white(27)], [true, false, true, false]);
}

#[test]
fn samples_below_their_full_range_are_stretched() {
    let stretched = load(b"P2 4 1 15 0 5 10 15").unwrap();
    assert_eq!(stretched.into_raw(), [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
}

/// `card` with deeper samples.
fn deep<P: Pixel + PixelWithColorType>(
    convert: impl Fn(u8) -> P::Subpixel,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    let card = card();
    ImageBuffer::from_fn(card.width(), card.height(), |x, y| {
        *P::from_slice(&card.get_pixel(x, y).0.map(&convert))
    })
}

#[test]
fn deep_samples_become_eight_bits() {
    let wide = deep::<Rgb<u16>>(|sample| u16::from(sample) * 257);
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Pnm] {
        assert_eq!(load(&encode(wide.clone(), format)), Ok(card()), "16 bits, {format:?}");
    }
    let float = deep::<Rgb<f32>>(|sample| f32::from(sample) / 255.0);
    assert_eq!(load(&encode(float, ImageFormat::Tiff)), Ok(card()));
    // Beyond black and white there is only black and white.
    let wild = ImageBuffer::from_raw(2, 1, vec![-1.0, 0.5, 7.0, f32::MAX, f32::MIN, 1.0]).unwrap();
    let tame = load(&encode(ImageBuffer::<Rgb<f32>, _>::clone(&wild), ImageFormat::Tiff)).unwrap();
    assert_eq!(tame.into_raw(), [0, 128, 255, 255, 0, 255]);
}

#[test]
fn transparency_shows_white() {
    use ImageFormat::{Gif, Png, Pnm, Tiff, WebP};
    let clear =
        RgbaImage::from_fn(
            4,
            4,
            |x, _| {
                if x < 2 { Rgba([0, 0, 0, 0]) } else { Rgba([10, 20, 30, 255]) }
            },
        );
    let shown =
        RgbImage::from_fn(4, 4, |x, _| if x < 2 { Rgb([255; 3]) } else { Rgb([10, 20, 30]) });
    for format in [Png, WebP, Gif, Tiff] {
        assert_eq!(load(&encode(clear.clone(), format)), Ok(shown.clone()), "{format:?}");
    }
    let half = ImageBuffer::from_pixel(1, 1, LumaA([0_u8, 51]));
    assert_eq!(load(&encode(half, Png)).unwrap().into_raw(), [204; 3]);
    let deep = ImageBuffer::from_pixel(1, 1, Rgba([0_u16, 0, 65_535, 0x3333]));
    assert_eq!(load(&encode(deep, Png)).unwrap().into_raw(), [204, 204, 255]);
    let pam = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\0\0\0\x33";
    assert_eq!(load(pam).unwrap().into_raw(), [204; 3], "{Pnm:?}");
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    assert_eq!(load(ANIMATED_WEBP), Ok(squares()));
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    let second = RgbaImage::from_pixel(13, 7, Rgba([9, 9, 9, 255]));
    for picture in [DynamicImage::ImageRgb8(card()).into_rgba8(), second] {
        encoder.encode_frame(image::Frame::new(picture)).unwrap();
    }
    drop(encoder);
    assert_eq!(load(&gif), Ok(card()));
}

#[test]
fn what_follows_a_picture_is_ignored() {
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Pnm] {
        let mut bytes = encode(card(), format);
        bytes.extend_from_slice(b"appended by a camera");
        assert_eq!(load(&bytes), Ok(card()), "{format:?}");
    }
    // As phones do that put a second picture or a film behind the first.
    let twice = [CMYK_JPEG, PROGRESSIVE_JPEG].concat();
    assert_eq!(load(&twice), load(CMYK_JPEG));
}
