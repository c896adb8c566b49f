use std::path::{Path, PathBuf};

use super::*;

#[test]
fn only_words_reach_a_program() {
    assert_eq!(speakable("A cat.\r\n\n  It\u{1b} sits\t here. \n"), "A cat.\nIt sits here.\n");
    assert_eq!(speakable(" \n\u{0}\n"), "");
    assert_eq!(speakable("!-!KEY x\nyes !-! no"), " !-!KEY x\nyes !-! no\n");
    assert!(!speakable("[[volm 9]] [[[[[slnc]]").contains("[["));
    assert_eq!(speakable("Grüße, 猫!"), "Grüße, 猫!\n");

    let long = format!("{} {}", "wörd ".repeat(700), "é".repeat(5000));
    let lines = speakable(&long);
    assert!(lines.lines().all(|line| line.len() <= LINE_BYTES), "{lines}");
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    assert_eq!(letters(&lines), letters(&long));
    // Wherever a line is broken, it does not begin with a command.
    let filled = format!("{}!-!STOP ALL", "x ".repeat(499));
    assert!(speakable(&filled).lines().all(|line| !line.starts_with("!-!")));
}

#[test]
fn without_a_program_it_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let mut voice = SystemVoice::find_in(folder.path().as_os_str());
    assert!(!voice.available());
    assert_eq!(voice.say("hello"), Err(SpeechError::NoProgram));
    assert_eq!(voice.add("hello"), Err(SpeechError::NoProgram));
    assert!(!voice.speaking());
    let message = SpeechError::NoProgram.to_string();
    assert!(message.starts_with("nothing can read aloud here: "), "{message}");
    assert!(!message.contains('\n'));
}

/// A folder for programs that stand in for the system's.
struct Fakes(tempfile::TempDir);

impl Fakes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A shell script under the name of a program; `$FOLDER` in it is this folder.
    #[cfg(unix)]
    fn add(&self, name: &str, script: &str) {
        use std::process::{Command, Stdio};
        let script = script.replace("$FOLDER", &self.0.path().to_string_lossy());
        // Written by another process: one that is started beside this could inherit the open file,
        // and what is open for writing cannot be run.
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg("cat > \"$0\" && chmod 755 \"$0\"").arg(self.file(name));
        let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        drop(stdin);
        assert!(shell.wait().unwrap().success());
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[cfg(unix)]
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn voice(&self) -> SystemVoice {
        SystemVoice::find_in(self.0.path().as_os_str())
    }
}

#[cfg(unix)]
fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !there() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_cannot_be_started_is_no_program() {
    let fakes = Fakes::new();
    let (name, _) = program::CANDIDATES[0];
    std::fs::create_dir(fakes.file(name)).unwrap();
    assert!(!fakes.voice().available(), "a folder");
    #[cfg(unix)]
    {
        std::fs::remove_dir(fakes.file(name)).unwrap();
        std::fs::write(fakes.file(name), "not executable").unwrap();
        assert!(!fakes.voice().available());
        fakes.add(name, "");
        assert!(fakes.voice().available());
    }
    assert!(!SystemVoice::find_in(OsStr::new("")).available());
    let here = Path::new(".").as_os_str();
    assert!(SystemVoice::find_in(here).programs.is_empty(), "a relative folder");
}

/// Tests with programs that stand in for the system's are written for a shell.
#[cfg(unix)]
mod with_programs {
    use super::*;

    const LAST: &str = program::CANDIDATES[program::CANDIDATES.len() - 1].0;
    /// Notes its arguments and what it hears.
    const LISTENER: &str = "echo \"$@\" >> $FOLDER/arguments; cat >> $FOLDER/heard";
    /// Notes its number and does not end by itself.
    const ENDLESS: &str = "cat > /dev/null; echo $$ > $FOLDER/pid; exec sleep 600";

    /// Whether the process is there, be it as a zombie.
    fn exists(pid: &str) -> bool {
        let mut kill = std::process::Command::new("/bin/sh");
        kill.arg("-c").arg(format!("kill -0 {pid}")).stderr(std::process::Stdio::null());
        kill.status().unwrap().success()
    }

    fn pid(fakes: &Fakes) -> String {
        wait_until("the program's start", || fakes.text("pid").ends_with('\n'));
        fakes.text("pid").trim().to_owned()
    }

    #[test]
    fn the_text_goes_to_the_standard_input_alone() {
        let fakes = Fakes::new();
        fakes.add(LAST, LISTENER);
        let mut voice = fakes.voice();
        assert!(voice.available() && !voice.speaking());
        voice.say("A cat, --rate 9; $(rm x)\nand \"grüne\" `lemons`.").unwrap();
        assert!(voice.speaking());
        wait_until("the end", || !voice.speaking());
        assert_eq!(fakes.text("heard"), "A cat, --rate 9; $(rm x)\nand \"grüne\" `lemons`.\n");
        assert!(!fakes.text("arguments").contains("cat"), "{}", fakes.text("arguments"));
        assert_eq!(voice.trouble(), None);
    }

