//! Amazon's S3 for tests, as moto has it, and a link to it that can be bad.
//!
//! The first test of a process that asks starts a server, which ends with the process however
//! that ends; each test gets a bucket of its own. moto comes from its package into `target/` at
//! the first use. Start at [`Bucket::fresh`]; [`Link`] stands between a client and the server
//! and slows, cuts or falsifies answers.

mod link;
mod moto;

use std::sync::atomic::{AtomicU32, Ordering};

pub use link::{Fault, Link};
use moto::Moto;

/// A bucket of its own for one test.
pub struct Bucket {
    moto: &'static Moto,
    name: String,
}

impl Bucket {
    /// Creates an empty bucket.
    ///
    /// # Panics
    /// When moto cannot be installed or started; the message says what it said.
    pub fn fresh() -> Bucket {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let moto = Moto::running();
        moto.create_bucket(&name);
        Bucket { moto, name }
    }

    /// `s3://…` with this prefix.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.name)
    }

    /// The settings by which `object_store` finds the server behind `address`: its own, or that
    /// of a [`Link`].
    pub fn options(&self, address: &str) -> Vec<(String, String)> {
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            option("AWS_ENDPOINT", address),
            option("AWS_ALLOW_HTTP", "true"),
            option("AWS_REGION", "us-east-1"),
            option("AWS_ACCESS_KEY_ID", "testing"),
            option("AWS_SECRET_ACCESS_KEY", "testing"),
        ]
    }

    /// Puts an object there, past whoever else uses the bucket.
    ///
    /// # Panics
    /// When moto does not take it.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.moto.put(&format!("/{}/{name}", self.name), bytes);
    }

    /// Takes an object away, past whoever else uses the bucket.
    ///
    /// # Panics
    /// When moto does not.
    pub fn delete(&self, name: &str) {
        self.moto.delete(&format!("/{}/{name}", self.name));
    }

    /// Where the server listens: `http://127.0.0.1:port`.
    pub fn address(&self) -> &str {
        self.moto.address()
    }
}
