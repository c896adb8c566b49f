//! Makes a model ready to load: a shipped model's GGUF container is unpacked into safetensors in the
//! cache folder, once, and a revision's adapter merged into it; a Hugging Face folder is checked and
//! used where it lies.
//!
//! mistral.rs reads no multimodal GGUF, and `Q8_0` → f32 → in-situ `Q8_0` gives the same numbers
//! back, so the container costs a quarter of the disk and nothing in quality. The result appears
//! under its final name by a rename only when it is whole and its hash is right; two instances
//! are kept apart by a lock file. What no instance uses any more is removed.
//!
//! In f16 the cache would be half as large, but the scales of `Q8_0` times its numbers do not fit
//! f16: over 44 answers the words were the same, yet log-probabilities differed by up to 0.004 in f32
//! and 0.14 in `Q8_0`, and loading took no less time.

mod adapter;
mod in_use;

use std::fs::{File, TryLockError};
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use adapter::{Adapter, Weights};
use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use conversation::ModelCard;
use model_store::{
    Manifest, ModelError, ModelFacts, ModelFolder, Part, Revision, Step, Unpacked, overlay,
    validate,
};
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};
use values::job::Progress;

pub use in_use::InUse;

/// A model whose files were checked, ready for the engine.
#[derive(Debug)]
pub struct Prepared {
    /// What the user calls it.
    pub name: String,
    /// Which edition of it: the manifest's revision, or "local" for a folder without one.
    pub revision: String,
    /// What its manifest says of it.
    pub card: Option<ModelCard>,
    /// The folder to load.
    pub folder: PathBuf,
    /// What its files say of it.
    pub facts: ModelFacts,
    /// Keeps a shipped model's folder in the cache: to be held for as long as the folder is read.
    pub in_use: Option<InUse>,
}

/// Makes `model` ready to load: unpacked where it comes in a container, checked in any case.
///
/// # Errors
/// Any [`ModelError`]; nothing half-made is left where a later start would take it for whole.
pub fn prepare(
    model: &ModelFolder,
    cache: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<Prepared, ModelError> {
    let (folder, revision, card, in_use) = match Manifest::read(&model.path)? {
        Some(manifest) => {
            let revision = manifest.wanted(model.revision.as_deref())?;
            let (folder, in_use) = ensure(&model.path, &manifest, revision, cache, report)?;
            (folder, revision.revision.clone(), revision.card.clone(), Some(in_use))
        }
        None => (model.path.clone(), "local".to_owned(), None, None),
    };
    let (facts, replacements) = validate(&folder)?;
    let folder = overlay::ensure(&folder, &replacements, cache)?;
    Ok(Prepared { name: model.name.clone(), revision, card, folder, facts, in_use })
}

/// The folder under `cache` that holds this revision, unpacked now if it is not there whole.
///
/// # Errors
/// Any [`ModelError`]: damaged parts, a full disk, a folder that cannot be written.
fn ensure(
    shipped: &Path,
    manifest: &Manifest,
    revision: &Revision,
    cache: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(PathBuf, InUse), ModelError> {
    let models = cache.join("models");
    let home = models.join(format!("{}-{}", manifest.name, revision.revision));
    let made = std::fs::create_dir_all(&models);
    let in_use = InUse::of(&home);
    // A whole model is used without the lock, so that a read-only cache serves too.
    if !is_whole(&home, revision, report) {
        made.map_err(|error| write_error(&models, &error, revision))?;
        unpack(shipped, manifest, revision, &home, report)?;
    }
    in_use::remove_unused(&models, manifest, &revision.revision);
    Ok((home, in_use))
}

/// Unpacks the revision into `home`, unless another instance does so first.
fn unpack(
    shipped: &Path,
    manifest: &Manifest,
    revision: &Revision,
    home: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(), ModelError> {
    let models = home.parent().unwrap_or(home);
    let lock_file = models.join(format!("{}.lock", manifest.name));
    let lock = File::create(&lock_file).map_err(|e| write_error(models, &e, revision))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            report(Step::Waiting);
            lock.lock().map_err(|error| ModelError::io(&lock_file, &error))?;
        }
        // Some network folders know no locks; the rename still keeps what is there whole.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    if is_whole(home, revision, report) {
        return Ok(());
    }
    let prefix = leftover_prefix(&manifest.name);
    remove_leftovers(models, &prefix);

    let unfinished = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(models)
        .map_err(|error| write_error(models, &error, revision))?;
    write_whole(shipped, revision, unfinished.path(), report)?;
    match std::fs::remove_dir_all(home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(write_error(home, &error, revision));
        }
        _ => {}
    }
    std::fs::rename(unfinished.path(), home)
        .map_err(|error| write_error(home, &error, revision))?;
    let _ = unfinished.keep();
    Ok(())
}

