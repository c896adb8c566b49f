//! Where the label encoder sees what it names: maps of chips, ties of answers at once, what nothing bears
//! out, and the names of the live picture.

use std::sync::Arc;

use conversation::Finish;
use egui_kittest::kittest::Queryable;
use evidence::{EvidenceError, LabelEncoder, LabelMaps, Specialists};
use explain::{Search, Tie};
use ui::View;
use ui::maps::MapKind;
use values::picture::Look;

use super::driver::{Driver, Start};
use super::pictures::{camera_on, live};
use super::specialists::SPECIALISTS;

/// A window that shows the cat, with this answer.
fn answered(words: &[&str]) -> Driver {
    let mut driver = Driver::showing("cat.jpg");
    driver.until("it is seen", |view| view.stage.evidence.ready().is_some());
    driver.ask("What is that?");
    driver.engine.say(words, 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver
}

fn ties(view: &View) -> Vec<(String, Tie, usize)> {
    let phrases = view.talk.cards[0].grounding.ready().map_or(&[][..], |found| &found.phrases);
    let tie =
        |phrase: &explain::Phrase| (phrase.text.clone(), phrase.tie.clone(), phrase.places.len());
    phrases.iter().map(tie).collect()
}

#[test]
fn what_names_a_label_is_tied_at_once_and_can_be_looked_for_again() {
    let mut driver = answered(&[" A", " kitten", "."]);
    // In the very frame in which the answer ends, without a reading.
    let label = Tie::Label("tabby cat".into());
    assert_eq!(ties(driver.view()), [("A kitten".to_owned(), label, 1)]);
    let place = driver.view().talk.cards[0].grounding.ready().unwrap().phrases[0].places[0];
    assert!(place.region.x() < 0.01 && place.region.width() < 0.51, "{place:?}");
    driver.steps();
    assert!(driver.engine.readings().is_empty(), "there is nothing left to be looked for");
    assert!(driver.has("tied to where the label encoder sees them"));
    driver.click("A kitten");
    assert!(driver.has("Place of A kitten: top left") && driver.has("label encoder, "));
    driver.click("Look again without the label encoder");
    driver.until_readings(1);
    driver.read_back_once();
    driver.until_readings(2);
    // What is tied stays so until it is known otherwise.
    assert!(driver.has("Looking for the places of its phrases: 1 of 11"));
    assert!(matches!(ties(driver.view())[0].1, Tie::Label(_)));
    driver.read_back();
    // The fake engine says a kitten of any part.
    assert_eq!(ties(driver.view()), [("A kitten".to_owned(), Tie::Alone, 0)]);
    let found = driver.view().talk.cards[0].grounding.ready().unwrap();
    assert_eq!((&found.search, found.words.len()), (&Search::Over, 2));
}

#[test]
fn other_phrases_are_looked_for_beside_what_a_label_ties() {
    let mut driver = answered(&[" A", " cat", " beside", " a", " robot", "."]);
    driver.read_back();
    let label = Tie::Label("tabby cat".into());
    let wanted = [("A cat".to_owned(), label, 1), ("a robot".to_owned(), Tie::Alone, 1)];
    assert_eq!(ties(driver.view()), wanted);
    assert_eq!(driver.engine.readings().len(), 11);
    assert!(driver.has("by the label encoder, or seen alone"));
}

#[test]
fn the_map_of_a_label_is_shown_while_it_is_pointed_at_or_chosen() {
    let mut driver = answered(&[" A", " horse", " or", " a", " cat", "."]);
    assert!(!driver.has("The label encoder sees"));
    driver.window.get_by_label("lynx · 21 % · cat: ask about it").hover();
    driver.steps();
    assert!(driver.has("The label encoder sees 'lynx' most at the bottom right."));
    assert_eq!(driver.view().maps.kind, None);
    driver.window.get_by_label("Question").hover();
    driver.steps();
    assert!(!driver.has("The label encoder sees 'lynx'"));
    driver.click("Label map");
    assert!(driver.has("The label encoder sees 'tabby cat' most at the top left."));
    assert!(driver.has("is the mean of this map, exactly"));
    driver.click("Where it sees lynx");
    assert_eq!(driver.view().maps.kind, Some(MapKind::Label));
    assert!(driver.has("The label encoder sees 'lynx' most at the bottom right."));
}

#[test]
fn the_words_of_what_a_label_ties_are_read_once_they_are_wanted() {
    let mut driver = answered(&[" A", " cat", "."]);
    driver.steps();
    assert!(driver.engine.readings().is_empty());
    driver.click("Word map");
    assert!(driver.has("Looking for the answer's words in the picture"));
    driver.read_back();
    assert_eq!(driver.engine.readings().len(), 11);
    let label = Tie::Label("tabby cat".into());
    assert_eq!(ties(driver.view()), [("A cat".to_owned(), label, 1)]);
    assert!(driver.has("Where the model would see 'cat' if it saw it."));
}

#[test]
fn what_nothing_bears_out_is_dotted_and_said() {
    let driver = answered(&[" A", " cat", " and", " a", " woman", "."]);
    assert!(driver.has("a woman, not confirmed"));
    assert!(!driver.has("A cat, not confirmed"));
    let said = "Not confirmed: the label encoder sees no woman here.";
    assert!(driver.has(said));
    let card = &driver.view().talk.cards[0];
    assert_eq!(card.text(), "A cat and a woman.", "the words stay as they are");
    assert!(card.spoken().ends_with(said));
}

/// A picture of two greys, the left one this; the line between them goes to and fro.
fn greys(left: u8) -> image::RgbImage {
    let line = if left.is_multiple_of(2) { 16 } else { 48 };
    let value = |x| if x < line { left } else { 255 - left };
    image::RgbImage::from_fn(64, 48, |x, _| image::Rgb([value(x); 3]))
}

/// Names a picture by its grey at the left: the darker half a mug or a bowl, each look another one, the brighter a vase.
struct Greys;

impl LabelEncoder for Greys {
    fn maps(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
        let value = picture.frame.pixels.as_raw()[0];
        let chances = match value {
            128.. => [0.01, 0.01, 0.95],
            _ if value.is_multiple_of(2) => [0.56, 0.40, 0.01],
            _ => [0.44, 0.52, 0.01],
        };
        let names = [("mug", None), ("bowl", None), ("vase", None)];
        let map = |chance: f32| (0..4).map(move |at| chance.ln() + [3.0, -1.0, -1.0, -1.0][at]);
        let maps: Vec<f32> = chances.into_iter().chain([0.03]).flat_map(map).collect();
        LabelMaps::of_names(&names, &maps, (2, 2), picture.area())
    }
}

#[test]
fn the_names_follow_the_live_picture_and_are_held_steady() {
    let specialists = Specialists { labels: |_| Ok(Box::new(Greys)), ..SPECIALISTS };
    let specialists = Some(specialists);
    let mut driver = Driver::with(Start { settings: camera_on(), specialists, ..Start::default() });
    driver.until("the camera starts", |view| view.settings.camera.on);
    driver.camera.becomes(live());
    let first = |view: &View| {
        let seen = view.stage.evidence.ready()?;
        Some(seen.evidence.labels.iter().next()?.name.clone())
    };
    // Looks at one scene after the other, for as long as `value` says.
    let mut names = Vec::new();
    for (from, looks) in [(20_u8, 8), (200, 4)] {
        for look in 0..looks {
            let before = driver.view().stage.evidence.ready().map(|seen| seen.maps.clone());
            let camera = driver.camera.clone();
            driver.until("it is glanced at", |view| {
                camera.show(greys(from + look % 2));
                let now = view.stage.evidence.ready().map(|seen| &seen.maps);
                now.is_some_and(|now| before.as_ref().is_none_or(|old| !Arc::ptr_eq(old, now)))
            });
            names.push(first(driver.view()).unwrap());
        }
    }
    assert!(names[..8].iter().all(|name| name == "mug"), "{names:?}");
    assert_eq!(names.last().unwrap(), "vase");
    // Not announced with each change: three seconds have hardly passed.
    assert!(driver.has("vase · ") && driver.view().stage.is_live());
    driver.window.get_by_label_contains("vase · ").hover();
    driver.steps();
    // As in a mirror.
    assert!(driver.has("The label encoder sees 'vase' most at the top right."));
}
