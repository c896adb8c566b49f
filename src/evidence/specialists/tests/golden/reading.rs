//! The reader against `RapidOCR`, and on text that is drawn here.

use std::path::Path;
use std::time::Instant;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use evidence::{EvidenceError, Line, READER, TextReader, reading};
use image::{Rgb, RgbImage, imageops};
use lorgnette_evidence_specialists::Reader;
use serde::Deserialize;
use values::frame::{Frame, Source};
use values::picture::Look;
use values::region::Region;

use crate::{root, shared};

/// How far a corner may lie from the reference's, in pixels.
const APART: f32 = 4.0;
const INK: [f32; 3] = [20.0, 24.0, 40.0];
const PAPER: [u8; 3] = [244, 242, 236];

/// What the reference reads in a picture.
#[derive(Deserialize)]
struct Read {
    image: String,
    lines: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    text: String,
    score: f32,
    /// In pixels of the upright picture.
    corners: [(f32, f32); 4],
}

fn reader() -> Reader {
    Reader::open(&root().join("models").join(READER)).unwrap()
}

fn wanted(file: &Path) -> Vec<Read> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn look(pixels: RgbImage) -> Look {
    Look { frame: Frame::new(pixels, Source::Memory("drawn".into())), region: None }
}

fn read(reader: &Reader, look: &Look) -> Vec<Line> {
    reader.lines(look, &mut |_| true).unwrap()
}

/// How the lines of pictures are those of the reference.
#[derive(Debug, Default)]
struct Agreement {
    all: usize,
    /// Those where it places them, and which say what it reads.
    same: usize,
    /// Those where it places them, of which at most one character differs.
    alike: usize,
    /// Those that it does not read.
    more: usize,
}

fn agreement(reads: &[Read], folder: &Path) -> Agreement {
    let reader = reader();
    let mut agreement = Agreement::default();
    for Read { image, lines } in reads {
        let frame = capture::load(&folder.join(image)).unwrap();
        let size = frame.pixels.dimensions();
        let mut ours = read(&reader, &Look { frame, region: None });
        for wanted in lines {
            agreement.all += 1;
            let apart = |line: &Line| {
                let corners = reading::corners(line, size).into_iter().zip(wanted.corners);
                corners.map(|(a, b)| (a.0 - b.0).abs().max((a.1 - b.1).abs())).fold(0.0, f32::max)
            };
            let there = ours.iter().position(|line| apart(line) <= APART);
            let Some(line) = there.map(|at| ours.swap_remove(at)) else {
                println!("{image}: not there: {:?} ({:.3})", wanted.text, wanted.score);
                continue;
            };
            let wrong = distance(&line.text, wanted.text.trim());
            agreement.same += usize::from(wrong == 0);
            agreement.alike += usize::from(wrong <= 1);
            if wrong > 0 {
                let Line { text, probability, .. } = line;
                let Wanted { text: wanted, score, .. } = wanted;
                println!("{image}: {text:?} ({probability:.3}) instead of {wanted:?} ({score:.3})");
            }
        }
        agreement.more += ours.len();
        for Line { text, probability, .. } in &ours {
            println!("{image}: more: {text:?} ({probability:.3})");
        }
    }
    println!("{agreement:?}");
    agreement
}

/// On the pixels that the reference saw, all are the same. Decoders of JPEG differ by up to four
/// levels: on ours, the reference itself reads 43 of its own 48.
pub fn scenes() {
    let folder = shared().unwrap();
    let reads = wanted(&folder.join("evidence/golden/reading.jsonl"));
    let Agreement { all, same, alike, more } = agreement(&reads, &folder.join("data"));
    assert!(all == 48 && same >= 40 && alike >= 45 && more <= 3);
}

pub fn samples() {
    let reads = wanted(&root().join("tests/golden/reading/expected.jsonl"));
    let Agreement { all, same, alike, more } = agreement(&reads, &root().join("assets/samples"));
    assert!(all == 7 && same >= 5 && alike >= 6 && more <= 1);
}

