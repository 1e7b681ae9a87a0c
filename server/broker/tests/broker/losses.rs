//! What the operator reads of what was dropped and refused.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otaru_broker::log_losses;
use tracing_subscriber::fmt::MakeWriter;

use crate::room::{Room, shadow, until};

const LINE: &str = "Messages were dropped, or clients were refused something";

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(LINE)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_was_refused_is_said_once_and_what_was_not_never() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
    let _here = tracing::subscriber::set_default(subscriber.finish());
    let room = Room::new().await;
    let often = log_losses(room.broker.clone(), Duration::from_millis(1));
    let said = async {
        let mut device = room.device("clock-01").await;
        for (more, all) in [(2, 2), (3, 5)] {
            for _ in 0..more {
                device.subscribe(&shadow("clock-02", "#"), 1).await;
            }
            until("all is said", async || counted(&log.lines()) == all).await;
        }
    };
    tokio::select! {
        () = said => {}
        () = often => unreachable!("it goes on until it is dropped"),
    }
    for line in log.lines() {
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
