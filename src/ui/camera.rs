//! What the window says of the camera: what it does, what is wrong with it and what helps.

use capture::{CameraDevice, CameraState};

/// What is known of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraView {
    /// What it does.
    pub state: CameraState,
    /// Those that are connected.
    pub devices: Vec<CameraDevice>,
    /// The sizes that the open one offers.
    pub sizes: Vec<(u32, u32)>,
}

impl Default for CameraView {
    fn default() -> Self {
        Self { state: CameraState::Off, devices: Vec::new(), sizes: Vec::new() }
    }
}

/// What is wrong with the camera, and what to do.
pub struct Trouble {
    /// In few words.
    pub title: String,
    /// What to do.
    pub advice: &'static str,
}

/// What is wrong with the camera, if anything.
pub fn trouble(state: &CameraState) -> Option<Trouble> {
    let (title, advice) = match state {
        CameraState::Off | CameraState::Starting | CameraState::Live { .. } => return None,
        CameraState::Missing => (
            "No camera found".to_owned(),
            "Connect one and it appears here by itself. Pictures can be opened, dropped and pasted without it.",
        ),
        CameraState::Busy(name) => (
            format!("{name} is in use"),
            "Another program holds it. Close that program and the picture appears here by itself.",
        ),
        CameraState::Denied => ("The camera may not be used".to_owned(), denied_advice()),
        CameraState::Lost(name) => {
            (format!("{name} is gone"), "Connect it again and the picture comes back by itself.")
        }
        CameraState::Failed(reason) => (
            format!("The camera gives no picture ({reason})"),
            "Try another size or another camera in the settings. Lorgnette goes on trying.",
        ),
    };
    Some(Trouble { title, advice })
}

fn denied_advice() -> &'static str {
    if cfg!(target_os = "macos") {
        "Allow Lorgnette in System Settings, Privacy & Security, Camera, then start it again."
    } else if cfg!(windows) {
        "Allow desktop apps in Settings, Privacy & security, Camera. The picture appears by itself."
    } else {
        "Your user may not read the camera: add it to the group \"video\" and log in again."
    }
}
