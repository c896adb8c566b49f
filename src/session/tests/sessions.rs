//! Conversations and the ends of processes: killed while writing, two at once, a full disk.
//!
//! The processes are this test program itself, started again with a part to play.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use conversation::{Answer, Exchange, Finish, Options, Token};
use image::RgbImage;
use lorgnette_session::{Session, SessionError, SessionId, Store, Writer};
use values::frame::{Frame, Source};

/// Environment variables of a process with a part to play.
const PART: &str = "LORGNETTE_TEST_PART";
const DATA: &str = "LORGNETTE_TEST_DATA";
const RESUME: &str = "LORGNETTE_TEST_RESUME";

/// Tokens of an answer: few, so that its end is hit as often as its middle.
const TOKENS: usize = 12;
/// How often a writing process is killed.
const KILLS: u32 = 30;

/// The same chance in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn picture(seed: u32) -> Frame {
    let mut chance = Chance(seed.into());
    let pixels =
        RgbImage::from_fn(120, 90, |_, _| image::Rgb([(); 3].map(|()| chance.below(256) as u8)));
    Frame::new(pixels, Source::Memory(format!("{seed}.png")))
}

fn token(exchange: u32, index: usize) -> Token {
    Token { id: index as u32, text: format!(" w{exchange}.{index}"), logprob: -0.5 }
}

fn answer(exchange: u32) -> Answer {
    let tokens: Vec<_> = (0..TOKENS).map(|index| token(exchange, index)).collect();
    let text = tokens.iter().map(|token| &*token.text).collect::<String>().trim().to_owned();
    Answer { text, tokens, finish: Finish::End, ..Answer::default() }
}

fn ask(writer: &mut Writer, question: &str) -> Result<u32, SessionError> {
    let picture = writer.picture(&picture(writer.session().exchanges.len() as u32 / 3), None);
    let options = Options { max_tokens: 64, temperature: 0.0, seed: 0 };
    writer.ask(Exchange::new(question, vec![picture], options, None))
}

/// The same program in another process, with the part `part`.
fn process(part: &str, data: &Path, resume: Option<&SessionId>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_part_of_another_process", "--exact", "--ignored", "--nocapture"]);
    command.env(PART, part).env(DATA, data);
    match resume {
        Some(id) => command.env(RESUME, id.as_str()),
        None => command.env_remove(RESUME),
    };
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// What another process does.
#[test]
#[ignore = "other tests start it in a process of its own"]
fn the_part_of_another_process() {
    let part = std::env::var(PART).unwrap();
    let store = Store::open(Path::new(&std::env::var_os(DATA).unwrap())).unwrap();
    let mut writer = match std::env::var(RESUME) {
        Ok(id) => store.resume(&id.parse().unwrap()).unwrap().1,
        Err(_) => store.create(),
    };
    match part.as_str() {
        "endless" => talk(&mut writer, u32::MAX),
        "forty" => talk(&mut writer, 40),
        #[cfg(target_os = "linux")]
        "full disk" => full_disk::part(&store, writer),
        _ => panic!("{part}"),
    }
}

/// Writes answers, saying each thing that is done when it is.
fn talk(writer: &mut Writer, exchanges: u32) {
    let mut out = std::io::stdout();
    // The test harness may have begun a line of its own.
    writeln!(out, "\nsession {}", writer.id()).unwrap();
    for _ in 0..exchanges {
        let exchange = ask(writer, "What is that?").unwrap();
        writeln!(out, "asked {exchange}").unwrap();
        for index in 0..TOKENS {
            writer.token(&token(exchange, index)).unwrap();
            writeln!(out, "token {exchange} {index}").unwrap();
            // As a model takes its time, so that an end comes after a token more often than not.
            std::thread::sleep(Duration::from_micros(400));
        }
        writer.finish(answer(exchange)).unwrap();
        writeln!(out, "finished {exchange}").unwrap();
    }
}

/// What a process said it had done.
#[derive(Default)]
struct Said {
    session: Option<SessionId>,
    /// For each exchange, how many tokens were written, and whether the answer ended.
    exchanges: BTreeMap<u32, (usize, bool)>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<u32>().unwrap();
        match words[..] {
            ["session", id] => self.session = Some(id.parse().unwrap()),
            ["asked", exchange] => {
                self.exchanges.insert(number(exchange), (0, false));
            }
            ["token", exchange, index] => {
                self.exchanges.get_mut(&number(exchange)).unwrap().0 = number(index) as usize + 1;
            }
            ["finished", exchange] => self.exchanges.get_mut(&number(exchange)).unwrap().1 = true,
            _ => {}
        }
    }

    /// Checks that all of it is there, and gives how many answers were cut off after their first word.
    fn is_kept_in(&self, session: &Session) -> usize {
        for (id, (tokens, finished)) in &self.exchanges {
            let exchange = session.exchanges.iter().find(|exchange| exchange.id == *id).unwrap();
            assert!(exchange.answer.tokens.len() >= *tokens, "{id}: {exchange:?}");
            assert!(!finished || exchange.answer.finish == Finish::End, "{id}: {exchange:?}");
        }
        for (index, exchange) in session.exchanges.iter().enumerate() {
            assert_eq!(exchange.id as usize, index + 1, "none twice, none left out");
            let whole = answer(exchange.id);
            assert!(whole.tokens.starts_with(&exchange.answer.tokens));
            match exchange.answer.finish {
                Finish::End => assert_eq!(exchange.answer, whole),
                Finish::Interrupted => assert!(whole.text.starts_with(&exchange.answer.text)),
                other => panic!("{other:?}"),
            }
        }
        let cut_off = session.exchanges.iter().map(|exchange| &exchange.answer);
        cut_off.filter(|a| a.finish == Finish::Interrupted && !a.tokens.is_empty()).count()
    }
}

