//! The real window with the real engine and the shipped model, under a virtual display: a sample is
//! opened, a question typed, its answer read from the history. All of it under a filter that ends
//! the program at its first internet socket.
//!
//! With `LORGNETTE_SCREENSHOTS` set to a folder, pictures of the window are left there.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::lacking::{needing, without};
use crate::support::{cache, forbid_internet, root};

/// Longest wait for one thing; the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is looked for.
const OFTEN: Duration = Duration::from_millis(20);

/// A child that does not outlive the test.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual display and the program in it.
struct Desk {
    program: Kept,
    display: String,
    home: tempfile::TempDir,
    _server: Kept,
}

impl Desk {
    fn open(pictures: &[&Path], size: (u32, u32)) -> Self {
        let (width, height) = size;
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("runtime")).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
        program
            .args(pictures)
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_RUNTIME_DIR", home.path().join("runtime"))
            .env("LORGNETTE_CACHE_DIR", cache())
            .env("LORGNETTE_DATA_DIR", home.path().join("data"))
            .env("LORGNETTE_FRAMES", home.path().join("frames.json"))
            .env("LORGNETTE_STATE", home.path().join("state.json"));
        forbid_internet(&mut program);
        hurry(&mut program);
        let program = Kept(program.spawn().unwrap());
        let mut desk = Self { program, display, home, _server: Kept(server) };
        desk.settle(width, height);
        desk
    }

    /// Without a window manager nothing gives a window its place, size and focus, and what is done
    /// while it is still being made is lost.
    fn settle(&mut self, width: u32, height: u32) {
        let size = json!([width, height]);
        let (width, height) = (width.to_string(), height.to_string());
        self.until("a window", |desk, state| {
            let found = desk.tool(&["search", "--onlyvisible", "--name", "Lorgnette"]);
            if let Some(window) = found.lines().next() {
                desk.tool(&["windowmove", window, "0", "0"]);
                desk.tool(&["windowsize", window, &width, &height]);
                desk.tool(&["windowfocus", window]);
            }
            state["focused"] == true && state["size"] == size
        });
    }

    /// Waits until `is` holds of what the window shows.
    fn until(&mut self, what: &str, mut is: impl FnMut(&Self, &Value) -> bool) {
        let begun = Instant::now();
        while !is(self, &self.state()) {
            if let Some(status) = self.program.0.try_wait().unwrap() {
                panic!("the program ended: {status}, signal {:?}", status.signal());
            }
            if begun.elapsed() > PATIENCE {
                let stuck = self.picture("stuck");
                panic!("waited in vain for {what}; see {}\n{}", stuck.display(), self.state());
            }
            std::thread::sleep(OFTEN);
        }
    }

    /// What the window shows; nothing before its first frame.
    fn state(&self) -> Value {
        let line = std::fs::read_to_string(self.home.path().join("state.json"));
        line.map_or(Value::Null, |line| serde_json::from_str(&line).unwrap())
    }

    fn tool(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Moves the pointer, and waits until a frame has seen it.
    fn point(&mut self, (x, y): (u32, u32)) {
        self.tool(&["mousemove", &x.to_string(), &y.to_string()]);
        self.until("the pointer", |_, state| state["pointer"] == json!([x, y]));
    }

    fn click(&mut self, at: (u32, u32)) {
        self.point(at);
        self.tool(&["click", "1"]);
    }

    /// Marks a part of the picture.
    fn drag(&mut self, from: (u32, u32), to: (u32, u32)) {
        self.point(from);
        self.tool(&["mousedown", "1"]);
        let steps = 6;
        for step in 1..=steps {
            let part = |from: u32, to: u32| from + (to - from) * step / steps;
            self.point((part(from.0, to.0), part(from.1, to.1)));
        }
        self.tool(&["mouseup", "1"]);
        self.until("the mark", |_, state| state["marked"] == true);
    }

    /// Chooses a map by a key.
    fn map(&mut self, key: &str, name: Option<&str>) {
        self.tool(&["key", key]);
        self.until("the map", |_, state| state["map"] == json!(name));
    }

    /// Types a question, and gives the answers in the history once there is one more that has ended.
    /// Meanwhile the pointer may move, so that the window draws.
    fn ask(&mut self, question: &str, moving: bool) -> Vec<String> {
        let sessions = self.home.path().join("data/sessions");
        let count = ended(&sessions).len() + 1;
        self.tool(&["type", "--delay", "30", question]);
        self.until("the question", |_, state| state["question"] == question);
        self.tool(&["key", "Return"]);
        let (mut answers, mut x) = (Vec::new(), 400);
        self.until("the answer", |desk, state| {
            x = if x > 700 { 400 } else { x + 7 };
            if moving {
                desk.tool(&["mousemove", &x.to_string(), "300"]);
            }
            answers = ended(&sessions);
            answers.len() >= count && state["answers"] == count
        });
        answers
    }

    /// A picture of the whole display, which has come to rest.
    fn picture(&self, name: &str) -> PathBuf {
        std::fs::create_dir_all(pictures()).unwrap();
        let file = pictures().join(format!("{name}.png"));
        let mut before = None;
        // The line's caret blinks; words may still be coming.
        for _ in 0..20 {
            let mut import = Command::new("import");
            import.args(["-window", "root"]).arg(&file).env("DISPLAY", &self.display);
            assert!(import.status().unwrap().success());
            let now = image::open(&file).unwrap().into_rgb8();
            if before.as_ref() == Some(&now) {
                break;
            }
            before = Some(now);
        }
        file
    }

    /// Waits until a good part of the display looks otherwise than before.
    fn until_changed(&mut self, name: &str, before: &image::RgbImage) {
        self.until(name, |desk, _| {
            let now = image::open(desk.picture(name)).unwrap().into_rgb8();
            let differ = now.pixels().zip(before.pixels()).filter(|(a, b)| a != b).count();
            // The picture moves to make room at once; the map over it colours what it covers.
            let green = |p: &image::Rgb<u8>| p.0[1] > p.0[0].saturating_add(30) && p.0[1] > 90;
            let coloured = now.pixels().filter(|pixel| green(pixel)).count();
            differ > 50_000 && coloured > 300
        });
    }

    /// Asks the program to end, as a desktop does, and gives what its frames took.
    fn close(mut self) -> Value {
        let id = i32::try_from(self.program.0.id()).unwrap();
        // SAFETY: the process is a child of this one that has not been waited for.
        unsafe { libc::kill(id, libc::SIGTERM) };
        let begun = Instant::now();
        while self.program.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(OFTEN);
        }
        let status = self.program.0.wait().unwrap();
        assert!(status.success(), "{status}");
        let frames = std::fs::read_to_string(self.home.path().join("frames.json")).unwrap();
        serde_json::from_str(&frames).unwrap()
    }
}

