//! Messages as protobuf, with buffers as small as the messages are.

use otaru_wire::notifications::{ListenUpdatesRequest, ListenUpdatesResponse};
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// What a stream holds while it waits. The default of 8 KiB is most of what an idle
/// listener costs; an event has some hundred bytes, and larger ones make it grow.
const BUFFER_BYTES: usize = 512;

/// How many bytes of waiting messages go out together.
const YIELD_BYTES: usize = 16 * 1024;

/// The request and response of `ListenUpdates`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages;

impl Codec for Messages {
    type Encode = ListenUpdatesResponse;
    type Decode = ListenUpdatesRequest;
    type Encoder = Messages;
    type Decoder = Messages;

    fn encoder(&mut self) -> Messages {
        Messages
    }

    fn decoder(&mut self) -> Messages {
        Messages
    }
}

impl Encoder for Messages {
    type Item = ListenUpdatesResponse;
    type Error = Status;

    fn encode(
        &mut self,
        message: ListenUpdatesResponse,
        buffer: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        message.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

impl Decoder for Messages {
    type Item = ListenUpdatesRequest;
    type Error = Status;

    fn decode(
        &mut self,
        bytes: &mut DecodeBuf<'_>,
    ) -> Result<Option<ListenUpdatesRequest>, Status> {
        let message = ListenUpdatesRequest::decode(bytes);
        message.map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}
