//! Looking ahead: once a picture has come to rest, and it is known what is to be seen and read in it, the
//! engine looks at it before it is asked about, so that the first word of an answer comes sooner.

use std::time::{Duration, Instant};

use conversation::{Exchange, Picture};
use engine::{Question, REST};
use ui::talk::Card;
use values::picture::{About, Look};

use super::App;
use super::asking::turns;
use super::files::Files;

/// How often it is asked whether the machine runs on its battery.
const POWER_INTERVAL: Duration = Duration::from_secs(30);

/// What a question that is asked now would begin with, as far as that changes.
#[derive(PartialEq)]
struct Beginning {
    about: About,
    /// The questions before it: how many, and when the last was asked.
    before: (usize, Option<u64>),
    /// Whether it is told what specialists see.
    tells: bool,
}

/// What this needs to remember between frames.
#[derive(Default)]
pub struct Ahead {
    beginning: Option<Beginning>,
    /// Since when it has been so.
    since: Option<Instant>,
    /// Whether the engine was told to look at it.
    looked: bool,
    /// Whether the machine runs on its battery, once that is known, and when it was asked.
    on_battery: Option<bool>,
    asked: Option<Instant>,
}

impl Ahead {
    /// The engine has let go of what it looked at.
    pub fn look_again(&mut self) {
        self.looked = false;
    }

    /// Whether the machine runs on its battery is known.
    pub fn set_on_battery(&mut self, on_battery: bool) {
        self.on_battery = Some(on_battery);
    }
}

impl App {
    /// Has the engine look at what is shown, where it is time.
    pub(super) fn follow_ahead(&mut self, ctx: &egui::Context) {
        if !self.view.settings.look_ahead {
            self.ahead.beginning = None;
            return;
        }
        self.ask_for_power();
        let picture = self.asked_about();
        let beginning = picture.as_ref().map(|picture| Beginning {
            about: picture.about(),
            before: {
                let before = self.cards_before();
                (before.len(), before.last().map(|card| card.exchange.asked))
            },
            tells: self.tells(),
        });
        if beginning != self.ahead.beginning {
            let since = Some(Instant::now());
            (self.ahead.beginning, self.ahead.since, self.ahead.looked) = (beginning, since, false);
        }
        let (Some(picture), Some(since)) = (picture, self.ahead.since) else { return };
        let is_time = self.ahead.on_battery == Some(false)
            && self.view.engine.model().is_some()
            && self.is_free()
            && !self.is_reading_back();
        if self.ahead.looked || !is_time {
            return;
        }
        let left = REST.saturating_sub(since.elapsed());
        if !left.is_zero() {
            ctx.request_repaint_after(left);
            return;
        }
        if let Some(beginning) = self.beginning_about(&picture) {
            self.ahead.looked = true;
            // An engine with too much to do has no time for this either.
            let _ = self.engine.look_ahead(beginning);
        }
    }

    /// What a question about `picture` would begin with, once nothing more will be found in that.
    fn beginning_about(&self, picture: &Look) -> Option<Question> {
        let evidence = self.settled_evidence_of(picture)?;
        let shown = Picture { evidence, ..Picture::of(&picture.frame, picture.region) };
        let exchange = Exchange::new("", vec![shown], self.options(), self.model());
        let frame = std::slice::from_ref(&picture.frame);
        let turns = turns(self.cards_before(), &exchange, frame).ok()?;
        Some(Question { turns, options: exchange.options })
    }

    /// The cards before a question that is asked now.
    fn cards_before(&self) -> &[Card] {
        // What another window keeps is not gone on with.
        if self.borrowed { &[] } else { &self.view.talk.cards }
    }

    fn ask_for_power(&mut self) {
        let due = self.ahead.asked.is_none_or(|asked| asked.elapsed() >= POWER_INTERVAL);
        if due && self.files.as_ref().map(Files::power).is_some_and(|asked| asked.is_ok()) {
            self.ahead.asked = Some(Instant::now());
        }
    }
}
