//! What the window tells a test that drives it from outside, where the environment asks for it.

use std::path::PathBuf;

use explain::Search;
use serde::Serialize;
use ui::View;
use ui::maps::MapKind;

use super::meter::Cost;

/// Environment variable that names a file for what the frames took, as JSON, written at the end.
const FRAMES_VARIABLE: &str = "LORGNETTE_FRAMES";
/// Environment variable that names a file for what the window shows, as one line of JSON: [`State`].
/// It is written whenever that has changed and been drawn.
const STATE_VARIABLE: &str = "LORGNETTE_STATE";

/// What the window shows.
#[derive(Serialize)]
struct State<'a> {
    /// Its width and height, in points.
    size: [u32; 2],
    /// Whether what is typed comes here.
    focused: bool,
    /// Where the pointer was seen last, in points.
    pointer: Option<[i32; 2]>,
    /// Pictures in the gallery.
    tiles: usize,
    /// What the picture is called.
    shown: Option<String>,
    /// Whether a part of it is marked.
    marked: bool,
    /// Names that stand under it.
    names: usize,
    /// Lines of text that were read in it.
    lines: usize,
    /// What stands in the line.
    question: &'a str,
    /// Answers that have ended.
    answers: usize,
    /// Phrases of answers that have a place in their picture.
    placed: usize,
    /// Answers that were read back for the places of their phrases.
    read_back: usize,
    /// Which map is chosen.
    map: Option<&'static str>,
}

impl<'a> State<'a> {
    fn of(ctx: &egui::Context, view: &'a View) -> Self {
        let size = ctx.content_rect().size();
        let (focused, pointer) = ctx.input(|input| (input.focused, input.pointer.latest_pos()));
        let cards = &view.talk.cards;
        let ties = || cards.iter().filter_map(|card| card.grounding.ready());
        let phrases = ties().flat_map(|grounding| &grounding.phrases);
        Self {
            size: [size.x.round() as u32, size.y.round() as u32],
            focused,
            pointer: pointer.map(|at| [at.x.round() as i32, at.y.round() as i32]),
            tiles: view.gallery.tiles.len(),
            shown: view.stage.shown.as_ref().map(|shown| shown.frame.source.name()),
            marked: view.stage.region.is_some(),
            names: view
                .stage
                .evidence
                .ready()
                .map_or(0, |seen| seen.evidence.labels.iter().count()),
            lines: view.stage.evidence.ready().map_or(0, |seen| seen.evidence.lines.len()),
            question: &view.ask.question,
            answers: cards.iter().filter(|card| !card.under_way).count(),
            placed: phrases.filter(|phrase| !phrase.places.is_empty()).count(),
            read_back: ties().filter(|grounding| grounding.search == Search::Over).count(),
            map: view.maps.kind.map(MapKind::name),
        }
    }
}

/// The file that follows what is shown.
#[derive(Default)]
pub struct StateFile {
    file: Option<PathBuf>,
    /// What is drawn, or about to be.
    line: String,
    /// Whether the file says something else.
    due: bool,
}

impl StateFile {
    /// The file that the environment names.
    pub fn asked_for() -> Self {
        Self { file: std::env::var_os(STATE_VARIABLE).map(PathBuf::from), ..Self::default() }
    }

    /// A frame begins: what the one before it showed has been drawn, and is written.
    pub fn drawn(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| self.due) else { return };
        self.due = false;
        // Whoever reads it finds the line before or this one, never half of it.
        let new = file.with_extension("new");
        let written = std::fs::write(&new, &self.line).and_then(|()| std::fs::rename(&new, file));
        if let Err(error) = written {
            tracing::warn!("{STATE_VARIABLE}: {error}");
        }
    }

    /// A frame ends: what it shows is to be drawn.
    pub fn follow(&mut self, ctx: &egui::Context, view: &View) {
        if self.file.is_none() {
            return;
        }
        let line = serde_json::to_string(&State::of(ctx, view)).unwrap_or_default();
        if line != self.line {
            (self.line, self.due) = (line, true);
            // The next frame says that this one has been drawn.
            ctx.request_repaint();
        }
    }
}

/// Writes what the frames took where the environment asks for it.
pub fn report(cost: Option<Cost>) {
    let Some(file) = std::env::var_os(FRAMES_VARIABLE) else { return };
    let text = serde_json::to_string(&cost).unwrap_or_default();
    if let Err(error) = std::fs::write(&file, text) {
        tracing::warn!("{FRAMES_VARIABLE}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_what_was_drawn_and_is_written_when_that_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        let mut state = StateFile { file: Some(file.clone()), ..StateFile::default() };
        let (ctx, mut view) = (egui::Context::default(), View::default());
        let mut frame = |view: &View| {
            state.drawn();
            let there = std::fs::read_to_string(&file).ok();
            let _ = std::fs::remove_file(&file);
            state.follow(&ctx, view);
            there.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        };
        frame(&view);
        view.ask.question = "What is \"that\"?\n".to_owned();
        let first = frame(&view).unwrap();
        assert_eq!((&first["question"], &first["answers"]), (&"".into(), &0.into()));
        let second = frame(&view).unwrap();
        assert_eq!(second["question"], "What is \"that\"?\n");
        assert_eq!(frame(&view), None, "nothing has changed");
        view.maps.kind = Some(MapKind::Word);
        frame(&view);
        assert_eq!(frame(&view).unwrap()["map"], "Word map");
    }

    #[test]
    fn nothing_is_written_unasked() {
        let mut state = StateFile::default();
        state.follow(&egui::Context::default(), &View::default());
        assert!(state.line.is_empty() && !state.due);
    }
}
