//! The engine with the shipped model: parity with `PyTorch`, stopping, replacing, crashing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use conversation::{Finish, Options, Role, Turn};
use engine::{EngineError, EngineEvent, Question};
use serde::Deserialize;
use values::config::Precision;
use values::frame::{Frame, Source};
use values::picture::Look;
use values::region::RegionSpec;

use crate::listener::{Listener, PATIENCE, request, seeing};
use crate::support::{FIRST, folders, picture, root, sample};

/// What `tests/reference/golden_answers.py` writes.
#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    images: Vec<String>,
    turns: Vec<(String, String)>,
    max_new_tokens: usize,
    prompt_tokens: Vec<u32>,
    answer: String,
    answer_tokens: Vec<u32>,
    logprobs: Vec<f32>,
}

impl Case {
    fn question(&self) -> Question {
        let folder = root().join("tests/golden/answers");
        let mut turns: Vec<Turn> = self
            .turns
            .iter()
            .map(|(role, text)| Turn {
                role: if role == "user" { Role::User } else { Role::Assistant },
                text: text.clone(),
                pictures: Vec::new(),
                seen: Vec::new(),
            })
            .collect();
        turns[0].pictures = self.images.iter().map(|image| picture(&folder.join(image))).collect();
        let options = Options { max_tokens: self.max_new_tokens, ..Options::default() };
        Question { turns, options }
    }
}

fn golden() -> Vec<Case> {
    let text = std::fs::read_to_string(root().join("tests/golden/answers/answers.json")).unwrap();
    serde_json::from_str::<Golden>(&text).unwrap().cases
}

#[test]
fn greedy_tokens_and_log_probabilities_equal_pytorchs_in_f32() {
    let engine = Listener::with(FIRST, Precision::F32);
    let cases = golden();
    assert!(cases.len() >= 7);
    for case in cases {
        let answer = engine.ask(case.question()).unwrap();
        let ids: Vec<u32> = answer.tokens.iter().map(|token| token.id).collect();
        assert_eq!(ids, case.answer_tokens, "{}: {:?}", case.name, answer.text);
        assert_eq!(answer.text, case.answer, "{}", case.name);
        assert_eq!(answer.prompt_tokens, case.prompt_tokens.len(), "{}", case.name);
        assert_eq!(answer.finish, Finish::End, "{}", case.name);
        let streamed: String = answer.tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(streamed, case.answer, "{}", case.name);
        for (token, wanted) in answer.tokens.iter().zip(&case.logprobs) {
            let off = (token.logprob - wanted).abs();
            assert!(off < 1e-3, "{}: {:?} is {off} off", case.name, token.text);
        }
    }
}

/// `Q8_0` also rounds the activations, so that it may tip a close choice: how far it agrees.
#[test]
fn q8_0_agrees_with_pytorch_but_for_close_choices() {
    let engine = Listener::with(FIRST, Precision::Q8_0);
    let (mut same, mut tokens, mut all, mut worst) = (0, 0, 0, 0f32);
    let cases = golden();
    for case in &cases {
        let answer = engine.ask(case.question()).unwrap();
        let ids = answer.tokens.iter().map(|token| token.id);
        let agreeing = ids.zip(&case.answer_tokens).take_while(|(own, wanted)| own == *wanted);
        let agreeing = agreeing.count();
        same += usize::from(answer.text == case.answer);
        tokens += agreeing;
        all += case.answer_tokens.len();
        for (token, wanted) in answer.tokens.iter().zip(&case.logprobs).take(agreeing) {
            worst = worst.max((token.logprob - wanted).abs());
        }
        eprintln!("{}: {:?}, PyTorch in f32 {:?}", case.name, answer.text, case.answer);
    }
    eprintln!("{same} of {} answers, {tokens} of {all} tokens, ln p within {worst}", cases.len());
    assert!(same + 1 >= cases.len() && worst < 0.5);
}

