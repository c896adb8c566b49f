//! The system's own dialogs and file manager.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What a dialog asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Pictures to open, beginning in this folder.
    Pictures(Option<PathBuf>),
    /// A folder of pictures.
    Folder(Option<PathBuf>),
    /// A folder for conversations.
    HistoryFolder,
    /// The folder of a dual encoder.
    DualFolder,
    /// Where to write a file; a name is proposed.
    Save {
        /// The proposed name.
        name: String,
        /// What the name ends in, without the dot.
        ending: &'static str,
    },
    /// The folder in which to make one.
    SaveIn,
    /// An exported conversation: a zip file.
    Bundle,
    /// An exported conversation: a folder.
    BundleFolder,
}

/// What the user chose: nothing where the dialog was cancelled.
pub type Choice = Vec<PathBuf>;

/// What the window needs of the desktop, so that a test can put another in its place.
pub trait Desktop {
    /// Opens a dialog. What is chosen comes by [`Desktop::chosen`], with the number.
    fn choose(&mut self, number: u64, wish: Wish);
    /// The next choice that was made.
    fn chosen(&mut self) -> Option<(u64, Result<Choice, String>)>;
    /// Shows a folder in the system's file manager.
    ///
    /// # Errors
    /// In the system's words.
    fn reveal(&mut self, folder: PathBuf) -> Result<(), String>;
}

/// The desktop that the user sits at.
pub struct System {
    choices: Receiver<(u64, Result<Choice, String>)>,
    chosen: SyncSender<(u64, Result<Choice, String>)>,
    wake: std::sync::Arc<dyn Fn() + Send + Sync>,
}

impl System {
    /// A desktop that calls `wake` when something was chosen.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (chosen, choices) = sync_channel(16);
        Self { choices, chosen, wake: std::sync::Arc::new(wake) }
    }
}

/// The endings of picture files, in small letters and in capitals: some dialogs tell them apart.
fn pictures() -> Vec<String> {
    let small = capture::ENDINGS.iter().map(|ending| (*ending).to_owned());
    small.chain(capture::ENDINGS.iter().map(|ending| ending.to_uppercase())).collect()
}

impl Desktop for System {
    fn choose(&mut self, number: u64, wish: Wish) {
        let (chosen, wake) = (self.chosen.clone(), std::sync::Arc::clone(&self.wake));
        // The dialog is made here, since macOS wants it on the window's thread; it is waited for
        // on another.
        let dialog = rfd::AsyncFileDialog::new();
        let in_folder = |dialog: rfd::AsyncFileDialog, folder: Option<PathBuf>| match folder {
            Some(folder) => dialog.set_directory(folder),
            None => dialog,
        };
        let one = |file: Option<rfd::FileHandle>| file.map(|file| file.path().to_path_buf());
        let future: std::pin::Pin<Box<dyn Future<Output = Choice> + Send>> = match wish {
            Wish::Pictures(folder) => {
                let picked = in_folder(dialog, folder)
                    .set_title("Open pictures")
                    .add_filter("Pictures", &pictures())
                    .add_filter("All files", &["*"])
                    .pick_files();
                Box::pin(async move {
                    let files = picked.await.unwrap_or_default();
                    files.iter().map(|file| file.path().to_path_buf()).collect()
                })
            }
            Wish::Folder(folder) => {
                let picked = in_folder(dialog, folder).set_title("Open a folder").pick_folder();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
            Wish::HistoryFolder => {
                let picked = dialog.set_title("Keep conversations in").pick_folder();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
            Wish::DualFolder => {
                let picked = dialog.set_title("A CLIP or SigLIP model").pick_folder();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
            Wish::Save { name, ending } => {
                let saved = dialog.set_file_name(name).add_filter(ending, &[ending]).save_file();
                Box::pin(async move { one(saved.await).into_iter().collect() })
            }
            Wish::SaveIn => {
                let picked = dialog.set_title("Export into").pick_folder();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
            Wish::BundleFolder => {
                let picked = dialog.set_title("Import a conversation").pick_folder();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
            Wish::Bundle => {
                let picked = dialog.add_filter("Conversation", &["zip"]).pick_file();
                Box::pin(async move { one(picked.await).into_iter().collect() })
            }
        };
        let waiting = move || {
            let chosen_paths = match no_dialog() {
                Some(reason) => Err(reason),
                None => match tokio::runtime::Builder::new_current_thread().build() {
                    // What asks the desktop may panic over what it answers.
                    Ok(runtime) => values::panics::guard(|| runtime.block_on(future)),
                    Err(error) => Err(error.to_string()),
                },
            };
            let _ = chosen.send((number, chosen_paths));
            wake();
        };
        let started = std::thread::Builder::new().name("lorgnette-dialog".into()).spawn(waiting);
        if let Err(error) = started {
            let _ = self.chosen.try_send((number, Err(error.to_string())));
        }
    }

    fn chosen(&mut self) -> Option<(u64, Result<Choice, String>)> {
        self.choices.try_recv().ok()
    }

    fn reveal(&mut self, folder: PathBuf) -> Result<(), String> {
        open::that_detached(folder).map_err(|error| error.to_string())
    }
}

/// Why no dialog can come up: without a portal and without zenity, what comes is the same as a
/// cancelled one, and the user would think the button dead.
fn no_dialog() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let on_path = |name: &str| {
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
    };
    let portal = [
        "/usr/share/dbus-1/services/org.freedesktop.portal.Desktop.service",
        "/usr/local/share/dbus-1/services/org.freedesktop.portal.Desktop.service",
    ]
    .iter()
    .any(|file| std::path::Path::new(file).exists());
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR")
            .is_some_and(|dir| std::path::Path::new(&dir).join("bus").exists());
    // A portal may be provided from outside in a sandbox.
    let sandbox = std::path::Path::new("/.flatpak-info").exists();
    let any = sandbox || (portal && bus) || on_path("zenity");
    (!any).then(|| {
        "There is no file dialog on this system: install xdg-desktop-portal-gtk or zenity, or \
         drop or paste the picture"
            .to_owned()
    })
}
