//! What the integration tests share: the shipped model, an engine, and asking it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use lorgnette::config::Folders;
use lorgnette::engine::{
    Answer, DeviceChoice, Engine, EngineError, EngineEvent, LoadRequest, ModelInfo, Picture,
    Question, RequestId, Token, Weights,
};
use lorgnette::model_store::{DEFAULT_MODEL, ModelFolder, locate};

/// Longest wait for one event; a stuck engine fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_mins(2);

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cache that all tests share, so that the model is unpacked once.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

pub fn folders() -> Folders {
    Folders {
        cache: cache(),
        data: Path::new(env!("CARGO_TARGET_TMPDIR")).join("data"),
        models: root().join("models"),
        samples: root().join("assets/samples"),
    }
}

pub fn sample(name: &str) -> PathBuf {
    root().join("assets/samples").join(name)
}

/// The picture of a file, whole.
pub fn picture(file: &Path) -> Picture {
    Picture { frame: lorgnette::capture::load(file).unwrap(), region: None }
}

pub fn request(model: ModelFolder, weights: Weights) -> LoadRequest {
    LoadRequest { model, folders: folders(), weights, device: DeviceChoice::Cpu }
}

/// An engine that is listened to.
pub struct Listener {
    pub engine: Engine,
}

impl Listener {
    pub fn start() -> Self {
        Self { engine: Engine::start(|| ()).unwrap() }
    }

    /// An engine with the shipped model loaded.
    pub fn with_default(weights: Weights) -> Self {
        let listener = Self::start();
        listener.load_default(weights).unwrap();
        listener
    }

    pub fn load_default(&self, weights: Weights) -> Result<ModelInfo, EngineError> {
        self.load(locate(&folders(), DEFAULT_MODEL).unwrap(), weights)
    }

    pub fn load(&self, model: ModelFolder, weights: Weights) -> Result<ModelInfo, EngineError> {
        let load = self.engine.load(request(model, weights)).unwrap();
        loop {
            match self.next() {
                EngineEvent::Ready(id, info) if id == load => return Ok(info),
                EngineEvent::Failed(id, error) if id == load => return Err(error),
                _ => {}
            }
        }
    }

    pub fn next(&self) -> EngineEvent {
        self.engine.wait_event(PATIENCE).unwrap().expect("the engine says something")
    }

    /// Asks and waits for the end, checking that the tokens that came are the answer's.
    pub fn ask(&self, question: Question) -> Result<Answer, EngineError> {
        let asked = self.engine.ask(question).unwrap();
        self.answer(asked).map(|(answer, _)| answer)
    }

    /// The answer to `asked` and the tokens as they came, before any were cut off.
    pub fn answer(&self, asked: RequestId) -> Result<(Answer, Vec<Token>), EngineError> {
        let mut tokens = Vec::new();
        loop {
            match self.next() {
                EngineEvent::Token(id, token) if id == asked => tokens.push(token),
                EngineEvent::Done(id, answer) if id == asked => {
                    assert!(tokens.starts_with(&answer.tokens));
                    return Ok((*answer, tokens));
                }
                EngineEvent::Failed(id, error) if id == asked => return Err(error),
                _ => {}
            }
        }
    }

    /// Asks "What is that?" about a sample picture.
    pub fn what_is(&self, name: &str) -> String {
        self.ask(Question::new(vec![picture(&sample(name))], "What is that?")).unwrap().text
    }
}

/// Has `command` killed at its first attempt to open an `AF_INET` or `AF_INET6` socket.
#[cfg(target_os = "linux")]
pub fn forbid_internet(command: &mut std::process::Command) {
    use std::collections::BTreeMap;
    use std::os::unix::process::CommandExt;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    let families = [libc::AF_INET, libc::AF_INET6].map(|family| {
        let is_family = SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            u64::from(family.unsigned_abs()),
        );
        SeccompRule::new(vec![is_family.unwrap()]).unwrap()
    });
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_socket, families.to_vec())]),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    // SAFETY: between fork and exec only the filter is set, by system calls alone.
    unsafe {
        command.pre_exec(move || {
            seccompiler::apply_filter(&program)
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::Unsupported))
        });
    }
}
