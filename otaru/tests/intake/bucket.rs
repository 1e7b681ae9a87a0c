//! Images that are dropped into a bucket, and the one command that signs and publishes them.

use otaru_s3::Bucket;
use serde_json::Value;

use super::*;

/// No longer between two looks than the server allows.
fn watching(bucket: &Bucket) -> String {
    format!("[bucket_watch]\nurl = '{}'\ninterval_s = 5\n", bucket.url("incoming"))
}

impl House {
    async fn start_watching(bucket: &Bucket) -> House {
        let options = bucket.options(bucket.address());
        House::start_as(&watching(bucket), options, |_| otaru().to_owned()).await
    }

    /// `release publish --waiting`, however it ends.
    async fn publish_waiting(
        &self,
        version: &str,
        more: &[&str],
    ) -> otaru_real_fleet::CommandOutput {
        let key = self.path("keys/release.key");
        let what = ["release", "publish", "--waiting", "--product", "clock", "--version", version];
        self.client.run(&[&what[..], &["--key", &key], more].concat()).await.unwrap()
    }

    /// Waits until the object is there in this state.
    async fn until_in_bucket(&self, path: &str, state: &str) -> Value {
        loop {
            let listed = self.done(&["release", "waiting", "--look"]).await;
            let items = listed["items"].as_array().unwrap();
            if let Some(item) = items.iter().find(|item| item["path"] == path)
                && item["state"] == state
            {
                return item.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_a_bucket_is_signed_and_published_by_one_command_on_sqlite() {
    let bucket = Bucket::fresh();
    let mut house = House::start_watching(&bucket).await;
    let (_, image) = house.image("1.0.5", 300_000);
    let none = house.publish_waiting("1.0.5", &[]).await;
    assert_eq!(none.code, 4, "{}", none.stderr);
    assert!(none.stderr.contains("release_unknown"), "{}", none.stderr);

    let path = "firmware/clock/1.0.5.bin";
    bucket.put(&format!("incoming/{path}"), &image);
    let waiting = house.until_in_bucket(path, "waiting").await;
    assert_eq!(waiting["sha256"], Digest::of(&image).to_string());
    let listed = house.done(&["release", "list", "--product", "clock"]).await;
    assert_eq!(listed["items"], serde_json::json!([]), "nobody has signed it");

    // What waits is in the database: the bucket need not be looked at again.
    house.server.kill().await.unwrap();
    house.server.start().await.unwrap();
    let output = house.publish_waiting("1.0.5", &["--notes", "From the bucket."]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(house.api().bytes("/firmware/clock/1.0.5.bin").await.unwrap(), image);
    let verify = ["release", "verify", "--product", "clock", "--version", "1.0.5", "--root-key"];
    house.done(&[&verify[..], &[&house.path("keys/root.pub")]].concat()).await;
    house.until_in_bucket(path, "signed").await;
    let again = house.publish_waiting("1.0.5", &["--notes", "From the bucket."]).await;
    assert_eq!(again.code, 0, "the same again says the same: {}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_a_bucket_becomes_a_draft_first_if_that_is_wished_on_sqlite() {
    let bucket = Bucket::fresh();
    let house = House::start_watching(&bucket).await;
    let (_, image) = house.image("1.0.6", 300_000);
    let path = "firmware/clock/1.0.6.bin";
    bucket.put(&format!("incoming/{path}"), &image[..200_000]);
    let refused = house.until_in_bucket(path, "refused").await;
    assert_eq!(refused["code"], "image_segment_overrun");
    let output = house.publish_waiting("1.0.6", &["--draft"]).await;
    assert!(output.stderr.contains("release_unknown"), "{}", output.stderr);

    bucket.put(&format!("incoming/{path}"), &image);
    house.until_in_bucket(path, "waiting").await;
    let output = house.publish_waiting("1.0.6", &["--draft"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let release = house.done(&["release", "show", "1.0.6", "--product", "clock"]).await;
    assert_eq!(release["state"], "draft");
    house.until_in_bucket(path, "signed").await;
    house.done(&["release", "publish-draft", "1.0.6", "--product", "clock"]).await;
    assert_eq!(house.api().bytes("/firmware/clock/1.0.6.bin").await.unwrap(), image);
}
