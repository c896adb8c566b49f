//! `lorgnette replay`: a kept conversation's questions asked again, the answers compared.
//!
//! Each question is asked after the answers that were kept, not after those that come now: one
//! difference does not bring the next.

use std::collections::HashMap;
use std::io::stdout;
use std::path::Path;

use conversation::{Answer, Exchange, Finish, ModelInfo, Options, Picture, Token, turns_for};
use engine::{EngineError, Question};
use serde::Serialize;
use session::{Bundle, Session, SessionError, SessionId, Store};
use values::config::{DEFAULT_MODEL, Folders, Precision, Settings};
use values::frame::Frame;
use values::text::{one_line, shorten, words};

use super::output::{json_line, text_line};
use super::session::Session as Engine;
use super::{CliError, ModelArgs, ReplayArgs, Tools};

/// The most characters of a question in a line of the report.
const LONGEST_QUESTION: usize = 60;

/// Where a conversation and its pictures are read from.
enum Kept {
    Bundle(Box<Bundle>),
    History(Store, Session),
}

/// All that was found.
#[derive(Serialize)]
struct Report<'a> {
    /// The first that was asked; a note says which question was asked of another one.
    model: ModelInfo,
    /// Whether every answer that could be compared came out the same.
    same: bool,
    exchanges: &'a [Verdict],
}

/// What became of one question.
#[derive(Serialize)]
struct Verdict {
    id: u32,
    question: String,
    outcome: Outcome,
    /// Tokens that were kept.
    tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    /// Largest distance between the log-probabilities of tokens that are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob_distance: Option<f32>,
    /// What else there is to say: another model, an answer drawn by chance.
    notes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Same,
    Different,
    /// The engine gave an error; a note says which.
    Failed,
    /// There was no answer to compare with; a note says why.
    Skipped,
}

/// Where two answers part.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    /// The token's number, from 1.
    token: usize,
    /// The token that was kept; none where the answer ended.
    then: Option<String>,
    /// The token that came now; none where the answer ended.
    now: Option<String>,
}

