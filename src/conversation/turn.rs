//! What a model is told.

use std::collections::BTreeSet;

use evidence::Evidence;
use values::frame::Frame;
use values::picture::{About, Look};

use crate::{Exchange, Picture};

/// One turn of a conversation as a model is told it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// What is shown with it; only the person shows pictures.
    pub pictures: Vec<Look>,
    /// What is told before it of what specialists see in pictures, shown with this turn or before.
    pub seen: Vec<Seen>,
}

/// What a model is told that specialists see in a picture, or in the part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which picture, and which part of it.
    pub about: About,
    /// What they see.
    pub evidence: Evidence,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// What a model is told when `current` is asked after `earlier`: each question with its answer,
/// then the current question. This is the one place that decides it, for the window, the terminal
/// and the replay.
///
/// A picture, or a part of one, goes with the first question that shows it; a later question about
/// the same part shows nothing again. What was said of other pictures before is left out: it would
/// only mislead. So are exchanges that failed or brought no word, as if they had never been. Which
/// picture it is the pixels decide; what is said is trimmed.
///
/// What specialists see is told where what is meant changes: with the first question about a part,
/// and again where the question before was about another. Where nothing is told now, what was said
/// when it was is left out.
///
/// `pixels` is asked for pictures of `current` alone, whatever is told beside it: those before it
/// are the same ones.
///
/// # Errors
/// What `pixels` gives.
pub fn turns_for<'a, E>(
    earlier: impl DoubleEndedIterator<Item = &'a Exchange>,
    current: &'a Exchange,
    mut pixels: impl FnMut(&Picture) -> Result<Frame, E>,
) -> Result<Vec<Turn>, E> {
    let about = |exchange: &'a Exchange| -> BTreeSet<&'a str> {
        exchange.pictures.iter().map(|picture| picture.sha256.as_str()).collect()
    };
    let same = about(current);
    let is_told =
        |exchange: &Exchange| exchange.pictures.iter().any(|picture| !picture.evidence.is_empty());
    let untold = !is_told(current);
    let mut told: Vec<&Exchange> = if current.alone {
        Vec::new()
    } else {
        let fits =
            |exchange: &&'a Exchange| about(exchange) == same && !(untold && is_told(exchange));
        earlier.rev().take_while(fits).collect()
    };
    told.reverse();
    told.retain(|exchange| exchange.answer.is_told());

    let mut shown: Vec<&Picture> = Vec::new();
    let mut meant: &[Picture] = &[];
    let mut turns = Vec::new();
    for exchange in told.into_iter().chain([current]) {
        let (mut pictures, mut seen) = (Vec::new(), Vec::new());
        for picture in &exchange.pictures {
            if !shown.iter().any(|before| before.shows_the_same(picture)) {
                shown.push(picture);
                pictures.push(Look { frame: pixels(picture)?, region: picture.region });
            }
            let same = |before: &Picture| {
                before.shows_the_same(picture) && before.evidence == picture.evidence
            };
            if !picture.evidence.is_empty() && !meant.iter().any(same) {
                seen.push(Seen { about: picture.about(), evidence: picture.evidence.clone() });
            }
        }
        meant = &exchange.pictures;
        let text = exchange.question.trim().to_owned();
        turns.push(Turn { role: Role::User, text, pictures, seen });
        if !std::ptr::eq(exchange, current) {
            let (pictures, seen) = (Vec::new(), Vec::new());
            let text = exchange.answer.text.trim().to_owned();
            turns.push(Turn { role: Role::Assistant, text, pictures, seen });
        }
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use evidence::Colour;
    use evidence::colours::Term;
    use image::RgbImage;
    use values::frame::Source;
    use values::region::Region;

    use super::*;
    use crate::{Answer, Finish, Options};

    fn picture(sha256: &str, region: Option<Region>) -> Picture {
        let (file, name) = ("pictures/0001.png".into(), "a.png".into());
        let (sha256, evidence) = (sha256.into(), Evidence::default());
        Picture { file, name, width: 40, height: 30, region, sha256, evidence }
    }

    fn exchange(question: &str, pictures: Vec<Picture>, text: &str) -> Exchange {
        let answer = Answer { text: text.into(), finish: Finish::End, ..Answer::default() };
        Exchange { answer, ..Exchange::new(question, pictures, Options::default(), None) }
    }

    /// Who speaks, what is said, and how many pictures are shown with it.
    fn told(earlier: &[Exchange], current: &Exchange) -> Vec<(Role, String, usize)> {
        let own: Vec<&str> = current.pictures.iter().map(|p| p.sha256.as_str()).collect();
        let turns = turns_for(earlier.iter(), current, |picture| {
            assert!(own.contains(&&*picture.sha256), "only its own pictures are asked for");
            Ok::<_, Infallible>(Frame::new(RgbImage::new(1, 1), Source::Stdin))
        });
        let turns = turns.unwrap().into_iter();
        turns.map(|turn| (turn.role, turn.text, turn.pictures.len())).collect()
    }

    fn asked(text: &str, pictures: usize) -> (Role, String, usize) {
        (Role::User, text.to_owned(), pictures)
    }

    fn said(text: &str) -> (Role, String, usize) {
        (Role::Assistant, text.to_owned(), 0)
    }

    #[test]
    fn a_picture_is_shown_once_and_a_new_part_of_it_again() {
        let whole = picture("a", None);
        let part = picture("a", Some(Region::new(0.0, 0.0, 0.5, 0.5).unwrap()));
        let first = exchange(" What is that?\n", vec![whole.clone()], " A cat. ");
        let second = exchange("What colour?", vec![whole.clone()], "Grey.");
        let third = exchange("And this?", vec![whole, part.clone(), part], "");
        assert_eq!(
            told(&[first, second.clone()], &third),
            [
                asked("What is that?", 1),
                said("A cat."),
                asked("What colour?", 0),
                said("Grey."),
                asked("And this?", 1),
            ]
        );
        assert_eq!(told(&[], &second), [asked("What colour?", 1)]);
    }

    #[test]
    fn another_picture_begins_anew() {
        let (a, b) = (picture("a", None), picture("b", None));
        let exchanges = [
            exchange("What is that?", vec![a.clone()], "A cat."),
            exchange("And that?", vec![b.clone()], "A dog."),
            exchange("The cat again?", vec![a.clone()], "Yes."),
        ];
        let current = exchange("What colour?", vec![a.clone()], "");
        assert_eq!(
            told(&exchanges, &current),
            [asked("The cat again?", 1), said("Yes."), asked("What colour?", 0)]
        );
        let current = exchange("And this?", vec![b.clone()], "");
        assert_eq!(told(&exchanges, &current), [asked("And this?", 1)]);
        let both = exchange("Both?", vec![a, b], "");
        assert_eq!(told(&exchanges, &both), [asked("Both?", 2)]);
    }

    #[test]
    fn what_came_to_nothing_is_left_out_and_its_picture_shown_later() {
        let with = |question: &str, text: &str, finish| {
            let mut exchange = exchange(question, vec![picture("a", None)], text);
            exchange.answer.finish = finish;
            exchange
        };
        let earlier = [
            with("What is that?", "A c", Finish::Failed),
            with("Well?", " ", Finish::Stopped),
            with("Now?", "A ca", Finish::Interrupted),
            with("Elsewhere?", "A", Finish::Pending),
        ];
        let current = with("And?", "", Finish::Pending);
        assert_eq!(told(&earlier, &current), [asked("Now?", 1), said("A ca"), asked("And?", 0)]);
    }

    /// What is told with each question, by the first colour's share in a hundred.
    fn seen(earlier: &[Exchange], current: &Exchange) -> Vec<Vec<u32>> {
        let frame =
            |_: &Picture| Ok::<_, Infallible>(Frame::new(RgbImage::new(1, 1), Source::Stdin));
        let turns = turns_for(earlier.iter(), current, frame).unwrap();
        let share = |seen: &Seen| (seen.evidence.colours[0].share * 100.0).round() as u32;
        let asked = turns.iter().filter(|turn| turn.role == Role::User);
        asked.map(|turn| turn.seen.iter().map(share).collect()).collect()
    }

    #[test]
    fn what_is_seen_is_told_where_what_is_meant_changes() {
        let with = |picture: Picture, share: f32| {
            let colours = vec![Colour { term: Term::Red, share }];
            Picture { evidence: Evidence { colours, ..Evidence::default() }, ..picture }
        };
        let whole = with(picture("a", None), 0.1);
        let part = with(picture("a", Some(Region::new(0.0, 0.0, 0.5, 0.5).unwrap())), 0.2);
        let ask = |picture: &Picture| exchange("What?", vec![picture.clone()], "This.");
        let earlier = [ask(&whole), ask(&whole), ask(&part)];
        assert_eq!(seen(&earlier, &ask(&part)), [vec![10], vec![], vec![20], vec![]]);
        assert_eq!(seen(&earlier, &ask(&whole)), [vec![10], vec![], vec![20], vec![10]]);
        // Text that was read later.
        let more = with(picture("a", None), 0.3);
        assert_eq!(seen(&earlier[..1], &ask(&more)), [vec![10], vec![30]]);
        // Nothing is to be told any more: what was said before knew it.
        let plain = ask(&picture("a", None));
        assert_eq!(seen(&earlier, &plain), [Vec::<u32>::new()]);
        assert_eq!(seen(&[plain], &ask(&whole)), [vec![], vec![10]]);
    }

    #[test]
    fn what_live_mode_asks_stands_alone() {
        let earlier = [exchange("What is that?", vec![picture("a", None)], "A cat.")];
        let mut current = exchange("And now?", vec![picture("a", None)], "");
        current.alone = true;
        assert_eq!(told(&earlier, &current), [asked("And now?", 1)]);
    }
}
