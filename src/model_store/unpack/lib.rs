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
mod tests {
    use candle_core::Tensor;
    use candle_core::quantized::{GgmlDType, QTensor, gguf_file};

    use super::*;

    const TOKENIZER: &str = "tokenizer.json";

    /// A shipped model of two small tensors in two parts, and the values it unpacks to.
    struct Shipped {
        home: tempfile::TempDir,
        manifest: Manifest,
        wide: Vec<f32>,
    }

    impl Shipped {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let wide = Tensor::arange(0f32, 64., &Device::Cpu).unwrap().reshape((2, 32)).unwrap();
            let wide = QTensor::quantize(&wide, GgmlDType::Q8_0).unwrap();
            let bias = Tensor::new(&[0.5f32, -1.25], &Device::Cpu).unwrap();
            let bias = QTensor::quantize(&bias, GgmlDType::F32).unwrap();
            let mut container = Cursor::new(Vec::new());
            gguf_file::write(&mut container, &[], &[("wide", &wide), ("bias", &bias)]).unwrap();
            let container = container.into_inner();
            let (one, two) = container.split_at(container.len() / 2);
            let part = |file: &str, content: &[u8]| {
                std::fs::write(home.path().join(file), content).unwrap();
                let sha256 = hex(Sha256::new_with_prefix(content));
                Part { file: file.into(), bytes: content.len() as u64, sha256 }
            };
            let weights = vec![part("w.1", one), part("w.2", two)];
            let files = vec![part(TOKENIZER, b"{}")];
            let wide = wide.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
            let wide: Vec<f32> = wide.to_vec1().unwrap();

            let header = r#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#.to_owned()
                + r#""wide":{"dtype":"F32","shape":[2,32],"data_offsets":[8,264]}}"#;
            let padded = format!("{header:width$}", width = header.len().next_multiple_of(8));
            let mut whole = (padded.len() as u64).to_le_bytes().to_vec();
            whole.extend(padded.as_bytes());
            for value in [0.5, -1.25].iter().chain(&wide) {
                whole.extend(value.to_le_bytes());
            }
            let block_bytes = 100;
            let blocks = whole.chunks(block_bytes);
            let unpacked = Unpacked {
                file: "model.safetensors".into(),
                bytes: whole.len() as u64,
                sha256_blocks: blocks.map(|b| hex(Sha256::new_with_prefix(b))).collect(),
                block_bytes: block_bytes as u64,
            };
            let (name, revision, licence) = ("tiny".into(), "1".into(), "MIT".into());
            let manifest = Manifest { name, revision, licence, files, weights, unpacked };
            Self { home, manifest, wide }
        }

        fn ensure(&self, cache: &Path) -> Result<(PathBuf, Vec<Step>), ModelError> {
            let mut steps = Vec::new();
            let folder = ensure(self.home.path(), &self.manifest, cache, &mut |step| {
                steps.push(step);
            })?;
            Ok((folder, steps))
        }
    }

    fn unpacked(steps: &[Step]) -> bool {
        steps.iter().any(|step| matches!(step, Step::Unpacking(_)))
    }

    #[test]
    fn unpacks_once_to_the_dequantised_numbers() {
        let (shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
        let (folder, steps) = shipped.ensure(cache.path()).unwrap();
        assert!(unpacked(&steps));
        let file = std::fs::read(folder.join("model.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        let wide = tensors.tensor("wide").unwrap();
        assert_eq!(wide.shape(), [2, 32]);
        let values = wide.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        assert_eq!(values.collect::<Vec<_>>(), shipped.wide);
        assert!(folder.join(TOKENIZER).is_file());

        let (again, steps) = shipped.ensure(cache.path()).unwrap();
        assert_eq!(again, folder);
        assert!(!unpacked(&steps), "the second start finds it whole");
    }

    #[test]
    fn a_damaged_or_half_made_copy_is_made_again() {
        let (shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
        let (folder, _) = shipped.ensure(cache.path()).unwrap();
        let weights = folder.join("model.safetensors");
        let whole = std::fs::read(&weights).unwrap();
        let mut flipped = whole.clone();
        flipped[210] ^= 1;
        for damaged in [&whole[..whole.len() - 1], &flipped, b""] {
            std::fs::write(&weights, damaged).unwrap();
            assert!(unpacked(&shipped.ensure(cache.path()).unwrap().1));
            assert_eq!(std::fs::read(&weights).unwrap(), whole);
        }
        std::fs::write(folder.join(TOKENIZER), "changed").unwrap();
        assert!(unpacked(&shipped.ensure(cache.path()).unwrap().1));

        let left = cache.path().join("models/.tiny.unfinished-killed");
        std::fs::create_dir(&left).unwrap();
        std::fs::remove_file(&weights).unwrap();
        shipped.ensure(cache.path()).unwrap();
        assert!(!left.exists(), "what a killed process left is swept up");
    }

    #[test]
    fn a_damaged_container_is_named_and_leaves_nothing_behind() {
        let (shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
        let part = shipped.home.path().join("w.2");
        let whole = std::fs::read(&part).unwrap();
        let mut flipped = whole.clone();
        flipped[3] ^= 1;
        for damaged in [&whole[..7], &flipped] {
            std::fs::write(&part, damaged).unwrap();
            let error = shipped.ensure(cache.path()).unwrap_err();
            assert!(matches!(&error, ModelError::Damaged { file, .. } if *file == part), "{error}");
        }
        std::fs::remove_file(&part).unwrap();
        let error = shipped.ensure(cache.path()).unwrap_err();
        assert!(matches!(&error, ModelError::Missing { file, .. } if file == "w.2"), "{error}");
        let left: Vec<_> = std::fs::read_dir(cache.path().join("models")).unwrap().collect();
        assert_eq!(left.len(), 1, "only the lock: {left:?}");
    }

    #[test]
    fn weights_that_unpack_to_something_else_are_refused() {
        let (mut shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
        shipped.manifest.unpacked.sha256_blocks[1] = "0".repeat(64);
        let error = shipped.ensure(cache.path()).unwrap_err();
        assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
    }

    #[test]
    fn two_at_once_do_not_disturb_each_other() {
        let (shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
        std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| shipped.ensure(cache.path()).unwrap())).collect();
            let made = all.into_iter().map(|one| one.join().unwrap());
            assert_eq!(made.filter(|(_, steps)| unpacked(steps)).count(), 1);
        });
    }

    #[test]
    fn a_cache_that_cannot_be_written_says_so() {
        let shipped = Shipped::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = shipped.ensure(&file.path().join("cache")).unwrap_err();
        assert!(matches!(error, ModelError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains("LORGNETTE_CACHE_DIR"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_says_how_much_is_needed() {
        let mut shipped = Shipped::new();
        let disk = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(disk.path())
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: only root can mount a small disk");
            return;
        }
        let big = vec![7; 100_000];
        std::fs::write(shipped.home.path().join(TOKENIZER), &big).unwrap();
        shipped.manifest.files[0].bytes = big.len() as u64;
        shipped.manifest.files[0].sha256 = hex(Sha256::new_with_prefix(&big));
        let error = shipped.ensure(disk.path()).unwrap_err();
        let _ = std::process::Command::new("umount").arg(disk.path()).status();
        let needed = shipped.manifest.unpacked.bytes;
        assert!(matches!(error, ModelError::DiskFull { needed: n, .. } if n == needed), "{error}");
    }
}
