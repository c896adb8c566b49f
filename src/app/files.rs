//! Reading pictures, on a thread of its own: the window never waits for a disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ui::status::Network;
use ui::talk::small;
use values::config::Settings;
use values::frame::{Frame, Source};

use super::network;
use super::viewfinder::for_screen;

/// Side of the gallery's thumbnails, in pixels.
const TILE: u32 = 240;
/// More pictures than these are not opened from one folder.
const MOST: usize = 5000;

/// What the thread is to do.
enum Job {
    /// Find the pictures among these files and folders.
    Find(Vec<PathBuf>),
    /// Read this picture.
    Read(u64, PathBuf),
    /// Take this picture.
    Take(u64, Box<egui::ColorImage>),
    /// Make thumbnails of a folder's pictures.
    Gallery(PathBuf),
    /// Count this process's internet sockets.
    Network,
    /// Write the settings into this folder.
    Save(Box<Settings>, PathBuf),
}

/// What came of it.
pub enum FileNews {
    /// These pictures were found.
    Found(Vec<PathBuf>),
    /// The picture that was asked for last.
    Read(Box<Frame>, egui::ColorImage),
    /// It is no picture, for this reason.
    Failed(String),
    /// A thumbnail of the gallery.
    Tile(PathBuf, egui::ColorImage),
    /// The sockets were counted.
    Network(Network),
}

/// The thread. Dropping it ends the thread after what it is doing.
pub struct Files {
    jobs: SyncSender<Job>,
    news: Receiver<(u64, FileNews)>,
    /// The number of the picture that is wanted: those before it are not even read.
    newest: Arc<AtomicU64>,
}

impl Files {
    /// Starts the thread. `wake` is called after each piece of news.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel::<Job>(64);
        let (outbox, news) = sync_channel(64);
        let newest = Arc::new(AtomicU64::new(0));
        let wanted = Arc::clone(&newest);
        std::thread::Builder::new().name("lorgnette-files".into()).spawn(move || {
            let tell = |number: u64, news: FileNews| {
                let heard = outbox.send((number, news)).is_ok();
                wake();
                heard
            };
            while let Ok(job) = inbox.recv() {
                if let Job::Read(number, _) | Job::Take(number, _) = &job
                    && *number < wanted.load(Ordering::Relaxed)
                {
                    continue;
                }
                if !work(job, &tell) {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, news, newest })
    }

    /// Finds the pictures among these files and folders: [`FileNews::Found`].
    pub fn find(&self, paths: Vec<PathBuf>) -> bool {
        self.send(Job::Find(paths))
    }

    /// Reads a picture, in place of one that is still being read: [`FileNews::Read`].
    pub fn read(&mut self, path: PathBuf) -> bool {
        let number = self.next();
        self.send(Job::Read(number, path))
    }

    /// Takes a picture that was pasted: [`FileNews::Read`].
    pub fn take(&mut self, image: egui::ColorImage) -> bool {
        let number = self.next();
        self.send(Job::Take(number, Box::new(image)))
    }

    /// Nothing that is being read is wanted any more.
    pub fn forget(&mut self) {
        self.next();
    }

    fn next(&mut self) -> u64 {
        self.newest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes thumbnails of a folder's pictures: [`FileNews::Tile`].
    pub fn gallery(&self, folder: PathBuf) -> bool {
        self.send(Job::Gallery(folder))
    }

    /// Counts this process's internet sockets: [`FileNews::Network`].
    pub fn network(&self) -> bool {
        self.send(Job::Network)
    }

    /// Writes the settings into a folder: [`FileNews::Failed`] where that cannot be done.
    pub fn save(&self, settings: Settings, folder: PathBuf) -> bool {
        self.send(Job::Save(Box::new(settings), folder))
    }

    /// The next piece of news that is not out of date.
    pub fn news(&self) -> Option<FileNews> {
        loop {
            match self.news.try_recv() {
                Ok((0, news)) => return Some(news),
                Ok((number, news)) if number == self.newest.load(Ordering::Relaxed) => {
                    return Some(news);
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    fn send(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }
}

/// Does it, and says whether anybody listens.
fn work(job: Job, tell: &impl Fn(u64, FileNews) -> bool) -> bool {
    match job {
        Job::Find(paths) => {
            let mut found = Vec::new();
            for path in paths {
                if path.is_dir() {
                    match pictures(&path) {
                        Ok(pictures) if pictures.is_empty() => {
                            let text = format!("{}: there are no pictures in it", shown(&path));
                            if !tell(0, FileNews::Failed(text)) {
                                return false;
                            }
                        }
                        Ok(pictures) => found.extend(pictures),
                        Err(error) => {
                            let text = format!("{}: {error}", shown(&path));
                            if !tell(0, FileNews::Failed(text)) {
                                return false;
                            }
                        }
                    }
                } else {
                    found.push(path);
                }
            }
            found.is_empty() || tell(0, FileNews::Found(found))
        }
        Job::Read(number, path) => tell(number, read(&path)),
        Job::Take(number, image) => {
            let news = match from_clipboard(&image) {
                Some(frame) => whole(frame),
                None => FileNews::Failed("The clipboard's picture is empty".to_owned()),
            };
            tell(number, news)
        }
        Job::Gallery(folder) => {
            for path in pictures(&folder).unwrap_or_default() {
                if let Ok(frame) = capture::load(&path)
                    && !tell(0, FileNews::Tile(path, small(&frame.pixels, TILE)))
                {
                    return false;
                }
            }
            true
        }
        Job::Save(settings, folder) => match settings.save(&folder) {
            Ok(()) => true,
            Err(error) => tell(0, FileNews::Failed(error.to_string())),
        },
        Job::Network => tell(0, FileNews::Network(network::look())),
    }
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
