//! Every answer beside that of the crates which the server, the tools and Linux devices verify with.

mod answers {
    mod ed25519;
    mod p256;
}