pub fn hotel() {
    let reader = reader();
    let frame = capture::load(&root().join("assets/samples/hotel-sign.jpg")).unwrap();
    let whole = read(&reader, &Look { frame: frame.clone(), region: None });
    assert_eq!(whole.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["HOTEL"]);
    // What is read in a part of it lies where it is in the whole.
    let region = Some(Region::new(0.55, 0.02, 0.4, 0.96).unwrap());
    let part = read(&reader, &Look { frame: frame.clone(), region });
    assert_eq!(part.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["HOTEL"]);
    for (part, whole) in part[0].place.iter().zip(whole[0].place) {
        assert!((part.0 - whole.0).hypot(part.1 - whole.1) < 0.03, "{part:?} {whole:?}");
    }
    let region = Some(Region::new(0.0, 0.0, 0.3, 0.3).unwrap());
    assert!(read(&reader, &Look { frame, region }).is_empty());
}

/// Writes `text` in letters of `size` pixels, from its top left.
fn write(pixels: &mut RgbImage, text: &str, size: f32, left: f32, top: f32) {
    let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).unwrap();
    let scaled = font.as_scaled(PxScale::from(size));
    let mut x = left;
    for c in text.chars() {
        let id = scaled.glyph_id(c);
        let glyph = id.with_scale_and_position(size, point(x, top + scaled.ascent()));
        x += scaled.h_advance(id);
        let Some(outline) = scaled.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        outline.draw(|u, v, share| {
            let (u, v) = (bounds.min.x as i64 + i64::from(u), bounds.min.y as i64 + i64::from(v));
            if u < 0 || v < 0 || u >= i64::from(pixels.width()) || v >= i64::from(pixels.height()) {
                return;
            }
            let pixel = pixels.get_pixel_mut(u as u32, v as u32);
            for (value, ink) in pixel.0.iter_mut().zip(INK) {
                // Light letters are drawn a little bolder than they are.
                let share = (share * 1.4).min(1.0);
                *value = (f32::from(*value) * (1.0 - share) + ink * share).round() as u8;
            }
        });
    }
}

/// The fewest characters to change, add or leave out (Levenshtein 1966).
fn distance(ours: &str, wanted: &str) -> usize {
    let wanted: Vec<char> = wanted.chars().collect();
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (number, c) in ours.chars().enumerate() {
        let mut before = row[0];
        row[0] = number + 1;
        for at in 0..wanted.len() {
            let change = before + usize::from(wanted[at] != c);
            before = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(row[at + 1] + 1);
        }
    }
    *row.last().unwrap()
}

/// Asserts that at least 95 % of the characters are read, in this order.
fn assert_read(name: &str, pixels: RgbImage, wanted: &[String]) {
    let ours = read(&reader(), &look(pixels));
    let text = |lines: &mut dyn Iterator<Item = &str>| {
        let all: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        all.join(" ")
    };
    let ours = text(&mut ours.iter().map(|line| &*line.text));
    let wanted = text(&mut wanted.iter().map(|line| &**line));
    let (wrong, all) = (distance(&ours, &wanted), wanted.chars().count());
    println!("{name}: {wrong} of {all} characters are wrong");
    assert!(wrong * 20 <= all, "{name}: {wrong} of {all} are wrong:\n{ours}\ninstead of\n{wanted}");
}

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

fn page() -> (RgbImage, Vec<String>) {
    let text = lines(&[
        "The harbour master's house",
        "Nobody had lived in the house since the winter of 1962,",
        "and yet there was a light in the upper window every",
        "evening at seven. The fishermen took no notice of it.",
        "They had nets to mend, and boats that wanted paint,",
        "and the price of diesel had gone up to $1.49 again.",
        "Only the postman, who came by bicycle, asked once",
        "who paid for the electricity. He was told: the sea.",
    ]);
    let mut pixels = RgbImage::from_pixel(1000, 760, Rgb(PAPER));
    for (number, line) in text.iter().enumerate() {
        let (size, top) =
            if number == 0 { (52.0, 60.0) } else { (34.0, 110.0 + number as f32 * 70.0) };
        write(&mut pixels, line, size, 80.0, top);
    }
    (pixels, text)
}

pub fn a_page() {
    let (pixels, text) = page();
    assert_read("page", pixels, &text);
}

