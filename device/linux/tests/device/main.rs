//! Simulated devices against a real broker and a scripted HTTPS server, over real sockets.

mod attacks;
mod certificates;
mod chain;
mod chip;
mod decisions;
mod full_store;
mod identity;
mod link;
mod logs;
mod outage;
mod patches;
mod rig;
mod shadow_service;
mod transfer;
mod trial;
mod web;
