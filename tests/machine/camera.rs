//! The live camera against a real kernel: a virtual machine without acceleration boots Debian's
//! kernel, whose driver `vivid` is a camera like any other, and uses the program there. The camera
//! is unplugged and plugged in again, and a question is asked about a picture of it.
//!
//! Emulated, the shipped model needs nearly half an hour for its first word. So the program in the
//! machine asks a small model of the same kind, and outside it the shipped model is asked about a
//! picture that the machine's camera took. The test that is always ignored waits that half hour.

mod model;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;
use values::config::DEFAULT_MODEL;

use crate::lacking::{needing, without};

/// Longest life of the virtual machine, many times what it needs alone on two cores.
const PATIENCE: Duration = Duration::from_mins(5);

const CAMERA: &str = "vivid-000-vid-cap";

const NO_KERNEL: &str = "there is no kernel with the virtual camera vivid";

/// What each part of the machine's life printed, and the exit code it ended with.
type Parts = Vec<(String, String, Option<i32>)>;

pub fn tests() -> Vec<Trial> {
    let missing = without(&["qemu-system-x86_64", "busybox", "cpio"]);
    let missing = missing.or_else(|| kernel().is_none().then(|| NO_KERNEL.to_owned()));
    let test = |name: &str, test: fn()| needing(missing.clone(), &format!("camera::{name}"), test);
    vec![
        test("of_many_video_nodes_the_camera_is_listed", list),
        test("every_pixel_format_shows_the_same_moving_picture", formats),
        test("a_hundred_frames_come_at_the_cameras_rate", count),
        test("a_camera_that_is_unplugged_is_missed_and_comes_back", unplug),
        test("a_camera_that_is_used_or_forbidden_says_so", used),
        test("a_question_is_asked_about_what_the_camera_sees", ask),
        test("a_saved_picture_shows_the_cameras_colours_and_can_be_asked_about", save),
        test("the_shipped_model_is_asked_about_what_the_camera_sees", shipped)
            .with_kind("emulated, the shipped model takes half an hour")
            .with_ignored_flag(true),
    ]
}

/// One part of the machine's life, which all tests share.
fn part(name: &str) -> (&'static str, i32) {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    let whole_life = || {
        let small = tempfile::tempdir().unwrap();
        model::write(small.path());
        boot(small.path(), "", PATIENCE)
    };
    find(PARTS.get_or_init(whole_life), name)
}

fn find<'a>(parts: &'a Parts, name: &str) -> (&'a str, i32) {
    let part = parts.iter().find(|(other, ..)| other == name);
    let (_, text, code) = part.unwrap_or_else(|| panic!("no part {name} in {parts:#?}"));
    (text, code.unwrap_or_else(|| panic!("{name} did not end: {text}")))
}

/// The last line of a part, as JSON.
fn json(text: &str) -> Value {
    let line = text.lines().rfind(|line| line.starts_with(['{', '['])).expect("there is JSON");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A kernel image and its modules: what bootstrap.sh unpacked, or the system's own.
fn kernel() -> Option<(PathBuf, PathBuf)> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let unpacked = cache.unwrap_or_default().join("lorgnette-test-kernel");
    for root in [unpacked.as_path(), Path::new("/")] {
        let folders = ["lib/modules", "usr/lib/modules"].map(|folder| root.join(folder).read_dir());
        for entry in folders.into_iter().flatten().flatten().flatten() {
            let release = entry.file_name();
            let image = root.join("boot").join(format!("vmlinuz-{}", release.display()));
            let camera = entry.path().join("kernel/drivers/media/test-drivers/vivid");
            if std::fs::File::open(&image).is_ok() && camera.is_dir() {
                return Some((image, entry.path()));
            }
        }
    }
    None
}

/// Boots the machine with the model of a folder, and lets it live to its end. `only` names the one
/// part that it is to live through.
fn boot(model: &Path, only: &str, patience: Duration) -> Parts {
    let (image, modules) = kernel().expect(NO_KERNEL);
    let _turn = crate::turn();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files = folder.path().join("initramfs");
    let made = Command::new("sh")
        .arg(root.join("tests/machine/camera/initramfs.sh"))
        .args([&files, Path::new(env!("CARGO_BIN_EXE_lorgnette")), model, &modules])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let mut machine = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4096"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .args(["-append", &format!("console=ttyS0 quiet panic=-1 part={only}"), "-kernel"])
        .args([&image, Path::new("-initrd"), &files])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = machine.stdout.take().unwrap();
    let listener = std::thread::Builder::new()
        .spawn(move || {
            let mut text = Vec::new();
            output.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).replace('\r', "")
        })
        .unwrap();
    let begun = Instant::now();
    while machine.try_wait().unwrap().is_none() {
        if begun.elapsed() > patience {
            machine.kill().unwrap();
            machine.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = listener.join().unwrap();
    assert!(text.contains("\n== end"), "it did not come to its end:\n{text}");
    parts(&text)
}

/// Takes apart what `tests/machine/camera/init` printed.
fn parts(text: &str) -> Parts {
    let part = |part: &str| {
        let (name, rest) = part.split_once('\n').unwrap_or((part, ""));
        let (text, code) = rest.rsplit_once("exit: ").unwrap_or((rest, ""));
        let code = code.lines().next().and_then(|code| code.trim().parse().ok());
        (name.trim().to_owned(), text.to_owned(), code)
    };
    text.split("\n== ").skip(1).map(part).collect()
}

fn list() {
    let (text, code) = part("list");
    assert_eq!(code, 0);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(&*format!("0   {CAMERA}")));
    let formats: Vec<_> = lines.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(formats, ["YUYV", "NV12", "RGB", "BGR"]);
    let (nodes, _) = part("nodes");
    assert!(nodes.trim().parse::<u32>().unwrap() > 1, "there are others: {nodes}");
    let (text, _) = part("list-json");
    let cameras = json(text);
    assert_eq!(cameras.as_array().unwrap().len(), 1);
    assert_eq!(cameras[0]["name"], CAMERA);
    assert!(cameras[0]["modes"].as_array().unwrap().len() > 20);
}

