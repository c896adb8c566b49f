//! Reading pictures and making them ready for the screen, on a thread of its own: the window never
//! waits for a disk.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ui::status::Network;
use values::config::Settings;
use values::frame::{Frame, Source};
use values::job::{self, Lane, Refused, Rest, Trouble, Work, Worker};
use values::region::Region;

use super::network;
use super::viewfinder::{CARD, for_screen, small};

/// Side of the gallery's thumbnails, in pixels.
const TILE: u32 = 240;
/// More pictures than these are not opened from one folder.
const MOST: usize = 5000;
/// Jobs and pieces of news that may wait.
const QUEUE: usize = 64;
/// How long the gallery waits for one of the pictures that were found to be asked for.
const MOMENT: Duration = Duration::from_secs(1);

/// The picture that is to be shown: only the last one counts.
const SHOWN: Lane = Lane::new(1);
/// The sockets.
const NETWORK: Lane = Lane::new(2);
/// The battery.
const POWER: Lane = Lane::new(3);

/// Said once the thread is dead.
pub const DEAD: &str = "Pictures cannot be opened any more: start Lorgnette again.";
const BUSY: &str = "Pictures cannot be read just now: wait a moment and try again.";

/// What the thread is to do.
#[derive(Clone)]
enum Job {
    /// Find the pictures among these files and folders.
    Find(Vec<PathBuf>),
    /// Read this picture.
    Read(PathBuf),
    /// Take this picture.
    Take(Arc<egui::ColorImage>),
    /// Make this picture ready to be shown, with this part of it marked.
    Show(Frame, Option<Region>),
    /// Make a card's thumbnail.
    Thumbnail(Frame),
    /// Make thumbnails of a folder's pictures, whenever there is nothing else to do.
    Gallery(PathBuf),
    /// Count this process's internet sockets.
    Network,
    /// Find out whether the machine runs on its battery.
    Power,
    /// Write the settings into this folder.
    Save(Box<Settings>, PathBuf),
    #[cfg(test)]
    Panic,
}

/// What came of it.
pub enum FileNews {
    /// These pictures were found.
    Found(Vec<PathBuf>),
    /// The picture that was asked for last.
    Read(Box<Frame>, egui::ColorImage),
    /// The picture that was to be shown last, and the part of it that is marked.
    Ready(Box<Frame>, Option<Region>, egui::ColorImage),
    /// It is no picture, for this reason.
    Failed(String),
    /// A thumbnail of the gallery.
    Tile(PathBuf, egui::ColorImage),
    /// The thumbnail of the cards about these pixels.
    Thumbnail(Arc<str>, egui::ColorImage),
    /// The sockets were counted.
    Network(Network),
    /// Whether the machine runs on its battery.
    Power(bool),
}

/// The thread. Dropping it ends the thread after what it is doing.
pub struct Files {
    worker: Worker<Job, FileNews>,
    /// What is still to be shown.
    wanted: Option<Job>,
}

impl Files {
    /// Starts the thread. `on_battery` says whether the machine runs on its battery, and `wake` is called
    /// after each piece of news.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        on_battery: fn() -> bool,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        // It outlives a panic: the picture that caused it is not tried again.
        let gallery = Arc::new(Mutex::new(VecDeque::new()));
        let make =
            move |_: &Desk<'_>| Reader { gallery: Arc::clone(&gallery), found: false, on_battery };
        Worker::start("lorgnette-files", QUEUE, make, wake)
            .map(|worker| Self { worker, wanted: None })
    }

    /// Finds the pictures among these files and folders: [`FileNews::Found`].
    ///
    /// # Errors
    /// In words, as all of these.
    pub fn find(&self, paths: Vec<PathBuf>) -> Result<(), &'static str> {
        self.send(Job::Find(paths))
    }

    /// Reads a picture, in place of one that is still to be shown: [`FileNews::Read`].
    pub fn read(&mut self, path: PathBuf) -> Result<(), &'static str> {
        self.want(Job::Read(path))
    }

    /// Takes a picture that was pasted, in place as before: [`FileNews::Read`].
    pub fn take(&mut self, image: Arc<egui::ColorImage>) -> Result<(), &'static str> {
        self.want(Job::Take(image))
    }

    /// Makes a picture ready to be shown, in place as before: [`FileNews::Ready`].
    pub fn show(&mut self, frame: Frame, region: Option<Region>) -> Result<(), &'static str> {
        self.want(Job::Show(frame, region))
    }

    fn want(&mut self, job: Job) -> Result<(), &'static str> {
        self.wanted = Some(job.clone());
        said(self.worker.replace(SHOWN, job))
    }

    /// Nothing that is still to be shown is wanted any more.
    pub fn forget(&mut self) {
        self.wanted = None;
        self.worker.forget(SHOWN);
    }

    /// Makes a card's thumbnail: [`FileNews::Thumbnail`].
    pub fn thumbnail(&self, frame: Frame) -> Result<(), &'static str> {
        self.send(Job::Thumbnail(frame))
    }

    /// Makes thumbnails of a folder's pictures: [`FileNews::Tile`].
    pub fn gallery(&self, folder: PathBuf) -> Result<(), &'static str> {
        self.send(Job::Gallery(folder))
    }

    /// Counts this process's internet sockets: [`FileNews::Network`].
    pub fn network(&self) -> Result<(), &'static str> {
        said(self.worker.replace(NETWORK, Job::Network))
    }

    /// Finds out whether the machine runs on its battery: [`FileNews::Power`].
    pub fn power(&self) -> Result<(), &'static str> {
        said(self.worker.replace(POWER, Job::Power))
    }

    /// Writes the settings into a folder: [`FileNews::Failed`] where that cannot be done.
    pub fn save(&self, settings: Settings, folder: PathBuf) -> Result<(), &'static str> {
        self.send(Job::Save(Box::new(settings), folder))
    }

    /// The next piece of news that is not out of date.
    pub fn news(&mut self) -> Option<FileNews> {
        let news = self.worker.news()?;
        if let FileNews::Read(..) | FileNews::Ready(..) | FileNews::Failed(_) = news {
            self.wanted = None;
        }
        Some(news)
    }

    /// What befell the thread, each once. What was to be shown is asked for again.
    pub fn trouble(&mut self) -> Option<Trouble> {
        let trouble = self.worker.trouble()?;
        if let Some(job) = self.wanted.clone() {
            // A dead thread is told of by the trouble itself.
            let _ = self.worker.replace(SHOWN, job);
        }
        Some(trouble)
    }

    /// Has the thread panic.
    #[cfg(test)]
    pub fn panic(&self) -> Result<(), &'static str> {
        self.send(Job::Panic)
    }

    fn send(&self, job: Job) -> Result<(), &'static str> {
        said(self.worker.send(Lane::LASTING, job))
    }
}