/// Unfinished folders carry this, so that the next holder of the lock can sweep them up.
fn leftover_prefix(name: &str) -> String {
    format!(".{name}.unfinished-")
}

/// Removes what a killed unpacking left behind. Called under the lock: nobody else writes there.
fn remove_leftovers(models: &Path, prefix: &str) {
    for entry in std::fs::read_dir(models).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // What cannot be removed only takes room; the unpacking itself can still succeed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn write_error(path: &Path, error: &std::io::Error, revision: &Revision) -> ModelError {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => {
            ModelError::DiskFull { folder: path.to_path_buf(), needed: revision.unpacked.bytes }
        }
        _ => ModelError::NotWritable { folder: path.to_path_buf(), reason: error.to_string() },
    }
}

/// Whether `home` holds every file of the model with the right hash.
fn is_whole(home: &Path, revision: &Revision, report: &mut dyn FnMut(Step)) -> bool {
    let is_right = |part: &Part| {
        let copy = std::fs::read(home.join(part.name()));
        copy.is_ok_and(|copy| hex(Sha256::new_with_prefix(copy)) == part.sha256)
    };
    revision.files.iter().all(is_right)
        && blocks_match(&home.join(&revision.unpacked.file), &revision.unpacked, report)
}

/// Compares the file with its block hashes, on all cores.
fn blocks_match(file: &Path, wanted: &Unpacked, report: &mut dyn FnMut(Step)) -> bool {
    let whole_length = std::fs::metadata(file).is_ok_and(|data| data.len() == wanted.bytes);
    let blocks = wanted.sha256_blocks.len();
    if !whole_length || blocks as u64 != wanted.bytes.div_ceil(wanted.block_bytes) {
        return false;
    }
    let (next, checked, failed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicUsize::new(0));
    let check = || -> std::io::Result<()> {
        let mut source = File::open(file)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks || failed.load(Ordering::Relaxed) > 0 {
                return Ok(());
            }
            let start = block as u64 * wanted.block_bytes;
            std::io::Seek::seek(&mut source, std::io::SeekFrom::Start(start))?;
            let mut left = wanted.block_bytes.min(wanted.bytes - start);
            let mut hash = Sha256::new();
            while left > 0 {
                let take = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                source.read_exact(&mut buffer[..take])?;
                hash.update(&buffer[..take]);
                left -= take as u64;
                checked.fetch_add(take as u64, Ordering::Relaxed);
            }
            if hex(hash) != wanted.sha256_blocks[block] {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..threads).map(|_| scope.spawn(check)).collect();
        while !helpers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            report(Step::Verifying(Progress::new(checked.load(Ordering::Relaxed), wanted.bytes)));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        helpers.into_iter().all(|helper| matches!(helper.join(), Ok(Ok(()))))
    }) && failed.load(Ordering::Relaxed) == 0
}

/// Writes every file of the model into `target`, checking each against the manifest.
fn write_whole(
    shipped: &Path,
    revision: &Revision,
    target: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(), ModelError> {
    for part in &revision.files {
        let content = read_part(shipped, part)?;
        let copy = target.join(part.name());
        std::fs::write(&copy, content).map_err(|error| write_error(target, &error, revision))?;
    }
    let mut container = Vec::new();
    for part in &revision.weights {
        container.append(&mut read_part(shipped, part)?);
    }
    let adapter = revision.adapter.as_ref().map(|part| read_part(shipped, part)).transpose()?;
    let file = target.join(&revision.unpacked.file);
    write_safetensors(shipped, &container, adapter.as_deref(), revision, &file, report)
}

fn read_part(shipped: &Path, part: &Part) -> Result<Vec<u8>, ModelError> {
    let file = shipped.join(&part.file);
    let content = std::fs::read(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            ModelError::Missing { folder: shipped.to_path_buf(), file: part.file.clone() }
        }
        _ => ModelError::io(&file, &error),
    })?;
    if content.len() as u64 != part.bytes {
        let reason = format!("{} bytes long where it should be {}", content.len(), part.bytes);
        return Err(ModelError::damaged(&file, reason));
    }
    if hex(Sha256::new_with_prefix(&content)) != part.sha256 {
        return Err(ModelError::damaged(&file, "its content differs from what was shipped"));
    }
    Ok(content)
}

