//! Who gives evidence: the specialists, opened when they are first asked, shared by all that ask.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use values::picture::Look;

use crate::{Evidence, EvidenceError, LABEL_ENCODER, LabelEncoder, Specialists};

/// The specialists of this installation. A clone is the same ones.
#[derive(Clone)]
pub struct Witness(Arc<Opened>);

struct Opened {
    specialists: Specialists,
    /// The label encoder's folder.
    folder: PathBuf,
    labels: OnceLock<Result<Box<dyn LabelEncoder>, EvidenceError>>,
}

impl Witness {
    /// Those whose files lie among the shipped `models`. Nothing is read yet.
    #[must_use]
    pub fn new(specialists: Specialists, models: &Path) -> Self {
        let folder = models.join(LABEL_ENCODER);
        Self(Arc::new(Opened { specialists, folder, labels: OnceLock::new() }))
    }

    /// What they see in `picture`, or in the marked part of it.
    ///
    /// # Errors
    /// A specialist that cannot be opened, or fails; a picture without pixels.
    pub fn evidence(&self, picture: &Look) -> Result<Evidence, EvidenceError> {
        let Opened { specialists, folder, labels } = &*self.0;
        let labels = labels.get_or_init(|| (specialists.labels)(folder));
        Evidence::of(picture, &**labels.as_ref().map_err(Clone::clone)?)
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witness").field(&self.0.folder).finish()
    }
}
