//! The order in which people read lines of text, and words whose letters stand one under another.

use crate::Line;

/// The fewest letters, one under another, that are taken for a word: two may be a coincidence.
const FEWEST_LETTERS: usize = 3;
/// How far apart such letters are at most, in sizes of a letter.
const FARTHEST: f32 = 0.75;
/// The fewest lines that run downwards by which a text is taken for one that does: a sign or two
/// may do so among others that do not.
const FEWEST_COLUMNS: usize = 3;
/// How many times as high as wide a line is at least that runs downwards.
const HIGH: f32 = 1.5;
/// How much room there is beside them at least, in sizes of a letter. A column of a table, whose
/// rows have more than one letter, has less.
const ROOM: f32 = 3.0;

/// A line with its measures in pixels, turned so that most of the text runs to the right.
struct Placed {
    line: Line,
    /// Its centre.
    centre: (f32, f32),
    /// Its extent in the direction of reading and across.
    size: (f32, f32),
}

/// `lines` of a picture of `frame` pixels (width, height) as people read them: rows whose centres
/// differ by less than half the smaller height, each from left to right, from top to bottom. Letters
/// one under another are joined to a word.
///
/// Rows run in the direction of most of the text, so that a page that lies askew, on its side, or on
/// its head is read as one that lies straight.
#[must_use]
pub fn in_order(lines: Vec<Line>, frame: (u32, u32)) -> Vec<Line> {
    let lines = joined(lines, frame);
    let angle = direction(&lines, frame);
    let mut placed: Vec<Placed> =
        lines.into_iter().map(|line| Placed::new(line, frame, angle)).collect();
    placed.sort_by(|a, b| a.centre.1.total_cmp(&b.centre.1));
    let mut rows: Vec<Vec<Placed>> = Vec::new();
    for line in placed {
        match rows.last_mut() {
            Some(row) if row.first().is_some_and(|first| first.is_beside(&line)) => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.centre.0.total_cmp(&b.centre.0));
    }
    rows.into_iter().flatten().map(|placed| placed.line).collect()
}

/// The corners of `line` in pixels of a picture of `frame` pixels.
#[must_use]
pub fn corners(line: &Line, frame: (u32, u32)) -> [(f32, f32); 4] {
    line.place.map(|(x, y)| (x * frame.0 as f32, y * frame.1 as f32))
}

impl Placed {
    fn new(line: Line, frame: (u32, u32), angle: f32) -> Self {
        let corners = corners(&line, frame);
        let (sin, cos) = (-angle).sin_cos();
        let mean = |of: fn(&(f32, f32)) -> f32| corners.iter().map(of).sum::<f32>() / 4.0;
        let (x, y) = (mean(|corner| corner.0), mean(|corner| corner.1));
        let (width, height) = sides(corners);
        let is_level = cos.abs() >= sin.abs();
        let size = if is_level { (width, height) } else { (height, width) };
        Self { line, centre: (x * cos - y * sin, x * sin + y * cos), size }
    }

    fn is_beside(&self, other: &Self) -> bool {
        (self.centre.1 - other.centre.1).abs() < self.size.1.min(other.size.1) / 2.0
    }
}

