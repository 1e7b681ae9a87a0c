use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, Incoming, MqttOptions, PublishOptions, QoS, SessionMode, TlsConfiguration,
    Transport,
};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::device::tls_of;
use crate::ports::Ports;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A `documents` message holds a shadow twice with its metadata.
const PACKET_BYTES_MAX: u32 = 256 * 1024;

/// An MQTT connection, which keeps what it received until it is asked for.
pub struct MqttSession {
    client_id: String,
    /// How the topics of the shadow it is about begin.
    shadow: String,
    client: AsyncClient,
    received: mpsc::UnboundedReceiver<Heard>,
    put_aside: VecDeque<Message>,
    tokens: u32,
    task: JoinHandle<()>,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    topic: String,
    body: Value,
}

enum Heard {
    Up,
    Message(Message),
    /// The connection is over, and why.
    End(String),
}

/// Gone without a goodbye.
impl Drop for MqttSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MqttSession {
    pub(crate) async fn device(thing: &str, ports: &Ports, tls: Arc<ClientConfig>) -> MqttSession {
        let address = ports.mqtt().mqtts.expect("it listens for devices");
        let mut options = MqttOptions::new(thing, (address.ip().to_string(), address.port()));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        let session = MqttSession::start(thing, options).await;
        session.unwrap_or_else(|why| panic!("{thing} was not let in: {why}"))
    }

    pub(crate) async fn refused(thing: &str, ports: &Ports, tls: Arc<ClientConfig>) {
        let address = ports.mqtt().mqtts.expect("it listens for devices");
        let mut options = MqttOptions::new(thing, (address.ip().to_string(), address.port()));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        assert!(MqttSession::start(thing, options).await.is_err(), "{thing} was let in");
    }

    pub(crate) async fn with_certificate(
        client_id: &str,
        files: &Value,
        ports: &Ports,
    ) -> Result<MqttSession, String> {
        let address = ports.mqtt().mqtts.expect("it listens for devices");
        let mut options = MqttOptions::new(client_id, (address.ip().to_string(), address.port()));
        let tls = tls_of(files);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        MqttSession::start(client_id, options).await
    }

    pub(crate) async fn backend(client_id: &str, ports: &Ports) -> MqttSession {
        let address = ports.mqtt().plain.expect("it listens for backends");
        let options = MqttOptions::new(client_id, (address.ip().to_string(), address.port()));
        let session = MqttSession::start(client_id, options).await;
        session.unwrap_or_else(|why| panic!("{client_id} was not let in: {why}"))
    }

