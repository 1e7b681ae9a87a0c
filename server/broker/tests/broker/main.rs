//! The broker over real sockets on the loopback interface.
//!
//! `client` is a small MQTT 3.1.1 client of our own, so that tests can do what
//! well-behaved clients refuse to do; `mqtt5` and `mosquitto` use real ones.

mod acl;
mod client;
mod identity;
mod limits;
mod limits_mqtt5;
mod losses;
mod mosquitto;
mod mqtt5;
mod presence;
mod renewal;
mod requests;
mod resend;
mod room;
mod service;
mod sessions;
mod slow;
mod trust;