/// The width and the height of a quad: the means of two sides each.
pub(crate) fn sides([a, b, c, d]: [(f32, f32); 4]) -> (f32, f32) {
    (distance(a, b).midpoint(distance(d, c)), distance(a, d).midpoint(distance(b, c)))
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The direction of most of the text, in radians: the median over its lines, each counting by its
/// length. Lines that are high run downwards, and the next one stands to the left, as on a page that
/// was turned to the right and in columns of Chinese; they are what counts where they are more.
fn direction(lines: &[Line], frame: (u32, u32)) -> f32 {
    let quads = lines.iter().filter(|line| line.text.trim().chars().nth(1).is_some());
    let quads = quads.map(|line| corners(line, frame));
    let (wide, high): (Vec<_>, Vec<_>) = quads.partition(|quad| {
        let (width, height) = sides(*quad);
        height < width * HIGH
    });
    let runs_down = high.len() >= FEWEST_COLUMNS && high.len() > wide.len();
    let (of, to) = if runs_down { (high, 3) } else { (wide, 1) };
    let mut angles: Vec<(f32, f32)> = of
        .iter()
        .map(|quad| (quad[0], quad[to]))
        .map(|(from, to)| ((to.1 - from.1).atan2(to.0 - from.0), distance(from, to)))
        .collect();
    angles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = angles.iter().map(|(_, length)| length).sum::<f32>() / 2.0;
    let mut sum = 0.0;
    let median = angles.iter().find(|(_, length)| {
        sum += length;
        sum >= half
    });
    median.map_or(0.0, |(angle, _)| *angle)
}

/// `lines` with letters one under another joined to words. Some of a word's letters may have been
/// read together, as a line that is high.
fn joined(lines: Vec<Line>, frame: (u32, u32)) -> Vec<Line> {
    let placed: Vec<Placed> = lines.into_iter().map(|line| Placed::new(line, frame, 0.0)).collect();
    let (mut parts, mut others): (Vec<Placed>, Vec<Placed>) =
        placed.into_iter().partition(Placed::may_be_part);
    parts.sort_by(|a, b| a.centre.1.total_cmp(&b.centre.1));
    let mut columns: Vec<Vec<Placed>> = Vec::new();
    for part in parts {
        match columns.iter_mut().find(|column| column.last().is_some_and(|it| it.is_over(&part))) {
            Some(column) => column.push(part),
            None => columns.push(vec![part]),
        }
    }
    let (words, single): (Vec<_>, Vec<_>) = columns.into_iter().partition(|column| {
        let letters: usize = column.iter().map(Placed::letters).sum();
        column.len() > 1
            && letters >= FEWEST_LETTERS
            && !column.iter().any(|part| others.iter().any(|other| part.is_crowded_by(other)))
    });
    others.extend(single.into_iter().flatten());
    let others = others.into_iter().map(|placed| placed.line);
    others.chain(words.iter().map(|parts| word(parts))).collect()
}

impl Placed {
    fn letters(&self) -> usize {
        self.line.text.trim().chars().count()
    }

    /// Whether it may be a part of a word that runs downwards: a letter, or several in a high line.
    fn may_be_part(&self) -> bool {
        let is_high = self.size.1 >= self.size.0 * HIGH;
        let letters = self.letters();
        (letters == 1 || (letters > 1 && is_high))
            && self.line.text.trim().chars().all(char::is_alphabetic)
    }

    /// The size of its letters, if they stand one under another.
    fn letter(&self) -> f32 {
        if self.letters() == 1 { self.size.0.max(self.size.1) } else { self.size.0 }
    }

    /// Whether `below` goes on with its word. Two high lines are two words.
    fn is_over(&self, below: &Self) -> bool {
        let letter = self.letter().midpoint(below.letter());
        let gap = below.centre.1 - self.centre.1 - self.size.1.midpoint(below.size.1);
        let aside = (below.centre.0 - self.centre.0).abs();
        self.letters().min(below.letters()) == 1
            && gap.abs() < letter * FARTHEST
            && below.centre.1 - self.centre.1 > letter / 2.0
            && aside < self.size.0.max(below.size.0) / 2.0
    }

    /// Whether `other` stands beside it.
    fn is_crowded_by(&self, other: &Self) -> bool {
        let across = (self.centre.1 - other.centre.1).abs();
        let along = (self.centre.0 - other.centre.0).abs();
        across < self.size.1.midpoint(other.size.1)
            && along < self.size.0.midpoint(other.size.0) + self.letter() * ROOM
    }
}

/// The word of `parts` that stand one under another, at least one.
fn word(parts: &[Placed]) -> Line {
    let text = parts.iter().map(|part| part.line.text.trim()).collect();
    let letters: usize = parts.iter().map(Placed::letters).sum();
    let sum: f32 = parts.iter().map(|part| part.line.probability * part.letters() as f32).sum();
    let all = || parts.iter().flat_map(|part| part.line.place);
    let least = all().fold((1.0_f32, 1.0_f32), |least, it| (least.0.min(it.0), least.1.min(it.1)));
    let most = all().fold((0.0_f32, 0.0_f32), |most, it| (most.0.max(it.0), most.1.max(it.1)));
    let place = [least, (most.0, least.1), most, (least.0, most.1)];
    Line { text, probability: sum / letters.max(1) as f32, place }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: (u32, u32) = (1000, 500);

    /// A line by its centre, size and angle, in pixels.
    fn line(text: &str, x: f32, y: f32, width: f32, height: f32, angle: f32) -> Line {
        let (sin, cos) = angle.sin_cos();
        let corner = |u: f32, v: f32| {
            let (u, v) = (u * width / 2.0, v * height / 2.0);
            let (x, y) = (x + u * cos - v * sin, y + u * sin + v * cos);
            (x / FRAME.0 as f32, y / FRAME.1 as f32)
        };
        let place = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
        Line { text: text.into(), probability: 0.9, place }
    }

    fn read(lines: Vec<Line>) -> Vec<String> {
        in_order(lines, FRAME).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn rows_are_read_from_the_left_and_from_the_top() {
        let lines = vec![
            line("d", 700.0, 200.0, 100.0, 30.0, 0.0),
            line("b", 600.0, 97.0, 100.0, 30.0, 0.0),
            line("a", 300.0, 103.0, 200.0, 24.0, 0.0),
            // Nearer than half of its own height, but not of the smaller one's.
            line("c", 100.0, 118.0, 100.0, 60.0, 0.0),
        ];
        assert_eq!(read(lines), ["a", "b", "c", "d"]);
        assert!(read(Vec::new()).is_empty());
    }

    #[test]
    fn a_page_that_lies_askew_is_read_along_its_rows() {
        for angle in [-0.3_f32, 0.0, 0.3] {
            let (sin, cos) = angle.sin_cos();
            let at = |text: &str, x: f32, y: f32| {
                let (u, v) = (500.0 + x * cos - y * sin, 250.0 + x * sin + y * cos);
                line(text, u, v, 150.0, 20.0, angle)
            };
            let lines = vec![
                at("2r", 120.0, 15.0),
                at("1r", 120.0, -15.0),
                at("2l", -120.0, 15.0),
                at("1l", -120.0, -15.0),
            ];
            assert_eq!(read(lines), ["1l", "1r", "2l", "2r"], "{angle}");
        }
    }

    #[test]
    fn columns_are_read_from_the_right() {
        let high = |text: &str, x: f32, y: f32| line(text, x, y, 20.0, 150.0, 0.0);
        let mut page = vec![high("2a", 300.0, 100.0), high("3x", 250.0, 110.0)];
        page.extend([high("2b", 302.0, 280.0), high("1x", 350.0, 105.0)]);
        assert_eq!(read(page), ["1x", "2a", "2b", "3x"]);
        // On their heads, they run upwards, and the next one stands to the right.
        let turned = |text: &str, x: f32, y: f32| {
            let mut line = high(text, x, y);
            line.place.rotate_left(2);
            line
        };
        let page = vec![turned("3x", 350.0, 100.0), turned("1x", 250.0, 110.0)];
        let page = page.into_iter().chain([turned("2b", 302.0, 100.0), turned("2a", 300.0, 280.0)]);
        assert_eq!(read(page.collect()), ["1x", "2a", "2b", "3x"]);
        // Two signs among lines are no columns.
        let mut street = vec![high("HOTEL", 300.0, 100.0), high("BAR", 600.0, 104.0)];
        assert_eq!(read(street.clone()), ["HOTEL", "BAR"]);
        street.push(line("Open", 500.0, 400.0, 90.0, 30.0, 0.0));
        assert_eq!(read(street), ["HOTEL", "BAR", "Open"]);
    }

    #[test]
    fn letters_one_under_another_are_a_word() {
        let column = |text: &str, x: f32, step: f32| -> Vec<Line> {
            let letters = text.char_indices();
            let letter = |(at, letter): (usize, char)| {
                line(&letter.to_string(), x, 60.0 + at as f32 * step, 36.0, 40.0, 0.0)
            };
            letters.map(letter).collect()
        };
        let mut sign = column("HOTEL", 500.0, 50.0);
        sign.reverse();
        sign.push(line("Inn", 800.0, 400.0, 100.0, 30.0, 0.0));
        let read_sign = in_order(sign, FRAME);
        assert_eq!(read_sign.len(), 2);
        let hotel = &read_sign[0];
        assert_eq!(hotel.text, "HOTEL");
        assert!((hotel.probability - 0.9).abs() < 1e-6);
        let wanted = [(482.0, 40.0), (518.0, 40.0), (518.0, 280.0), (482.0, 280.0)];
        for (ours, wanted) in corners(hotel, FRAME).into_iter().zip(wanted) {
            assert!(distance(ours, wanted) < 0.1, "{ours:?} {wanted:?}");
        }

        // Some of its letters were read together; two high lines are two words.
        let high = |text: &str, y: f32, height: f32| line(text, 500.0, y, 40.0, height, 0.0);
        assert_eq!(read(vec![high("L", 320.0, 44.0), high("HOTE", 180.0, 200.0)]), ["HOTEL"]);
        assert_eq!(
            read(vec![high("HOT", 120.0, 150.0), high("BAR", 290.0, 150.0)]),
            ["HOT", "BAR"]
        );
        // Too far apart; too few; digits; a column of a table.
        assert_eq!(read(column("HOT", 500.0, 90.0)).len(), 3);
        assert_eq!(read(column("HO", 500.0, 50.0)).len(), 2);
        assert_eq!(read(column("123", 500.0, 50.0)).len(), 3);
        let mut table = column("ABC", 500.0, 50.0);
        table.extend(
            (0..3).map(|row| line("Name", 380.0, 60.0 + row as f32 * 50.0, 120.0, 30.0, 0.0)),
        );
        assert_eq!(read(table), ["Name", "A", "Name", "B", "Name", "C"]);
    }
}
