//! The cameras of a machine as the rest of this room sees them, so that it can be tested without.

use super::mode::CameraFormatInfo;
use super::pixels::Raw;
use super::{CameraDevice, CameraError};

/// What keeps a camera from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another program uses it.
    Busy,
    /// The system does not let this process use it.
    Denied,
    /// The system is asking the user.
    #[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "only macOS asks"))]
    Asking,
    /// It is not there any more.
    Gone,
    /// This mode does not work, told in the driver's words.
    Mode(String),
}

impl Trouble {
    pub fn into_error(self, name: &str) -> CameraError {
        let name = name.to_owned();
        match self {
            Self::Busy => CameraError::Busy { name },
            Self::Denied => CameraError::Denied { name },
            Self::Gone => CameraError::Lost { name },
            Self::Asking => {
                let reason = "the system is still asking whether it may be used".to_owned();
                CameraError::Failed { name, reason }
            }
            Self::Mode(reason) => CameraError::Failed { name, reason },
        }
    }
}

/// The cameras of a machine. Any call may block for as long as a driver likes.
pub(super) trait Devices: Send + Sync + 'static {
    /// Those that are connected, in the order of their numbers, with the names they have.
    fn list(&self) -> Result<Vec<CameraDevice>, String>;

    /// What a camera offers, as far as it can be read here.
    fn modes(&self, index: u32) -> Result<Vec<CameraFormatInfo>, Trouble>;

    /// Starts a camera in one of its modes.
    fn open(&self, index: u32, mode: CameraFormatInfo) -> Result<Box<dyn Reader>, Trouble>;

    /// Frees a thread that waits for a frame of this camera, where that can be done.
    fn unstick(&self, index: u32);
}

/// A running camera. Dropping it stops the camera. Stays on the thread that opened it.
pub(super) trait Reader {
    /// The mode it took, which may differ a little from the one that was asked for.
    fn mode(&self) -> CameraFormatInfo;

    /// Waits for the next frame and shows it to `see`.
    fn read(&mut self, see: &mut dyn FnMut(&Raw<'_>)) -> Result<(), Trouble>;
}

/// Gives cameras of one name different ones: "Cam", "Cam (2)".
pub(super) fn name_apart(devices: &mut [CameraDevice]) {
    for at in 1..devices.len() {
        let (before, rest) = devices.split_at_mut(at);
        let plain = rest[0].name.clone();
        let mut number = 2;
        while before.iter().any(|other| other.name == rest[0].name) {
            rest[0].name = format!("{plain} ({number})");
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_of_one_name_are_told_apart() {
        let names = ["Cam", "Cam", "Cam (2)", "Cam", "Other"];
        let mut devices: Vec<_> = (0..)
            .zip(names)
            .map(|(index, name)| CameraDevice { index, name: name.to_owned() })
            .collect();
        name_apart(&mut devices);
        let names: Vec<_> = devices.iter().map(|device| &*device.name).collect();
        assert_eq!(names, ["Cam", "Cam (2)", "Cam (2) (2)", "Cam (3)", "Other"]);
    }
}
