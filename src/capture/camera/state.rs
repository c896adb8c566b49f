//! What a camera is doing, for the window's pill and the terminal's lines.

use std::fmt;

use super::mode::CameraFormatInfo;
use super::{CameraDevice, CameraError};

/// What the camera is doing.
///
/// `Display` is one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CameraState {
    /// Nothing, as nobody wants it to.
    #[default]
    Off,
    /// It is being opened, or the system asks the user about it.
    Starting,
    /// It delivers frames.
    Live {
        /// The camera.
        device: CameraDevice,
        /// How it delivers them.
        format: CameraFormatInfo,
    },
    /// None is connected. As in all states below, it starts by itself once it can.
    Missing,
    /// Another program uses the camera of this name.
    Busy(String),
    /// The system does not let this process use it.
    Denied,
    /// The camera of this name was pulled out.
    Lost(String),
    /// It does not work: why, on one line.
    Failed(String),
}

impl CameraState {
    /// What there is to tell a user of a camera that is wanted and does not deliver. `name` is the
    /// wanted camera's, for the states that do not know it.
    pub fn trouble(&self, name: &str) -> Option<CameraError> {
        let name = name.to_owned();
        match self {
            Self::Off | Self::Starting | Self::Live { .. } => None,
            Self::Missing => Some(CameraError::Missing),
            Self::Busy(name) => Some(CameraError::Busy { name: name.clone() }),
            Self::Denied => Some(CameraError::Denied { name }),
            Self::Lost(name) => Some(CameraError::Lost { name: name.clone() }),
            Self::Failed(reason) => Some(CameraError::Failed { name, reason: reason.clone() }),
        }
    }
}

impl fmt::Display for CameraState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Starting => f.write_str("starting"),
            Self::Live { device, format } => write!(f, "live: {}, {format}", device.name),
            Self::Missing => f.write_str("missing: no camera is connected"),
            Self::Busy(name) => write!(f, "busy: {name} is used by another program"),
            Self::Denied => f.write_str("denied: this program may not use the camera"),
            Self::Lost(name) => write!(f, "lost: {name} is not connected any more"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}
