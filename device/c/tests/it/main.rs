//! The C interface: from C, and from callbacks in Rust that do what a C compiler cannot know.

mod c_client;
mod callbacks;
mod life;
mod server;
mod world;
