//! What is looked at before it is asked about: answers and readings are the same, and nothing is held on
//! to.

use conversation::{Answer, Role, Turn};
use engine::{EngineError, EngineEvent, Question, RequestId};
use values::config::Precision;

use crate::listener::{Listener, seeing};
use crate::revisions::{SECOND, golden, read_back};
use crate::support::{picture, sample};

/// What `question` begins with: its last turn up to the line of its own that asks.
fn beginning(question: &Question) -> Question {
    let mut beginning = question.clone();
    let last = beginning.turns.last_mut().unwrap();
    last.text = last.text.rfind('\n').map_or(String::new(), |end| last.text[..=end].to_owned());
    beginning
}

fn ended(listener: &Listener, wanted: RequestId) -> Result<(), EngineError> {
    loop {
        match listener.next() {
            EngineEvent::LookedAhead(id) if id == wanted => return Ok(()),
            EngineEvent::Failed(id, error) if id == wanted => return Err(error),
            _ => {}
        }
    }
}

pub fn look_ahead(listener: &Listener, question: &Question) {
    let wanted = listener.engine.look_ahead(beginning(question)).unwrap();
    ended(listener, wanted).unwrap();
}

/// `question` after another with its answer.
fn later(first: &Question, answer: &Answer, text: &str) -> Question {
    let turn = |role, text: &str| Turn {
        role,
        text: text.to_owned(),
        pictures: Vec::new(),
        seen: Vec::new(),
    };
    let mut question = first.clone();
    question.turns.push(turn(Role::Assistant, &answer.text));
    question.turns.push(turn(Role::User, text));
    question
}

/// What looking ahead changes.
#[derive(Default)]
struct Effect {
    /// Seconds to the first token without it, and with it.
    plain: Vec<f64>,
    ahead: Vec<f64>,
    /// The largest difference of a token's ln p.
    off: f32,
}

impl Effect {
    /// Asks with and without looking ahead, and gives back the answer, which is the same.
    fn asked(&mut self, listener: &Listener, question: &Question) -> Answer {
        let plain = listener.ask(question.clone()).unwrap();
        look_ahead(listener, question);
        let ahead = listener.ask(question.clone()).unwrap();
        let ids = |answer: &Answer| answer.tokens.iter().map(|token| token.id).collect::<Vec<_>>();
        assert_eq!(ids(&ahead), ids(&plain), "{:?}, not {:?}", ahead.text, plain.text);
        assert_eq!(ahead.prompt_tokens, plain.prompt_tokens, "{:?}", plain.text);
        for (ahead, plain) in ahead.tokens.iter().zip(&plain.tokens) {
            self.off = self.off.max((ahead.logprob - plain.logprob).abs());
        }
        self.plain.push(plain.timings.prefill);
        self.ahead.push(ahead.timings.prefill);
        plain
    }

    fn tell(mut self, what: &str) {
        let median = |figures: &mut Vec<f64>| {
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        let (plain, ahead) = (median(&mut self.plain), median(&mut self.ahead));
        let Self { off, .. } = self;
        eprintln!("{what}: {plain:.3} s, looked ahead {ahead:.3} s, ln p within {off:e}");
        assert!(off < 1e-3);
    }
}

fn answers_are_the_same(weights: Precision) {
    let listener = Listener::with(SECOND, weights);
    let (mut first, mut second) = (Effect::default(), Effect::default());
    for case in golden() {
        let question = case.question();
        let answer = first.asked(&listener, &question);
        second.asked(&listener, &later(&question, &answer, "What colour is it?"));
    }
    first.tell(&format!("{}, the first question", weights.name()));
    second.tell(&format!("{}, the second", weights.name()));
}

#[test]
fn answers_are_the_same_to_the_token_in_f32() {
    answers_are_the_same(Precision::F32);
}

#[test]
fn answers_are_the_same_to_the_token_in_q8_0() {
    answers_are_the_same(Precision::Q8_0);
}

#[test]
fn another_picture_between_and_a_question_of_another_kind_are_answered_as_ever() {
    let listener = Listener::with_default(Precision::Q8_0);
    let ask = |name: &str| seeing(&[picture(&sample(name))], "What is that?");
    let (cat, lemon) = (ask("cat.jpg"), ask("lemon.jpg"));
    let [egyptian, plain_lemon] = [&cat, &lemon].map(|q| listener.ask(q.clone()).unwrap().text);
    look_ahead(&listener, &cat);
    assert_eq!(listener.ask(lemon.clone()).unwrap().text, plain_lemon);
    assert_eq!(listener.ask(cat.clone()).unwrap().text, egyptian);
    // What is shown is the same, but not what is told of it before.
    let pictures = ["lemon.jpg", "cat.jpg"].map(|name| picture(&sample(name)));
    let told = seeing(&pictures, "What is that?");
    let untold = Question::new(&pictures, "What is that?");
    let plain = listener.ask(untold.clone()).unwrap();
    look_ahead(&listener, &told);
    let answer = listener.ask(untold).unwrap();
    assert_eq!((answer.tokens, answer.prompt_tokens), (plain.tokens, plain.prompt_tokens));
}

#[test]
fn readings_are_the_same_after_looking_ahead() {
    let listener = Listener::with_default(Precision::Q8_0);
    let question = seeing(&[picture(&sample("cat.jpg"))], "What is that?");
    let read = || read_back(&listener, question.clone(), "An Egyptian cat.");
    let before = read();
    look_ahead(&listener, &question);
    let after = read();
    assert_eq!(after.logits, before.logits);
    assert_eq!(listener.ask(question.clone()).unwrap().text, "An Egyptian cat.");
}

#[test]
fn questions_and_readings_go_first_and_the_newest_look_counts() {
    let listener = Listener::with_default(Precision::Q8_0);
    let ask = |name: &str| seeing(&[picture(&sample(name))], "What is that?");
    let look = |name: &str| listener.engine.look_ahead(beginning(&ask(name))).unwrap();
    let (_, second, third) = (look("cat.jpg"), look("lemon.jpg"), look("hat.jpg"));
    let superseded = |wanted| matches!(ended(&listener, wanted), Err(EngineError::Superseded));
    assert!(superseded(second));
    assert!(ended(&listener, third).is_ok());

    let (_, void) = (look("cat.jpg"), look("lemon.jpg"));
    let asked = listener.engine.ask(ask("lemon.jpg")).unwrap();
    assert!(superseded(void));
    assert_eq!(listener.answer(asked).unwrap().0.text, "A lemon.");

    let nothing = listener.engine.look_ahead(Question::default()).unwrap();
    assert!(matches!(ended(&listener, nothing), Err(EngineError::EmptyQuestion)));
    listener.engine.unload().unwrap();
    assert!(matches!(ended(&listener, look("cat.jpg")), Err(EngineError::NoModel)));
}
