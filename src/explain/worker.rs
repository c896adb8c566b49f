//! Maps of the encoders, computed on a thread of their own: neither the window nor the answer waits
//! for them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use image::{RgbImage, imageops};

use super::{EncoderMaps, Found};
use crate::encoder::dual::{DualEncoder, EncodedImage};
use crate::encoder::{EncoderError, Tower};
use crate::engine::{Picture, encoder_input};
use crate::frame::FrameId;
use crate::job::Slot;
use crate::panics;
use crate::region::{PixelBox, Region};

/// Levels by which pixels of one colour may differ.
const NOISE: u8 = 3;
/// Pictures whose maps are kept.
const KEPT: usize = 8;
/// What may wait to be taken.
const NEWS: usize = 16;

/// Which picture something is about: the frame and the part of it.
pub type About = (FrameId, Option<Region>);

/// What came of a wish.
#[derive(Debug, Clone)]
pub enum MapNews {
    /// The attention of the answering model's encoder.
    Attention(About, Result<Arc<EncoderMaps>, String>),
    /// Where the dual encoder finds this phrase.
    Phrase(About, String, Result<Found, String>),
    /// Zero-shot labels, each with its share.
    Labels(About, Result<Vec<(String, f32)>, String>),
    /// The dual encoder that was chosen: its name.
    Dual(Result<String, String>),
}

/// What is wanted; of each kind only the newest counts.
#[derive(Clone, Default)]
struct Wishes {
    model: Slot<PathBuf>,
    dual: Slot<(u64, Option<PathBuf>)>,
    attention: Slot<(u64, Picture)>,
    phrase: Slot<(u64, Picture, String)>,
    labels: Slot<(u64, Picture, Vec<String>)>,
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
    /// Starts the thread; `wake` is called on it after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
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
            let mut worker = Worker::default();
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
    pub fn attention(&self, picture: Picture) {
        self.wishes.attention.put((self.models.get(), picture));
        self.ring();
    }

    /// Wants to know where the dual encoder finds `phrase`.
    pub fn phrase(&self, picture: Picture, phrase: String) {
        self.wishes.phrase.put((self.duals.get(), picture, phrase));
        self.ring();
    }