/// As a page that was photographed with the camera on its side, or from the other side.
pub fn a_page_that_is_turned() {
    let (pixels, text) = page();
    assert_read("page on its right side", imageops::rotate90(&pixels), &text);
    assert_read("page on its left side", imageops::rotate270(&pixels), &text);
    assert_read("page on its head", imageops::rotate180(&pixels), &text);
}

/// A line through four pieces of a wide picture, and letters one under another.
pub fn what_runs_far() {
    let long = "the quick brown fox jumps over the lazy dog and ".repeat(2);
    let mut pixels = RgbImage::from_pixel(4200, 540, Rgb(PAPER));
    write(&mut pixels, &long, 80.0, 40.0, 200.0);
    write(&mut pixels, "small print", 30.0, 2000.0, 400.0);
    assert_read("wide", pixels, &lines(&[&long, "small print"]));
    let mut pixels = RgbImage::from_pixel(700, 700, Rgb(PAPER));
    for (number, letter) in "BAKERY".chars().enumerate() {
        write(&mut pixels, &letter.to_string(), 90.0, 300.0, 40.0 + number as f32 * 100.0);
    }
    assert_read("downwards", pixels, &lines(&["BAKERY"]));
}

pub fn a_receipt() {
    let rows = [
        ("Espresso", "2.40"),
        ("Apple cake", "4.80"),
        ("Sparkling water", "3.10"),
        ("Brown bread", "5.25"),
        ("Total", "15.55"),
    ];
    let mut pixels = RgbImage::from_pixel(480, 640, Rgb(PAPER));
    write(&mut pixels, "CAFE MERIDIAN", 40.0, 90.0, 40.0);
    write(&mut pixels, "Harbour Street 12", 26.0, 130.0, 110.0);
    let mut text = lines(&["CAFE MERIDIAN", "Harbour Street 12"]);
    for (number, (name, price)) in rows.iter().enumerate() {
        let top = 200.0 + number as f32 * 70.0;
        write(&mut pixels, name, 30.0, 40.0, top);
        write(&mut pixels, price, 30.0, 370.0, top);
        text.extend(lines(&[name, price]));
    }
    assert_read("receipt", pixels, &text);
}

pub fn a_long_screenshot() {
    let mut pixels = RgbImage::from_pixel(1080, 9000, Rgb([255; 3]));
    let mut text = Vec::new();
    for number in 0..90_u32 {
        let line = format!(
            "Message {} was sent at {}:{:02}",
            1000 + 37 * number,
            7 + number / 6,
            number % 60
        );
        write(&mut pixels, &line, 30.0, 60.0, 30.0 + number as f32 * 99.5);
        text.push(line);
    }
    assert_read("screenshot", pixels, &text);
}

pub fn a_sign_that_lies_askew() {
    let mut board = RgbImage::from_pixel(700, 700, Rgb(PAPER));
    write(&mut board, "PLATFORM 9", 90.0, 120.0, 230.0);
    write(&mut board, "Trains to the coast", 54.0, 120.0, 370.0);
    let text = lines(&["PLATFORM 9", "Trains to the coast"]);
    for degrees in [-25.0_f32, -8.0, 12.0, 30.0] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let turned = RgbImage::from_fn(900, 900, |x, y| {
            let (x, y) = (x as f32 - 450.0, y as f32 - 450.0);
            let (u, v) = (x * cos + y * sin + 350.0, y * cos - x * sin + 350.0);
            imageops::sample_bilinear(&board, u / 700.0, v / 700.0).unwrap_or(Rgb(PAPER))
        });
        assert_read(&format!("sign, {degrees} degrees"), turned, &text);
    }
}

