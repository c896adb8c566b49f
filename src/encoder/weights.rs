//! Reads a tower's tensors, and no others, out of a model's safetensors files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::Value;

use super::config::read_object;
use super::error::EncoderError;

/// A safetensors header is refused above this many bytes, as the safetensors crate does.
const MAX_HEADER_BYTES: u64 = 100_000_000;

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
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    data_start: u64,
}

impl Weights {
    /// Reads the headers of `folder`'s weights: `model.safetensors`, or the files that
    /// `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// No weights, or a file that is no safetensors file or cut short.
    pub fn open(folder: &Path) -> Result<Self, EncoderError> {
        let mut names = vec!["model.safetensors".to_owned()];
        if !folder.join(&names[0]).is_file() {
            let index = read_object(folder, "model.safetensors.index.json")?
                .ok_or_else(|| EncoderError::missing(folder, "model.safetensors"))?;
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
                return Err(EncoderError::missing(folder, name));
            }
            let shard = Shard::open(path)?;
            let index = weights.shards.len();
            weights.places.extend(shard.metadata.offset_keys().into_iter().map(|key| (key, index)));
            weights.shards.push(shard);
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
    pub fn get(&self, name: &str, wanted: &[usize]) -> Result<Tensor, EncoderError> {
        let missing = || EncoderError::missing(&self.folder, format!("the tensor {name}"));
        let shard = &self.shards[*self.places.get(name).ok_or_else(missing)?];
        let info = shard.metadata.info(name).ok_or_else(missing)?;
        if info.shape != wanted {
            let reason = format!("{name} has the shape {:?}, not {wanted:?}", info.shape);
            return Err(EncoderError::damaged(&shard.path, reason));
        }
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let reason = format!("its tensor {name} is stored as {other:?}");
                return Err(EncoderError::unsupported(&self.folder, reason));
            }
        };
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        File::open(&shard.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(shard.data_start + start as u64))?;
                file.read_exact(&mut bytes)
            })
            .map_err(|error| EncoderError::damaged(&shard.path, error.to_string()))?;
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, wanted, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, EncoderError> {
        let damaged = |reason: &str| EncoderError::damaged(&path, reason);
        let io = |error: std::io::Error| EncoderError::damaged(&path, error.to_string());
        let mut file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut prefix = [0; 8];
        if length < 8 {
            return Err(damaged("the file is empty or cut short"));
        }
        file.read_exact(&mut prefix).map_err(io)?;
        let header_length = u64::from_le_bytes(prefix);
        if header_length > MAX_HEADER_BYTES || header_length > length - 8 {
            return Err(damaged("not a safetensors file, or cut short"));
        }
        let mut header = vec![0; usize::try_from(header_length).unwrap_or(0)];
        file.read_exact(&mut header).map_err(io)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| damaged(&format!("its header cannot be read ({error})")))?;
        let data_start = 8 + header_length;
        if metadata.data_len() as u64 + data_start != length {
            return Err(damaged("the file is cut short"));
        }
        Ok(Self { path, metadata, data_start })
    }
}
