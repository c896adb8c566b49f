//! Why a camera gives no picture, in words for the person in front of it.

use thiserror::Error;

/// Where this system keeps its word on who may use the camera.
const HOW_TO_ALLOW: &str = if cfg!(target_os = "macos") {
    "allow it in System Settings, Privacy & Security, Camera, then start again"
} else if cfg!(windows) {
    "allow desktop apps in Settings, Privacy & security, Camera"
} else {
    "add yourself to the group that owns /dev/video* (most often: sudo usermod -aG video $USER), \
     then log in again"
};

/// A camera that gives no picture: which one, why, and what to do about it.
///
/// `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CameraError {
    /// None is connected.
    #[error("no camera is connected: connect one, or offer a picture file instead")]
    Missing,
    /// There are cameras, but not this one.
    #[error("there is no camera {index}: `lorgnette cameras` lists those that are connected")]
    NotThere {
        /// The number that was asked for.
        index: u32,
    },
    /// Another program uses it.
    #[error("{name} is used by another program: close that one, then try again")]
    Busy {
        /// The camera's name.
        name: String,
    },
    /// The system does not let this process use it.
    #[error("this program may not use {name}: {HOW_TO_ALLOW}")]
    Denied {
        /// The camera's name.
        name: String,
    },
    /// It was pulled out.
    #[error("{name} is not connected any more: connect it again")]
    Lost {
        /// The camera's name.
        name: String,
    },
    /// It is there, but it does not work.
    #[error("{name} does not work ({reason}): connect it again, or try another one")]
    Failed {
        /// The camera's name.
        name: String,
        /// What went wrong, in the system's or the driver's words.
        reason: String,
    },
    /// No picture came in the time that was given.
    #[error("{name} sent no picture within {seconds} s: connect it again, or try another one")]
    TooSlow {
        /// The camera's name.
        name: String,
        /// The time that was given, in seconds.
        seconds: u64,
    },
    /// The system has no thread left for the camera.
    #[error("the camera could not be started, since the system has no thread left ({0})")]
    NoThread(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_line_that_says_what_to_do() {
        let name = || "Webcam".to_owned();
        let errors = [
            CameraError::Missing,
            CameraError::NotThere { index: 3 },
            CameraError::Busy { name: name() },
            CameraError::Denied { name: name() },
            CameraError::Lost { name: name() },
            CameraError::Failed { name: name(), reason: "EIO".into() },
            CameraError::TooSlow { name: name(), seconds: 5 },
        ];
        for error in errors {
            let text = error.to_string();
            assert!(!text.contains('\n') && !text.contains("  "), "{text}");
            assert!(text.contains(": "), "it says what to do: {text}");
        }
    }
}