#[test]
fn two_regions_of_one_picture_get_two_answers() {
    let engine = Listener::with_default(Precision::Q8_0);
    let whole = picture(&sample("two-objects.jpg"));
    let about = |text: &str| {
        let region = text.parse::<RegionSpec>().unwrap();
        let region = region.resolve(whole.frame.width(), whole.frame.height()).unwrap();
        let part = Look { region: Some(region), ..whole.clone() };
        engine.ask(seeing(&[part], "What is that?")).unwrap().text.to_lowercase()
    };
    let (left, right) = (about("20,20,300,310"), about("0.53,0.05,0.44,0.9"));
    assert!(left.contains("cat"), "{left}");
    assert!(right.contains("lemon"), "{right}");
}

/// A question whose answer is long enough to be stopped.
fn long_question() -> Question {
    let mut question =
        seeing(&[picture(&sample("t-shirt.jpg"))], "Describe this picture in detail.");
    question.options = Options { max_tokens: 200, temperature: 1.5, seed: 3 };
    question
}

#[test]
fn a_stop_ends_the_answer_and_nothing_of_it_comes_later() {
    let listener = Listener::with_default(Precision::Q8_0);
    let asked = listener.engine.ask(long_question()).unwrap();
    loop {
        if matches!(listener.next(), EngineEvent::Token(id, _) if id == asked) {
            break;
        }
    }
    listener.engine.stop().unwrap();
    let (answer, _) = {
        let mut seen = Vec::new();
        loop {
            match listener.next() {
                EngineEvent::Token(id, token) if id == asked => seen.push(token),
                EngineEvent::Done(id, answer) if id == asked => break (answer, seen),
                event => panic!("{event:?}"),
            }
        }
    };
    assert_eq!(answer.finish, Finish::Stopped);
    assert!(!answer.tokens.is_empty());

    let next = listener.engine.ask(seeing(&[picture(&sample("cat.jpg"))], "What is that?"));
    let next = next.unwrap();
    loop {
        let event = listener.next();
        assert_eq!(event.request(), next, "a stale event: {event:?}");
        if let EngineEvent::Done(_, answer) = event {
            assert_eq!(answer.text, "An Egyptian cat.");
            break;
        }
    }
}

#[test]
fn a_stop_during_prefill_frees_the_caller_before_a_token_was_made() {
    let listener = Listener::with_default(Precision::Q8_0);
    let asked = listener.engine.ask(long_question()).unwrap();
    listener.engine.stop().unwrap();
    let (answer, tokens) = listener.answer(asked).unwrap();
    assert_eq!((answer.finish, answer.prompt_tokens), (Finish::Stopped, 0));
    assert!(tokens.is_empty());
    assert_eq!(listener.what_is("cat.jpg"), "An Egyptian cat.");
}

#[test]
fn a_new_question_replaces_the_one_being_answered() {
    let listener = Listener::with_default(Precision::Q8_0);
    let first = listener.engine.ask(long_question()).unwrap();
    let second = seeing(&[picture(&sample("lemon.jpg"))], "What is that?");
    let second = listener.engine.ask(second).unwrap();
    let (stopped, _) = listener.answer(first).unwrap();
    assert_eq!(stopped.finish, Finish::Stopped);
    assert_eq!(listener.answer(second).unwrap().0.text, "A lemon.");
}

#[test]
fn a_question_waits_for_its_model_and_needs_one() {
    let listener = Listener::start();
    let question = || seeing(&[picture(&sample("cat.jpg"))], "What is that?");
    assert!(matches!(listener.ask(question()), Err(EngineError::NoModel)));

    let model = model_store::locate(&folders(), "lorgnette-tiny").unwrap();
    listener.engine.load(request(model, Precision::Q8_0)).unwrap();
    assert_eq!(listener.ask(question()).unwrap().text, "An Egyptian cat.");

    listener.engine.unload().unwrap();
    assert!(matches!(listener.ask(question()), Err(EngineError::NoModel)));
}