    #[test]
    fn bits_are_read_in_their_order_and_more_than_a_pipe_holds() {
        let fakes = Fakes::new();
        fakes.add(LAST, &format!("sleep 0.1; {LISTENER}"));
        let mut voice = fakes.voice();
        let long = "word ".repeat(20_000);
        voice.add("One.").unwrap();
        voice.add("Two.").unwrap();
        voice.add(&long).unwrap();
        assert_eq!(voice.add(&long.repeat(3)), Err(SpeechError::TooLong));
        wait_until("the end", || !voice.speaking());
        voice.add("Three.").unwrap();
        wait_until("the end", || !voice.speaking());
        let heard = fakes.text("heard");
        assert!(heard.starts_with("One.\nTwo.\nword word "), "{}", &heard[..40]);
        assert!(heard.ends_with("word\nThree.\n"));
        assert_eq!(heard.matches("word").count(), 20_000);
        assert_eq!(voice.say(&long.repeat(4)), Err(SpeechError::TooLong));
    }

    #[test]
    fn stopping_and_dropping_end_the_program_and_leave_no_zombie() {
        let fakes = Fakes::new();
        fakes.add(LAST, ENDLESS);
        for drop_it in [false, true] {
            let mut voice = fakes.voice();
            drop(std::fs::remove_file(fakes.file("pid")));
            voice.say("forever").unwrap();
            voice.add("and ever").unwrap();
            let pid = pid(&fakes);
            assert!(exists(&pid) && voice.speaking());
            let start = Instant::now();
            if drop_it {
                drop(voice);
            } else {
                voice.stop();
                assert!(!voice.speaking());
                assert_eq!(voice.trouble(), None);
            }
            assert!(start.elapsed() < Duration::from_secs(5));
            wait_until("the program's end", || !exists(&pid));
        }
    }

    #[test]
    fn a_new_text_takes_the_place_of_the_old_one() {
        let fakes = Fakes::new();
        fakes.add(LAST, &format!("if read -r line && [ \"$line\" = old ]; then {ENDLESS}; fi; echo \"$line\" >> $FOLDER/heard"));
        let mut voice = fakes.voice();
        voice.say("old").unwrap();
        let pid = pid(&fakes);
        voice.say("new").unwrap();
        assert!(voice.speaking());
        wait_until("the end", || !voice.speaking());
        assert_eq!(fakes.text("heard"), "new\n");
        assert!(!exists(&pid));
        voice.say(" \n ").unwrap();
        assert!(!voice.speaking());
    }

    #[test]
    fn a_program_that_does_not_listen_blocks_nobody() {
        let fakes = Fakes::new();
        fakes.add(LAST, "echo $$ > $FOLDER/pid; exec sleep 600");
        let mut voice = fakes.voice();
        let start = Instant::now();
        voice.say(&"word ".repeat(40_000)).unwrap();
        let pid = pid(&fakes);
        voice.stop();
        assert!(start.elapsed() < Duration::from_secs(10));
        wait_until("the program's end", || !exists(&pid));
        // The thread is free again.
        voice.say("word").unwrap();
        wait_until("the next start", || fakes.text("pid").trim() != pid);
    }

    #[test]
    fn a_failure_is_told_once_in_the_programs_words() {
        let fakes = Fakes::new();
        fakes.add(
            LAST,
            "cat > /dev/null; echo noise >&2; printf 'no \\033sound card\\n\\n' >&2; exit 3",
        );
        let mut voice = fakes.voice();
        voice.say("hello").unwrap();
        wait_until("the end", || !voice.speaking());
        let error = voice.trouble().unwrap();
        let reason = "no \\u{1b}sound card".to_owned();
        assert_eq!(error, SpeechError::Failed { program: LAST.to_owned(), reason });
        assert_eq!(voice.trouble(), None);
        fakes.add(LAST, "exit 7");
        voice.say("hello").unwrap();
        wait_until("the end", || !voice.speaking());
        let error = voice.trouble().unwrap().to_string();
        assert!(error.contains("exit status: 7"), "{error}");
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn where_the_best_program_fails_the_next_one_reads() {
        let fakes = Fakes::new();
        fakes.add("spd-say", "cat > /dev/null; exit 1");
        fakes.add("espeak-ng", LISTENER);
        let mut voice = fakes.voice();
        voice.say("hello").unwrap();
        wait_until("the end", || !voice.speaking());
        assert_eq!(voice.trouble(), None);
        assert_eq!(
            (fakes.text("heard"), fakes.text("arguments")),
            ("hello\n".into(), "--stdin\n".into())
        );
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_service_that_speaks_is_silenced_before_a_new_text() {
        let fakes = Fakes::new();
        fakes.add(
            "spd-say",
            "echo \"$@\" >> $FOLDER/calls
            [ \"$1\" = --stop ] && { sleep 0.3; echo silent >> $FOLDER/calls; exit; }
            read -r line; echo $line >> $FOLDER/calls
            [ $line = new ] || { echo $$ > $FOLDER/pid; exec sleep 600; }",
        );
        let mut voice = fakes.voice();
        voice.say("old").unwrap();
        pid(&fakes);
        voice.say("new").unwrap();
        wait_until("the end", || !voice.speaking());
        let calls = "--wait --pipe-mode\nold\n--stop\nsilent\n--wait --pipe-mode\nnew\n";
        assert_eq!(fakes.text("calls"), calls);
    }
}
