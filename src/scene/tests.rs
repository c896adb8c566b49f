use std::path::Path;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use values::frame::Source;

use super::*;

fn samples() -> Vec<(String, RgbImage)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/samples");
    let mut pictures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, image::open(path).unwrap().to_rgb8())
        })
        .collect();
    pictures.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(pictures.len() >= 20, "{}", pictures.len());
    pictures
}

fn frame(pixels: RgbImage) -> Frame {
    Frame::new(pixels, Source::Camera("test".to_owned()))
}

fn signature(pixels: RgbImage) -> SceneSignature {
    SceneSignature::of(&frame(pixels))
}

fn each(picture: &RgbImage, mut change: impl FnMut(f32) -> f32) -> RgbImage {
    let mut changed = picture.clone();
    for value in changed.iter_mut() {
        *value = change(f32::from(*value)).round().clamp(0.0, 255.0) as u8;
    }
    changed
}

/// Noise of a sensor: nearly normal, as a sum of evenly spread numbers is.
fn noisy(picture: &RgbImage, sigma: f32, seed: u64) -> RgbImage {
    let mut random = StdRng::seed_from_u64(seed);
    each(picture, |value| {
        let sum: f32 = (0..3).map(|_| random.random::<f32>()).sum();
        value + sigma * 2.0 * (sum - 1.5)
    })
}

fn lit(picture: &RgbImage, factor: f32) -> RgbImage {
    each(picture, |value| value * factor)
}

/// The picture moved; what comes in at the edge continues it.
fn moved(picture: &RgbImage, right: i64, down: i64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let inside =
        |at: u32, by: i64, length: u32| (i64::from(at) - by).clamp(0, i64::from(length) - 1);
    RgbImage::from_fn(width, height, |x, y| {
        *picture.get_pixel(inside(x, right, width) as u32, inside(y, down, height) as u32)
    })
}

fn compressed(picture: &RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.encode_image(picture).unwrap();
    image::load_from_memory(&bytes).unwrap().to_rgb8()
}

/// `object` on a twenty-fifth of the picture.
fn with_object(picture: &RgbImage, object: &RgbImage, x: f64, y: f64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let object = imageops::thumbnail(object, width / 5, height / 5);
    let mut composed = picture.clone();
    let at = |fraction: f64, length: u32| (fraction * f64::from(length)) as i64;
    imageops::replace(&mut composed, &object, at(x, width), at(y, height));
    composed
}

fn largest(changes: impl IntoIterator<Item = f32>) -> f32 {
    changes.into_iter().fold(0.0, f32::max)
}

#[test]
fn the_same_scene_stays_below_the_threshold() {
    let mut all = [0.0_f32; 5];
    for (index, (name, picture)) in samples().iter().enumerate() {
        let own = signature(picture.clone());
        let change = |pixels: RgbImage| own.change(&signature(pixels));
        assert!(change(picture.clone()) < f32::EPSILON, "{name}");
        let shifts = |list: &[(i64, i64)]| {
            largest(list.iter().map(|&(right, down)| change(moved(picture, right, down))))
        };
        let changes = [
            change(noisy(picture, 8.0, index as u64)),
            largest([0.85, 1.15].map(|factor| change(lit(picture, factor)))),
            shifts(&[(1, 0), (-1, 0), (0, 1), (0, -1)]),
            shifts(&[(2, 0), (0, 2), (2, 2), (-2, -2)]),
            largest([30, 60].map(|quality| change(compressed(picture, quality)))),
        ];
        assert!(largest(changes) < DEFAULT_THRESHOLD, "{name}: {changes:?}");
        let together = compressed(&noisy(&lit(&moved(picture, 1, 1), 1.1), 8.0, index as u64), 60);
        assert!(change(together) < DEFAULT_THRESHOLD, "{name}");
        all = std::array::from_fn(|i| all[i].max(changes[i]));
    }
    println!("noise, light, shift of 1, shift of 2, compression: at most {all:.4?}");
}

#[test]
fn another_scene_lies_above_the_threshold() {
    let pictures = samples();
    let signatures: Vec<_> =
        pictures.iter().map(|(_, picture)| signature(picture.clone())).collect();
    let mut objects = Vec::new();
    let (mut others, mut pans) = (1.0_f32, 1.0_f32);
    for (index, (name, picture)) in pictures.iter().enumerate() {
        let own = &signatures[index];
        let fifth = i64::from(picture.width()) / 5;
        for by in [fifth, -fifth] {
            let change = own.change(&signature(moved(picture, by, 0)));
            assert!(change > 2.0 * DEFAULT_THRESHOLD, "{name} moved: {change}");
            pans = pans.min(change);
        }
        for (other, (second, object)) in pictures.iter().enumerate() {
            if other == index {
                continue;
            }
            let change = own.change(&signatures[other]);
            assert!(change > 10.0 * DEFAULT_THRESHOLD, "{name}, {second}: {change}");
            others = others.min(change);
            let (x, y) = [(0.13, 0.2), (0.4, 0.4), (0.61, 0.55)][(index + other) % 3];
            objects.push(own.change(&signature(with_object(picture, object, x, y))));
        }
    }
    objects.sort_by(f32::total_cmp);
    let hundredth = objects[objects.len() / 100];
    println!("others {others:.4}, pans {pans:.4}, objects {:.4}, {hundredth:.4}", objects[0]);
    assert!(hundredth > DEFAULT_THRESHOLD, "{hundredth}");
}

