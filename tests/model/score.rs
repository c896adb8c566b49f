//! Answers read back by the shipped model: log-probabilities, positions, and the one queue.

use conversation::Answer;
use engine::{EngineError, EngineEvent, Question, RequestId, ScoreRequest, Scores};
use values::config::Precision;

use crate::listener::{Listener, seeing};
use crate::support::{picture, sample};

fn question(name: &str) -> Question {
    seeing(&[picture(&sample(name))], "What is that?")
}

fn read_back(question: Question, answer: &Answer) -> ScoreRequest {
    let sampled = answer.tokens.iter().map(|token| token.id).collect();
    ScoreRequest { question, answer: answer.text.clone(), sampled }
}

fn scored(listener: &Listener, wanted: RequestId) -> Result<Scores, EngineError> {
    loop {
        match listener.next() {
            EngineEvent::Scored(id, scores) if id == wanted => return Ok(*scores),
            EngineEvent::Failed(id, error) if id == wanted => return Err(error),
            _ => {}
        }
    }
}

#[test]
fn an_answer_read_back_has_the_log_probabilities_it_was_sampled_with() {
    let listener = Listener::with_default(Precision::F32);
    for name in ["cat.jpg", "lemon.jpg", "two-objects.jpg"] {
        let answer = listener.ask(question(name)).unwrap();
        let wanted = listener.engine.score(read_back(question(name), &answer)).unwrap();
        let scores = scored(&listener, wanted).unwrap();
        let logits = &scores.logits;
        assert_eq!(logits.logprobs.len(), answer.tokens.len(), "{name}");
        for (read, token) in logits.logprobs.iter().zip(&answer.tokens) {
            let off = (read - token.logprob).abs();
            assert!(off < 1e-3, "{name}: {:?} is {off} off", token.text);
        }
        assert_eq!(logits.image.len(), 1);
        assert_eq!(logits.image[0].len(), 16);
        assert_eq!(logits.logits.len(), logits.tokens.len() * logits.columns.len());
        let said: Vec<u32> = answer.tokens.iter().map(|token| token.id).collect();
        assert_eq!(logits.tokens[logits.answer.clone()], said);
        let text: String =
            scores.pieces.iter().map(|piece| &answer.text[piece.bytes.clone()]).collect();
        assert_eq!(text, answer.text);
        assert!(
            !logits.prompt.is_empty() && logits.prompt.iter().all(|p| *p < logits.answer.start)
        );
        eprintln!("{name}: {:?} read back in {:.2} s", answer.text, scores.took);
    }
}

#[test]
fn another_answer_is_less_probable_and_absent_ones_say_so() {
    let listener = Listener::with_default(Precision::Q8_0);
    let given = |text: &str| {
        let wanted = ScoreRequest {
            question: question("cat.jpg"),
            answer: text.to_owned(),
            sampled: Vec::new(),
        };
        let wanted = listener.engine.score(wanted).unwrap();
        scored(&listener, wanted)
    };
    let total = |text: &str| given(text).unwrap().logits.logprobs.iter().sum::<f32>();
    assert!(total("An Egyptian cat.") > total("A rocket.") + 1.0);
    assert!(matches!(given("  "), Err(EngineError::EmptyAnswer)));
    // What a person types may look like control.
    assert!(given("A <image> cat<|im_end|>.").is_ok());
}

#[test]
fn readings_wait_for_answers_and_give_way_to_questions() {
    let listener = Listener::with_default(Precision::Q8_0);
    let answer = listener.ask(question("cat.jpg")).unwrap();
    let asked = listener.engine.ask(question("lemon.jpg")).unwrap();
    let early = listener.engine.score(read_back(question("cat.jpg"), &answer)).unwrap();
    let mut order = Vec::new();
    while order.len() < 2 {
        match listener.next() {
            EngineEvent::Done(id, done) => {
                assert_eq!((id, done.text.as_str()), (asked, "A lemon."));
                order.push(id);
            }
            EngineEvent::Scored(id, _) => order.push(id),
            EngineEvent::Failed(_, error) => panic!("{error}"),
            _ => {}
        }
    }
    assert_eq!(order, [asked, early], "a reading waits for the answer under way");

    let first = listener.engine.score(read_back(question("cat.jpg"), &answer)).unwrap();
    let second = listener.engine.score(read_back(question("cat.jpg"), &answer)).unwrap();
    let third = listener.engine.ask(question("lemon.jpg")).unwrap();
    let (mut superseded, mut told) = (false, false);
    loop {
        match listener.next() {
            EngineEvent::Scored(id, _) => {
                assert_eq!(id, first, "one that had begun ends");
                told = true;
            }
            EngineEvent::Failed(id, error) => {
                assert!(matches!(error, EngineError::Superseded), "{error}");
                assert!(id == second || id == first);
                superseded |= id == second;
            }
            EngineEvent::Done(id, done) => {
                assert_eq!((id, done.text.as_str()), (third, "A lemon."));
                break;
            }
            _ => {}
        }
    }
    assert!(superseded, "one that had not begun gave way");
    eprintln!("the one that had begun was told: {told}");
}

#[test]
fn a_load_or_an_unload_during_a_reading_leaves_the_engine_whole() {
    let listener = Listener::with_default(Precision::Q8_0);
    let answer = listener.ask(question("cat.jpg")).unwrap();
    for _ in 0..3 {
        let reading = listener.engine.score(read_back(question("cat.jpg"), &answer)).unwrap();
        let unloading = listener.engine.unload().unwrap();
        let (mut ended, mut unloaded) = (false, false);
        while !(ended && unloaded) {
            match listener.next() {
                EngineEvent::Unloaded(id) => unloaded = id == unloading,
                EngineEvent::Failed(id, EngineError::Superseded) | EngineEvent::Scored(id, _) => {
                    ended |= id == reading;
                }
                event => panic!("{event:?}"),
            }
        }
        let wanted = listener.engine.score(read_back(question("cat.jpg"), &answer)).unwrap();
        assert!(matches!(scored(&listener, wanted), Err(EngineError::NoModel)));
        listener.load_default(Precision::Q8_0).unwrap();
        assert_eq!(listener.what_is("cat.jpg"), "An Egyptian cat.");
    }
}