#[test]
fn a_killed_process_loses_no_word_that_was_written() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let mut chance = Chance(20_260_131);
    let (mut cut_off, mut whole) = (0, 0);
    let mut resume = None;
    for kill in 0..KILLS {
        let mut child = process("endless", data.path(), resume.as_ref());
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = Said::default();
        let mut left = 1 + chance.below(120);
        let mut line = String::new();
        while left > 0 && lines.read_line(&mut line).unwrap() > 0 {
            said.hear(&line);
            left -= u64::from(!said.exchanges.is_empty());
            line.clear();
        }
        std::thread::sleep(Duration::from_micros(chance.below(3000)));
        child.kill().unwrap();
        // What it said before the end, but for a line that was cut off.
        while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            said.hear(&line);
            line.clear();
        }
        child.wait().unwrap();

        let id = said.session.clone().unwrap();
        let listing = store.list().unwrap();
        assert_eq!(listing.notices, [], "after kill {kill}");
        let session = store.read(&id).unwrap();
        cut_off += said.is_kept_in(&session);
        whole += said.exchanges.values().filter(|(_, finished)| *finished).count();
        for record in session.exchanges.iter().flat_map(|exchange| &exchange.pictures) {
            store.picture(&id, record).unwrap();
        }
        // The next one begins anew or goes on where this one was killed.
        resume = (chance.below(2) == 0).then_some(id);
    }
    assert!(cut_off >= 10 && whole >= 10, "{cut_off} answers cut off, {whole} whole");
}

#[test]
fn two_processes_write_in_one_folder() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let mut children = [(); 2].map(|()| process("forty", data.path(), None));
    let hear = |child: &mut Child| {
        let mut said = Said::default();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.hear(&line.unwrap());
        }
        said
    };
    let said: Vec<Said> = std::thread::scope(|scope| {
        let hearers = children.each_mut().map(|child| scope.spawn(move || hear(child)));
        // A third window looks on, and must not take their journals for those of the dead.
        while hearers.iter().any(|hearer| !hearer.is_finished()) {
            assert_eq!(store.list().unwrap().notices, []);
        }
        hearers.into_iter().map(|hearer| hearer.join().unwrap()).collect()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(store.list().unwrap().sessions.len(), 2);
    for said in said {
        let session = store.read(&said.session.clone().unwrap()).unwrap();
        assert_eq!((session.exchanges.len(), said.is_kept_in(&session)), (40, 0));
    }
}

#[test]
fn a_conversation_belongs_to_one_process_until_it_ends() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let mut child = process("endless", data.path(), None);
    let mut said = Said::default();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while said.exchanges.len() < 3 {
        said.hear(&lines.next().unwrap().unwrap());
    }
    let id = said.session.unwrap();
    assert!(store.read(&id).unwrap().exchanges.len() >= 3, "others can read");
    assert_eq!(store.resume(&id).unwrap_err(), SessionError::InUse);
    assert_eq!(store.delete(&id), Err(SessionError::InUse));
    assert_eq!(store.delete_all().unwrap().kept, [(id.clone(), SessionError::InUse)]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(store.resume(&id).is_ok(), "the system let go of it");
}

#[cfg(target_os = "linux")]
mod full_disk {
    use super::*;

    /// Makes the system refuse files beyond `bytes`, as a full disk refuses them; `None` lifts it.
    fn limit(bytes: Option<u64>) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the calls read and write the one value they are given, and signals of this kind
        // are only ignored.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit), 0);
            limit.rlim_cur = bytes.unwrap_or(limit.rlim_max);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
        }
    }

    fn is_full<T: std::fmt::Debug>(result: &Result<T, SessionError>) {
        assert!(matches!(result, Err(SessionError::DiskFull { .. })), "{result:?}");
    }

    /// A conversation that goes on in memory while nothing can be written, and is written later.
    pub fn part(store: &Store, mut writer: Writer) {
        // Full before the picture is written.
        limit(Some(5000));
        is_full(&ask(&mut writer, "What is that?"));
        is_full(&writer.token(&token(1, 0)));
        limit(None);
        writer.retry().unwrap();
        writer.token(&token(1, 1)).unwrap();
        let id = writer.id().clone();
        assert_eq!(store.read(&id).unwrap(), *writer.session());

        // Full in the middle of an answer: some journal lines are written, one half, some not.
        limit(Some(1500));
        let full = (2..TOKENS).filter(|index| writer.token(&token(1, *index)).is_err()).count();
        assert!((1..TOKENS - 2).contains(&full), "{full} tokens found the disk full");
        limit(None);
        writer.token(&token(1, TOKENS)).unwrap();
        assert_eq!(store.read(&id).unwrap(), *writer.session());

        // Full at its end.
        limit(Some(200));
        is_full(&writer.finish(answer(1)));
        is_full(&ask(&mut writer, "And now?"));
        assert_eq!(writer.session().exchanges.len(), 2);
        limit(None);
        writer.finish(answer(2)).unwrap();
        let session = writer.session().clone();
        assert_eq!(session.exchanges[0].answer, answer(1));
        assert_eq!(store.read(&id).unwrap(), session);
        assert_eq!(store.resume(&id).unwrap_err(), SessionError::InUse);
        drop(writer);
        assert_eq!(store.resume(&id).unwrap().0, session);
        println!("\nthe part was played");
    }

    #[test]
    fn a_full_disk_keeps_the_conversation_in_memory_until_there_is_room() {
        let data = tempfile::tempdir().unwrap();
        let output = process("full disk", data.path(), None).wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("the part was played"), "{text}");
    }
}
