//! The name of a conversation on disk.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use values::text::brief;

use super::error::SessionError;

/// Lengths of the parts: date, time, milliseconds, chance.
const PARTS: [usize; 4] = [8, 6, 3, 8];

/// The name of a conversation: when it began, in UTC, and eight random hexadecimal digits, as in
/// `20260131-235959-000-0123abcd`.
///
/// Sorts by time. Safe as the name of a file on every system: read back, its shape is checked, so
/// that no other path can be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// A new name for a conversation that began at `created`, in milliseconds since 1970.
    pub(super) fn new(created: u64) -> Self {
        let time = i64::try_from(created).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
        let time = time.unwrap_or_default().format("%Y%m%d-%H%M%S-%3f");
        Self(format!("{time}-{:08x}", rand::random::<u32>()))
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`SessionError::BadId`] for a text of any other shape.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        let parts: Vec<&str> = text.split('-').collect();
        let fits = parts.len() == PARTS.len()
            && parts.iter().zip(PARTS).all(|(part, length)| part.len() == length)
            && parts[..3].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
            && parts[3].bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(SessionError::BadId(brief(text))) }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SessionId {
    type Err = SessionError;

    fn from_str(text: &str) -> Result<Self, SessionError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SessionId {
    type Error = SessionError;

    fn try_from(text: String) -> Result<Self, SessionError> {
        Self::parse(&text)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_never_repeat() {
        let earlier = SessionId::new(1_769_903_999_000);
        let later = SessionId::new(1_769_903_999_001);
        assert!(earlier.as_str().starts_with("20260131-235959-000-"), "{earlier}");
        assert!(earlier < later);
        assert_ne!(earlier, SessionId::new(1_769_903_999_000));
        assert_eq!(SessionId::parse(earlier.as_str()), Ok(earlier));
    }

    #[test]
    fn no_other_path_passes_for_a_name() {
        for text in [
            "",
            "..",
            "20260131-235959-000-0123abc/",
            "20260131-235959-000-0123ABCD",
            "20260131-235959-000-0123abcd-",
            "../60131-235959-000-0123abcd",
            "2026013१-235959-000-0123abcd",
            "20260131-235959-000-0123abcd\n",
        ] {
            assert_eq!(SessionId::parse(text), Err(SessionError::BadId(brief(text))), "{text:?}");
        }
        assert!(serde_json::from_str::<SessionId>(r#""../secret""#).is_err());
    }
}
