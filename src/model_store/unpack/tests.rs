//! A shipped model unpacked, found damaged, raced for.

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
