//! Who gives evidence: the specialists, opened when they are first asked, shared by all that ask.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use values::job::Progress;
use values::picture::Look;

use crate::{
    Evidence, EvidenceError, LABEL_ENCODER, LabelEncoder, Line, READER, Sighting, Specialists,
    TextReader,
};

/// The specialists of this installation. A clone is the same ones.
#[derive(Clone)]
pub struct Witness(Arc<Opened>);

struct Opened {
    specialists: Specialists,
    /// The folder of the shipped models.
    models: PathBuf,
    labels: OnceLock<Result<Box<dyn LabelEncoder>, EvidenceError>>,
    reader: OnceLock<Result<Box<dyn TextReader>, EvidenceError>>,
}

impl Witness {
    /// Those whose files lie among the shipped `models`. Nothing is read yet.
    #[must_use]
    pub fn new(specialists: Specialists, models: &Path) -> Self {
        let (labels, reader) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Opened { specialists, models: models.to_owned(), labels, reader }))
    }

    /// What they see in `picture`, or in the marked part of it: its labels and colours.
    ///
    /// # Errors
    /// A specialist that cannot be opened, or fails; a picture without pixels.
    pub fn evidence(&self, picture: &Look) -> Result<Evidence, EvidenceError> {
        self.sighting(picture).map(|sighting| sighting.evidence)
    }

    /// The same, and where.
    ///
    /// # Errors
    /// Those of [`Witness::evidence`].
    pub fn sighting(&self, picture: &Look) -> Result<Sighting, EvidenceError> {
        Sighting::of(picture, self.labels()?)
    }

    /// The same of a picture that goes on changing, looked at on one thread alone.
    ///
    /// # Errors
    /// Those of [`Witness::evidence`].
    pub fn glance(&self, picture: &Look) -> Result<Sighting, EvidenceError> {
        Ok(Sighting::new(picture, self.labels()?.glance(picture)?))
    }

    fn labels(&self) -> Result<&dyn LabelEncoder, EvidenceError> {
        let Opened { specialists, models, labels, .. } = &*self.0;
        let labels = labels.get_or_init(|| (specialists.labels)(&models.join(LABEL_ENCODER)));
        Ok(&**labels.as_ref().map_err(Clone::clone)?)
    }

    /// What is written in `picture`, or in the marked part of it: see [`TextReader::lines`].
    ///
    /// # Errors
    /// A reader that cannot be opened, or fails; a picture without pixels.
    pub fn lines(
        &self,
        picture: &Look,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError> {
        let Opened { specialists, models, reader, .. } = &*self.0;
        let reader = reader.get_or_init(|| (specialists.reader)(&models.join(READER)));
        reader.as_ref().map_err(Clone::clone)?.lines(picture, go_on)
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witness").field(&self.0.models).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use image::RgbImage;
    use values::frame::{Frame, Source};

    use super::*;

    static OPENED: AtomicUsize = AtomicUsize::new(0);

    /// Reads the folder that it came from, if it may go on.
    struct Folder(String);

    impl TextReader for Folder {
        fn lines(
            &self,
            _: &Look,
            go_on: &mut dyn FnMut(Progress) -> bool,
        ) -> Result<Vec<Line>, EvidenceError> {
            let place = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
            let line = Line { text: self.0.clone(), probability: 0.9, place };
            Ok(if go_on(Progress::new(0, 1)) { vec![line] } else { Vec::new() })
        }
    }

    #[test]
    fn the_reader_is_opened_once_and_when_it_is_asked() {
        let specialists = Specialists {
            labels: |folder| Err(EvidenceError::file(folder, &"it is not there")),
            reader: |folder| {
                OPENED.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(Folder(folder.display().to_string())))
            },
        };
        let witness = Witness::new(specialists, Path::new("models"));
        let frame = Frame::new(RgbImage::new(3, 3), Source::Memory("dark".into()));
        let look = Look { frame, region: None };
        assert!(witness.evidence(&look).is_err());
        assert_eq!(OPENED.load(Ordering::Relaxed), 0);
        for _ in 0..2 {
            let lines = witness.clone().lines(&look, &mut |_| true).unwrap();
            assert_eq!(lines[0].text, Path::new("models").join(READER).display().to_string());
        }
        assert_eq!(OPENED.load(Ordering::Relaxed), 1);
        assert!(witness.lines(&look, &mut |_| false).unwrap().is_empty());
    }
}
