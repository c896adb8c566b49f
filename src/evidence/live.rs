//! The names of a live picture: held steady, and looked for no more often than may be.

use std::time::{Duration, Instant};

use crate::labels::LabelSet;
use crate::{Label, LabelMaps, Labels};

/// How much a new look counts against those before it.
const NEWS: f64 = 0.5;
/// What is shown as sure stays so down to this part of the chance that made it so.
const STAYS_SURE: f64 = 0.8;
/// What is shown at all stays down to this part of the chance from which it is.
const STAYS: f64 = 0.5;
/// By how much a name must be likelier than the one before it to take its place.
const AHEAD: f64 = 0.1;
/// Part of one processor core that looking may take: a quarter, less what one look may take longer than
/// the one before.
const SHARE: f64 = 0.24;
/// Shortest time between two looks.
const LEAST: Duration = Duration::from_millis(200);

/// Names that do not flicker where two are near to one another.
///
/// A chance is the running mean of the looks, each new one counting half. A name comes at the chance
/// from which it is shown, and goes at half of that; one that is sure stays so down to 0.4; two
/// names change places where one leads by 0.1.
#[derive(Debug, Clone, Default)]
pub struct Steady {
    /// The chance of each name.
    chances: Vec<f64>,
    /// Those that are shown.
    shown: Vec<usize>,
    /// Whether the first of them is sure.
    sure: bool,
}

impl Steady {
    /// What is to be shown after another look.
    #[must_use]
    pub fn take(&mut self, maps: &LabelMaps) -> Labels {
        let (set, now) = maps.chances();
        if self.chances.len() == now.len() {
            for (mean, now) in self.chances.iter_mut().zip(&now) {
                *mean += NEWS * (now - *mean);
            }
        } else {
            *self = Self { chances: now, ..Self::default() };
        }
        self.choose(set)
    }

    fn choose(&mut self, set: &LabelSet) -> Labels {
        let Self { chances, shown, sure } = self;
        let (is_sure, is_possible) = set.thresholds();
        let first = shown.first().copied();
        shown.retain(|name| chances[*name] >= is_possible * STAYS);
        let mut new: Vec<usize> =
            (0..chances.len()).filter(|name| chances[*name] >= is_possible).collect();
        new.retain(|name| !shown.contains(name));
        shown.extend(new);
        for end in 1..shown.len() {
            let mut at = end;
            while at > 0 && chances[shown[at]] > chances[shown[at - 1]] + AHEAD {
                shown.swap(at, at - 1);
                at -= 1;
            }
        }
        let least = if *sure && shown.first() == first.as_ref() { STAYS_SURE } else { 1.0 };
        *sure = shown.first().is_some_and(|name| chances[*name] >= is_sure * least);
        shown.truncate(set.most() + usize::from(*sure));
        let mut labels: Vec<Label> =
            shown.iter().map(|name| set.group_label(*name, chances)).collect();
        let sure = sure.then(|| labels.remove(0));
        Labels { sure, perhaps: labels }
    }
}

/// How often the live picture may be looked at: at most five times a second, and for at most a quarter
/// of one processor core. A look runs on one thread, so that it takes no more than it lasts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// When the last look began, and how long one takes.
    last: Option<(Instant, Duration)>,
}

impl Pace {
    /// A look begins `now`.
    pub fn begin(&mut self, now: Instant) {
        let took = self.last.map_or(Duration::ZERO, |(_, took)| took);
        self.last = Some((now, took));
    }

    /// It took as long as this.
    pub fn took(&mut self, took: Duration) {
        if let Some((_, last)) = &mut self.last {
            *last = took;
        }
    }

    /// Whether it is time for another one.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|(began, took)| {
            now.saturating_duration_since(began) >= LEAST.max(took.div_f64(SHARE))
        })
    }
}

#[cfg(test)]
mod tests {
    use values::region::Region;

    use super::*;

    fn look(chances: [f32; 3]) -> LabelMaps {
        let names = [("mug", None), ("bowl", None), ("vase", None)];
        let rest = 1.0 - chances.iter().sum::<f32>();
        let maps: Vec<f32> = chances.into_iter().chain([rest]).map(f32::ln).collect();
        LabelMaps::of_names(&names, &maps, (1, 1), Region::WHOLE).unwrap()
    }

    fn names(labels: &Labels) -> Vec<String> {
        let mark = |sure: bool| if sure { "!" } else { "" };
        let is_sure = labels.sure.is_some();
        labels
            .iter()
            .enumerate()
            .map(|(at, label)| format!("{}{}", label.name, mark(is_sure && at == 0)))
            .collect()
    }

    #[test]
    fn two_near_names_do_not_flicker() {
        let mut steady = Steady::default();
        assert_eq!(names(&steady.take(&look([0.55, 0.4, 0.03]))), ["mug!", "bowl"]);
        let mut bare = Vec::new();
        for round in 0..20 {
            // Each look by itself would name another one first, and the vase now and then.
            let now = look(if round % 2 == 0 { [0.42, 0.5, 0.07] } else { [0.5, 0.42, 0.05] });
            bare.push(names(&now.labels()));
            assert_eq!(names(&steady.take(&now))[..2], ["mug!", "bowl"], "{round}");
        }
        assert!(bare.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn another_thing_is_named_after_two_looks() {
        let mut steady = Steady::default();
        let _ = steady.take(&look([0.9, 0.05, 0.01]));
        let cup = look([0.02, 0.01, 0.95]);
        assert_eq!(names(&steady.take(&cup))[..2], ["mug!", "vase"]);
        // 0.24 and 0.72 by now.
        assert_eq!(names(&steady.take(&cup)), ["vase!", "mug"]);
        // The old name goes at half of 0.06.
        let more = (0..9).position(|_| names(&steady.take(&cup)) == ["vase!"]);
        assert_eq!(more, Some(4));
        // A bare surface has no names at once.
        let nothing = cup.nothing_like();
        assert_eq!(names(&steady.take(&nothing)), Vec::<String>::new());
    }

    #[test]
    fn looking_takes_a_quarter_of_a_core_at_most() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pace = Pace::default();
        assert!(pace.is_due(start));
        pace.begin(start);
        assert!(!pace.is_due(after(199)) && pace.is_due(after(200)));
        pace.took(Duration::from_millis(90));
        assert!(!pace.is_due(after(374)) && pace.is_due(after(376)));
        pace.begin(after(400));
        assert!(!pace.is_due(after(750)));
    }
}
