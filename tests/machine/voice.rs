//! The voice with a program of the system's.

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use speech::{SystemVoice, Voice};

use crate::lacking::{needing, program, without};

pub fn test() -> Trial {
    needing(without(&["espeak-ng"]), "voice::espeak_takes_what_it_is_given", || {
        // The sound goes to a file, which takes no sound card and no listener.
        let folder = tempfile::tempdir().unwrap();
        let (stand_in, sound) = (folder.path().join("espeak-ng"), folder.path().join("sound.wav"));
        let real = program("espeak-ng").unwrap();
        // Written by another process: what is open for writing in one that is started beside this
        // cannot be run.
        let write = "printf '#!/bin/sh\\nexec %s -w %s \"$@\"\\n' \"$1\" \"$2\" > \"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", write]).args([&stand_in, &real, &sound]);
        assert!(shell.status().unwrap().success());

        let mut voice = SystemVoice::find_in(folder.path().as_os_str());
        voice.say("What is that? That is a cat, and [[this]] is not a phoneme.").unwrap();
        let begun = Instant::now();
        while voice.speaking() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(voice.trouble(), None);
        let sound = std::fs::read(sound).unwrap();
        assert!(sound.starts_with(b"RIFF") && sound.len() > 20_000, "{} bytes", sound.len());
    })
}