    /// Wants to know how the dual encoder shares `picture` out among `words`.
    pub fn labels(&self, picture: Picture, words: Vec<String>) {
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

/// The attention of `tower` on what the encoder is shown of `picture`.
///
/// # Errors
/// As [`Tower::attention`].
pub fn attention(tower: &Tower, picture: &Picture) -> Result<EncoderMaps, EncoderError> {
    let started = Instant::now();
    let (pixels, area) = encoder_input(picture, tower.preprocessor().side());
    let found = tower.attention(&pixels)?;
    let heads = found.heads.into_iter();
    Ok(EncoderMaps {
        rollout: found.rollout.over(area),
        heads: heads.map(|layer| layer.into_iter().map(|head| head.over(area)).collect()).collect(),
        plain: is_plain(&pixels),
        took: started.elapsed(),
    })
}

/// Whether no pixel differs from the first by more than what storing a picture may add.
fn is_plain(pixels: &RgbImage) -> bool {
    let first = pixels.pixels().next().map_or([0; 3], |pixel| pixel.0);
    let like = |pixel: &image::Rgb<u8>| {
        pixel.0.iter().zip(first).all(|(value, first)| value.abs_diff(first) <= NOISE)
    };
    pixels.pixels().all(like)
}

/// What `dual` sees of `picture`: the marked part with its surroundings, or all of it.
///
/// # Errors
/// As [`DualEncoder::embed_image`].
pub fn look(dual: &DualEncoder, picture: &Picture) -> Result<EncodedImage, EncoderError> {
    let pixels = &*picture.frame.pixels;
    match picture.region {
        None => dual.embed_image(pixels),
        Some(region) => {
            let PixelBox { x, y, width, height } = region.context(pixels.width(), pixels.height());
            dual.embed_image(&imageops::crop_imm(pixels, x, y, width, height).to_image())
        }
    }
}

/// Where `dual` finds `phrase` in `image`, which is what it saw of `picture`.
///
/// It counts as present where it fits the picture better than a phrase that names nothing, and for
/// a `SigLIP` model where that is as probable as not.
///
/// # Errors
/// As [`DualEncoder::phrase_map`].
pub fn find(
    dual: &DualEncoder,
    image: &EncodedImage,
    picture: &Picture,
    phrase: &str,
) -> Result<Found, EncoderError> {
    let found = dual.phrase_map(image, phrase)?;
    let present = match found.presence.probability {
        Some(probability) => probability >= 0.5,
        None => found.presence.cosine > image.embedding().cosine(&dual.embed_label("")?),
    };
    let (width, height) = picture.frame.pixels.dimensions();
    let shown = picture.region.map_or(Region::WHOLE, |region| region.surroundings(width, height));
    let area = found.heatmap.area().within(shown);
    Ok(Found { map: found.heatmap.over(area), present })
}

/// What the thread keeps.
#[derive(Default)]
struct Worker {
    folder: Option<PathBuf>,
    tower: Option<Tower>,
    dual: Option<DualEncoder>,
    /// What the dual encoder saw last.
    seen: Option<(About, EncodedImage)>,
    kept: VecDeque<(About, Arc<EncoderMaps>)>,
}

impl Worker {
    /// Does what is wanted; `false` once nobody listens.
    fn work(&mut self, wishes: &Wishes, tell: &dyn Fn(u64, MapNews) -> bool) -> bool {
        if let Some(folder) = wishes.model.take()
            && self.folder.as_ref() != Some(&folder)
        {
            (self.folder, self.tower) = (Some(folder), None);
            self.kept.clear();
        }
        let mut listened = true;
        if let Some((of, folder)) = wishes.dual.take() {
            (self.dual, self.seen) = (None, None);
            if let Some(folder) = folder {
                let name = guard(|| self.open_dual(&folder));
                listened &= tell(of, MapNews::Dual(name));
            }
        }
        if let Some((of, picture)) = wishes.attention.take() {
            let found = guard(|| self.attention(&picture));
            listened &= tell(of, MapNews::Attention(about(&picture), found));
        }
        if let Some((of, picture, phrase)) = wishes.phrase.take() {
            let found = guard(|| self.phrase(&picture, &phrase));
            listened &= tell(of, MapNews::Phrase(about(&picture), phrase, found));
        }
        if let Some((of, picture, words)) = wishes.labels.take() {
            let found = guard(|| self.labels(&picture, &words));
            listened &= tell(of, MapNews::Labels(about(&picture), found));
        }
        listened
    }

    fn open_dual(&mut self, folder: &Path) -> Result<String, String> {
        let dual = DualEncoder::load(folder).map_err(|error| error.to_string())?;
        let name = dual.name().to_owned();
        self.dual = Some(dual);
        Ok(name)
    }

    fn attention(&mut self, picture: &Picture) -> Result<Arc<EncoderMaps>, String> {
        let about = about(picture);
        if let Some((_, maps)) = self.kept.iter().find(|(kept, _)| *kept == about) {
            return Ok(Arc::clone(maps));
        }
        let folder = self.folder.as_ref().ok_or("no model is loaded yet: wait a moment")?;
        let tower = match self.tower.take() {
            Some(tower) => tower,
            None => Tower::open(folder).map_err(|error| error.to_string())?,
        };
        let maps = attention(&tower, picture).map_err(|error| error.to_string());
        self.tower = Some(tower);
        let maps = Arc::new(maps?);
        self.kept.truncate(KEPT - 1);
        self.kept.push_front((about, Arc::clone(&maps)));
        Ok(maps)
    }

    fn phrase(&mut self, picture: &Picture, phrase: &str) -> Result<Found, String> {
        let (dual, image) = self.look(picture)?;
        find(dual, image, picture, phrase).map_err(|error| error.to_string())
    }

    fn labels(
        &mut self,
        picture: &Picture,
        words: &[String],
    ) -> Result<Vec<(String, f32)>, String> {
        let (dual, image) = self.look(picture)?;
        dual.zero_shot(image, words).map_err(|error| error.to_string())
    }

    /// The dual encoder with what it sees of `picture`, which it looks at once.
    fn look(&mut self, picture: &Picture) -> Result<(&DualEncoder, &EncodedImage), String> {
        let dual = self.dual.as_ref().ok_or(NO_DUAL)?;
        let about = about(picture);
        let seen = match self.seen.take().filter(|(seen, _)| *seen == about) {
            Some(seen) => seen,
            None => (about, look(dual, picture).map_err(|error| error.to_string())?),
        };
        Ok((dual, &self.seen.insert(seen).1))
    }
}

const NO_DUAL: &str = "there is no CLIP or SigLIP model: choose its folder in the settings";

fn about(picture: &Picture) -> About {
    (picture.frame.id, picture.region)
}

/// A panic in a dependency is an error like any other.
fn guard<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panics::guard(work).unwrap_or_else(Err)
}
