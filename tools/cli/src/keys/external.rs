//! Who signs: a key file, or a command that has the key somewhere else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_release::{Algorithm, PublicKey, SIGNATURE_BYTES, SecretKey, Unsigned};
use zeroize::Zeroizing;

use super::{KeyRole, Passphrase, read_public_key, read_secret_key};

/// Which key signs.
#[derive(Args, Clone, Debug)]
pub(crate) struct SigningKeyOptions {
    /// Key file that signs
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Shell command that signs instead: what is to be signed on its input, the signature on its
    /// output, as docs/formats.md says
    #[arg(long, value_name = "CMD", requires = "signer_key", conflicts_with = "key")]
    signer: Option<String>,
    /// Public key of the command's key
    #[arg(long, value_name = "FILE", requires = "signer")]
    signer_key: Option<PathBuf>,
}

/// A key that can sign.
pub(crate) enum SigningKey {
    /// Its secret is here.
    Here(SecretKey),
    /// A command signs with it.
    Elsewhere {
        /// For the shell.
        command: String,
        /// The public half.
        key: PublicKey,
    },
}

impl SigningKeyOptions {
    /// Whether any key was named.
    pub(crate) fn is_given(&self) -> bool {
        self.key.is_some() || self.signer.is_some()
    }

    /// Opens the key, which must have this role if it is in a file of ours.
    pub(crate) fn open(&self, role: KeyRole, may_ask: bool) -> Result<SigningKey> {
        match (&self.key, &self.signer, &self.signer_key) {
            (Some(path), _, _) => Ok(SigningKey::Here(open_file(path, role, may_ask)?)),
            (None, Some(command), Some(path)) => {
                let (command, key) = (command.clone(), read_public_key(path)?);
                Ok(SigningKey::Elsewhere { command, key })
            }
            _ => bail!("say who signs: --key FILE, or --signer CMD with --signer-key FILE"),
        }
    }
}

fn open_file(path: &Path, role: KeyRole, may_ask: bool) -> Result<SecretKey> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("could not read {}", path.display()))?;
    let ask = || Passphrase::to_open(path, may_ask).map(Some);
    let read = read_secret_key(&text, ask)?;
    let (found, key) = read.with_context(|| format!("could not open {}", path.display()))?;
    match (found == role, role) {
        (true, _) => Ok(key),
        (false, KeyRole::Release) => {
            bail!("{} is a root key; releases are signed by the release key", path.display())
        }
        (false, KeyRole::Root) => {
            bail!("{} is a release key; root documents are signed by the root key", path.display())
        }
    }
}

impl SigningKey {
    /// The public half.
    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            SigningKey::Here(key) => key.public_key(),
            SigningKey::Elsewhere { key, .. } => *key,
        }
    }

    /// The document, signed. `unsigned` must be made for [`SigningKey::public_key`].
    pub(crate) fn sign(&self, unsigned: &Unsigned) -> Result<Vec<u8>> {
        match self {
            SigningKey::Here(key) => {
                unsigned.signed_by(key).context("the document is for another key")
            }
            SigningKey::Elsewhere { command, .. } => {
                let signature = ask(command, unsigned)?;
                let signed = unsigned.with_signature(&signature);
                signed.with_context(|| {
                    format!("`{command}` did not sign with the key of --signer-key")
                })
            }
        }
    }
}

