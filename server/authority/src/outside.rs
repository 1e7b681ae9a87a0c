//! The authority's key is somewhere else, and a command of the operator's signs with it.
//!
//! It gets the bytes to be signed (the DER of a `TBSCertificate`) on its input and answers with the
//! signature as X.509 has it: ECDSA-Sig-Value in DER, PKCS #1 v1.5, or 64 bytes of Ed25519. What it
//! answers is verified before it is used.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    SignatureAlgorithm, SigningKey,
};
use rustix::process::{Pid, Signal, kill_process_group};
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::csr::RequestedKey;

/// Commands that run at once; more wait for their turn. A box with one key signs one by one.
const AT_ONCE: usize = 4;

/// Twice the signature of the longest key that is taken, which is of 4096 bits.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// A command that signs with a key that is not here.
#[derive(Clone, Debug)]
pub struct KeyCommand {
    program: String,
    arguments: Vec<String>,
    time_limit: Duration,
    places: Arc<Places>,
}

/// Why a command did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyCommandError {
    /// It could not be started.
    #[error("authority.signer: {program} could not be run")]
    Start {
        /// The program.
        program: String,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// It ended otherwise than with success.
    #[error("authority.signer: {program} ended with {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It, or its turn, took too long.
    #[error("authority.signer: {program} did not sign within {time_limit:?}")]
    Late {
        /// The program.
        program: String,
        /// How long it may take.
        time_limit: Duration,
    },
    /// What it answered is no signature of the authority's key.
    #[error("authority.signer: {program} answered {found} bytes, which are no signature of ca.pem")]
    Wrong {
        /// The program.
        program: String,
        /// How long the answer was.
        found: usize,
    },
}

impl KeyCommand {
    /// A program with its arguments, which no shell sees; `None` if there is no program. It is
    /// ended if it takes longer.
    pub fn new(command: Vec<String>, time_limit: Duration) -> Option<KeyCommand> {
        let mut words = command.into_iter();
        let program = words.next().filter(|program| !program.is_empty())?;
        Some(KeyCommand {
            program,
            arguments: words.collect(),
            time_limit,
            places: Arc::new(Places::default()),
        })
    }

    fn sign(&self, message: &[u8], algorithm: &str) -> Result<Vec<u8>, KeyCommandError> {
        let _place = self.places.take(self.time_limit).ok_or_else(|| self.late())?;
        let child = self
            .start(algorithm)
            .map_err(|source| KeyCommandError::Start { program: self.program.clone(), source })?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (said, heard) = mpsc::channel();
        let message = message.to_vec();
        thread::spawn(move || {
            // Nobody listens any more to who is late.
            let _ = said.send(answer(child, &message));
        });
        let Ok(answer) = heard.recv_timeout(self.time_limit) else {
            // With everything that it started.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            return Err(self.late());
        };
        let (answer, status) = answer
            .map_err(|source| KeyCommandError::Start { program: self.program.clone(), source })?;
        match status.success() {
            true => Ok(answer),
            false => Err(KeyCommandError::Failed { program: self.program.clone(), status }),
        }
    }

    fn start(&self, algorithm: &str) -> io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_for_others(name)))
            .env("OTARU_ALGORITHM", algorithm)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    fn late(&self) -> KeyCommandError {
        let (program, time_limit) = (self.program.clone(), self.time_limit);
        KeyCommandError::Late { program, time_limit }
    }
}

/// Whether a variable is none of the server's own settings, which may be secrets.
fn is_for_others(name: &OsString) -> bool {
    !name.to_string_lossy().starts_with("OTARU_")
}

/// What a command says, no more than a signature can be, and how it ended.
fn answer(mut child: Child, message: &[u8]) -> io::Result<(Vec<u8>, ExitStatus)> {
    if let Some(mut input) = child.stdin.take() {
        // One that does not read it answers nothing that can be used.
        let _ = input.write_all(message);
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer)?;
    }
    Ok((answer, child.wait()?))
}

/// How many commands run.
#[derive(Debug, Default)]
struct Places {
    taken: Mutex<usize>,
    left: Condvar,
}

impl Places {
    fn take(&self, time_limit: Duration) -> Option<Place<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.left.wait_timeout_while(taken, time_limit, |taken| *taken >= AT_ONCE);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken += 1;
        Some(Place(self))
    }
}

struct Place<'a>(&'a Places);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.left.notify_one();
    }
}

/// The public half of the authority's key, and who signs with the other half.
pub(crate) struct OutsideKey {
    key: RequestedKey,
    command: KeyCommand,
}

impl OutsideKey {
    /// A public key, if it is of a kind that signs certificates.
    pub(crate) fn of(info: &SubjectPublicKeyInfo<'_>, command: KeyCommand) -> Option<OutsideKey> {
        let key = RequestedKey::of(info).ok()?;
        Some(OutsideKey { key, command })
    }

    /// The public key of a PEM text, likewise.
    pub(crate) fn from_pem(text: &str, command: KeyCommand) -> Option<OutsideKey> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
        OutsideKey::of(&info, command)
    }

    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let (scheme, _) = spoken(self.key.algorithm());
        let all = aws_lc_rs::default_provider().signature_verification_algorithms;
        let fitting = all.mapping.iter().filter(|(other, _)| *other == scheme);
        fitting.flat_map(|(_, algorithms)| *algorithms).any(|algorithm| {
            algorithm.verify_signature(self.key.der_bytes(), message, signature).is_ok()
        })
    }
}

/// How TLS and JOSE call an algorithm that certificates are signed with.
fn spoken(algorithm: &SignatureAlgorithm) -> (SignatureScheme, &'static str) {
    if *algorithm == PKCS_ECDSA_P256_SHA256 {
        (SignatureScheme::ECDSA_NISTP256_SHA256, "ES256")
    } else if *algorithm == PKCS_ECDSA_P384_SHA384 {
        (SignatureScheme::ECDSA_NISTP384_SHA384, "ES384")
    } else if *algorithm == PKCS_ED25519 {
        (SignatureScheme::ED25519, "EdDSA")
    } else {
        debug_assert_eq!(*algorithm, PKCS_RSA_SHA256);
        (SignatureScheme::RSA_PKCS1_SHA256, "RS256")
    }
}

impl PublicKeyData for OutsideKey {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.key.algorithm()
    }
}

thread_local! {
    /// Why signing failed last on this thread: the error of `rcgen` has no room for it.
    static FAILURE: RefCell<Option<KeyCommandError>> = const { RefCell::new(None) };
}

/// Why a command did not sign, if one did not on this thread.
pub(crate) fn take_failure() -> Option<KeyCommandError> {
    FAILURE.take()
}

impl SigningKey for OutsideKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let (_, algorithm) = spoken(self.key.algorithm());
        let signed = self.command.sign(message, algorithm).and_then(|signature| {
            match self.is_signed(message, &signature) {
                true => Ok(signature),
                false => Err(KeyCommandError::Wrong {
                    program: self.command.program.clone(),
                    found: signature.len(),
                }),
            }
        });
        signed.map_err(|failure| {
            FAILURE.set(Some(failure));
            rcgen::Error::RemoteKeyError
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_server_are_nothing_for_a_command() {
        let is_passed = |name: &str| is_for_others(&name.into());
        assert!(is_passed("PATH") && is_passed("PKCS11_PIN"));
        assert!(!is_passed("OTARU__DATABASE__URL") && !is_passed("OTARU_TOKEN"));
    }
}