pub fn stopping() {
    let reader = reader();
    let (pixels, text) = page();
    let look = look(pixels);
    let mut told = Vec::new();
    let all = reader
        .lines(&look, &mut |progress| {
            told.push(progress.fraction());
            true
        })
        .unwrap();
    assert_eq!(all.len(), text.len());
    assert!(told.is_sorted() && told.len() == 1 + text.len(), "{told:?}");
    let stopped = |after: usize| {
        let mut calls = 0;
        let go_on = &mut |_| {
            calls += 1;
            calls <= after
        };
        reader.lines(&look, go_on).unwrap().len()
    };
    assert_eq!([0, 1, 2, 4].map(stopped), [0, 0, 1, 3]);
    let empty = reader.lines(&self::look(RgbImage::new(0, 0)), &mut |_| true);
    assert_eq!(empty, Err(EvidenceError::NoPixels));
    for size in [(1, 1), (1, 400), (400, 1)] {
        assert!(read(&reader, &self::look(RgbImage::new(size.0, size.1))).is_empty(), "{size:?}");
    }
}

pub fn damaged() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = root().join("models").join(READER);
    let told = |wanted: &str| {
        let error = Reader::open(folder.path()).err().unwrap().to_string();
        let is_told = error.contains(wanted) && error.ends_with("install Lorgnette again");
        assert!(is_told && !error.contains('\n'), "{error}");
    };
    for name in ["detection.onnx", "recognition.onnx"] {
        told(name);
        let whole = std::fs::read(shipped.join(name)).unwrap();
        for bytes in [&[], b"{}".as_slice(), &whole[..1000], &whole[..whole.len() / 2]] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            told(name);
        }
        std::fs::write(folder.path().join(name), &whole).unwrap();
    }
    assert!(Reader::open(folder.path()).is_ok());
    // The one in the other's place.
    std::fs::copy(shipped.join("detection.onnx"), folder.path().join("recognition.onnx")).unwrap();
    told("recognition.onnx");
}

/// How many of the words of at least three letters that stand in scenes are read.
pub fn words() {
    #[derive(Deserialize)]
    struct Scene {
        image: String,
        text: Vec<String>,
    }
    let (reader, folder) = (reader(), shared().unwrap().join("data"));
    let text = std::fs::read_to_string(folder.join("reading.jsonl")).unwrap();
    let (mut found, mut all) = (0, 0);
    for line in text.lines() {
        let Scene { image, text } = serde_json::from_str(line).unwrap();
        let frame = capture::load(&folder.join(image)).unwrap();
        let ours = read(&reader, &Look { frame, region: None });
        let ours: String =
            ours.iter().flat_map(|line| [line.text.to_lowercase(), "\n".into()]).collect();
        let words = text.iter().filter(|word| word.chars().count() >= 3);
        let is_read: Vec<bool> = words.map(|word| ours.contains(&word.to_lowercase())).collect();
        found += is_read.iter().filter(|is_read| **is_read).count();
        all += is_read.len();
    }
    println!("{found} of {all} words are read");
}

/// Milliseconds to open the reader and to read; `RTEN_NUM_THREADS` says on how many threads.
pub fn time() {
    let started = Instant::now();
    let reader = reader();
    println!("opened in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let mut looks = vec![("page".to_owned(), look(page().0))];
    let scenes = shared().map(|folder| folder.join("data/reading"));
    for number in [0, 2, 4, 8] {
        let name = format!("scene-{number:02}.jpg");
        let frame = scenes.as_ref().and_then(|scenes| capture::load(&scenes.join(&name)).ok());
        looks.extend(frame.map(|frame| (name, Look { frame, region: None })));
    }
    for (name, look) in looks {
        let mut found = (0.0, 0);
        let mut times: Vec<(f64, f64)> = (0..5)
            .map(|_| {
                let (started, mut detected) = (Instant::now(), None);
                let go_on = &mut |progress: values::job::Progress| {
                    if progress.fraction() >= 0.5 {
                        detected.get_or_insert_with(|| started.elapsed().as_secs_f64() * 1e3);
                    }
                    true
                };
                let lines = reader.lines(&look, go_on).unwrap().len();
                let all = started.elapsed().as_secs_f64() * 1e3;
                found = (look.frame.pixels.width() as f32, lines);
                (all, detected.unwrap_or(all))
            })
            .collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        println!(
            "{name}: {} lines, {} pixels wide: least and median ms {:.0} and {:.0}, of which to find \
             them {:.0} and {:.0}",
            found.1, found.0, times[0].0, times[2].0, times[0].1, times[2].1
        );
    }
}
