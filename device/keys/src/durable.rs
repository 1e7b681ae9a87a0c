//! Files that are there whole or not at all, whenever power goes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::KeysError;

/// Makes the folder with those above it, and has their names on the disk.
pub(crate) fn create_dir(dir: &Path) -> Result<(), KeysError> {
    create(dir).map_err(failed("make", dir))
}

fn create(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in missing.into_iter().filter(|made| !made.as_os_str().is_empty()) {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<String, KeysError> {
    fs::read_to_string(path).map_err(failed("read", path))
}

/// The file's text; `None` where there is no file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, KeysError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Removes the file, if there is one, and has that on the disk.
pub(crate) fn remove(path: &Path) -> Result<(), KeysError> {
    let removed = match step().and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed,
    };
    removed.and_then(|()| sync_dir(path)).map_err(failed("remove", path))
}

/// Gives the file another name in its folder, in one step, and has that on the disk.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), KeysError> {
    step()
        .and_then(|()| fs::rename(from, to))
        .and_then(|()| sync_dir(to))
        .map_err(failed("rename", from))
}

/// Writes the file beside its place, has it on the disk, and puts it there in one step.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<(), KeysError> {
    replace(path, text, mode).map_err(failed("write", path))
}

fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    // One that a power cut left behind may have other rights.
    step()?;
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    step()?;
    file.write_all(text.as_bytes())?;
    step()?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    step()?;
    sync_dir(path)
}

/// Where power may go; tests let it.
#[cfg(not(test))]
fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use power::step;

fn sync_dir(path: &Path) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    File::open(dir)?.sync_all()
}

fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> KeysError + use<'a> {
    move |source| KeysError::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
pub(crate) mod power {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Power goes after so many steps; never, for `None`.
    pub(crate) fn lasts(steps: Option<u32>) {
        STEPS_LEFT.set(steps);
    }

    pub(super) fn step() -> io::Result<()> {
        match STEPS_LEFT.get() {
            Some(0) => Err(io::Error::other("no power")),
            left => {
                STEPS_LEFT.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }
}
