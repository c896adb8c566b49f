//! The reader: from a picture to the lines that are written in it.
//!
//! [`detection`] finds where lines are, [`pixels`] cuts them out and sets them upright, and
//! [`recognition`] reads them. The networks and what surrounds them are `PaddleOCR`'s PP-OCRv6, with
//! the parameters of `models/reader/README.md`.

mod detection;
mod pieces;
mod pixels;
mod recognition;
mod rectangle;

use std::path::Path;

use evidence::{EvidenceError, Line, TextReader, reading};
use image::RgbImage;
use image::imageops::{crop_imm, rotate180};
use values::job::Progress;
use values::picture::Look;
use values::region::{PixelBox, Region};

use detection::Detection;
use recognition::Recognition;

/// Lines that are read less surely are left out.
const LEAST: f32 = 0.5;
/// A line that is read less surely than this may stand on its head. It does if it is read at least
/// this surely when it is turned over, which words that do not stand so hardly ever are; single
/// letters and digits often look the same.
const UNSURE: f32 = 0.8;
const SURE: f32 = 0.95;
const FEWEST_TURNED: usize = 3;
/// Progress is told in this many parts: half of them to find lines, half to read them.
const HALF: u64 = 500;

/// The corners of a line in pixels: top left, top right, bottom right, bottom left.
pub type Quad = [(f32, f32); 4];

/// A reader: a network that finds lines, and one that reads them.
pub struct Reader {
    detection: Detection,
    recognition: Recognition,
}

/// Reads the reader in `folder`.
pub fn open(folder: &Path) -> Result<Box<dyn TextReader>, EvidenceError> {
    Ok(Box::new(Reader::open(folder)?))
}

impl Reader {
    /// Reads the reader in `folder`.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self, EvidenceError> {
        Ok(Self { detection: Detection::open(folder)?, recognition: Recognition::open(folder)? })
    }

    /// What a line says, its chance, and whether it stands on its head.
    fn read(&self, line: &RgbImage) -> Result<(String, f32, bool), EvidenceError> {
        let (text, probability) = self.recognition.read(line)?;
        if probability < UNSURE {
            let (turned, sure) = self.recognition.read(&rotate180(line))?;
            if sure >= SURE && turned.trim().chars().nth(FEWEST_TURNED - 1).is_some() {
                return Ok((turned, sure, true));
            }
        }
        Ok((text, probability, false))
    }
}

impl TextReader for Reader {
    fn lines(
        &self,
        picture: &Look,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError> {
        let shown = picture.shown();
        if shown.is_empty() {
            return Err(EvidenceError::NoPixels);
        }
        let pieces = pieces::of(shown.width(), shown.height());
        let mut found: Vec<(usize, Quad)> = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            if !go_on(part(0, number, pieces.len())) {
                return Ok(Vec::new());
            }
            let quads = if let [_] = *pieces {
                self.detection.find(&shown)?
            } else {
                let PixelBox { x, y, width, height } = *piece;
                self.detection.find(&crop_imm(&*shown, x, y, width, height).to_image())?
            };
            found.extend(quads.into_iter().map(|quad| (number, moved(quad, *piece))));
        }
        let quads = pieces::merged(found, &pieces);
        let frame = picture.frame.pixels.dimensions();
        let mut lines = Vec::new();
        for (number, quad) in quads.iter().enumerate() {
            if !go_on(part(HALF, number, quads.len())) {
                break;
            }
            let Some(line) = pixels::upright(&shown, quad) else { continue };
            let (text, probability, is_turned) = self.read(&line)?;
            if probability >= LEAST && !text.trim().is_empty() {
                let mut place = placed(quad, shown.dimensions(), picture.area());
                place.rotate_left(if is_turned { 2 } else { 0 });
                lines.push(Line { text: text.trim().to_owned(), probability, place });
            }
        }
        Ok(reading::in_order(lines, frame))
    }
}

/// `done` of `total` units of the half that begins at `begun`.
fn part(begun: u64, done: usize, total: usize) -> Progress {
    Progress::new(begun + HALF * done as u64 / total.max(1) as u64, 2 * HALF)
}

fn moved(quad: Quad, piece: PixelBox) -> Quad {
    quad.map(|(x, y)| (x + piece.x as f32, y + piece.y as f32))
}

/// `quad` of a part of `size` pixels, which covers `area` of the frame, in fractions of the frame.
fn placed(quad: &Quad, size: (u32, u32), area: Region) -> Quad {
    quad.map(|(x, y)| {
        let (x, y) = (x / size.0.max(1) as f32, y / size.1.max(1) as f32);
        let (x, y) = (area.x() + x * area.width(), area.y() + y * area.height());
        (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0))
    })
}
