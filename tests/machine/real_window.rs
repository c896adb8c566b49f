//! The real window with the real engine and the shipped model, under a virtual display: a sample is
//! opened, a question typed, its answer read from the history. All of it under a filter that ends
//! the program at its first internet socket.
//!
//! With `LORGNETTE_SCREENSHOTS` set to a folder, pictures of the window are left there.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::lacking::{needing, without};
use crate::support::{cache, forbid_internet};

/// Longest wait for one thing; the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(2);

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
            .env("LORGNETTE_FRAMES", home.path().join("frames.json"));
        forbid_internet(&mut program);
        let program = Kept(program.spawn().unwrap());
        let desk = Self { program, display, home, _server: Kept(server) };
        desk.settle(&width.to_string(), &height.to_string());
        desk
    }

    /// Without a window manager nothing gives a window its place, size and focus, and what is done
    /// while it is still being made is lost.
    fn settle(&self, width: &str, height: &str) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "no window came up");
            std::thread::sleep(Duration::from_millis(500));
            let found = self.tool(&["search", "--onlyvisible", "--name", "Lorgnette"]);
            let Some(window) = found.lines().next() else { continue };
            self.tool(&["windowmove", window, "0", "0"]);
            self.tool(&["windowsize", window, width, height]);
            self.tool(&["windowfocus", window]);
            std::thread::sleep(Duration::from_millis(500));
            let geometry = self.tool(&["getwindowgeometry", "--shell", window]);
            let has = |line: &str| geometry.lines().any(|known| known == line);
            let placed = has("X=0") && has("Y=0") && has(&format!("WIDTH={width}"));
            if placed && self.tool(&["getwindowfocus"]).trim() == window {
                return;
            }
        }
    }

    fn tool(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn click(&self, x: u32, y: u32) {
        self.tool(&["mousemove", &x.to_string(), &y.to_string()]);
        // Between the two a frame must see the pointer.
        std::thread::sleep(Duration::from_millis(300));
        self.tool(&["click", "1"]);
    }

    fn drag(&self, from: (u32, u32), to: (u32, u32)) {
        let steps = 6;
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            self.tool(&["mousemove", &x.to_string(), &y.to_string()]);
            std::thread::sleep(Duration::from_millis(150));
            if step == 0 {
                self.tool(&["mousedown", "1"]);
            }
        }
        self.tool(&["mouseup", "1"]);
        std::thread::sleep(Duration::from_millis(300));
    }

    fn type_line(&self, text: &str) {
        self.tool(&["type", "--delay", "30", text]);
        std::thread::sleep(Duration::from_millis(300));
        self.tool(&["key", "Return"]);
    }

    /// The answers in the history, once there are so many that have ended. Meanwhile the pointer may
    /// move, so that the window draws.
    fn answers(&mut self, count: usize, moving: bool) -> Vec<String> {
        let begun = Instant::now();
        let mut x = 400;
        loop {
            let answers = ended(&self.home.path().join("data/sessions"));
            if answers.len() >= count {
                return answers;
            }
            if let Some(status) = self.program.0.try_wait().unwrap() {
                panic!("the program ended: {status}, signal {:?}", status.signal());
            }
            if begun.elapsed() > PATIENCE {
                self.picture("stuck");
                panic!("no answer came; see {}", pictures().join("stuck.png").display());
            }
            x = if x > 700 { 400 } else { x + 7 };
            if moving {
                self.tool(&["mousemove", &x.to_string(), "300"]);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A picture of the whole display.
    fn picture(&self, name: &str) -> PathBuf {
        std::fs::create_dir_all(pictures()).unwrap();
        let file = pictures().join(format!("{name}.png"));
        let mut import = Command::new("import");
        import.args(["-window", "root"]).arg(&file).env("DISPLAY", &self.display);
        assert!(import.status().unwrap().success());
        file
    }

    /// Waits until a good part of the display looks otherwise than before.
    fn until_changed(&self, name: &str, before: &image::RgbImage) {
        let begun = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = image::open(self.picture(name)).unwrap().into_rgb8();
            let differ = now.pixels().zip(before.pixels()).filter(|(a, b)| a != b).count();
            // The picture moves to make room at once; the map over it colours what it covers.
            let green = |p: &image::Rgb<u8>| p.0[1] > p.0[0].saturating_add(30) && p.0[1] > 90;
            let coloured = now.pixels().filter(|pixel| green(pixel)).count();
            if differ > 50_000 && coloured > 300 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{name}: {differ} differ, {coloured} coloured");
        }
    }

    /// Asks the program to end, as a desktop does, and gives what its frames took.
    fn close(mut self) -> serde_json::Value {
        let id = i32::try_from(self.program.0.id()).unwrap();
        // SAFETY: the process is a child of this one that has not been waited for.
        unsafe { libc::kill(id, libc::SIGTERM) };
        let begun = Instant::now();
        while self.program.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        let status = self.program.0.wait().unwrap();
        assert!(status.success(), "{status}");
        let frames = std::fs::read_to_string(self.home.path().join("frames.json")).unwrap();
        serde_json::from_str(&frames).unwrap()
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
        let session: serde_json::Value = serde_json::from_str(&text).unwrap();
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
    // The pictures of the gallery come within moments; the second is the cat.
    std::thread::sleep(Duration::from_secs(4));
    desk.picture("first-start");
    desk.click(GALLERY_CAT.0, GALLERY_CAT.1);
    std::thread::sleep(Duration::from_secs(1));
    desk.type_line("What is that?");
    assert_eq!(desk.answers(1, false), ["A cat."]);
    std::thread::sleep(Duration::from_millis(700));
    let picture = image::open(desk.picture("answer")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1180, 760));
    let colours: std::collections::HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 2000, "{} colours: nothing is drawn", colours.len());

    // The encoder's attention is laid over the picture, and taken away again.
    desk.tool(&["key", "F2"]);
    desk.until_changed("encoder", &picture);
    desk.tool(&["key", "F2"]);
    // Eleven readings of the answer: then its phrase is tied to the picture.
    std::thread::sleep(Duration::from_secs(20));
    desk.picture("word");
    desk.tool(&["key", "--delay", "200", "shift+F2", "shift+F2"]);
    desk.tool(&["mousemove", "640", "330"]);
    std::thread::sleep(Duration::from_millis(700));
    desk.picture("grounded");

    // The eye is marked and asked about: follow-ups keep the picture.
    desk.drag((560, 250), (650, 330));
    desk.type_line("And what is that?");
    desk.answers(2, false);
    desk.tool(&["mousemove", "120", "400"]);
    std::thread::sleep(Duration::from_millis(700));
    desk.picture("region");

    // More frames, for what they cost while the engine computes.
    for question in ["Describe this", "What colour is it?", "Where is it?"] {
        let so_far = ended(&desk.home.path().join("data/sessions")).len();
        desk.type_line(question);
        desk.answers(so_far + 1, true);
    }
    let frames = desk.close();
    println!("processor time of the window's thread for a frame during an answer: {frames}");
    assert!(frames["frames"].as_u64().unwrap() >= 5, "{frames}");
}

/// Where the gallery's second picture lies in a window of 1180 by 760 points.
const GALLERY_CAT: (u32, u32) = (491, 290);
