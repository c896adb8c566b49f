//! `session.json` as the first released form of it was written (`tests/reference/README.md`): read,
//! and written again to the same bytes.

use super::*;
use crate::disk::{decode, encode};

const FINISHES: [Finish; 6] = [
    Finish::End,
    Finish::Length,
    Finish::Repetition,
    Finish::Stopped,
    Finish::Interrupted,
    Finish::Failed,
];

/// What the golden files say.
fn golden() -> Session {
    let region = Region::new(0.1, 1.0 / 3.0, 0.7, 0.123_456_79).unwrap();
    let pictures = [
        Picture {
            file: "pictures/0001.png".into(),
            name: "Kätzchen 🐈.jpg".into(),
            width: 640,
            height: 480,
            region: None,
            sha256: "ab".repeat(32),
            evidence: <_>::default(),
        },
        Picture {
            file: "pictures/0002.png".into(),
            name: "camera:0".into(),
            width: 1,
            height: 10_000,
            region: Some(region),
            sha256: "01".repeat(32),
            evidence: <_>::default(),
        },
    ];
    // Ordinary ones, none, and the ends of what there is.
    let logprobs =
        [-0.062_5, f32::from_bits(0xbdcc_cccd), f32::NEG_INFINITY, 0.0, -1e-30, -103.278_93];
    let exchanges = FINISHES.into_iter().zip(1..).map(|(finish, id)| {
        let tokens = logprobs.into_iter().zip(330..).map(|(logprob, id)| Token {
            id,
            text: if id == 331 { String::new() } else { format!(" \"{id}\"\n") },
            logprob,
        });
        Exchange {
            id: id * 3,
            asked: 1_769_903_999_500 + u64::from(id),
            pictures: pictures[..id as usize % 3].to_vec(),
            question: format!("Was ist das?\t„{id}“"),
            options: Options {
                max_tokens: 256,
                temperature: if id == 2 { 0.7 } else { 0.0 },
                seed: u64::from(id) << 50,
            },
            model: (id != 3).then(|| ModelInfo { device: "CUDA".into(), ..model() }),
            answer: Answer {
                text: "**Eine** Katze.".into(),
                tokens: tokens.take(id as usize).collect(),
                finish,
                error: (finish == Finish::Failed).then(|| "the engine \\ crashed".into()),
                timings: Timings { prepare: 0.004, prefill: 1.234_567, decode: 0.0 },
                prompt_tokens: 90,
                dropped_turns: 2,
            },
            alone: false,
        }
    });
    Session {
        id: SessionId::parse("20260131-235959-000-0123abcd").unwrap(),
        title: "Was ist das? Eine Katze.".into(),
        renamed: true,
        created: 1_769_903_999_000,
        updated: 1_769_904_000_250,
        exchanges: exchanges.collect(),
    }
}

#[test]
fn what_was_written_before_is_read_and_written_to_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/session");
    for (name, pretty) in [("session.json", false), ("exported.json", true)] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let session = decode(Path::new(name), &bytes).unwrap();
        assert_eq!(session, golden(), "{name}");
        assert!(encode(&session, pretty).unwrap() == bytes, "{name}");
    }
}

#[test]
fn a_journal_of_before_is_taken_up() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/session");
    let exchanges = journal::read(&folder).unwrap();
    let mut wanted = golden().exchanges.remove(1);
    (wanted.answer.finish, wanted.answer.text) = (Finish::Pending, String::new());
    for token in &wanted.answer.tokens {
        wanted.answer.text.push_str(&token.text);
    }
    assert_eq!(exchanges, [wanted]);
}
