//! Maps of the encoders, computed on a thread of their own: neither the window nor the answer waits
//! for them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use encoder::{DualEncoder, EncoderMaps, Encoders, Found, VisionEncoder};
use values::job::Slot;
use values::panics;
use values::picture::{About, Look};

/// Pictures whose maps are kept.
const KEPT: usize = 8;
/// What may wait to be taken.
const NEWS: usize = 16;

/// What came of a wish.
#[derive(Debug, Clone)]
pub enum MapNews {
    /// The attention of the answering model's encoder.
    Attention(About, Result<Arc<EncoderMaps>, String>),
    /// Where the dual encoder finds this phrase.
    Phrase(About, String, Result<Found, String>),
    /// Zero-shot labels, each with its share.
    Labels(Result<Vec<(String, f32)>, String>),
    /// The dual encoder that was chosen: its name.
    Dual(Result<String, String>),
}

/// What is wanted; of each kind only the newest counts.
#[derive(Clone, Default)]
struct Wishes {
    model: Slot<PathBuf>,
    dual: Slot<(u64, Option<PathBuf>)>,
    attention: Slot<(u64, Look)>,
    phrase: Slot<(u64, Look, String)>,
    labels: Slot<(u64, Look, Vec<String>)>,
}

/// The thread. Dropping it ends the thread after what it is doing.
pub struct Explainer {
    wishes: Wishes,
    bell: SyncSender<()>,
    news: Receiver<(u64, MapNews)>,
    /// Counts the models that were chosen: what belongs to another than the last is out of date.
    models: Cell<u64>,
    /// The same of dual encoders.
    duals: Cell<u64>,
}

impl Explainer {
    /// Starts the thread, which runs `encoders`; `wake` is called on it after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(encoders: Encoders, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (bell, rings) = sync_channel(1);
        let (outbox, news) = sync_channel(NEWS);
        let wishes = Wishes::default();
        let own = wishes.clone();
        let work = move || {
            let tell = move |of, news| {
                let told = outbox.send((of, news)).is_ok();
                wake();
                told
            };
            let mut worker = Worker::new(encoders);
            while rings.recv().is_ok() {
                if !worker.work(&own, &tell) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("lorgnette-maps".into()).spawn(work)?;
        Ok(Self { wishes, bell, news, models: Cell::new(0), duals: Cell::new(0) })
    }

    /// The answering model was loaded from `folder`.
    pub fn model(&self, folder: PathBuf) {
        self.models.set(self.models.get() + 1);
        self.wishes.model.put(folder);
        self.ring();
    }

    /// The dual encoder lies in `folder`, or there is none.
    pub fn dual(&self, folder: Option<PathBuf>) {
        self.duals.set(self.duals.get() + 1);
        self.wishes.dual.put((self.duals.get(), folder));
        self.ring();
    }

    /// Wants the attention of the answering model's encoder on `picture`.
    pub fn attention(&self, picture: Look) {
        self.wishes.attention.put((self.models.get(), picture));
        self.ring();
    }

    /// Wants to know where the dual encoder finds `phrase`.
    pub fn phrase(&self, picture: Look, phrase: String) {
        self.wishes.phrase.put((self.duals.get(), picture, phrase));
        self.ring();
    }

    /// Wants to know how the dual encoder shares `picture` out among `words`.
    pub fn labels(&self, picture: Look, words: Vec<String>) {
        self.wishes.labels.put((self.duals.get(), picture, words));
        self.ring();
    }

    /// The next piece of news, without waiting.
    pub fn news(&self) -> Option<MapNews> {
        loop {
            let (of, news) = self.news.try_recv().ok()?;
            let last = match news {
                MapNews::Attention(..) => self.models.get(),
                MapNews::Phrase(..) | MapNews::Labels(..) | MapNews::Dual(_) => self.duals.get(),
            };
            if of == last {
                return Some(news);
            }
        }
    }

    fn ring(&self) {
        // A full bell has been rung already; a closed one belongs to a thread that ended.
        if let Err(TrySendError::Disconnected(())) = self.bell.try_send(()) {
            tracing::error!("the thread of the maps is gone");
        }
    }
}

/// What the thread keeps.
struct Worker {
    encoders: Encoders,
    folder: Option<PathBuf>,
    vision: Option<Box<dyn VisionEncoder>>,
    dual: Option<Box<dyn DualEncoder>>,
    kept: VecDeque<(About, Arc<EncoderMaps>)>,
}

impl Worker {
    fn new(encoders: Encoders) -> Self {
        Self { encoders, folder: None, vision: None, dual: None, kept: VecDeque::new() }
    }

    /// Does what is wanted; `false` once nobody listens.
    fn work(&mut self, wishes: &Wishes, tell: &dyn Fn(u64, MapNews) -> bool) -> bool {
        if let Some(folder) = wishes.model.take()
            && self.folder.as_ref() != Some(&folder)
        {
            (self.folder, self.vision) = (Some(folder), None);
            self.kept.clear();
        }
        let mut listened = true;
        if let Some((of, folder)) = wishes.dual.take() {
            self.dual = None;
            if let Some(folder) = folder {
                let name = guard(|| self.open_dual(&folder));
                listened &= tell(of, MapNews::Dual(name));
            }
        }
        if let Some((of, picture)) = wishes.attention.take() {
            let found = guard(|| self.attention(&picture));
            listened &= tell(of, MapNews::Attention(picture.about(), found));
        }
        if let Some((of, picture, phrase)) = wishes.phrase.take() {
            let found = guard(|| self.phrase(&picture, &phrase));
            listened &= tell(of, MapNews::Phrase(picture.about(), phrase, found));
        }
        if let Some((of, picture, words)) = wishes.labels.take() {
            let found = guard(|| self.labels(&picture, &words));
            listened &= tell(of, MapNews::Labels(found));
        }
        listened
    }

    fn open_dual(&mut self, folder: &Path) -> Result<String, String> {
        let dual = (self.encoders.dual)(folder).map_err(|error| error.to_string())?;
        let name = dual.name().to_owned();
        self.dual = Some(dual);
        Ok(name)
    }

    fn attention(&mut self, picture: &Look) -> Result<Arc<EncoderMaps>, String> {
        let about = picture.about();
        if let Some((_, maps)) = self.kept.iter().find(|(kept, _)| *kept == about) {
            return Ok(Arc::clone(maps));
        }
        let folder = self.folder.as_ref().ok_or("no model is loaded yet: wait a moment")?;
        let vision = match self.vision.take() {
            Some(vision) => vision,
            None => (self.encoders.vision)(folder).map_err(|error| error.to_string())?,
        };
        let maps = vision.attention(picture).map_err(|error| error.to_string());
        self.vision = Some(vision);
        let maps = Arc::new(maps?);
        self.kept.truncate(KEPT - 1);
        self.kept.push_front((about, Arc::clone(&maps)));
        Ok(maps)
    }

    fn phrase(&mut self, picture: &Look, phrase: &str) -> Result<Found, String> {
        let dual = self.dual.as_mut().ok_or(NO_DUAL)?;
        dual.find(picture, phrase).map_err(|error| error.to_string())
    }

    fn labels(&mut self, picture: &Look, words: &[String]) -> Result<Vec<(String, f32)>, String> {
        let dual = self.dual.as_mut().ok_or(NO_DUAL)?;
        dual.shares(picture, words).map_err(|error| error.to_string())
    }
}

const NO_DUAL: &str = "there is no CLIP or SigLIP model: choose its folder in the settings";

/// A panic in a dependency is an error like any other.
fn guard<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panics::guard(work).unwrap_or_else(Err)
}
