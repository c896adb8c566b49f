//! The window when one of the threads behind it dies. Its other tests are in `tests/window`.

#[path = "tests/window/fake.rs"]
#[allow(dead_code, reason = "the tests of the window use all of it")]
mod fake;
#[path = "tests/window/specialists.rs"]
#[allow(dead_code, reason = "the tests of the window use all of it")]
mod specialists;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conversation::Finish;
use eframe::App as _;
use session::Store;
use values::config::{Folders, Settings};

use super::keeper::Job;
use super::{App, Services, files};
use fake::{FakeCamera, FakeDesktop, FakeEngine, FakeVoice, NO_ENCODERS};
use specialists::SPECIALISTS;

struct Driver {
    app: App,
    ctx: egui::Context,
    engine: FakeEngine,
    home: tempfile::TempDir,
}

impl Driver {
    /// A window without anything to draw on, in which the cat is shown.
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let home = tempfile::tempdir().unwrap();
        let (engine, camera) = (FakeEngine::default(), FakeCamera::default());
        let services = Services {
            engine: Box::new(engine.clone()),
            accelerator: None,
            encoders: NO_ENCODERS,
            specialists: SPECIALISTS,
            camera: Box::new(move |wake| Ok(camera.open(wake))),
            desktop: Box::new(FakeDesktop::default()),
            voice: Box::new(FakeVoice::default()),
            on_battery: || false,
            folders: Folders {
                cache: home.path().join("cache"),
                data: home.path().join("data"),
                models: root.join("models"),
                samples: PathBuf::new(),
            },
            log: None,
        };
        let ctx = egui::Context::default();
        let mut settings = Settings::default();
        settings.maps.ground_answers = false;
        let pictures = vec![root.join("assets/samples/cat.jpg")];
        let app = App::new(&ctx, services, settings, None, pictures);
        let mut driver = Self { app, ctx, engine, home };
        driver.until("the picture is shown", |app| app.view.stage.shown.is_some());
        driver
    }

    fn until(&mut self, what: &str, done: impl Fn(&App) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(&self.app) {
            assert!(Instant::now() < end, "it did not come to pass that {what}");
            self.app.take_news(&self.ctx);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Has the thread of the history panic, and waits until it has.
    fn break_history(&mut self) {
        self.app.keep(Job::Panic);
        let keeper = self.app.keeper.as_ref().unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while keeper.trouble().is_none() {
            assert!(Instant::now() < end, "it goes on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The tokens of each answer in each conversation that is kept.
    fn kept(&mut self) -> Vec<Vec<String>> {
        self.app.on_exit();
        let store = Store::open(&self.home.path().join("data")).unwrap();
        let sessions = store.list().unwrap().sessions;
        let exchanges = sessions.iter().flat_map(|s| store.read(&s.id).unwrap().exchanges);
        let tokens = exchanges.map(|exchange| exchange.answer.tokens);
        tokens.map(|tokens| tokens.into_iter().map(|token| token.text).collect()).collect()
    }
}

#[test]
fn what_is_said_while_the_history_dies_is_kept_whole_and_once() {
    let mut driver = Driver::start();
    driver.app.ask("What is that?");
    driver.engine.say(&["A", " black"], 0.9);
    driver.until("it is kept", |app| app.view.history.open.is_some());
    driver.break_history();
    driver.engine.say(&[" cat"], 0.9);
    driver.until("it is there", |app| app.view.talk.cards[0].text() == "A black cat");
    driver.engine.say(&[".", " Or"], 0.9);
    driver.until("it is there", |app| app.view.talk.cards[0].text() == "A black cat. Or");
    driver.engine.say(&[" two."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |app| !app.view.talk.is_answering());
    assert_eq!(driver.app.view.toasts.newest_error(), None);
    assert_eq!(driver.kept(), [["A", " black", " cat", ".", " Or", " two."]]);
}

#[test]
fn a_history_that_dies_as_the_window_closes_has_all_of_it() {
    let mut driver = Driver::start();
    driver.app.ask("What is that?");
    driver.engine.say(&["A", " black"], 0.9);
    driver.until("it is there", |app| app.view.talk.cards[0].text() == "A black");
    driver.break_history();
    assert_eq!(driver.kept(), [["A", " black"]]);
}

#[test]
fn a_history_that_dies_twice_is_told_of_once_and_the_answer_still_comes() {
    let mut driver = Driver::start();
    driver.app.ask("What is that?");
    driver.engine.say(&["A", " black"], 0.9);
    driver.break_history();
    driver.until("it goes on", |app| app.keeper.as_ref().unwrap().trouble().is_none());
    driver.break_history();
    driver.engine.say(&[" cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |app| {
        app.view.talk.cards[0].text() == "A black cat." && !app.view.talk.is_answering()
    });
    assert!(driver.app.view.toasts.has("Conversations are no longer kept: as a test wants it"));
    assert!(driver.app.view.history.trouble.is_some());
    driver.app.view.toasts = ui::toast::Toasts::default();
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    driver.app.ask("Is it?");
    driver.until("it is answered", |app| app.view.talk.cards.len() == 2);
    driver.until("it is complete", |app| !app.view.talk.is_answering());
    assert_eq!(driver.app.view.toasts.newest_error(), None);
    assert_eq!(driver.kept().len(), 1);
}

#[test]
fn files_that_die_twice_are_told_of() {
    let mut driver = Driver::start();
    for _ in 0..2 {
        driver.app.with_files(|files| files.panic());
        let lemon = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/samples/lemon.jpg");
        driver.app.open(vec![lemon]);
        driver.until("it is read, or told", |app| {
            let shown = app.view.stage.shown.as_ref().unwrap().frame.source.name();
            (shown == "lemon.jpg" && app.view.stage.reading.is_none())
                || app.view.toasts.has(files::DEAD)
        });
    }
    driver.until("it is told", |app| app.view.toasts.has(files::DEAD));
    assert!(driver.app.view.stage.reading.is_none());
}

#[test]
fn an_engine_that_is_gone_is_told_of_once() {
    let mut driver = Driver::start();
    driver.engine.inside().gone = true;
    let text = "the engine does not take commands: start Lorgnette again";
    driver.until("it is told", |app| app.view.toasts.has(text));
    driver.app.view.toasts = ui::toast::Toasts::default();
    driver.app.take_news(&driver.ctx);
    assert_eq!(driver.app.view.toasts.newest_error(), None);
    assert!(driver.app.view.engine.model().is_none());
}
