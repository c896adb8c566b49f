//! Maps of the encoders, computed on a thread of their own: neither the window nor the answer waits
//! for them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoder::{DualEncoder, EncoderMaps, Encoders, Found, VisionEncoder};
use values::job::{Desk, Lane, Trouble, Work, Worker};
use values::panics;
use values::picture::{About, Look};

/// Pictures whose maps are kept.
const KEPT: usize = 8;
/// Jobs and pieces of news that may wait: of each lane there is one at the most.
const WAITING: usize = 16;

const MODEL: Lane = Lane::new(1);
const DUAL: Lane = Lane::new(2);
const ATTENTION: Lane = Lane::new(3);
const PHRASE: Lane = Lane::new(4);
const CHOICES: Lane = Lane::new(5);

/// What came of a wish.
#[derive(Debug, Clone)]
pub enum MapNews {
    /// The attention of the answering model's encoder.
    Attention(Result<Arc<EncoderMaps>, String>),
    /// Where the dual encoder finds a phrase.
    Phrase(Result<Found, String>),
    /// How it shares the picture out among those words: each with its share.
    Choices(Result<Vec<(String, f32)>, String>),
    /// The dual encoder that was chosen: its name.
    Dual(Result<String, String>),
}

/// What is to be done.
pub enum MapJob {
    /// The answering model was loaded from this folder.
    Model(PathBuf),
    /// The dual encoder lies in this folder, or there is none.
    Dual(Option<PathBuf>),
    /// The attention of the answering model's encoder.
    Attention(Look),
    /// Where the dual encoder finds this phrase.
    Phrase(Look, String),
    /// How the dual encoder shares the picture out among these words.
    Choices(Look, Vec<String>),
}

/// The thread. Of each kind of map only the newest wish counts.
pub struct Explainer(Worker<MapJob, MapNews>);

impl Explainer {
    /// Starts the thread, which runs `encoders`; `wake` is called on it after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(encoders: Encoders, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let make = move |_: &Desk<'_, MapJob, MapNews>| Maps {
            encoders,
            folder: None,
            vision: None,
            dual: None,
            kept: VecDeque::new(),
        };
        Worker::start("lorgnette-maps", WAITING, make, wake).map(Self)
    }

    /// The answering model was loaded from `folder`: maps of another are out of date.
    pub fn model(&self, folder: PathBuf) {
        self.0.forget(ATTENTION);
        self.put(MODEL, MapJob::Model(folder));
    }

    /// The dual encoder lies in `folder`, or there is none: maps of another are out of date.
    pub fn dual(&self, folder: Option<PathBuf>) {
        self.0.forget(PHRASE);
        self.0.forget(CHOICES);
        self.put(DUAL, MapJob::Dual(folder));
    }

    /// Wants the attention of the answering model's encoder on `picture`.
    pub fn attention(&self, picture: Look) {
        self.put(ATTENTION, MapJob::Attention(picture));
    }

    /// Wants to know where the dual encoder finds `phrase`.
    pub fn phrase(&self, picture: Look, phrase: String) {
        self.put(PHRASE, MapJob::Phrase(picture, phrase));
    }

    /// Wants to know how the dual encoder shares `picture` out among `words`.
    pub fn choices(&self, picture: Look, words: Vec<String>) {
        self.put(CHOICES, MapJob::Choices(picture, words));
    }

    /// Another picture is shown, or another part: maps of this one are out of date.
    pub fn forget_picture(&self) {
        self.0.forget(ATTENTION);
        self.0.forget(PHRASE);
    }

    /// The next piece of news, without waiting.
    #[must_use]
    pub fn news(&self) -> Option<MapNews> {
        self.0.news()
    }

    /// What befell the thread. Begun anew, it must be told of the model and the dual encoder.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.trouble()
    }

    fn put(&self, lane: Lane, job: MapJob) {
        // There is room for one of each lane; of a thread that is dead, its trouble was told.
        drop(self.0.replace(lane, job));
    }
}

/// What the thread keeps.
struct Maps {
    encoders: Encoders,
    folder: Option<PathBuf>,
    vision: Option<Box<dyn VisionEncoder>>,
    dual: Option<Box<dyn DualEncoder>>,
    kept: VecDeque<(About, Arc<EncoderMaps>)>,
}

impl Work for Maps {
    type Job = MapJob;
    type News = MapNews;

    fn work(&mut self, job: MapJob, desk: &Desk<'_, MapJob, MapNews>) {
        let news = match job {
            MapJob::Model(folder) => {
                if self.folder.as_ref() != Some(&folder) {
                    (self.folder, self.vision) = (Some(folder), None);
                    self.kept.clear();
                }
                return;
            }
            MapJob::Dual(folder) => {
                self.dual = None;
                let Some(folder) = folder else { return };
                MapNews::Dual(guard(|| self.open_dual(&folder)))
            }
            MapJob::Attention(picture) => MapNews::Attention(guard(|| self.attention(&picture))),
            MapJob::Phrase(picture, phrase) => {
                MapNews::Phrase(guard(|| self.phrase(&picture, &phrase)))
            }
            MapJob::Choices(picture, words) => {
                MapNews::Choices(guard(|| self.choices(&picture, &words)))
            }
        };
        desk.tell(news);
    }
}

impl Maps {
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

    fn choices(&mut self, picture: &Look, words: &[String]) -> Result<Vec<(String, f32)>, String> {
        let dual = self.dual.as_mut().ok_or(NO_DUAL)?;
        dual.shares(picture, words).map_err(|error| error.to_string())
    }
}

const NO_DUAL: &str = "there is no CLIP or SigLIP model: choose its folder in the settings";

/// A panic in a dependency is an error like any other.
fn guard<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panics::guard(work).unwrap_or_else(Err)
}
