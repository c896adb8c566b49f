//! The live camera against a real kernel: a virtual machine without acceleration boots Debian's
//! kernel, whose driver `vivid` is a camera like any other, and uses the program there. The camera
//! is unplugged and plugged in again, and a question is asked about a picture of it.
//!
//! Skipped, saying so, where the machine lacks what `packaging/bootstrap.sh test` installs for it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest life of the virtual machine. Alone on two cores it takes a third of it.
const PATIENCE: Duration = Duration::from_mins(8);

const CAMERA: &str = "vivid-000-vid-cap";

/// What each part of the machine's life printed, and the exit code it ended with.
type Parts = Vec<(String, String, Option<i32>)>;

/// One part of the machine's life, which all tests share; `None` where it cannot live here.
fn part(name: &str) -> Option<(&'static str, i32)> {
    static PARTS: OnceLock<Result<Parts, String>> = OnceLock::new();
    match PARTS.get_or_init(boot) {
        Ok(parts) => {
            let part = parts.iter().find(|(other, ..)| other == name);
            let (_, text, code) = part.unwrap_or_else(|| panic!("no part {name} in {parts:#?}"));
            Some((text, code.unwrap_or_else(|| panic!("{name} did not end: {text}"))))
        }
        Err(reason) => {
            // Not through the macros: what they print is hidden of a test that passes.
            // Past what the test harness keeps to itself.
            let mut terminal = std::io::stderr();
            writeln!(terminal, "skipped: {reason}").unwrap();
            None
        }
    }
}

/// The last line of a part, as JSON.
fn json(text: &str) -> Value {
    let line = text.lines().rfind(|line| line.starts_with(['{', '['])).expect("there is JSON");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A kernel image and its modules: what bootstrap.sh unpacked, or the system's own.
fn kernel() -> Result<(PathBuf, PathBuf), String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let unpacked = cache.unwrap_or_default().join("lorgnette-test-kernel");
    for root in [unpacked.as_path(), Path::new("/")] {
        for entry in root.join("lib/modules").read_dir().into_iter().flatten().flatten() {
            let release = entry.file_name();
            let image = root.join("boot").join(format!("vmlinuz-{}", release.display()));
            let camera = entry.path().join("kernel/drivers/media/test-drivers/vivid");
            if std::fs::File::open(&image).is_ok() && camera.is_dir() {
                return Ok((image, entry.path()));
            }
        }
    }
    Err("there is no kernel with the virtual camera vivid; packaging/bootstrap.sh test fetches \
         Debian's"
        .to_owned())
}

/// Whether a program is there, and not only starts.
fn have(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Boots the machine and lets it live to its end.
fn boot() -> Result<Parts, String> {
    for program in ["qemu-system-x86_64", "busybox", "cpio"] {
        if !have(program) {
            return Err(format!("{program} is missing; packaging/bootstrap.sh test installs it"));
        }
    }
    let (image, modules) = kernel()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files = folder.path().join("initramfs");
    let made = Command::new("sh")
        .arg(root.join("tests/camera/initramfs.sh"))
        .args([&files, Path::new(env!("CARGO_BIN_EXE_lorgnette")), &root.join("models"), &modules])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let mut machine = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4096"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .args(["-append", "console=ttyS0 quiet panic=-1", "-kernel"])
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
        if begun.elapsed() > PATIENCE {
            machine.kill().unwrap();
            machine.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = listener.join().unwrap();
    assert!(text.contains("\n== end"), "it did not come to its end:\n{text}");
    Ok(parts(&text))
}

/// Takes apart what `tests/camera/init` printed.
fn parts(text: &str) -> Parts {
    let part = |part: &str| {
        let (name, rest) = part.split_once('\n').unwrap_or((part, ""));
        let (text, code) = rest.rsplit_once("exit: ").unwrap_or((rest, ""));
        let code = code.lines().next().and_then(|code| code.trim().parse().ok());
        (name.trim().to_owned(), text.to_owned(), code)
    };
    text.split("\n== ").skip(1).map(part).collect()
}

#[test]
fn of_many_video_nodes_the_camera_is_listed() {
    let Some((text, code)) = part("list") else { return };
    assert_eq!(code, 0);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(&*format!("0   {CAMERA}")));
    let formats: Vec<_> = lines.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(formats, ["YUYV", "NV12", "RGB", "BGR"]);
    let (nodes, _) = part("nodes").unwrap();
    assert!(nodes.trim().parse::<u32>().unwrap() > 1, "there are others: {nodes}");
    let (text, _) = part("list-json").unwrap();
    let cameras = json(text);
    assert_eq!(cameras.as_array().unwrap().len(), 1);
    assert_eq!(cameras[0]["name"], CAMERA);
    assert!(cameras[0]["modes"].as_array().unwrap().len() > 20);
}

#[test]
fn every_pixel_format_shows_the_same_moving_picture() {
    let mut brightness = Vec::new();
    for format in ["YUYV", "NV12", "RGB", "BGR"] {
        let Some((text, code)) = part(format) else { return };
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
    let (text, code) = part("none").unwrap();
    assert_eq!(code, 3);
    assert!(text.contains("it offers no MJPEG"), "{text}");
}

#[test]
fn a_hundred_frames_come_at_the_cameras_rate() {
    let Some((text, code)) = part("count") else { return };
    assert_eq!(code, 0, "{text}");
    let found = json(text);
    assert_eq!((&found["frames"], &found["width"]), (&100.into(), &320.into()));
    assert!(found["different"].as_u64().unwrap() >= 95, "{text}");
    // The machine that emulates may be slow; a camera faster than it says would be a fault here.
    let (rate, told) = (found["measured_fps"].as_f64().unwrap(), found["fps"].as_f64().unwrap());
    assert!(rate > told / 10.0 && rate < told * 1.5, "{rate} of {told}");
}

#[test]
fn a_camera_that_is_unplugged_is_missed_and_comes_back() {
    let Some((text, code)) = part("unplug") else { return };
    assert_eq!(code, 0, "{text}");
    let states: Vec<_> =
        text.lines().filter_map(|line| line.split_once("s] ")?.1.split(':').next()).collect();
    assert_eq!(states, ["starting", "live", "lost", "starting", "live"], "{text}");
    assert!(text.contains("150 frames of 320×180"), "{text}");
    let (text, code) = part("unplugged").unwrap();
    assert_eq!(code, 3);
    assert!(text.contains("no camera is connected"), "{text}");
}

#[test]
fn a_camera_that_is_used_or_forbidden_says_so() {
    let Some((text, code)) = part("busy") else { return };
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&format!("{CAMERA} is used by another program")), "{text}");
    let (text, code) = part("denied").unwrap();
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&format!("may not use {CAMERA}: add yourself")), "{text}");
    let (text, code) = part("denied-list").unwrap();
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with(&format!("0   {CAMERA}\n")) && text.contains("may not use"), "{text}");
}

#[test]
fn a_question_is_asked_about_what_the_camera_sees() {
    let Some((text, code)) = part("ask") else { return };
    assert_eq!(code, 0, "{text}");
    let answer = json(text);
    assert_eq!(answer["pictures"][0]["file"], CAMERA);
    assert_eq!(answer["question"], "What is that?");
    let tokens = answer["tokens"].as_array().unwrap();
    assert!(!tokens.is_empty() && tokens.len() <= 4, "{text}");
    assert!(!answer["text"].as_str().unwrap().trim().is_empty(), "{text}");
    let (text, code) = part("wrong").unwrap();
    assert_eq!(code, 3);
    assert!(text.contains("there is no camera 7"), "{text}");
}
