//! What the model is told of a conversation when the next question is asked.

use std::collections::BTreeSet;

use super::record::{Exchange, Finish, PictureRecord};

/// One turn as the model is told it.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRecord {
    /// Whether the person speaks, and not the model.
    pub user: bool,
    /// What is said.
    pub text: String,
    /// What is shown with it; only the person shows pictures.
    pub pictures: Vec<PictureRecord>,
}

/// The turns that ask `current` after `earlier`: each question with its answer, then the current
/// question.
///
/// A picture, or a part of one, goes with the first question that shows it; a later question about
/// the same part shows nothing again. What was said of other pictures before is left out: it would
/// only mislead. So are exchanges that failed or brought no word, as if they had never been.
pub fn transcript(earlier: &[Exchange], current: &Exchange) -> Vec<TurnRecord> {
    let mut shown: Vec<&PictureRecord> = Vec::new();
    let mut turns = Vec::new();
    let mut ask = |turns: &mut Vec<TurnRecord>, exchange| {
        let Exchange { question, pictures, .. }: &_ = exchange;
        let mut new = Vec::new();
        for picture in pictures {
            if !shown.iter().any(|before| before.shows_the_same(picture)) {
                shown.push(picture);
                new.push(picture.clone());
            }
        }
        turns.push(TurnRecord { user: true, text: question.clone(), pictures: new });
    };
    let about = |exchange: &Exchange| -> BTreeSet<String> {
        exchange.pictures.iter().map(|picture| picture.sha256.clone()).collect()
    };
    let same = about(current);
    let from =
        earlier.iter().rposition(|exchange| about(exchange) != same).map_or(0, |last| last + 1);
    for exchange in earlier[from..].iter().filter(|exchange| is_told(exchange)) {
        ask(&mut turns, exchange);
        let text = exchange.answer.text.clone();
        turns.push(TurnRecord { user: false, text, pictures: Vec::new() });
    }
    ask(&mut turns, current);
    turns
}

fn is_told(exchange: &Exchange) -> bool {
    let ended = !matches!(exchange.answer.finish, Finish::Pending | Finish::Failed);
    ended && !exchange.answer.text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use values::region::Region;

    use super::*;
    use crate::unit_tests::{exchange, picture_record};

    fn told(earlier: &[Exchange], current: &Exchange) -> Vec<(bool, String, usize)> {
        let turns = transcript(earlier, current);
        turns.into_iter().map(|turn| (turn.user, turn.text, turn.pictures.len())).collect()
    }

    #[test]
    fn a_picture_is_shown_once_and_a_new_part_of_it_again() {
        let whole = picture_record("a", None);
        let part = picture_record("a", Some(Region::new(0.0, 0.0, 0.5, 0.5).unwrap()));
        let mut exchanges = [
            exchange(1, "What is that?", vec![whole.clone()], "A cat."),
            exchange(2, "What colour?", vec![whole.clone()], "Grey."),
            exchange(3, "And this?", vec![whole, part.clone(), part], "A tail."),
        ];
        exchanges[2].answer.finish = Finish::Pending;
        let [first, second, third] = &exchanges;
        assert_eq!(
            told(&[first.clone(), second.clone()], third),
            [
                (true, "What is that?".to_owned(), 1),
                (false, "A cat.".to_owned(), 0),
                (true, "What colour?".to_owned(), 0),
                (false, "Grey.".to_owned(), 0),
                (true, "And this?".to_owned(), 1),
            ]
        );
        assert_eq!(told(&[], second), [(true, "What colour?".to_owned(), 1)]);
    }

    #[test]
    fn another_picture_begins_anew() {
        let (a, b) = (picture_record("a", None), picture_record("b", None));
        let exchanges = [
            exchange(1, "What is that?", vec![a.clone()], "A cat."),
            exchange(2, "And that?", vec![b.clone()], "A dog."),
            exchange(3, "The cat again?", vec![a.clone()], "Yes."),
        ];
        let current = exchange(4, "What colour?", vec![a], "");
        assert_eq!(
            told(&exchanges, &current),
            [
                (true, "The cat again?".to_owned(), 1),
                (false, "Yes.".to_owned(), 0),
                (true, "What colour?".to_owned(), 0),
            ]
        );
        let current = exchange(4, "And this?", vec![b], "");
        assert_eq!(told(&exchanges, &current), [(true, "And this?".to_owned(), 1)]);
    }

    #[test]
    fn what_came_to_nothing_is_left_out_and_its_picture_shown_later() {
        let picture = picture_record("a", None);
        let mut failed = exchange(1, "What is that?", vec![picture.clone()], "A c");
        failed.answer.finish = Finish::Failed;
        let mut empty = exchange(2, "Well?", vec![picture.clone()], " ");
        empty.answer.finish = Finish::Stopped;
        let mut cut = exchange(3, "Now?", vec![picture.clone()], "A ca");
        cut.answer.finish = Finish::Interrupted;
        let current = exchange(4, "And?", vec![picture], "");
        assert_eq!(
            told(&[failed, empty, cut], &current),
            [
                (true, "Now?".to_owned(), 1),
                (false, "A ca".to_owned(), 0),
                (true, "And?".to_owned(), 0),
            ]
        );
    }
}