pub fn run(tools: Tools<'_>, args: &ReplayArgs) -> Result<(), CliError> {
    let mut kept = Kept::open(tools.folders, &args.bundle)?;
    let exchanges = kept.session().exchanges.clone();
    let first = exchanges
        .iter()
        .find(|exchange| why_skipped(&exchange.answer).is_none())
        .ok_or(CliError::NothingToReplay)?;
    let mut loaded = model_args(tools.folders, args, first.model.as_ref());
    let mut engine = Engine::start(tools, &loaded)?;
    let asked_first = engine.ready()?.info;
    let mut here = asked_first.clone();

    let mut frames = HashMap::new();
    let mut verdicts = Vec::with_capacity(exchanges.len());
    let mut out = stdout().lock();
    for (index, exchange) in exchanges.iter().enumerate() {
        let mut verdict = Verdict::new(exchange);
        if let Some(why) = why_skipped(&exchange.answer) {
            verdict.notes.push(why.to_owned());
        } else {
            // One that names no model was asked of the same as before, as far as anyone knows.
            let wanted =
                exchange.model.as_ref().map(|model| model_args(tools.folders, args, Some(model)));
            if let Some(wanted) = wanted.filter(|wanted| *wanted != loaded) {
                engine.load(tools.folders, &wanted)?;
                here = engine.ready()?.info;
                loaded = wanted;
            }
            if here != asked_first {
                verdict.notes.push(format!("asked of {}", model_words(&here)));
            }
            verdict.notes.extend(remarks(exchange, &here));
            let question = question(&exchanges[..index], exchange, |record| {
                if let Some(frame) = frames.get(&record.sha256) {
                    return Ok(Frame::clone(frame));
                }
                let frame = kept.frame(record)?;
                frames.insert(record.sha256.clone(), frame.clone());
                Ok(frame)
            })?;
            match engine.ask(question, |_| Ok(())) {
                Ok(answer) => verdict.compare(&exchange.answer, &answer),
                Err(CliError::Engine(error)) if !matches!(error, EngineError::Unreachable) => {
                    verdict.outcome = Outcome::Failed;
                    verdict.notes.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if !args.json {
            text_line(&mut out, &verdict.line())?;
            for note in &verdict.notes {
                text_line(&mut out, &format!("   {}", one_line(note)))?;
            }
        }
        verdicts.push(verdict);
    }
    let different =
        |verdict: &&Verdict| matches!(verdict.outcome, Outcome::Different | Outcome::Failed);
    let different = verdicts.iter().filter(different).count();
    if args.json {
        json_line(
            &mut out,
            &Report { model: asked_first, same: different == 0, exchanges: &verdicts },
        )?;
    }
    let all = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Skipped).count();
    if different > 0 { Err(CliError::Replay { different, all }) } else { Ok(()) }
}

impl Kept {
    /// A bundle at that path, else the conversation of that name in the history.
    fn open(folders: &Folders, bundle: &Path) -> Result<Self, SessionError> {
        let id = bundle.to_str().and_then(|text| SessionId::parse(text).ok());
        match id {
            Some(id) if !bundle.exists() => {
                let (settings, _) = Settings::load(&folders.data);
                let store = Store::open(&settings.history_folder.unwrap_or(folders.data.clone()))?;
                let session = store.read(&id)?;
                Ok(Self::History(store, session))
            }
            _ => Ok(Self::Bundle(Box::new(Bundle::open(bundle)?))),
        }
    }

    fn session(&self) -> &Session {
        match self {
            Self::Bundle(bundle) => bundle.session(),
            Self::History(_, session) => session,
        }
    }

    fn frame(&mut self, record: &Picture) -> Result<Frame, SessionError> {
        match self {
            Self::Bundle(bundle) => bundle.frame(record),
            Self::History(store, session) => store.picture(&session.id, record),
        }
    }
}

/// The model that the command line names, else the one that was asked, in its own revision where
/// that is shipped.
fn model_args(folders: &Folders, args: &ReplayArgs, asked: Option<&ModelInfo>) -> ModelArgs {
    let recorded =
        || asked.and_then(|model| model_store::recorded(folders, &model.name, &model.revision));
    let model = args.model.clone().or_else(recorded).unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let recorded = asked.and_then(|model| Precision::named(&model.weights));
    let weights = args.weights.or(recorded).unwrap_or_default();
    ModelArgs { model, weights, no_evidence: false }
}

/// Why there is nothing to compare a new answer with, or nothing.
fn why_skipped(answer: &Answer) -> Option<&'static str> {
    match answer.finish {
        Finish::Pending => Some("its answer was still coming"),
        Finish::Failed => Some("it was not answered"),
        _ if is_a_beginning(answer) && answer.tokens.is_empty() => {
            Some("it was stopped before the first word")
        }
        _ => None,
    }
}

/// Whether more would have come, had nobody and nothing ended the answer.
fn is_a_beginning(answer: &Answer) -> bool {
    matches!(answer.finish, Finish::Stopped | Finish::Interrupted)
}

/// A model in one line.
fn model_words(model: &ModelInfo) -> String {
    let ModelInfo { name, revision, weights, device } = model;
    format!("{name} revision {revision} ({weights}, {device})")
}

/// What makes another answer no surprise.
fn remarks(exchange: &Exchange, here: &ModelInfo) -> Vec<String> {
    let mut remarks = Vec::new();
    match &exchange.model {
        Some(model) if model == here => {}
        Some(model) => {
            remarks.push(format!(
                "was asked of {}, now of {}",
                model_words(model),
                model_words(here)
            ));
        }
        None => remarks.push("it is not noted which model was asked".to_owned()),
    }
    let temperature = exchange.options.temperature;
    if temperature > 0.0 {
        remarks.push(format!(
            "drawn by chance (temperature {temperature}): only temperature 0 promises the same \
             answer"
        ));
    }
    remarks
}

/// The question as it was asked, with what had been said before.
fn question(
    earlier: &[Exchange],
    current: &Exchange,
    frame: impl FnMut(&Picture) -> Result<Frame, SessionError>,
) -> Result<Question, SessionError> {
    let turns = turns_for(earlier.iter(), current, frame)?;
    // No word beyond the ones there is something to compare with.
    let max_tokens = match &current.answer {
        answer if is_a_beginning(answer) => answer.tokens.len(),
        _ => current.options.max_tokens,
    };
    Ok(Question { turns, options: Options { max_tokens, ..current.options } })
}

impl Verdict {
    fn new(exchange: &Exchange) -> Self {
        Self {
            id: exchange.id,
            question: exchange.question.clone(),
            outcome: Outcome::Skipped,
            tokens: exchange.answer.tokens.len(),
            difference: None,
            logprob_distance: None,
            notes: Vec::new(),
        }
    }

    fn compare(&mut self, then: &Answer, now: &Answer) {
        self.difference = first_difference(&then.tokens, &now.tokens);
        self.outcome = if self.difference.is_none() { Outcome::Same } else { Outcome::Different };
        let common =
            then.tokens.iter().zip(&now.tokens).take_while(|(then, now)| then.id == now.id);
        let distances = common.map(|(then, now)| (then.logprob - now.logprob).abs());
        self.logprob_distance = distances.reduce(f32::max);
    }

    /// One line of the report.
    fn line(&self) -> String {
        let question = shorten(&one_line(&words(&self.question)), LONGEST_QUESTION);
        let token = |token: &Option<String>| match token {
            Some(text) => format!("{text:?}"),
            None => "the end".to_owned(),
        };
        let outcome = match (self.outcome, &self.difference) {
            (Outcome::Different, Some(Difference { token: number, then, now })) => {
                format!("different at token {number}: {} then, {} now", token(then), token(now))
            }
            (Outcome::Same | Outcome::Different, _) => format!("the same, {} tokens", self.tokens),
            (Outcome::Failed, _) => "not answered".to_owned(),
            (Outcome::Skipped, _) => "skipped".to_owned(),
        };
        format!("{}. {question} – {outcome}", self.id)
    }
}

/// Where two answers part, or nothing where they are the same.
fn first_difference(then: &[Token], now: &[Token]) -> Option<Difference> {
    let longer = then.len().max(now.len());
    let parts = (0..longer).find(|at| then.get(*at).map(|t| t.id) != now.get(*at).map(|t| t.id))?;
    let text = |tokens: &[Token]| tokens.get(parts).map(|token| token.text.clone());
    Some(Difference { token: parts + 1, then: text(then), now: text(now) })
}

#[cfg(test)]
mod tests {
    use conversation::Role;
    use evidence::Evidence;
    use image::RgbImage;
    use values::frame::Source;

    use super::*;

    fn tokens(ids: &[u32]) -> Vec<Token> {
        ids.iter().map(|id| Token { id: *id, text: format!(" t{id}"), logprob: -0.5 }).collect()
    }

    fn exchange(id: u32, ids: &[u32], finish: Finish) -> Exchange {
        let picture = Picture {
            file: "pictures/0001.png".into(),
            name: "a.png".into(),
            width: 2,
            height: 2,
            region: None,
            sha256: "a".into(),
            evidence: Evidence::default(),
        };
        let text = tokens(ids).iter().map(|token| token.text.as_str()).collect();
        Exchange {
            id,
            asked: 0,
            pictures: vec![picture],
            question: format!("What is {id}?"),
            options: Options { max_tokens: 9, temperature: 0.0, seed: 3 },
            model: None,
            alone: false,
            answer: Answer { text, tokens: tokens(ids), finish, ..Answer::default() },
        }
    }

    fn answer(ids: &[u32]) -> Answer {
        let token = |id: &u32| Token { id: *id, text: format!(" t{id}"), logprob: -0.75 };
        Answer {
            text: String::new(),
            tokens: ids.iter().map(token).collect(),
            finish: Finish::End,
            ..Answer::default()
        }
    }

    #[test]
    fn the_first_difference_is_told() {
        let verdict = |then: &[u32], now: &[u32]| {
            let exchange = exchange(1, then, Finish::End);
            let mut verdict = Verdict::new(&exchange);
            verdict.compare(&exchange.answer, &answer(now));
            (verdict.outcome, verdict.line(), verdict.logprob_distance)
        };
        let line = |text: &str| format!("1. What is 1? – {text}");
        assert_eq!(
            verdict(&[1, 2], &[1, 2]),
            (Outcome::Same, line("the same, 2 tokens"), Some(0.25))
        );
        assert_eq!(
            verdict(&[1, 2, 3], &[1, 7, 3]),
            (
                Outcome::Different,
                line(r#"different at token 2: " t2" then, " t7" now"#),
                Some(0.25)
            )
        );
        assert_eq!(
            verdict(&[1], &[1, 2]).1,
            line(r#"different at token 2: the end then, " t2" now"#)
        );
        assert_eq!(verdict(&[1], &[]).1, line(r#"different at token 1: " t1" then, the end now"#));
        assert_eq!(verdict(&[], &[]), (Outcome::Same, line("the same, 0 tokens"), None));
    }

    #[test]
    fn a_question_is_asked_as_it_was_and_no_longer_than_it_can_be_compared() {
        let exchanges =
            [exchange(1, &[1, 2], Finish::End), exchange(2, &[3, 4, 5], Finish::Stopped)];
        let mut read = 0;
        let question = question(&exchanges[..1], &exchanges[1], |_| {
            read += 1;
            Ok(Frame::new(RgbImage::new(2, 2), Source::Stdin))
        })
        .unwrap();
        let turns: Vec<_> = question
            .turns
            .iter()
            .map(|turn| (turn.role, &*turn.text, turn.pictures.len()))
            .collect();
        let told = [
            (Role::User, "What is 1?", 1),
            (Role::Assistant, "t1 t2", 0),
            (Role::User, "What is 2?", 0),
        ];
        assert_eq!((turns.as_slice(), read), (&told[..], 1));
        assert_eq!((question.options.max_tokens, question.options.seed), (3, 3));
    }

    #[test]
    fn what_has_no_answer_is_skipped_and_says_why() {
        let why = |ids: &[u32], finish| why_skipped(&exchange(1, ids, finish).answer);
        assert_eq!(why(&[], Finish::End), None);
        assert_eq!(why(&[1], Finish::Interrupted), None);
        assert!(why(&[], Finish::Stopped).unwrap().contains("before the first word"));
        assert!(why(&[1], Finish::Failed).unwrap().contains("not answered"));
    }

    #[test]
    fn another_model_and_chance_are_remarked() {
        let here = ModelInfo {
            name: "tiny".into(),
            revision: "1".into(),
            weights: "q8_0".into(),
            device: "CPU".into(),
        };
        let mut exchange = exchange(1, &[1], Finish::End);
        exchange.model = Some(here.clone());
        assert_eq!(remarks(&exchange, &here), [""; 0]);
        exchange.model = Some(ModelInfo { revision: "2".into(), ..here.clone() });
        exchange.options.temperature = 0.7;
        let [model, chance] = &remarks(&exchange, &here)[..] else { panic!() };
        assert_eq!(
            model,
            "was asked of tiny revision 2 (q8_0, CPU), now of tiny revision 1 (q8_0, CPU)"
        );
        assert!(chance.contains("temperature 0.7"), "{chance}");
    }

    #[test]
    fn a_name_from_a_bundle_is_never_a_folder() {
        let home = tempfile::tempdir().unwrap();
        let [cache, data, models, samples] =
            ["c", "d", "m", "s"].map(|name| home.path().join(name));
        let folders = Folders { cache, data, models, samples };
        std::fs::create_dir_all(folders.models.join("big")).unwrap();
        let chosen = |name: &str, model: Option<&str>| {
            let args = ReplayArgs {
                bundle: "x".into(),
                model: model.map(str::to_owned),
                weights: None,
                json: false,
            };
            let asked = ModelInfo {
                name: name.into(),
                revision: "1".into(),
                weights: "f32".into(),
                device: "CPU".into(),
            };
            let ModelArgs { model, weights, .. } = model_args(&folders, &args, Some(&asked));
            assert!(matches!(weights, Precision::F32), "as it was asked");
            model
        };
        assert_eq!(chosen("big", None), "big");
        assert_eq!(chosen("big", Some("own/model")), "own/model");
        for name in ["gone", "..", ".", "", "big/..", "/", home.path().to_str().unwrap()] {
            assert_eq!(chosen(name, None), DEFAULT_MODEL, "{name}");
        }
    }
}
