//! A shipped model unpacked, merged, found damaged, raced for, removed.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Tensor};

use super::*;

const TOKENIZER: &str = "tokenizer.json";
/// The tensor that the second revision adapts.
const WIDE: &str = "model.text_model.wide.weight";

/// A shipped model of two small tensors in two parts, and the values it unpacks to.
struct Shipped {
    home: tempfile::TempDir,
    manifest: Manifest,
    wide: Vec<f32>,
}

/// A safetensors file of `bias` [2] and [`WIDE`] [2, 32], as it is unpacked.
fn unpacked_file(wide: &[f32]) -> (Vec<u8>, Unpacked) {
    let header = r#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#.to_owned()
        + &format!(r#""{WIDE}":{{"dtype":"F32","shape":[2,32],"data_offsets":[8,264]}}}}"#);
    let padded = format!("{header:width$}", width = header.len().next_multiple_of(8));
    let mut whole = (padded.len() as u64).to_le_bytes().to_vec();
    whole.extend(padded.as_bytes());
    for value in [0.5, -1.25].iter().chain(wide) {
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
    (whole, unpacked)
}

impl Shipped {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let wide = Tensor::arange(0f32, 64., &Device::Cpu).unwrap().reshape((2, 32)).unwrap();
        let wide = QTensor::quantize(&wide, GgmlDType::Q8_0).unwrap();
        let bias = Tensor::new(&[0.5f32, -1.25], &Device::Cpu).unwrap();
        let bias = QTensor::quantize(&bias, GgmlDType::F32).unwrap();
        let mut container = Cursor::new(Vec::new());
        gguf_file::write(&mut container, &[], &[(WIDE, &wide), ("bias", &bias)]).unwrap();
        let container = container.into_inner();
        let wide = wide.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
        let wide: Vec<f32> = wide.to_vec1().unwrap();
        let (name, default, revisions) = ("tiny".into(), "1".into(), Vec::new());
        let manifest = Manifest { name, default, revisions };
        let mut shipped = Self { home, manifest, wide };

        let (one, two) = container.split_at(container.len() / 2);
        let revision = Revision {
            revision: "1".into(),
            card: None,
            files: vec![shipped.part(TOKENIZER, b"{}")],
            weights: vec![shipped.part("w.1", one), shipped.part("w.2", two)],
            adapter: None,
            unpacked: unpacked_file(&shipped.wide).1,
        };
        shipped.manifest.revisions.push(revision);
        shipped
    }

    /// Adds a second revision, with an adapter of rank 1; gives what it unpacks to.
    fn add_second(&mut self) -> Vec<u8> {
        let half = |values: Vec<f32>, shape| {
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            tensor.to_dtype(DType::F16).unwrap()
        };
        let a = half((0..32).map(|at| at as f32).collect(), (1, 32));
        let b = half(vec![2.0, -0.5], (2, 1));
        let adapter = HashMap::from([("wide.A", a), ("wide.B", b)]);
        let file = self.home.path().join("adapter");
        candle_core::safetensors::save(&adapter, &file).unwrap();
        let adapter = std::fs::read(file).unwrap();

        let product = |at: usize| [2.0, -0.5][at / 32] * (at % 32) as f32;
        let wide: Vec<f32> =
            self.wide.iter().enumerate().map(|(at, value)| value + product(at)).collect();
        let (whole, unpacked) = unpacked_file(&wide);
        std::fs::create_dir(self.home.path().join("revision-2")).unwrap();
        let second = Revision {
            revision: "2".into(),
            files: vec![self.part("revision-2/tokenizer.json", b"{ }")],
            adapter: Some(self.part("revision-2/a", &adapter)),
            unpacked,
            ..self.manifest.revisions[0].clone()
        };
        self.manifest.revisions.push(second);
        whole
    }

    fn part(&self, file: &str, content: &[u8]) -> Part {
        std::fs::write(self.home.path().join(file), content).unwrap();
        let sha256 = hex(Sha256::new_with_prefix(content));
        Part { file: file.into(), bytes: content.len() as u64, sha256 }
    }

    fn ensure(&self, cache: &Path) -> Result<(PathBuf, Vec<Step>), ModelError> {
        let mut steps = Vec::new();
        let (folder, _) = self.ensure_revision(0, cache, &mut |step| steps.push(step))?;
        Ok((folder, steps))
    }

    fn ensure_revision(
        &self,
        at: usize,
        cache: &Path,
        report: &mut dyn FnMut(Step),
    ) -> Result<(PathBuf, InUse), ModelError> {
        let revision = &self.manifest.revisions[at];
        ensure(self.home.path(), &self.manifest, revision, cache, report)
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
    let wide = tensors.tensor(WIDE).unwrap();
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
    assert_eq!(left.len(), 2, "only the lock and the mark of use: {left:?}");
}

#[test]
fn weights_that_unpack_to_something_else_are_refused() {
    let (mut shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
    shipped.manifest.revisions[0].unpacked.sha256_blocks[1] = "0".repeat(64);
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
fn the_second_revision_is_merged_and_lies_beside_the_first() {
    let (mut shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
    let whole = shipped.add_second();
    let (first, _) = shipped.ensure(cache.path()).unwrap();
    let (second, _) = shipped.ensure_revision(1, cache.path(), &mut |_| ()).unwrap();
    assert_eq!(std::fs::read(second.join("model.safetensors")).unwrap(), whole);
    assert_eq!(std::fs::read(second.join(TOKENIZER)).unwrap(), b"{ }", "its own file");
    assert!(!unpacked(&shipped.ensure(cache.path()).unwrap().1), "the first is still there");
    assert_ne!(first, second);

    let adapter = shipped.home.path().join("revision-2/a");
    let mut flipped = std::fs::read(&adapter).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&adapter, flipped).unwrap();
    std::fs::remove_dir_all(&second).unwrap();
    let error = shipped.ensure_revision(1, cache.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, ModelError::Damaged { file, .. } if *file == adapter), "{error}");
}

#[test]
fn what_nothing_uses_any_more_is_removed() {
    let (mut shipped, cache) = (Shipped::new(), tempfile::tempdir().unwrap());
    shipped.add_second();
    let models = cache.path().join("models");
    let age = |revision: &str, days: u64| {
        let mark = File::options().write(true).open(models.join(format!("tiny-{revision}.use")));
        let then = SystemTime::now() - Duration::from_hours(24 * days);
        mark.unwrap().set_modified(then).unwrap();
    };
    let (first, in_use) = shipped.ensure_revision(0, cache.path(), &mut |_| ()).unwrap();
    let other_model = models.join("tiny-2-0");
    std::fs::create_dir(&other_model).unwrap();
    let second = || shipped.ensure_revision(1, cache.path(), &mut |_| ()).unwrap().0;

    age("1", 8);
    second();
    assert!(first.is_dir(), "it is held");
    drop(in_use);
    age("1", 6);
    second();
    assert!(first.is_dir(), "it is shipped, and was used this week");
    age("1", 8);
    let home = second();
    assert!(!first.exists() && home.is_dir() && other_model.is_dir());

    // What the first release left there has no mark yet.
    std::fs::remove_file(models.join("tiny-1.use")).unwrap();
    std::fs::create_dir(&first).unwrap();
    second();
    assert!(first.is_dir());
    // A revision that is no longer shipped goes at once.
    let gone = models.join("tiny-0");
    std::fs::create_dir(&gone).unwrap();
    let (_, in_use) = (second(), InUse::of(&gone));
    assert!(!gone.exists());
    std::fs::create_dir(&gone).unwrap();
    second();
    assert!(gone.is_dir(), "it is held");
    drop(in_use);
    second();
    assert!(!gone.exists());
}
