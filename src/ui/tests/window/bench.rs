//! The window drawn from a made-up [`View`]: what it would do is collected, and nothing else runs.

use std::sync::Arc;
use std::time::Duration;

use conversation::{Answer, Exchange, Finish, Options, Picture, Token};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use encoder::EncoderMaps;
use explain::{Causal, Grounding, Phrase, Place, Search, Tie};
use grounding::WordMap;
use lorgnette_ui::maps::{MapAction, Wanted};
use lorgnette_ui::stage::Shown;
use lorgnette_ui::talk::Card;
use lorgnette_ui::{self, Action, View};
use values::config::Fill;
use values::frame::{Frame, Source};
use values::heatmap::Heatmap;
use values::region::Region;

/// What is drawn, and what was asked for.
#[derive(Default)]
pub struct Inside {
    pub view: View,
    pub actions: Vec<Action>,
    installed: bool,
}

pub struct Bench {
    pub window: Harness<'static, Inside>,
}

impl Bench {
    /// A window of this size with a made-up picture, mirrored or not.
    pub fn new((width, height): (f32, f32), dark: bool, mirrored: bool) -> Self {
        let theme = if dark { egui::Theme::Dark } else { egui::Theme::Light };
        let draw = |ui: &mut egui::Ui, inside: &mut Inside| {
            if !std::mem::replace(&mut inside.installed, true) {
                lorgnette_ui::theme::install(ui.ctx());
            }
            let actions = lorgnette_ui::show(ui, &mut inside.view);
            for action in &actions {
                if let Action::Maps(action) = action {
                    obey(&mut inside.view, action);
                }
            }
            inside.actions.extend(actions);
        };
        let window = Harness::builder()
            .with_size(egui::vec2(width, height))
            .with_theme(theme)
            .with_os(egui::os::OperatingSystem::Nix)
            .build_ui_state(draw, Inside::default());
        let mut bench = Self { window };
        bench.steps();
        bench.show(picture(), mirrored);
        bench.steps();
        bench
    }

    pub fn view(&mut self) -> &mut View {
        &mut self.window.state_mut().view
    }

    /// Shows these pixels.
    pub fn show(&mut self, pixels: image::RgbImage, mirrored: bool) {
        let size = [pixels.width() as usize, pixels.height() as usize];
        let image = egui::ColorImage::from_rgb(size, pixels.as_raw());
        let frame = Frame::new(pixels, Source::Memory("shapes".into()));
        let ctx = self.window.ctx.clone();
        self.view().stage.set(&ctx, Shown { frame, live: false, mirrored }, image);
    }

    /// Adds an answer about the picture that is shown, tied to it like this.
    pub fn answer(&mut self, text: &str, grounding: Wanted<Grounding>) -> usize {
        let view = self.view();
        let pictures = view.stage.shown.iter().map(|shown| Picture::of(&shown.frame, None));
        let token = |word: &str| Token { id: 1, text: word.into(), logprob: -0.05 };
        let answer = Answer {
            text: text.into(),
            tokens: text.split_inclusive(' ').map(token).collect(),
            finish: Finish::End,
            ..Answer::default()
        };
        let asked = Exchange::new("What is that?", pictures.collect(), Options::default(), None);
        let mut card = Card::kept(Exchange { answer, ..asked });
        card.grounding = grounding;
        view.talk.cards.push(card);
        let card = view.talk.cards.len() - 1;
        self.steps();
        card
    }

    pub fn steps(&mut self) {
        for _ in 0..6 {
            self.window.step();
        }
    }

    /// What was asked of the maps since this was last looked at.
    pub fn asked(&mut self) -> Vec<MapAction> {
        let actions = std::mem::take(&mut self.window.state_mut().actions);
        let maps = |action| match action {
            Action::Maps(action) => Some(action),
            _ => None,
        };
        actions.into_iter().filter_map(maps).collect()
    }

    pub fn click(&mut self, name: &str) {
        self.window.get_by_label(name).scroll_to_me();
        self.steps();
        self.window.get_by_label(name).click();
        self.steps();
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.window.key_press_modifiers(modifiers, key);
        self.steps();
    }

    /// Types into the line of this name and presses Enter.
    pub fn type_in(&mut self, name: &str, text: &str) {
        self.window.get_by_label(name).focus();
        self.steps();
        self.window.get_by_label(name).type_text(text);
        self.steps();
        self.press(Modifiers::NONE, Key::Enter);
    }

    pub fn has(&self, words: &str) -> bool {
        self.window.query_all_by_label_contains(words).next().is_some()
    }

    /// The point of the screen at these parts of the picture's width and height, as it is seen.
    pub fn at(&self, x: f32, y: f32) -> egui::Pos2 {
        let rect = self.window.get_by_label_contains("Picture shapes").rect();
        rect.min + egui::vec2(x, y) * rect.size()
    }
}