fn formats() {
    let mut brightness = Vec::new();
    for format in ["YUYV", "NV12", "RGB", "BGR"] {
        let (text, code) = part(format);
        assert_eq!(code, 0, "{text}");
        let found = json(text);
        assert_eq!(found["format"], format);
        assert_eq!((&found["width"], &found["height"]), (&640.into(), &360.into()));
        assert_eq!((&found["frames"], &found["different"]), (&10.into(), &9.into()));
        brightness.push(found["brightness"].as_f64().unwrap());
    }
    let least = brightness.iter().copied().fold(f64::MAX, f64::min);
    let most = brightness.iter().copied().fold(0.0, f64::max);
    assert!(least > 40.0 && most - least < 4.0, "{brightness:?}");
    let (text, code) = part("none");
    assert_eq!(code, 3);
    assert!(text.contains("it offers no MJPEG"), "{text}");
}

fn count() {
    let (text, code) = part("count");
    assert_eq!(code, 0, "{text}");
    let found = json(text);
    assert_eq!((&found["frames"], &found["width"]), (&100.into(), &320.into()));
    assert!(found["different"].as_u64().unwrap() >= 95, "{text}");
    // The machine that emulates may be slow; a camera faster than it says would be a fault here.
    let (rate, told) = (found["measured_fps"].as_f64().unwrap(), found["fps"].as_f64().unwrap());
    assert!(rate > told / 10.0 && rate < told * 1.5, "{rate} of {told}");
}

fn unplug() {
    let (text, code) = part("unplug");
    assert_eq!(code, 0, "{text}");
    let states: Vec<_> =
        text.lines().filter_map(|line| line.split_once("s] ")?.1.split(':').next()).collect();
    assert_eq!(states, ["starting", "live", "lost", "starting", "live"], "{text}");
    assert!(text.contains("150 frames of 320×180"), "{text}");
    let (text, code) = part("unplugged");
    assert_eq!(code, 3);
    assert!(text.contains("no camera is connected"), "{text}");
}

fn used() {
    let (text, code) = part("busy");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&format!("{CAMERA} is used by another program")), "{text}");
    let (text, code) = part("denied");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&format!("may not use {CAMERA}: add yourself")), "{text}");
    let (text, code) = part("denied-list");
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with(&format!("0   {CAMERA}\n")) && text.contains("may not use"), "{text}");
}

/// The answer that `ask --json` printed, after a look at it.
fn answer(text: &str) -> Value {
    let answer = json(text);
    assert_eq!(answer["question"], "What is that?");
    let tokens = answer["tokens"].as_array().unwrap();
    assert!(!tokens.is_empty() && tokens.len() <= 4, "{text}");
    answer
}

fn ask() {
    let (text, code) = part("ask");
    assert_eq!(code, 0, "{text}");
    let answer = answer(text);
    assert_eq!(answer["pictures"][0]["file"], CAMERA);
    let (text, code) = part("wrong");
    assert_eq!(code, 3);
    assert!(text.contains("there is no camera 7"), "{text}");
}

fn save() {
    let (text, code) = part("save");
    assert_eq!(code, 0, "{text}");
    let (text, code) = part("picture");
    assert_eq!(code, 0, "{text}");
    let folder = tempfile::tempdir().unwrap();
    let [coded, picture] = ["coded", "picture.png"].map(|name| folder.path().join(name));
    std::fs::write(&coded, text).unwrap();
    let decoded = Command::new("busybox").args(["base64", "-d"]).arg(&coded).output().unwrap();
    assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
    std::fs::write(&picture, decoded.stdout).unwrap();

    let pixels = capture::load(&picture).unwrap().pixels;
    assert_eq!(pixels.dimensions(), (640, 360));
    // The driver draws eight bars, at three quarters of full colour but for the first.
    let bars = [0b111, 0b110, 0b011, 0b010, 0b101, 0b100, 0b001, 0b000];
    for (bar, colours) in (0..).zip(bars) {
        let pixel = pixels.get_pixel(bar * 80 + 40, 340).0;
        for (channel, sample) in pixel.into_iter().enumerate() {
            let lit = colours & (0b100 >> channel) != 0;
            assert!(if lit { sample > 150 } else { sample < 50 }, "bar {bar}: {pixel:?}");
        }
    }

    let _turn = crate::turn();
    let asked = Command::new(env!("CARGO_BIN_EXE_lorgnette"))
        .args(["ask", "--json", "--max-tokens", "4"])
        .args([picture.as_os_str(), "What is that?".as_ref()])
        .env("LORGNETTE_MODELS_DIR", crate::support::root().join("models"))
        .env("LORGNETTE_CACHE_DIR", crate::support::cache())
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let answer = answer(&String::from_utf8_lossy(&asked.stdout));
    assert!(!answer["text"].as_str().unwrap().trim().is_empty(), "{answer}");
}

fn shipped() {
    let parts = boot(&crate::support::shipped(DEFAULT_MODEL), "ask", Duration::from_hours(2));
    let (text, code) = find(&parts, "ask");
    assert_eq!(code, 0, "{text}");
    let answer = answer(text);
    assert_eq!(answer["pictures"][0]["file"], CAMERA);
    assert!(!answer["text"].as_str().unwrap().trim().is_empty(), "{text}");
    println!("{answer}");
}
