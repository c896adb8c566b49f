//! Reads a tower's tensors, and no others, out of a model's safetensors files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use serde_json::Value;
use values::safetensors::Header;

use super::config::read_object;
use super::error::TowerError;

/// The tensors of a model's folder, read one by one as they are asked for.
pub struct Weights {
    folder: PathBuf,
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    places: HashMap<String, usize>,
}

/// One safetensors file.
struct Shard {
    path: PathBuf,
    header: Header,
}

impl Weights {
    /// Reads the headers of `folder`'s weights: `model.safetensors`, or the files that
    /// `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// No weights, or a file that is no safetensors file or cut short.
    pub fn open(folder: &Path) -> Result<Self, TowerError> {
        let mut names = vec!["model.safetensors".to_owned()];
        if !folder.join(&names[0]).is_file() {
            let index = read_object(folder, "model.safetensors.index.json")?
                .ok_or_else(|| TowerError::missing(folder, "model.safetensors"))?;
            let map = index.get("weight_map").and_then(Value::as_object);
            names = map
                .into_iter()
                .flat_map(|map| map.values())
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            names.sort();
            names.dedup();
        }
        let mut weights =
            Self { folder: folder.to_path_buf(), shards: Vec::new(), places: HashMap::new() };
        for name in names {
            let path = folder.join(&name);
            if !path.is_file() {
                return Err(TowerError::missing(folder, name));
            }
            let header = Header::read(&path)
                .map_err(|error| TowerError::damaged(&path, error.to_string()))?;
            let index = weights.shards.len();
            let names = header.metadata.offset_keys().into_iter();
            weights.places.extend(names.map(|name| (name, index)));
            weights.shards.push(Shard { path, header });
        }
        Ok(weights)
    }

    /// Whether there is a tensor called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The tensor called `name` in f32, which must have the shape `wanted`.
    ///
    /// # Errors
    /// No such tensor, another shape, a type that is not f32, f16 or bf16, or a file that cannot
    /// be read.
    pub fn get(&self, name: &str, wanted: &[usize]) -> Result<Tensor, TowerError> {
        let missing = || TowerError::missing(&self.folder, format!("the tensor {name}"));
        let shard = &self.shards[*self.places.get(name).ok_or_else(missing)?];
        let info = shard.header.metadata.info(name).ok_or_else(missing)?;
        if info.shape != wanted {
            let reason = format!("{name} has the shape {:?}, not {wanted:?}", info.shape);
            return Err(TowerError::damaged(&shard.path, reason));
        }
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let reason = format!("its tensor {name} is stored as {other:?}");
                return Err(TowerError::unsupported(&self.folder, reason));
            }
        };
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        File::open(&shard.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(shard.header.data_start + start as u64))?;
                file.read_exact(&mut bytes)
            })
            .map_err(|error| TowerError::damaged(&shard.path, error.to_string()))?;
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, wanted, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn save(folder: &Path, file: &str, name: &str, dtype: DType) {
        let tensor = Tensor::new(&[[0.5f32, -2.0, 3.25]], &Device::Cpu).unwrap();
        tensor.to_dtype(dtype).unwrap().save_safetensors(name, folder.join(file)).unwrap();
    }

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn every_float_type_is_read_as_f32() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let home = folder();
            save(home.path(), "model.safetensors", "a", dtype);
            let read = Weights::open(home.path()).unwrap().get("a", &[1, 3]).unwrap();
            assert_eq!(read.to_vec2::<f32>().unwrap(), [[0.5, -2.0, 3.25]], "{dtype:?}");
        }
        let home = folder();
        save(home.path(), "model.safetensors", "a", DType::U8);
        let error = Weights::open(home.path()).unwrap().get("a", &[1, 3]).unwrap_err();
        assert!(matches!(error, TowerError::Unsupported { .. }), "{error}");
    }

    #[test]
    fn shards_are_found_by_their_index() {
        let home = folder();
        save(home.path(), "one.safetensors", "a", DType::F32);
        save(home.path(), "two.safetensors", "b", DType::F16);
        let index = r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
        std::fs::write(home.path().join("model.safetensors.index.json"), index).unwrap();
        let weights = Weights::open(home.path()).unwrap();
        assert!(weights.get("a", &[1, 3]).is_ok() && weights.get("b", &[1, 3]).is_ok());
        std::fs::remove_file(home.path().join("two.safetensors")).unwrap();
        let error = Weights::open(home.path()).err().unwrap();
        assert!(error.to_string().contains("lacks two.safetensors"), "{error}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let home = folder();
        let said = |what: Result<Tensor, TowerError>| what.unwrap_err().to_string();
        assert!(
            Weights::open(home.path()).err().unwrap().to_string().contains("model.safetensors")
        );
        save(home.path(), "model.safetensors", "a", DType::F32);
        let weights = Weights::open(home.path()).unwrap();
        assert!(said(weights.get("b", &[1])).contains("the tensor b"));
        assert!(said(weights.get("a", &[3, 1])).contains("a has the shape [1, 3], not [3, 1]"));

        let file = home.path().join("model.safetensors");
        let whole = std::fs::read(&file).unwrap();
        for cut in [0, 7, 20, whole.len() - 1] {
            std::fs::write(&file, &whole[..cut]).unwrap();
            let error = Weights::open(home.path()).err().unwrap();
            assert!(matches!(error, TowerError::Damaged { .. }), "{cut}: {error}");
        }
    }
}
