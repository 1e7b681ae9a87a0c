//! Log records wait in flash until the broker has them, over restarts and days offline.

use otaru_agent::LogLine;
use otaru_host::{Host, Storage};
use otaru_slots::{FlashError, StorageError};
use otaru_wire::ThingName;
use otaru_wire::payload::{LOG_BYTES_MAX, LogRecord};
use serde_json::Value;

use crate::FileFlash;

/// Longest message kept, in characters.
const MESSAGE_MAX: usize = 500;
/// Most records in one message.
const BATCH: u8 = 32;

/// Which records are on their way.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    /// How many of the oldest records were published and not acknowledged yet.
    sent: u8,
    /// Records that had to go before anybody had them, since the last one got through.
    dropped: u64,
}

impl LogBuffer {
    /// Keeps a line; with a full buffer the oldest goes, and the loss is counted.
    pub(crate) fn push(
        &mut self,
        host: &mut Host<FileFlash>,
        thing: &ThingName,
        line: LogLine<'_>,
        wall_ms: i64,
    ) -> Result<(), StorageError> {
        let (storage, flash) = host.storage();
        let message: String = line.message.concat().chars().take(MESSAGE_MAX).collect();
        let mut record = LogRecord::new(wall_ms, line.level, message);
        record.code = line.code.map(str::to_owned);
        record.thing_name = Some(thing.to_string());
        record.used_bytes = Some(u64::from(storage.used_bytes()));
        if let Some(reason) = line.reason {
            record.extra.insert("reason".into(), reason.number().into());
        }
        self.count_evicted(storage);
        if self.dropped > 0 {
            record.extra.insert("dropped".into(), self.dropped.into());
        }
        let said = std::mem::take(&mut self.dropped);
        storage.push_log(flash, &record.to_json())?;
        if self.count_evicted(storage) {
            self.dropped += said;
        }
        Ok(())
    }

    /// Takes note of records that made room; whether there were any.
    fn count_evicted(&mut self, storage: &mut Storage) -> bool {
        let evicted = storage.take_evicted();
        let on_their_way = evicted.min(u64::from(self.sent));
        self.sent -= on_their_way as u8;
        self.dropped += evicted - on_their_way;
        evicted > 0
    }

    /// The next records as one message; `None` when there are none or some are on their way.
    pub(crate) fn batch(
        &mut self,
        host: &mut Host<FileFlash>,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let (storage, flash) = host.storage();
        if self.sent > 0 {
            return Ok(None);
        }
        let mut records: Vec<Value> = Vec::new();
        let (mut bytes, mut sent) = (2, 0);
        for nth in 0..storage.log_count().min(BATCH) {
            // A record that cannot be read goes with its batch; the rest still counts.
            let record = match storage.log(flash, nth) {
                Err(StorageError::Flash(FlashError::ReadBack { .. })) => Vec::new(),
                record => record?.unwrap_or_default(),
            };
            if bytes + record.len() + 1 > LOG_BYTES_MAX {
                break;
            }
            bytes += record.len() + 1;
            sent = nth + 1;
            records.extend(serde_json::from_slice::<Value>(&record));
        }
        self.sent = sent;
        if sent == 0 {
            return Ok(None);
        }
        Ok(Some(Value::Array(records).to_string().into_bytes()))
    }

    /// The broker has the batch: its records go.
    pub(crate) fn acknowledged(&mut self, host: &mut Host<FileFlash>) -> Result<(), StorageError> {
        let (storage, flash) = host.storage();
        self.count_evicted(storage);
        for _ in 0..std::mem::take(&mut self.sent) {
            storage.pop_log(flash)?;
        }
        Ok(())
    }

    /// The batch did not get through: it is sent again.
    pub(crate) fn lost(&mut self) {
        self.sent = 0;
    }
}