/// Has a program go before whatever else the machine is busy with, where this process may ask for
/// that: readings that take too long are not gone on with.
fn hurry(program: &mut Command) {
    // SAFETY: between fork and exec a system call is made, and nothing else.
    unsafe {
        program.pre_exec(|| {
            libc::setpriority(libc::PRIO_PROCESS, 0, -10);
            Ok(())
        });
    }
}

fn pictures() -> PathBuf {
    std::env::var_os("LORGNETTE_SCREENSHOTS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("window"), PathBuf::from)
}

fn ended(sessions: &Path) -> Vec<String> {
    let mut answers = Vec::new();
    for folder in std::fs::read_dir(sessions).into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read_to_string(folder.path().join("session.json")) else {
            continue;
        };
        let session: Value = serde_json::from_str(&text).unwrap();
        for exchange in session["exchanges"].as_array().unwrap() {
            if exchange["answer"]["finish"] == "end" {
                answers.push(exchange["answer"]["text"].as_str().unwrap().to_owned());
            }
        }
    }
    answers
}

pub fn test() -> Trial {
    let lacking = without(&["Xvfb", "xdotool", "import"]);
    needing(lacking, "real_window::a_sample_is_opened_asked_about_and_answered", sample)
}

fn sample() {
    let _turn = crate::turn();
    let mut desk = Desk::open(&[], (1180, 760));
    let samples = std::fs::read_dir(root().join("assets/samples")).unwrap();
    let is_picture = |file: PathBuf| file.extension().is_some_and(|ending| ending == "jpg");
    let tiles = samples.filter(|entry| is_picture(entry.as_ref().unwrap().path())).count();
    desk.until("the gallery", |_, state| state["tiles"] == tiles);
    desk.picture("first-start");
    desk.click(GALLERY_CAT);
    desk.until("the cat", |_, state| state["shown"] == "cat.jpg");
    desk.until("its name", |_, state| state["names"].as_u64() >= Some(1));
    assert_eq!(desk.ask("What is that?", false), ["An Egyptian cat."]);
    let picture = image::open(desk.picture("answer")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1180, 760));
    let colours: std::collections::HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 2000, "{} colours: nothing is drawn", colours.len());

    // What it names is tied to the picture at once, by where the label encoder sees it.
    let is_placed = |state: &Value| state["placed"].as_u64() >= Some(1);
    desk.until("a phrase with a place", |_, state| is_placed(state));
    // Maps are laid over the picture, and taken away again.
    desk.map("F2", Some("Label map"));
    desk.until_changed("label", &picture);
    desk.map("F2", Some("Word map"));
    desk.until("eleven readings of the answer", |_, state| state["read_back"] == 1);
    desk.picture("word");
    desk.map("F2", Some("Attention"));
    desk.until_changed("encoder", &picture);
    for map in ["Word map", "Label map"] {
        desk.map("shift+F2", Some(map));
    }
    desk.map("shift+F2", None);
    desk.point((640, 330));
    desk.picture("grounded");
    let state = desk.state();
    assert!(is_placed(&state), "no phrase is tied to the picture: {state}");

    // The eye is marked and asked about: follow-ups keep the picture.
    desk.drag((560, 250), (650, 330));
    desk.ask("And what is that?", false);
    desk.point((120, 400));
    desk.picture("region");

    // More frames, for what they cost while the engine computes.
    for question in ["Describe this", "What colour is it?", "Where is it?"] {
        desk.ask(question, true);
    }
    let frames = desk.close();
    println!("processor time of the window's thread for a frame: {frames}");
    assert!(frames["frames"].as_u64().unwrap() >= 5, "{frames}");
}

pub fn reading() -> Trial {
    let lacking = without(&["Xvfb", "xdotool", "import"]);
    needing(lacking, "real_window::what_a_sign_says_is_read_and_told", sign)
}

fn sign() {
    let _turn = crate::turn();
    let file = root().join("assets/samples/hotel-sign.jpg");
    let mut desk = Desk::open(&[&file], (1180, 760));
    desk.until("the text", |_, state| state["lines"] == 1);
    let answers = desk.ask("What is the name of that hotel?", false);
    assert!(answers.iter().any(|answer| answer.contains("\"HOTEL\"")), "{answers:?}");
    desk.picture("text");
    desk.close();
}

/// Where the gallery's second picture lies in a window of 1180 by 760 points.
const GALLERY_CAT: (u32, u32) = (491, 290);