fn said(sent: Result<(), Refused<Job>>) -> Result<(), &'static str> {
    sent.map_err(|refused| match refused {
        Refused::Full(_) => BUSY,
        Refused::Gone(_) => DEAD,
    })
}

type Desk<'a> = job::Desk<'a, Job, FileNews>;

/// The thread's side.
struct Reader {
    /// Pictures of which a thumbnail is to be made.
    gallery: Arc<Mutex<VecDeque<PathBuf>>>,
    /// Pictures were found: the window is about to ask for one.
    found: bool,
    /// Says whether the machine runs on its battery.
    on_battery: fn() -> bool,
}

impl Work for Reader {
    type Job = Job;
    type News = FileNews;

    fn work(&mut self, job: Job, desk: &Desk<'_>) {
        let news = match job {
            Job::Find(paths) => {
                let found = find(paths, desk);
                self.found = !found.is_empty();
                if found.is_empty() {
                    return;
                }
                FileNews::Found(found)
            }
            Job::Read(path) => read(&path),
            Job::Take(image) => match from_clipboard(&image) {
                Some(frame) => whole(frame),
                None => FileNews::Failed("The clipboard's picture is empty".to_owned()),
            },
            Job::Show(frame, region) => {
                let image = for_screen(&frame);
                FileNews::Ready(Box::new(frame), region, image)
            }
            Job::Thumbnail(frame) => {
                FileNews::Thumbnail(Arc::clone(frame.sha256()), small(&frame.pixels, CARD))
            }
            Job::Gallery(folder) => {
                lock(&self.gallery).extend(pictures(&folder).unwrap_or_default());
                return;
            }
            Job::Save(settings, folder) => match settings.save(&folder) {
                Ok(()) => return,
                Err(error) => FileNews::Failed(error.to_string()),
            },
            Job::Network => FileNews::Network(network::look()),
            Job::Power => FileNews::Power((self.on_battery)()),
            #[cfg(test)]
            Job::Panic => panic!("as a test wants it"),
        };
        desk.tell(news);
    }

    /// Makes one thumbnail of the gallery.
    fn idle(&mut self, desk: &Desk<'_>) -> Rest {
        if std::mem::take(&mut self.found) {
            return Rest::For(MOMENT);
        }
        let Some(path) = lock(&self.gallery).pop_front() else { return Rest::Job };
        if let Ok(frame) = capture::load(&path) {
            desk.tell(FileNews::Tile(path, small(&frame.pixels, TILE)));
        }
        Rest::Again
    }
}

fn lock(gallery: &Mutex<VecDeque<PathBuf>>) -> std::sync::MutexGuard<'_, VecDeque<PathBuf>> {
    // Nothing panics while it holds the lock.
    gallery.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(paths: Vec<PathBuf>, desk: &Desk<'_>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        let reason = match pictures(&path) {
            Ok(pictures) if pictures.is_empty() => "there are no pictures in it".to_owned(),
            Ok(pictures) => {
                found.extend(pictures);
                continue;
            }
            Err(error) => error.to_string(),
        };
        desk.tell(FileNews::Failed(format!("{}: {reason}", shown(&path))));
    }
    found
}

