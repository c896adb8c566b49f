//! Draws a picture with its question and answer below it.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use conversation::Token;
use image::{Rgb, RgbImage, imageops};
use values::picture::{Filter, resize};

/// Width of the drawing in pixels.
const WIDTH: u32 = 640;
/// Tallest picture in it.
const TALLEST: u32 = 640;
/// Space around text, and the one spacing everything else is a multiple of.
const SPACE: u32 = 16;
const PAPER: [f32; 3] = [250.0, 250.0, 248.0];
const INK: [f32; 3] = [28.0, 30.0, 34.0];
const QUIET: [f32; 3] = [110.0, 114.0, 122.0];
/// How much of the ink a token keeps that the model all but did not say.
const FAINTEST: f32 = 0.35;
const QUESTION_SIZE: f32 = 20.0;
const ANSWER_SIZE: f32 = 30.0;

/// A piece of text in one strength, from 0 (paper) to 1 (ink).
struct Run {
    text: String,
    strength: f32,
}

/// The picture with `question` and `tokens` of the answer below; the less likely a token was, the
/// fainter it is. `None` where the font cannot be read.
pub fn draw(picture: &RgbImage, question: &str, tokens: &[Token]) -> Option<RgbImage> {
    let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok()?;
    let asked = [Run { text: question.to_owned(), strength: 1.0 }];
    let answered: Vec<Run> = tokens
        .iter()
        .map(|token| Run {
            text: token.text.clone(),
            strength: FAINTEST + (1.0 - FAINTEST) * token.logprob.exp(),
        })
        .collect();
    let asked = lines(&font, QUESTION_SIZE, &asked);
    let answered = lines(&font, ANSWER_SIZE, &answered);

    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let scale = (WIDTH as f32 / width).min(TALLEST as f32 / height);
    let side = |side: f32| ((side * scale).round() as u32).max(1);
    let shown = resize(picture, side(width), side(height), Filter::Lanczos);
    let line_height = |size: f32| (size * 1.35).round() as u32;
    let text_height = asked.len() as u32 * line_height(QUESTION_SIZE)
        + SPACE / 2
        + answered.len() as u32 * line_height(ANSWER_SIZE);
    let paper = PAPER.map(|channel| channel as u8);
    let mut drawing =
        RgbImage::from_pixel(WIDTH, shown.height() + text_height + 2 * SPACE, Rgb(paper));
    imageops::replace(&mut drawing, &shown, i64::from((WIDTH - shown.width()) / 2), 0);

    let mut top = shown.height() + SPACE;
    for (text, size, ink) in [(asked, QUESTION_SIZE, QUIET), (answered, ANSWER_SIZE, INK)] {
        for line in text {
            write_line(&mut drawing, &font, size, top, ink, &line);
            top += line_height(size);
        }
        top += SPACE / 2;
    }
    Some(drawing)
}

/// Breaks runs into lines that fit, between words.
fn lines(font: &FontRef<'_>, size: f32, runs: &[Run]) -> Vec<Vec<Run>> {
    let room = (WIDTH - 2 * SPACE) as f32;
    let font = font.as_scaled(PxScale::from(size));
    let width = |text: &str| text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum::<f32>();
    let (mut lines, mut line, mut used) = (Vec::new(), Vec::new(), 0.0);
    for run in runs {
        for word in run.text.split_inclusive(char::is_whitespace) {
            // A token carries the space before it, which ends the line's last word.
            let word = if line.is_empty() { word.trim_start() } else { word };
            if used + width(word.trim_end()) > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if !word.is_empty() {
                used += width(word);
                line.push(Run { text: word.replace(['\n', '\r', '\t'], " "), ..*run });
            }
        }
    }
    lines.push(line);
    lines
}

fn write_line(
    drawing: &mut RgbImage,
    font: &FontRef<'_>,
    size: f32,
    top: u32,
    ink: [f32; 3],
    runs: &[Run],
) {
    let scaled = font.as_scaled(PxScale::from(size));
    let mut x = SPACE as f32;
    let baseline = top as f32 + scaled.ascent();
    for run in runs {
        for c in run.text.chars() {
            let id = scaled.glyph_id(c);
            let glyph = id.with_scale_and_position(size, point(x, baseline));
            x += scaled.h_advance(id);
            let Some(outline) = scaled.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                let (Ok(px), Ok(py)) = (u32::try_from(px), u32::try_from(py)) else {
                    return;
                };
                if let Some(pixel) = drawing.get_pixel_mut_checked(px, py) {
                    let cover = coverage.min(1.0) * run.strength;
                    for (channel, ink) in pixel.0.iter_mut().zip(ink) {
                        *channel = (f32::from(*channel) * (1.0 - cover) + ink * cover) as u8;
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, logprob: f32) -> Token {
        Token { id: 0, text: text.to_owned(), logprob }
    }

    /// How dark the text below the picture is.
    fn ink(drawing: &RgbImage) -> u64 {
        let below = drawing.rows().skip(641).flatten();
        below.map(|pixel| 255 - u64::from(pixel.0[0])).sum()
    }

    #[test]
    fn an_unlikely_token_is_fainter_and_a_long_answer_takes_more_lines() {
        let picture = RgbImage::from_pixel(32, 32, Rgb([200, 0, 0]));
        let sure = draw(&picture, "What?", &[token("cat", 0.0)]).unwrap();
        let unsure = draw(&picture, "What?", &[token("cat", -5.0)]).unwrap();
        assert_eq!(sure.dimensions(), unsure.dimensions());
        assert!(ink(&sure) > ink(&unsure), "{} {}", ink(&sure), ink(&unsure));

        let long: Vec<Token> = (0..60).map(|_| token(" word", 0.0)).collect();
        let long = draw(&picture, "What?", &long).unwrap();
        assert!(long.height() > sure.height() + 100);
        assert_eq!(sure.get_pixel(320, 320).0, [200, 0, 0]);
    }
}