    async fn start(client_id: &str, mut options: MqttOptions) -> Result<MqttSession, String> {
        options.set_session_mode(SessionMode::Clean);
        options.set_max_packet_size(Some(PACKET_BYTES_MAX));
        let (client, mut connection) = AsyncClient::builder(options).capacity(64).build();
        let (sender, received) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let heard = match connection.poll().await {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => Heard::Up,
                    Ok(Event::Incoming(Incoming::Publish(message))) => Heard::Message(Message {
                        topic: String::from_utf8_lossy(&message.topic).into_owned(),
                        body: serde_json::from_slice(&message.payload).unwrap_or(Value::Null),
                    }),
                    Ok(_) => continue,
                    // What the test did not ask for is not tried again.
                    Err(error) => {
                        let _ = sender.send(Heard::End(error.to_string()));
                        return;
                    }
                };
                if sender.send(heard).is_err() {
                    return;
                }
            }
        });
        let mut session = MqttSession {
            client_id: client_id.to_owned(),
            shadow: shadow_of(client_id),
            client,
            received,
            put_aside: VecDeque::new(),
            tokens: 0,
            task,
        };
        let up = timeout(PATIENCE, session.received.recv()).await.expect("an answer in time");
        match up.expect("an answer") {
            Heard::Up => Ok(session),
            Heard::End(why) => Err(why),
            Heard::Message(message) => panic!("{client_id} was sent {message:?} before CONNACK"),
        }
    }

    /// Makes a backend's session one about this thing, and subscribes to its shadows.
    pub async fn watch(&mut self, thing: &str) {
        self.shadow = shadow_of(thing);
        self.subscribe(&format!("{}#", self.shadow)).await;
    }

    /// Subscribes and waits until the broker has granted it.
    pub async fn subscribe(&mut self, filter: &str) {
        assert!(self.try_subscribe(filter).await, "{filter} was refused");
    }

    /// Subscribes; whether the broker granted it.
    pub async fn try_subscribe(&mut self, filter: &str) -> bool {
        let notice = self.client.subscribe_tracked(filter, QoS::AtLeastOnce).await;
        let answer = notice.expect("connected").wait_completion_async();
        timeout(PATIENCE, answer).await.expect("an answer in time").is_ok()
    }

    /// Publishes at QoS 1 and waits for the PUBACK; whether it came.
    pub async fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) -> bool {
        let options = PublishOptions::at_least_once();
        let notice = self.client.publish_tracked(topic, payload.into(), options).await;
        let Ok(notice) = notice else { return false };
        let answer = notice.wait_completion_async();
        timeout(PATIENCE, answer).await.expect("an answer in time").is_ok()
    }

    /// Sends a request for the thing's classic shadow and gives its answer: the verb it was
    /// answered with, such as `update/accepted`, and the message.
    pub async fn ask(&mut self, verb: &str, request: Value) -> (String, Value) {
        self.ask_of(&self.shadow.clone(), verb, request).await
    }

    /// As [`MqttSession::ask`], of the shadow whose topics begin with `prefix`.
    pub async fn ask_of(&mut self, prefix: &str, verb: &str, request: Value) -> (String, Value) {
        self.tokens += 1;
        let token = format!("{}-{}", self.client_id, self.tokens);
        let mut request = request;
        request["clientToken"] = json!(token);
        assert!(self.publish(&format!("{prefix}{verb}"), request.to_string()).await);
        let (accepted, rejected) =
            (format!("{prefix}{verb}/accepted"), format!("{prefix}{verb}/rejected"));
        let answer = self.next(|message| {
            (message.topic == accepted || message.topic == rejected)
                && message.body["clientToken"] == *token
        });
        let Message { topic, body } = answer.await;
        (topic[prefix.len()..].to_owned(), body)
    }

    /// Reports a section of state; gives the body of `update/accepted`.
    pub async fn report(&mut self, reported: Value) -> Value {
        let (answer, body) = self.ask("update", json!({ "state": { "reported": reported } })).await;
        assert_eq!(answer, "update/accepted", "{body}");
        body
    }

    /// Sends a progress message of the thing and waits until it was taken.
    pub async fn progress(&self, progress: Value) {
        let topic = format!("mia/things/{}/update/progress", self.client_id);
        assert!(self.publish(&topic, progress.to_string()).await);
    }

    /// The next message on a topic of the classic shadow, such as `update/delta`.
    pub async fn hear(&mut self, suffix: &str) -> Value {
        let topic = self.shadow_topic(suffix);
        self.hear_on(&topic).await
    }

    /// The next message on a topic.
    pub async fn hear_on(&mut self, topic: &str) -> Value {
        self.next(|message| message.topic == topic).await.body
    }

    /// What came on a topic of the classic shadow before the answer to a request sent now.
    /// Messages of one shadow come in the order they were made.
    pub async fn heard_until_now(&mut self, suffix: &str) -> Vec<Value> {
        self.ask("get", json!({})).await;
        let topic = self.shadow_topic(suffix);
        let (found, kept) = std::mem::take(&mut self.put_aside)
            .into_iter()
            .partition::<VecDeque<_>, _>(|message| message.topic == topic);
        self.put_aside = kept;
        found.into_iter().map(|message| message.body).collect()
    }

    /// The topics of all that the service has said so far and nobody asked for.
    pub fn unasked(&mut self) -> Vec<String> {
        while let Ok(heard) = self.received.try_recv() {
            if let Heard::Message(message) = heard {
                self.put_aside.push_back(message);
            }
        }
        let topics = self.put_aside.drain(..).map(|message| message.topic);
        let is_request =
            |topic: &str| ["/get", "/update", "/delete"].iter().any(|verb| topic.ends_with(verb));
        topics.filter(|topic| !is_request(topic)).collect()
    }

    /// Says goodbye and waits until the connection is closed.
    pub async fn disconnect(mut self) {
        // A connection that is gone already has nothing to say goodbye to.
        let _ = self.client.disconnect().await;
        self.closed().await;
    }

    /// Waits until the connection is closed.
    pub async fn closed(&mut self) {
        let end = async { while self.received.recv().await.is_some() {} };
        timeout(PATIENCE, end).await.expect("the connection ends in time");
    }

    fn shadow_topic(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.shadow)
    }

    /// The next message `wanted` takes; others are kept for later.
    async fn next(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.put_aside.iter().position(&wanted) {
            return self.put_aside.remove(at).expect("just found");
        }
        loop {
            let next = timeout(PATIENCE, self.received.recv()).await;
            match next.expect("a message in time").expect("the connection is open") {
                Heard::Message(message) if wanted(&message) => return message,
                Heard::Message(message) => self.put_aside.push_back(message),
                Heard::Up => {}
                Heard::End(why) => panic!("the connection of {} ended: {why}", self.client_id),
            }
        }
    }
}

fn shadow_of(thing: &str) -> String {
    format!("$aws/things/{thing}/shadow/")
}
