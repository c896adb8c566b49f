use std::time::{Duration, Instant};

use conversation::{Finish, Options};
use session::Store;
use values::frame::Source;

use super::*;

/// A question about a black picture, as it is asked.
fn asked() -> Asked {
    let frame = Frame::new(image::RgbImage::new(8, 6), Source::Memory("black".into()));
    let pictures = vec![Picture::of(&frame, None)];
    let exchange = Exchange::new("What is that?", pictures, Options::default(), None);
    Asked { exchange, looks: vec![Look { frame, region: None }] }
}

fn token(id: u32) -> Token {
    Token { id, text: format!(" t{id}"), logprob: -0.5 }
}

/// The first piece of news or trouble that `take` takes.
fn hear<T>(keeper: &Keeper, take: impl Fn(&Keeper) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(1);
    while Instant::now() < end {
        if let Some(taken) = take(keeper) {
            return taken;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing came");
}

fn current(keeper: &Keeper) -> Option<SessionId> {
    match keeper.news()? {
        News::Current(id, _) => Some(id),
        _ => None,
    }
}

/// The one exchange of the one conversation in `folder`.
fn kept(folder: &std::path::Path) -> Exchange {
    let store = Store::open(folder).unwrap();
    let sessions = store.list().unwrap().sessions;
    assert_eq!(sessions.len(), 1);
    let session = store.read(&sessions[0].id).unwrap();
    assert_eq!(session.exchanges.len(), 1);
    let exchange = session.exchanges.into_iter().next().unwrap();
    store.picture(&sessions[0].id, &exchange.pictures[0]).unwrap();
    exchange
}

/// Has the thread panic after a question and two tokens and take over what the window has: three.
fn restarted(folder: &std::path::Path) -> Keeper {
    let mut keeper = Keeper::start(folder.to_path_buf(), || {}).unwrap();
    let Asked { mut exchange, looks } = asked();
    let first = Asked { exchange: exchange.clone(), looks: looks.clone() };
    keeper.send(Job::Ask(Box::new(first))).unwrap();
    keeper.send(Job::Tokens(vec![token(0), token(1)])).unwrap();
    let id = Some(hear(&keeper, current));
    keeper.send(Job::Panic).unwrap();
    keeper.send(Job::Tokens(vec![token(2)])).unwrap();
    assert!(matches!(hear(&keeper, Keeper::trouble), Trouble::Restarted(_)));
    keeper.forget();
    for number in 0..3 {
        exchange.answer.push(token(number));
    }
    keeper.send(Job::TakeOver(id, vec![Asked { exchange, looks }])).unwrap();
    keeper.send(Job::Tokens(vec![token(3)])).unwrap();
    keeper
}

#[test]
fn after_a_panic_the_answer_is_kept_with_all_its_tokens_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = restarted(folder.path());
    keeper.go_on();
    keeper.send(Job::Tokens(vec![token(4)])).unwrap();
    let tokens: Vec<_> = (0..5).map(token).collect();
    let text = "t0 t1 t2 t3 t4".to_owned();
    let answer = Answer { text, tokens: tokens.clone(), finish: Finish::End, ..Answer::default() };
    keeper.send(Job::Finish(Box::new(answer))).unwrap();
    drop(keeper);
    let Exchange { answer, .. } = kept(folder.path());
    assert_eq!((answer.tokens, answer.finish), (tokens, Finish::End));
}

#[test]
fn an_answer_that_was_taken_over_is_in_the_journal_token_by_token() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = restarted(folder.path());
    keeper.go_on();
    drop(keeper);
    let Exchange { answer, .. } = kept(folder.path());
    assert_eq!(answer.tokens, (0..4).map(token).collect::<Vec<_>>());
    assert_eq!((&*answer.text, answer.finish), ("t0 t1 t2 t3", Finish::Interrupted));
}

#[test]
fn a_question_whose_writing_panicked_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path().to_path_buf(), || {}).unwrap();
    keeper.send(Job::Panic).unwrap();
    let Asked { mut exchange, looks } = asked();
    let first = Asked { exchange: exchange.clone(), looks: looks.clone() };
    keeper.send(Job::Ask(Box::new(first))).unwrap();
    assert!(matches!(hear(&keeper, Keeper::trouble), Trouble::Restarted(_)));
    keeper.forget();
    exchange.answer.push(token(0));
    keeper.send(Job::TakeOver(None, vec![Asked { exchange, looks }])).unwrap();
    keeper.go_on();
    drop(keeper);
    assert_eq!(kept(folder.path()).answer.tokens, [token(0)]);
}

#[test]
fn on_a_slow_disk_tokens_are_joined_and_questions_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path().to_path_buf(), || {}).unwrap();
    // Until the trouble is heard nothing is done.
    keeper.send(Job::Panic).unwrap();
    hear(&keeper, Keeper::trouble);
    let mut questions = 0;
    while keeper.send(Job::Ask(Box::new(asked()))).is_ok() {
        questions += 1;
        for number in 0..1000 {
            keeper.send(Job::Tokens(vec![token(number)])).unwrap();
        }
        keeper.send(Job::Finish(Box::default())).unwrap();
    }
    assert!((80..QUEUE).contains(&questions), "{questions}");
    // The answer to the one that is not kept is not, either.
    let waiting = keeper.worker.waiting();
    keeper.send(Job::Tokens(vec![token(0)])).unwrap();
    keeper.send(Job::Finish(Box::default())).unwrap();
    assert_eq!(keeper.worker.waiting(), waiting);
}
