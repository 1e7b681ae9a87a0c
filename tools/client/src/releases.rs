use bytes::Bytes;
use otaru_wire::{ProductName, ReleaseVersion};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Client, ClientError, Object, Page, Paging, Texts};

/// A published firmware.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Release {
    /// Product it is for.
    pub product: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its image: its identity.
    pub sha256: String,
    /// Bytes of its image.
    pub size: u64,
    /// Rises with every release of the product.
    pub sequence: u64,
    /// `stable`, `beta`, …
    pub channel: String,
    /// What changed, for owners.
    #[serde(default)]
    pub notes: String,
    /// That, in each language.
    #[serde(default)]
    pub notes_by_language: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// Whether it was withdrawn.
    pub yanked: bool,
    /// When it was published, RFC 3339.
    pub created_at: Option<String>,
}

/// What makes a release urgent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// Hours after publishing until it is installed at night.
    pub deadline_hours: u32,
    /// Why, for owners.
    pub reason: Texts,
}

/// A release to publish: everything about it is in the signed manifest.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Product it is for.
    pub product: ProductName,
    /// The image.
    pub image: Bytes,
    /// The signed manifest.
    pub manifest: Vec<u8>,
    /// What changed, for owners.
    pub notes: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// The channel; the server's usual one if not given.
    pub channel: Option<String>,
}

#[derive(Deserialize)]
struct NextSequence {
    next_sequence: u64,
}

/// Bytes handed to the connection at once, which is also how often progress is told.
const UPLOAD_STEP_BYTES: usize = 32 * 1024;

impl Client {
    /// Publishes a release; `sent` is told the bytes of the image sent so far.
    pub async fn publish_release(
        &self,
        new: NewRelease,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Object<Release>, ClientError> {
        let mut form = Form::new().part("manifest", Part::bytes(new.manifest));
        if !new.notes.is_empty() {
            form = form.text("notes_by_language", json!(new.notes).to_string());
        }
        if let Some(safety) = new.safety {
            form = form.text("safety", json!(safety).to_string());
        }
        if let Some(channel) = new.channel {
            form = form.text("channel", channel);
        }
        // Last, so that the server has read the small parts when the large one arrives.
        let form = form.part("image", image_part(new.image, sent).file_name("image.bin"));
        let path = releases(&new.product);
        self.read(self.request(Method::POST, &path).multipart(form)).await
    }

    /// Releases of a product, newest first.
    pub async fn list_releases(
        &self,
        product: &ProductName,
        paging: &Paging,
    ) -> Result<Page<Release>, ClientError> {
        self.get(&releases(product), &paging.query()).await
    }

    /// One release.
    pub async fn show_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Object<Release>, ClientError> {
        self.get(&[&releases(product)[..], &[version.as_str()]].concat(), &[]).await
    }

    /// Withdraws a release and cancels its updates that are not yet restarting.
    pub async fn yank_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Object<Release>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "yank"]].concat();
        self.read(self.request(Method::POST, &path)).await
    }

    /// The sequence number the next manifest of a product must have.
    pub async fn next_sequence(&self, product: &ProductName) -> Result<u64, ClientError> {
        let path = ["api", "v1", "products", product.as_str(), "next-sequence"];
        self.get::<NextSequence>(&path, &[]).await.map(|next| next.next_sequence)
    }
}

fn releases(product: &ProductName) -> [&str; 5] {
    ["api", "v1", "products", product.as_str(), "releases"]
}

fn image_part(image: Bytes, sent: impl Fn(u64) + Send + Sync + 'static) -> Part {
    let length = image.len() as u64;
    let steps = futures::stream::unfold((image, 0), move |(mut rest, mut done): (Bytes, u64)| {
        let step = rest.split_to(rest.len().min(UPLOAD_STEP_BYTES));
        done += step.len() as u64;
        sent(done);
        futures::future::ready(
            (!step.is_empty()).then_some((Ok::<_, std::io::Error>(step), (rest, done))),
        )
    });
    Part::stream_with_length(reqwest::Body::wrap_stream(steps), length)
}