#[test]
fn the_tint_of_the_light_is_no_change_and_the_colour_of_a_thing_is_one() {
    let room = RgbImage::from_fn(640, 360, |x, y| Rgb([(x / 4) as u8, (y / 3) as u8, 90]));
    let own = signature(room.clone());
    let mut tinted = room.clone();
    for pixel in tinted.pixels_mut() {
        pixel[0] = (f32::from(pixel[0]) * 1.15) as u8;
        pixel[2] = (f32::from(pixel[2]) * 0.85) as u8;
    }
    assert!(own.change(&signature(tinted)) < DEFAULT_THRESHOLD);
    let thing = |colour| {
        let mut pixels = room.clone();
        let square = RgbImage::from_pixel(100, 100, colour);
        imageops::replace(&mut pixels, &square, 200, 100);
        signature(pixels)
    };
    // Equally bright to the eye.
    let (red, green) = (thing(Rgb([200, 40, 40])), thing(Rgb([40, 121, 40])));
    assert!(red.change(&green) > DEFAULT_THRESHOLD);
}

#[test]
fn pictures_of_any_size_have_a_signature_and_a_change_within_its_range() {
    let sizes = [(1, 1), (1, 500), (31, 17), (33, 19), (4000, 3)];
    let white = signature(RgbImage::from_pixel(64, 64, Rgb([255; 3])));
    for (width, height) in sizes {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 37 + y * 91) as u8; 3]));
        let change = signature(picture).change(&white);
        assert!((0.0..=1.0).contains(&change), "{width}×{height}: {change}");
    }
    let half = RgbImage::from_fn(64, 64, |x, _| Rgb([if x < 32 { 0 } else { 255 }; 3]));
    let other = imageops::flip_horizontal(&half);
    assert!(signature(half).change(&signature(other)) > 0.4);
}

/// A camera of 10 frames a second before a watch.
struct Camera {
    watch: SceneWatch,
    now: Instant,
    seed: u64,
}

impl Camera {
    fn new() -> Self {
        Self { watch: SceneWatch::new(DEFAULT_THRESHOLD), now: Instant::now(), seed: 0 }
    }

    fn shows(&mut self, pixels: &RgbImage) -> Scene {
        self.seed += 1;
        self.now += Duration::from_millis(100);
        self.watch.see(&frame(noisy(pixels, 4.0, self.seed)), self.now)
    }
}

#[test]
fn a_question_is_due_once_a_new_scene_has_come_to_rest() {
    const NEW: Scene = Scene::Settled { changed: true };
    const SAME: Scene = Scene::Settled { changed: false };
    let pictures = samples();
    let picture = |name: &str| &pictures.iter().find(|(own, _)| own == name).unwrap().1;
    let (cat, coffee) = (picture("cat"), picture("coffee"));
    let mut camera = Camera::new();
    let start: Vec<_> = (0..5).map(|_| camera.shows(cat)).collect();
    assert_eq!(start, [Scene::Moving, Scene::Moving, Scene::Moving, NEW, NEW]);
    camera.watch.asked();
    for light in [1.0, 0.9, 1.1, 1.15, 0.85] {
        assert_eq!(camera.shows(&lit(cat, light)), SAME);
    }

    // Somebody passes: not a question, neither on the way nor after it.
    assert_eq!(camera.shows(coffee), Scene::Moving);
    let after: Vec<_> = (0..4).map(|_| camera.shows(cat)).collect();
    assert_eq!(after, [Scene::Moving, Scene::Moving, Scene::Moving, SAME]);

    // A slow pan never rests, though each frame is close to the one before it.
    let wide = imageops::resize(cat, 1280, 720, FilterType::Triangle);
    let pan: Vec<_> = (0..12).map(|step| camera.shows(&moved(&wide, step * 25, 0))).collect();
    assert!(pan[1..].iter().all(|scene| *scene == Scene::Moving), "{pan:?}");

    let new: Vec<_> = (0..4).map(|_| camera.shows(coffee)).collect();
    assert_eq!(new, [Scene::Moving, Scene::Moving, Scene::Moving, NEW]);
    // Nobody asked, so it stays due; then it is not.
    assert_eq!(camera.shows(coffee), NEW);
    camera.watch.asked();
    assert_eq!(camera.shows(coffee), SAME);
    camera.watch.set_threshold(0.0);
    assert_eq!(camera.shows(coffee), NEW);
}

#[test]
fn a_frame_shown_again_is_no_rest() {
    let picture = frame(RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8; 3])));
    let mut watch = SceneWatch::new(DEFAULT_THRESHOLD);
    let start = Instant::now();
    assert_eq!(watch.see(&picture, start), Scene::Moving);
    assert_eq!(watch.see(&picture, start + 2 * REST), Scene::Moving);
    let next = Frame::new(picture.pixels.clone(), picture.source.clone());
    assert_eq!(watch.see(&next, start + 2 * REST), Scene::Settled { changed: true });
}
