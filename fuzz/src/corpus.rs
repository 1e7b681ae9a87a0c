//! The recorded inputs in `corpus/<decoder>/`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Decoder;

/// The folder of a decoder's inputs.
pub fn folder(decoder: &Decoder) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(decoder.name)
}

/// All inputs of a decoder, with their file names, in the order of these.
pub fn load(decoder: &Decoder) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder(decoder))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, fs::read(&path)?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Adds an input; answers where it lies.
pub fn save(decoder: &Decoder, name: &str, input: &[u8]) -> io::Result<PathBuf> {
    let folder = folder(decoder);
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    fs::write(&path, input)?;
    Ok(path)
}