#[test]
fn a_panic_of_the_worker_loads_the_model_again_and_a_second_one_ends_it() {
    // What is called after each event panics once when it is armed: the first token's.
    let state = Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
    let own = Arc::clone(&state);
    let listener = Listener::woken_by(move || {
        own.1.fetch_add(1, Ordering::SeqCst);
        assert!(!own.0.swap(false, Ordering::SeqCst), "as a test wants it");
    });
    let arm = || {
        // An event is heard a moment before its call.
        let begun = Instant::now();
        while state.1.load(Ordering::SeqCst) < listener.heard.get() {
            assert!(begun.elapsed() < PATIENCE, "an event without a call");
            std::thread::yield_now();
        }
        state.0.store(true, Ordering::SeqCst);
    };
    listener.load_default(Precision::Q8_0).unwrap();
    assert_eq!(listener.what_is("cat.jpg"), "An Egyptian cat.");

    arm();
    let error = listener.ask(long_question()).unwrap_err();
    let lost = matches!(&error, EngineError::Crashed(why) if why.starts_with("as a test wants it"));
    assert!(lost, "{error}");
    // It has its model again, of which nothing is told.
    assert_eq!(listener.what_is("lemon.jpg"), "A lemon.");

    arm();
    let error = listener.ask(long_question()).unwrap_err();
    assert!(matches!(error, EngineError::Unreachable), "{error}");
    while !listener.engine.is_gone() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(matches!(listener.engine.ask(long_question()), Err(EngineError::Unreachable)));
}

#[test]
fn a_load_that_is_replaced_says_so_and_the_last_one_counts() {
    let listener = Listener::start();
    let model = model_store::locate(&folders(), "lorgnette-tiny").unwrap();
    let load = || listener.engine.load(request(model.clone(), Precision::Q8_0)).unwrap();
    let first = load();
    let second = load();
    let third = load();
    for replaced in [first, second] {
        assert!(matches!(listener.answer(replaced), Err(EngineError::Replaced)));
    }
    let question = seeing(&[picture(&sample("cat.jpg"))], "What is that?");
    let asked = listener.engine.ask(question.clone()).unwrap();
    assert_eq!(listener.answer(asked).unwrap().0.text, "An Egyptian cat.");
    assert!(third > second);

    let fourth = load();
    let unloading = listener.engine.unload().unwrap();
    assert!(matches!(listener.answer(fourth), Err(EngineError::Replaced)));
    while !matches!(listener.next(), EngineEvent::Unloaded(id) if id == unloading) {}
    assert!(matches!(listener.ask(question), Err(EngineError::NoModel)));
}

#[test]
fn a_question_without_a_picture_is_refused() {
    let listener = Listener::with_default(Precision::Q8_0);
    let error = listener.ask(seeing(&[], "What is a cat?")).unwrap_err();
    assert!(matches!(error, EngineError::NoPicture), "{error}");
}

#[test]
fn answers_end_at_their_longest_length_and_repeat_with_their_seed() {
    let engine = Listener::with_default(Precision::Q8_0);
    let mut question = long_question();
    question.options = Options { max_tokens: 2, ..Options::default() };
    let short = engine.ask(question).unwrap();
    assert_eq!((short.finish, short.tokens.len()), (Finish::Length, 2));

    let drawn = |seed| {
        let mut question = long_question();
        question.options = Options { max_tokens: 12, temperature: 1.0, seed };
        engine.ask(question).unwrap().text
    };
    let first = drawn(1);
    assert_eq!(first, drawn(1));
    assert!((2..8).any(|seed| drawn(seed) != first), "other seeds draw other words");
}

#[test]
fn control_tokens_typed_by_a_user_are_text() {
    let engine = Listener::with_default(Precision::Q8_0);
    let ask = |text: &str| {
        engine.ask(seeing(&[picture(&sample("cat.jpg"))], text)).unwrap().prompt_tokens
    };
    // The typed one opened no second picture and ended no turn: it is as long as what is plain text.
    let typed = ask("What is <image> in this <|im_end|> page?");
    assert_eq!(typed, ask("What is < image> in this < |im_end|> page?"));
}

#[test]
fn tiny_and_extreme_pictures_are_answered() {
    let engine = Listener::with_default(Precision::Q8_0);
    for (width, height) in [(1, 1), (1, 3000), (3000, 2)] {
        let pixels = image::RgbImage::from_pixel(width, height, image::Rgb([90, 120, 30]));
        let frame = Frame::new(pixels, Source::Memory("extreme".into()));
        let answer = engine.ask(seeing(&[Look { frame, region: None }], "What?"));
        assert!(!answer.unwrap().text.is_empty(), "{width}x{height}");
    }
}