fn read(path: &Path) -> FileNews {
    // A pipe would keep this thread until someone writes into it.
    if path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        return FileNews::Failed(format!("{}: it is not a file", shown(path)));
    }
    match capture::load(path) {
        Ok(frame) => whole(frame),
        Err(error) => FileNews::Failed(error.to_string()),
    }
}

/// A picture with what takes long to compute of it.
fn whole(frame: Frame) -> FileNews {
    frame.sha256();
    let image = for_screen(&frame);
    FileNews::Read(Box::new(frame), image)
}

/// A picture of the clipboard as a frame, its transparent parts over white, as files have it.
fn from_clipboard(image: &egui::ColorImage) -> Option<Frame> {
    let [width, height] = image.size;
    let mut bytes = Vec::with_capacity(image.pixels.len() * 3);
    for pixel in &image.pixels {
        // The colours come multiplied with their opacity.
        let white = 255 - pixel.a();
        bytes.extend([pixel.r(), pixel.g(), pixel.b()].map(|value| value.saturating_add(white)));
    }
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let pixels = image::RgbImage::from_raw(width, height, bytes).filter(|p| !p.is_empty())?;
    Some(Frame::new(pixels, Source::Memory("pasted picture".to_owned())))
}

/// The pictures in a folder, by name; not those in folders inside it.
fn pictures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| capture::is_named_as_picture(path) && path.is_file())
        .take(MOST)
        .collect();
    found.sort();
    Ok(found)
}

fn shown(path: &Path) -> String {
    Source::File(path.to_path_buf()).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/samples").join(name)
    }

    /// The next piece of news.
    fn hear(files: &mut Files) -> FileNews {
        let end = std::time::Instant::now() + Duration::from_mins(1);
        while std::time::Instant::now() < end {
            if let Some(news) = files.news() {
                return news;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nothing came");
    }

    #[test]
    fn pictures_that_are_opened_come_before_the_gallery() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..200 {
            let copy = folder.path().join(format!("{number:03}.jpg"));
            std::fs::copy(sample("cat.jpg"), copy).unwrap();
        }
        let mut files = Files::start(|| false, || {}).unwrap();
        files.gallery(folder.path().to_path_buf()).unwrap();
        files.find(vec![sample("lemon.jpg")]).unwrap();
        let (mut tiles, mut read) = (0, None);
        while tiles < 200 {
            match hear(&mut files) {
                FileNews::Found(paths) => files.read(paths[0].clone()).unwrap(),
                FileNews::Read(frame, _) => {
                    assert_eq!(frame.source.name(), "lemon.jpg");
                    read.get_or_insert(tiles);
                }
                FileNews::Tile(..) => tiles += 1,
                _ => panic!("nothing else was asked for"),
            }
        }
        let before = read.expect("the picture was read");
        assert!(before <= 1, "{before} tiles came first");
    }

    #[test]
    fn the_gallery_goes_on_after_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..20 {
            let copy = folder.path().join(format!("{number:03}.jpg"));
            std::fs::copy(sample("cat.jpg"), copy).unwrap();
        }
        let mut files = Files::start(|| false, || {}).unwrap();
        files.gallery(folder.path().to_path_buf()).unwrap();
        assert!(matches!(hear(&mut files), FileNews::Tile(..)));
        files.panic().unwrap();
        files.read(sample("lemon.jpg")).unwrap();
        let (mut tiles, mut reads) = (1, 0);
        while tiles < 20 {
            if let Some(trouble) = files.trouble() {
                assert!(matches!(trouble, Trouble::Restarted(_)));
            }
            match files.news() {
                Some(FileNews::Tile(..)) => tiles += 1,
                Some(FileNews::Read(..)) => reads += 1,
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        assert_eq!(reads, 1);
    }

    #[test]
    fn what_was_being_read_when_it_panicked_is_read_again() {
        let mut files = Files::start(|| false, || {}).unwrap();
        // As if reading it had panicked: the job is taken, and nothing is heard of it.
        files.panic().unwrap();
        files.wanted = Some(Job::Read(sample("lemon.jpg")));
        while files.trouble().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(matches!(hear(&mut files), FileNews::Read(..)));
    }

    #[test]
    fn a_folder_gives_its_pictures_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.jpg", "notes.txt", ".hidden"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        std::fs::create_dir(folder.path().join("c.jpg")).unwrap();
        let names: Vec<String> =
            pictures(folder.path()).unwrap().iter().map(|path| shown(path)).collect();
        assert_eq!(names, ["a.jpg", "b.PNG"]);
    }

    #[test]
    fn transparent_parts_of_a_pasted_picture_are_white() {
        let colour = egui::Color32::from_rgba_unmultiplied(0, 0, 0, 0);
        let image = egui::ColorImage::filled([2, 1], colour);
        assert_eq!(from_clipboard(&image).unwrap().pixels.as_raw(), &[255; 6]);
        let opaque = egui::ColorImage::filled([1, 1], egui::Color32::from_rgb(1, 2, 3));
        assert_eq!(from_clipboard(&opaque).unwrap().pixels.as_raw(), &[1, 2, 3]);
        assert!(from_clipboard(&egui::ColorImage::filled([0, 0], colour)).is_none());
    }
}
