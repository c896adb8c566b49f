//! Makes a model ready to load: a shipped model's GGUF container is unpacked into safetensors in the
//! cache folder, once; a Hugging Face folder is checked and used where it lies.
//!
//! mistral.rs reads no multimodal GGUF, and `Q8_0` → f32 → in-situ `Q8_0` gives the same numbers
//! back, so the container costs a quarter of the disk and nothing in quality. The result appears
//! under its final name by a rename only when it is whole and its hash is right; two instances
//! are kept apart by a lock file.

use std::fs::{File, TryLockError};
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use model_store::{
    Manifest, ModelError, ModelFacts, ModelFolder, Part, Step, Unpacked, overlay, validate,
};
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};
use values::job::Progress;

/// A model whose files were checked, ready for the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What the user calls it.
    pub name: String,
    /// Which edition of it: the manifest's revision, or "local" for a folder without one.
    pub revision: String,
    /// The folder to load.
    pub folder: PathBuf,
    /// What its files say of it.
    pub facts: ModelFacts,
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
    let (folder, revision) = match Manifest::read(&model.path)? {
        Some(manifest) => {
            let folder = ensure(&model.path, &manifest, cache, report)?;
            (folder, manifest.revision)
        }
        None => (model.path.clone(), "local".to_owned()),
    };
    let (facts, replacements) = validate(&folder)?;
    let folder = overlay::ensure(&folder, &replacements, cache)?;
    Ok(Prepared { name: model.name.clone(), revision, folder, facts })
}

/// The folder under `cache` that holds `manifest`'s model, unpacked now if it is not there whole.
///
/// # Errors
/// Any [`ModelError`]: damaged parts, a full disk, a folder that cannot be written.
fn ensure(
    shipped: &Path,
    manifest: &Manifest,
    cache: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<PathBuf, ModelError> {
    let models = cache.join("models");
    let home = models.join(format!("{}-{}", manifest.name, manifest.revision));
    // A whole model is used without the lock, so that a read-only cache serves too.
    if is_whole(&home, manifest, report) {
        return Ok(home);
    }
    std::fs::create_dir_all(&models).map_err(|error| write_error(&models, &error, manifest))?;
    let lock_file = models.join(format!("{}.lock", manifest.name));
    let lock = File::create(&lock_file).map_err(|e| write_error(&models, &e, manifest))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            report(Step::Waiting);
            lock.lock().map_err(|error| ModelError::io(&lock_file, &error))?;
        }
        // Some network folders know no locks; the rename still keeps what is there whole.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    if is_whole(&home, manifest, report) {
        return Ok(home);
    }
    remove_leftovers(&models, manifest);

    let unfinished = tempfile::Builder::new()
        .prefix(&leftover_prefix(manifest))
        .tempdir_in(&models)
        .map_err(|error| write_error(&models, &error, manifest))?;
    write_whole(shipped, manifest, unfinished.path(), report)?;
    match std::fs::remove_dir_all(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(write_error(&home, &error, manifest));
        }
        _ => {}
    }
    std::fs::rename(unfinished.path(), &home)
        .map_err(|error| write_error(&home, &error, manifest))?;
    let _ = unfinished.keep();
    Ok(home)
}

/// Unfinished folders carry this, so that the next holder of the lock can sweep them up.
fn leftover_prefix(manifest: &Manifest) -> String {
    format!(".{}.unfinished-", manifest.name)
}

/// Removes what a killed unpacking left behind. Called under the lock: nobody else writes there.
fn remove_leftovers(models: &Path, manifest: &Manifest) {
    let prefix = leftover_prefix(manifest);
    for entry in std::fs::read_dir(models).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // What cannot be removed only takes room; the unpacking itself can still succeed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn write_error(path: &Path, error: &std::io::Error, manifest: &Manifest) -> ModelError {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => {
            ModelError::DiskFull { folder: path.to_path_buf(), needed: manifest.unpacked.bytes }
        }
        _ => ModelError::NotWritable { folder: path.to_path_buf(), reason: error.to_string() },
    }
}

/// Whether `home` holds every file of the model with the right hash.
fn is_whole(home: &Path, manifest: &Manifest, report: &mut dyn FnMut(Step)) -> bool {
    let is_right = |part: &Part| {
        let copy = std::fs::read(home.join(&part.file));
        copy.is_ok_and(|copy| hex(Sha256::new_with_prefix(copy)) == part.sha256)
    };
    manifest.files.iter().all(is_right)
        && blocks_match(&home.join(&manifest.unpacked.file), &manifest.unpacked, report)
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
    manifest: &Manifest,
    target: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(), ModelError> {
    for part in &manifest.files {
        let content = read_part(shipped, part)?;
        let copy = target.join(&part.file);
        std::fs::write(&copy, content).map_err(|error| write_error(target, &error, manifest))?;
    }
    let mut container = Vec::new();
    for part in &manifest.weights {
        container.append(&mut read_part(shipped, part)?);
    }
    write_safetensors(shipped, &container, manifest, &target.join(&manifest.unpacked.file), report)
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

/// Dequantises every tensor of `container` to f32 and writes them in the order of their names.
fn write_safetensors(
    shipped: &Path,
    container: &[u8],
    manifest: &Manifest,
    target: &Path,
    report: &mut dyn FnMut(Step),
) -> Result<(), ModelError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        ModelError::damaged(shipped, format!("its container cannot be read ({error})"))
    };
    let mut container = Cursor::new(container);
    let content = Content::read(&mut container).map_err(|error| unreadable(&error))?;
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort_unstable();

    let mut end = 0;
    let mut tensors = Vec::with_capacity(names.len());
    for name in &names {
        let shape = content.tensor_infos[*name].shape.dims().to_vec();
        let start = end;
        end += shape.iter().product::<usize>() * size_of::<f32>();
        let info = TensorInfo { dtype: safetensors::Dtype::F32, shape, data_offsets: (start, end) };
        tensors.push(((*name).clone(), info));
    }
    let metadata = Metadata::new(None, tensors).map_err(|error| unreadable(&error))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| unreadable(&error))?;
    // The format asks for data that starts on a multiple of 8 bytes, and pads with spaces.
    header.resize(header.len().next_multiple_of(8), b' ');

    let write_failed = |error: std::io::Error| write_error(target, &error, manifest);
    let file = File::create(target).map_err(write_failed)?;
    let mut out = BlockHasher::new(BufWriter::new(file), manifest.unpacked.block_bytes);
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
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes).map_err(write_failed)?;
        report(Step::Unpacking(Progress::new(out.written, manifest.unpacked.bytes)));
    }
    let (file, blocks) = out.finish().map_err(write_failed)?;
    // The rename that follows must not become visible before the content is safe.
    file.sync_all().map_err(write_failed)?;
    if blocks != manifest.unpacked.sha256_blocks {
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
