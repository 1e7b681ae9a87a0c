use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

/// Names the file whose first line is the passphrase.
const FILE_VARIABLE: &str = "OTARU_KEY_PASSPHRASE_FILE";
/// Shorter ones fall to a laptop within a day, whatever the key derivation costs.
const MIN_CHARACTERS: usize = 8;

/// What opens a key file. Wiped from memory when it goes.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase that is known already.
    pub fn new(text: &str) -> Passphrase {
        Passphrase(Zeroizing::new(text.to_owned()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The passphrase of an existing key: from the file, else asked for on the terminal.
    pub(crate) fn to_open(path: &Path, may_ask: bool) -> Result<Passphrase> {
        if let Some(passphrase) = from_file()? {
            return Ok(passphrase);
        }
        if !may_ask || !std::io::stdin().is_terminal() {
            bail!(
                "{} needs a passphrase: put it into a file and name that in {FILE_VARIABLE}",
                path.display()
            );
        }
        let text = rpassword::prompt_password(format!("Passphrase of {}: ", path.display()))?;
        Ok(Passphrase(Zeroizing::new(text)))
    }

    /// The passphrase for new keys: from the file, else asked for twice on the terminal.
    pub(crate) fn for_new_keys(may_ask: bool) -> Result<Passphrase> {
        let passphrase = match from_file()? {
            Some(passphrase) => passphrase,
            None if may_ask && std::io::stdin().is_terminal() => ask_twice()?,
            None => bail!(
                "new keys need a passphrase: put it into a file and name that in {FILE_VARIABLE}, \
                 or give --no-passphrase"
            ),
        };
        if passphrase.0.chars().count() < MIN_CHARACTERS {
            bail!("the passphrase must have at least {MIN_CHARACTERS} characters");
        }
        Ok(passphrase)
    }
}

fn from_file() -> Result<Option<Passphrase>> {
    let Some(path) = std::env::var_os(FILE_VARIABLE) else { return Ok(None) };
    let text = std::fs::read_to_string(&path).map(Zeroizing::new).with_context(|| {
        format!("could not read {} ({FILE_VARIABLE})", Path::new(&path).display())
    })?;
    Ok(Some(Passphrase::new(text.lines().next().unwrap_or_default())))
}

fn ask_twice() -> Result<Passphrase> {
    let first = Zeroizing::new(rpassword::prompt_password("Passphrase for the new keys: ")?);
    let second = Zeroizing::new(rpassword::prompt_password("The same again: ")?);
    if *first != *second {
        bail!("the two passphrases differ");
    }
    Ok(Passphrase(first))
}
