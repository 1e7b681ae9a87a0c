//! The event-stream format of the HTML standard, §9.2.6.

/// One message of a stream. Without data it is no event, but its id is still the place to
/// resume from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: Option<String>,
}

/// Longest line kept. The server's events are far below; what is longer is cut off, not stored.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Cuts a stream of bytes into messages, wherever the chunks end.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    message: Message,
}

impl Parser {
    /// Takes the next bytes and adds the messages they complete to `messages`.
    pub(crate) fn push(&mut self, bytes: &[u8], messages: &mut Vec<Message>) {
        for &byte in bytes {
            match byte {
                // The line feed of a CR LF: the line ended before it.
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(messages);
                }
                _ => {
                    self.after_cr = false;
                    if self.line.len() < MAX_LINE_BYTES {
                        self.line.push(byte);
                    }
                }
            }
        }
    }

    fn end_line(&mut self, messages: &mut Vec<Message>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            if message.id.is_some() || message.data.is_some() {
                messages.push(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.message.kind = value.to_owned(),
            "id" if !value.contains('\0') => self.message.id = Some(value.to_owned()),
            "data" => match &mut self.message.data {
                None => self.message.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            // Comments, `retry` and fields of the future.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "id: 3\nretry: 2000\n: listening\n\nevent: update_changed\r\n\
        data: {\"phase\":\"downloading\"}\r\nid: 4\r\n\r\ndata: one\ndata:two\n\nevent: lost\n\nid: 9";

    fn messages(chunk_bytes: usize) -> Vec<Message> {
        let (mut parser, mut messages) = (Parser::default(), Vec::new());
        for chunk in STREAM.as_bytes().chunks(chunk_bytes) {
            parser.push(chunk, &mut messages);
        }
        messages
    }

    #[test]
    fn messages_are_the_same_wherever_chunks_end() {
        let expected = [
            Message { id: Some("3".into()), ..Message::default() },
            Message {
                id: Some("4".into()),
                kind: "update_changed".into(),
                data: Some(r#"{"phase":"downloading"}"#.into()),
            },
            Message { data: Some("one\ntwo".into()), ..Message::default() },
        ];
        for chunk_bytes in 1..STREAM.len() {
            assert_eq!(messages(chunk_bytes), expected, "chunks of {chunk_bytes}");
        }
    }
}