/// Runs the command once: it may want a PIN or a touch, so nobody counts the seconds.
fn ask(command: &str, unsigned: &Unsigned) -> Result<[u8; SIGNATURE_BYTES]> {
    let algorithm = unsigned.key().algorithm();
    let failed = || format!("could not run `{command}`");
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("OTARU_ALGORITHM", algorithm.cose_name())
        .env("OTARU_KEY_ID", unsigned.key().id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(failed)?;
    let mut input = child.stdin.take().expect("it was asked for");
    // A command that reads nothing is told by its answer, not by a broken pipe.
    let _ = input.write_all(&unsigned.for_signer());
    drop(input);
    let output = child.wait_with_output().with_context(failed)?;
    if !output.status.success() {
        bail!("`{command}` signed nothing: it ended with {}", output.status);
    }
    signature(algorithm, &output.stdout).with_context(|| {
        let found = output.stdout.len();
        let der = if algorithm == Algorithm::P256 { " or a signature in DER" } else { "" };
        format!("`{command}` answered {found} bytes, expected {SIGNATURE_BYTES}{der}")
    })
}

fn signature(algorithm: Algorithm, answer: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    match answer.try_into() {
        Ok(raw) => Some(raw),
        Err(_) if algorithm == Algorithm::P256 => from_der(answer),
        Err(_) => None,
    }
}

/// ECDSA-Sig-Value (RFC 3279): a sequence of two integers, which become 32 bytes each.
fn from_der(der: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let (&[0x30, length], rest) = der.split_first_chunk::<2>()? else { return None };
    if usize::from(length) != rest.len() {
        return None;
    }
    let mut signature = [0; SIGNATURE_BYTES];
    let rest = integer(rest, &mut signature[..32])?;
    integer(rest, &mut signature[32..])?.is_empty().then_some(signature)
}

/// Reads one integer into `place`, right-aligned; what follows it.
fn integer<'a>(der: &'a [u8], place: &mut [u8]) -> Option<&'a [u8]> {
    let (&[0x02, length], rest) = der.split_first_chunk::<2>()? else { return None };
    let (number, rest) = rest.split_at_checked(length.into())?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let start = place.len().checked_sub(number.len())?;
    place[start..].copy_from_slice(number);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use otaru_release::RootDocument;

    use super::*;

    fn key() -> PublicKey {
        SecretKey::from_seed(&[1; 32]).public_key()
    }

    fn sign(command: &str, key: PublicKey) -> Result<Vec<u8>> {
        let unsigned = RootDocument::first(key, key).unsigned(&key);
        SigningKey::Elsewhere { command: command.to_owned(), key }.sign(&unsigned)
    }

    #[test]
    fn what_a_command_answers_is_checked_before_it_counts() {
        let told = |command: &str| format!("{:#}", sign(command, key()).unwrap_err());
        assert!(
            told("exit 3").starts_with("`exit 3` signed nothing: it ended with exit status: 3")
        );
        assert!(told("echo short").ends_with("answered 6 bytes, expected 64"));
        assert!(told("head -c 64 /dev/zero").contains("did not sign with the key of --signer-key"));
    }

    #[test]
    fn a_command_gets_what_is_signed_and_whose_signature_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let heard = dir.path().join("heard");
        let command =
            format!("cat > {0}; echo $OTARU_ALGORITHM $OTARU_KEY_ID > {0}.env", heard.display());
        sign(&command, key()).unwrap_err();
        let unsigned = RootDocument::first(key(), key()).unsigned(&key());
        assert_eq!(std::fs::read(&heard).unwrap(), unsigned.to_be_signed());
        let env = std::fs::read_to_string(dir.path().join("heard.env")).unwrap();
        assert_eq!(env, format!("EdDSA {}\n", key().id()));
    }

    #[test]
    fn der_becomes_two_numbers() {
        let mut der = vec![0x30, 0x26, 0x02, 0x21, 0x00];
        der.extend([0xFF; 32]);
        der.extend([0x02, 0x01, 0x07]);
        let signature = from_der(&der).unwrap();
        assert_eq!(
            (&signature[..32], &signature[32..63], signature[63]),
            (&[0xFF; 32][..], &[0; 31][..], 7)
        );
        for at in 0..der.len() {
            assert_eq!(from_der(&der[..at]), None, "cut to {at}");
        }
        der.push(0);
        assert_eq!(from_der(&der), None);
        assert_eq!(from_der(&[0x30, 0x04, 0x02, 0x22, 0x00, 0x00]), None);
    }
}