/// What the app does with what needs no model.
fn obey(view: &mut View, action: &MapAction) {
    let maps = &mut view.maps;
    match action {
        MapAction::Show(kind) => maps.kind = *kind,
        MapAction::Attention(attention) => maps.attention = *attention,
        MapAction::Pin(pinned) => maps.pinned = *pinned,
        MapAction::Source(source) => maps.source = *source,
        MapAction::Word(card, word) => {
            maps.word = Some((*card, *word));
            maps.typed = Wanted::None;
        }
        _ => {}
    }
}

/// A red square at the left and a green one at the right, on grey.
pub fn picture() -> image::RgbImage {
    image::RgbImage::from_fn(320, 240, |x, y| {
        let (u, v) = (x as f32 / 320.0, y as f32 / 240.0);
        if (0.1..0.4).contains(&u) && (0.3..0.7).contains(&v) {
            image::Rgb([200, 60, 50])
        } else if (0.6..0.85).contains(&u) && (0.15..0.55).contains(&v) {
            image::Rgb([70, 150, 80])
        } else {
            image::Rgb([150 - (60.0 * v) as u8, 155 - (50.0 * v) as u8, 165 - (40.0 * v) as u8])
        }
    })
}

/// Another picture, if only by one pixel.
pub fn other_picture() -> image::RgbImage {
    let mut pixels = picture();
    pixels.get_pixel_mut(0, 0).0[0] ^= 1;
    pixels
}

/// A map that is `high` around this place, with `low` elsewhere.
pub fn spot(side: usize, (x, y): (f32, f32), low: f32, high: f32) -> Heatmap {
    let cell = |at: usize| (at as f32 + 0.5) / side as f32;
    let values = (0..side * side)
        .map(|index| {
            let (u, v) = (cell(index % side) - x, cell(index / side) - y);
            low + (high - low) * (-(u * u + v * v) / 0.02).exp()
        })
        .collect();
    Heatmap::new(side, side, values).unwrap()
}

pub const ANSWER: &str = "A red square beside a green one, on grey ground.";

fn bytes(text: &str) -> std::ops::Range<usize> {
    let start = ANSWER.find(text).unwrap();
    start..start + text.len()
}

/// The words and phrases of [`ANSWER`]: the red square at the left, the green one at the right, the
/// ground nowhere.
pub fn grounding() -> Grounding {
    let word = |text: &str, at, high| WordMap {
        bytes: bytes(text),
        text: text.to_owned(),
        map: spot(9, at, 0.0, high / 5.0),
        raw: spot(9, at, 0.0, high),
        seen: None,
    };
    let (left, right) = ((0.25, 0.5), (0.72, 0.35));
    let words = vec![
        word("red", left, 3.1),
        word("square", left, 4.2),
        word("beside", (0.5, 0.9), 0.6),
        word("green", right, 3.4),
        word("one", right, 2.0),
        word("grey", (0.5, 0.8), 1.1),
        word("ground", (0.5, 0.8), 1.3),
    ];
    let phrase = |text: &str, at, place: Option<(Region, f32)>| Phrase {
        bytes: bytes(text),
        text: text.to_owned(),
        map: Some(spot(9, at, 0.0, 4.0)),
        places: place.map(|(region, strength)| Place { region, strength }).into_iter().collect(),
        tie: Tie::Alone,
    };
    let region = |x, y, w, h| Region::new(x, y, w, h).unwrap();
    let phrases = vec![
        phrase("red square", left, Some((region(0.1, 0.3, 0.3, 0.4), 0.86))),
        phrase("green one", right, Some((region(0.6, 0.15, 0.25, 0.4), 0.55))),
        phrase("grey ground", (0.5, 0.8), None),
    ];
    Grounding { words, phrases, search: Search::Over }
}

/// Attention of an encoder of three layers with two heads each.
pub fn encoder(contrast: f32) -> Wanted<Arc<EncoderMaps>> {
    let low = 1.0 / 576.0;
    let heads = |layer: usize| {
        let at = (0.2 + 0.2 * layer as f32, 0.4);
        vec![spot(24, at, low, low * contrast), spot(24, (0.7, 0.7), low, low * contrast)]
    };
    Wanted::Ready(Arc::new(EncoderMaps {
        rollout: spot(24, (0.3, 0.5), low, low * contrast),
        heads: (0..3).map(heads).collect(),
        plain: false,
        took: Duration::from_millis(80),
    }))
}

/// A causal check of which so much is done.
pub fn causal(done: usize, running: bool) -> Causal {
    Causal {
        map: spot(6, (0.25, 0.45), -0.02, 2.314),
        fill: Fill::Blur,
        done,
        total: 80,
        running,
        area: (done > 0).then(|| Region::new(1.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0).unwrap()),
        greatest: 2.314,
        random: (done > 20).then_some(0.121),
    }
}

pub const WIDE: (f32, f32) = (1280.0, 800.0);
pub const SMALL: (f32, f32) = (800.0, 600.0);

/// A window with an answer that is tied to its picture.
pub fn answered(size: (f32, f32), mirrored: bool) -> Bench {
    let mut bench = Bench::new(size, false, mirrored);
    bench.answer(ANSWER, Wanted::Ready(grounding()));
    bench
}

pub fn lit(bench: &Bench, phrase: &str) -> bool {
    let node = bench.window.get_by_label(phrase);
    node.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)
}
