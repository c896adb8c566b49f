//! Tiny checkpoints of other families, beside the repository in `../shared/seats`, against what
//! `transformers` says with them: two questions about one picture, or a refusal in words.

use std::collections::BTreeMap;
use std::path::PathBuf;

use conversation::{Role, Turn};
use engine::Question;
use model_store::locate;
use serde::Deserialize;
use values::config::Precision;

use crate::listener::Listener;
use crate::support::{folders, picture, root};

/// The families that answer rightly, and what of their goldens was made with the one picture that they
/// are shown here.
const RIGHT: [(&str, &str); 7] = [
    ("idefics3", "fit.png squashed"),
    ("smolvlm2", "fit.png squashed"),
    ("idefics2", "fit.png untiled"),
    ("qwen3vl", "fit.png"),
    ("gemma3", "fit.png"),
    ("gemma4", "fit.png"),
    ("mistral3", "fit.png"),
];
/// Those that do not in this engine.
const WRONG: [&str; 6] = ["qwen2vl", "qwen2_5vl", "qwen3_5", "mllama", "llava", "llava_next"];
/// How far ln p may be from the reference's: Idefics2's is furthest, by 0.035.
const NEAR: f32 = 0.05;

#[derive(Deserialize)]
struct Golden {
    cases: BTreeMap<String, Option<Case>>,
}

#[derive(Deserialize)]
struct Case {
    answer_tokens: Vec<u32>,
    answer: String,
    logprobs: Vec<f32>,
}

/// The folder of the seats, where it is there.
fn seats() -> Option<PathBuf> {
    let folder = root().join("../shared/seats");
    let is = folder.is_dir();
    if !is {
        eprintln!("skipped, because ../shared/seats is not there");
    }
    is.then_some(folder)
}

#[test]
fn families_answer_as_transformers_does_or_not_at_all() {
    let Some(seats) = seats() else { return };
    for (family, case) in RIGHT {
        let folder = seats.join(family);
        let text = std::fs::read(folder.join("golden.json")).unwrap();
        let golden: Golden = serde_json::from_slice(&text).unwrap();
        let wanted = |name: &str| golden.cases[name].as_ref().unwrap();
        let listener = Listener::with(folder.to_str().unwrap(), Precision::F32);
        let shown = picture(&folder.join("fit.png"));
        let said = |role, text: &str| {
            let (pictures, seen) = (Vec::new(), Vec::new());
            Turn { role, text: text.to_owned(), pictures, seen }
        };
        let mut question = Question::new(std::slice::from_ref(&shown), "What is that?");
        question.options.max_tokens = 12;
        for name in [case.to_owned(), format!("{case}, second turn")] {
            let Case { answer_tokens, answer, logprobs } = wanted(&name);
            let ours = listener.ask(question.clone()).unwrap();
            let ids: Vec<u32> = ours.tokens.iter().map(|token| token.id).collect();
            assert_eq!(ids, *answer_tokens, "{family}, {name}");
            let apart = ours.tokens.iter().zip(logprobs);
            let apart = apart.map(|(token, wanted)| (token.logprob - wanted).abs());
            let apart = apart.fold(0.0, f32::max);
            eprintln!("{family}, {name}: ln p {apart} apart");
            assert!(apart < NEAR, "{family}, {name}: {apart}");
            question.turns.push(said(Role::Assistant, answer.trim()));
            question.turns.push(said(Role::User, "What colour is it?"));
        }
    }
    for family in WRONG {
        let model = locate(&folders(), seats.join(family).to_str().unwrap()).unwrap();
        let error = Listener::start().load(model, Precision::F32).unwrap_err().to_string();
        assert!(error.contains("in this engine: choose another model"), "{family}: {error}");
    }
}
