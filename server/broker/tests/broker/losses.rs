//! What the operator reads of what was dropped and refused.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use otaru_broker::log_losses;
use tempfile::NamedTempFile;

use crate::room::{Room, shadow, until};

const LINE: &str = "Messages were dropped, or clients were refused something";

/// What the log says of it.
fn lines(log: &NamedTempFile) -> Vec<String> {
    let text = fs::read_to_string(log.path()).unwrap();
    text.lines().filter(|line| line.contains(LINE)).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_was_refused_is_said_once_and_what_was_not_never() {
    let log = NamedTempFile::new().unwrap();
    let writer = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
    let _here = tracing::subscriber::set_default(subscriber.finish());
    let room = Room::new().await;
    let often = log_losses(room.broker.clone(), Duration::from_millis(1));
    let said = async {
        let mut device = room.device("clock-01").await;
        for (more, all) in [(2, 2), (3, 5)] {
            for _ in 0..more {
                device.subscribe(&shadow("clock-02", "#"), 1).await;
            }
            until("all is said", async || counted(&lines(&log)) == all).await;
        }
    };
    tokio::select! {
        () = said => {}
        () = often => unreachable!("it goes on until it is dropped"),
    }
    for line in lines(&log) {
        assert!(!line.contains("mqtt.refused_subscriptions=0"), "nothing to say: {line}");
        assert!(line.contains("WARN") && line.contains("mqtt.connections=1"), "{line}");
        assert!(line.contains("mqtt.refused_publishes=0"), "{line}");
    }
}

/// All refused filters that were told of.
fn counted(lines: &[String]) -> usize {
    let each = lines.iter().map(|line| {
        let (_, rest) = line.split_once("mqtt.refused_subscriptions=").unwrap();
        rest.split_whitespace().next().unwrap().parse::<usize>().unwrap()
    });
    each.sum()
}
