//! The formats from outside: what is accepted, what is refused, and with which words.

mod release {
    mod bad_images;
    mod images;
    mod manifests;
    mod roots;
    mod server_documents;
    mod vectors;
}
