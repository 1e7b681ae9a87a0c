//! How many downloads at once, and how fast.

use otaru_operations::{DownloadAllowance, DownloadLimits, DownloadSettings};
use otaru_test_app::{TestApp, each_database};

const IMAGE: &str = "/firmware/clock/1.0.5.bin";

/// One download of a device at once, and its image of 100,000 bytes takes about a second.
async fn slow(mut app: TestApp) -> TestApp {
    let limits = DownloadLimits {
        device: DownloadAllowance { in_flight: 1, bytes_per_s: 100_000 },
        ..DownloadLimits::default()
    };
    app.set_downloads(DownloadSettings { limits, ..DownloadSettings::default() });
    app.restart().await;
    app.create_product("clock", "device").await;
    app.publish("clock", "1.0.5", 1).await;
    app
}

each_database! {
    async fn one_more_than_may_be_is_told_when_to_come_again(app: TestApp) {
        let app = slow(app).await;
        let one = app.add_device("clock-01", "clock").await;
        let other = app.add_device("clock-02", "clock").await;

        let (first, second, elsewhere) =
            tokio::join!(one.get(IMAGE), one.get(IMAGE), other.get(IMAGE));
        let (sent, refused) = match first.status() {
            200 => (first, second),
            _ => (second, first),
        };
        assert_eq!(sent.expect_status(200).body().len(), 100_000);
        assert_eq!(refused.refusal(), "429 too_many_downloads");
        assert_eq!(refused.header("retry-after"), "15");
        assert_eq!(elsewhere.expect_status(200).body().len(), 100_000, "each has its own");
        // What is over counts no more; nor does who fetches nothing.
        let (got, asked) = tokio::join!(one.get(IMAGE), one.head(IMAGE));
        assert_eq!((got.status(), asked.status()), (200, 200));
    }
}