/// Dequantises every tensor of `container` to f32, merges `adapter` into them and writes them in the
/// order of their names, one at a time.
fn write_safetensors(
    shipped: &Path,
    container: &[u8],
    adapter: Option<&[u8]>,
    revision: &Revision,
    target: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(), ModelError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        ModelError::damaged(shipped, format!("its container cannot be read ({error})"))
    };
    let no_adapter = |error: String| {
        ModelError::damaged(shipped, format!("its adapter cannot be merged ({error})"))
    };
    let adapter = adapter.map(Adapter::read).transpose().map_err(no_adapter)?;
    let mut container = Cursor::new(container);
    let content = Content::read(&mut container).map_err(|error| unreadable(&error))?;
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort_unstable();

    let mut end = 0;
    let mut tensors = Vec::with_capacity(names.len());
    for name in &names {
        let mut shape = content.tensor_infos[*name].shape.dims().to_vec();
        if let Some(adapter) = &adapter {
            shape = adapter.shape_of(name, shape);
        }
        let start = end;
        end += shape.iter().product::<usize>() * size_of::<f32>();
        let info = TensorInfo { dtype: safetensors::Dtype::F32, shape, data_offsets: (start, end) };
        tensors.push(((*name).clone(), info));
    }
    let metadata = Metadata::new(None, tensors).map_err(|error| unreadable(&error))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| unreadable(&error))?;
    // The format asks for data that starts on a multiple of 8 bytes, and pads with spaces.
    header.resize(header.len().next_multiple_of(8), b' ');

    let write_failed = |error: std::io::Error| write_error(target, &error, revision);
    let file = File::create(target).map_err(write_failed)?;
    let mut out = BlockHasher::new(BufWriter::new(file), revision.unpacked.block_bytes);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(write_failed)?;
    out.write_all(&header).map_err(write_failed)?;
    let mut bytes = Vec::new();
    for name in names {
        let values = content
            .tensor(&mut container, name, &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu))
            .and_then(|tensor| tensor.flatten_all())
            .and_then(|tensor| tensor.to_vec1::<f32>())
            .map_err(|error| unreadable(&error))?;
        let shape = content.tensor_infos[name].shape.dims().to_vec();
        let mut weights = Weights { shape, values };
        if let Some(adapter) = &adapter {
            weights = adapter.merge(name, weights).map_err(no_adapter)?;
        }
        bytes.clear();
        bytes.extend(weights.values.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes).map_err(write_failed)?;
        report(Step::Unpacking(Progress::new(out.written, revision.unpacked.bytes)));
    }
    let (file, blocks) = out.finish().map_err(write_failed)?;
    // The rename that follows must not become visible before the content is safe.
    file.sync_all().map_err(write_failed)?;
    if blocks != revision.unpacked.sha256_blocks {
        return Err(unreadable(&"its weights differ from what the manifest says"));
    }
    Ok(())
}

/// Hashes in blocks what passes through it.
struct BlockHasher {
    inner: BufWriter<File>,
    block_bytes: u64,
    written: u64,
    current: Sha256,
    blocks: Vec<String>,
}

impl BlockHasher {
    fn new(inner: BufWriter<File>, block_bytes: u64) -> Self {
        Self { inner, block_bytes, written: 0, current: Sha256::new(), blocks: Vec::new() }
    }

    fn close_block(&mut self) {
        self.blocks.push(hex(std::mem::take(&mut self.current)));
    }

    fn finish(mut self) -> std::io::Result<(File, Vec<String>)> {
        if !self.written.is_multiple_of(self.block_bytes) {
            self.close_block();
        }
        let file = self.inner.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok((file, self.blocks))
    }
}

impl Write for BlockHasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = self.block_bytes - self.written % self.block_bytes;
        let take = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.inner.write_all(&bytes[..take])?;
        self.current.update(&bytes[..take]);
        self.written += take as u64;
        if take as u64 == room {
            self.close_block();
        }
        Ok(take)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests;
