//! `GET /app/listen`.

use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Target;
use super::crowd::{News, Teller};

pub(super) async fn listen(target: &Target, teller: &Teller) -> Result<()> {
    let Target { address, token, .. } = target;
    let mut stream = target.connect(b"http/1.1").await?;
    let request = format!(
        "GET /app/listen HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut unread = String::new();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        unread.push_str(std::str::from_utf8(&buffer[..count])?);
        while let Some((block, rest)) = unread.split_once("\n\n") {
            if block.contains(": listening") {
                ensure!(block.starts_with("HTTP/1.1 200"), "refused: {block}");
                teller.send(News::Listening)?;
            } else if block.contains("event: device_changed") {
                teller.send(News::Heard(Instant::now()))?;
            }
            unread = rest.to_owned();
        }
    }
}
