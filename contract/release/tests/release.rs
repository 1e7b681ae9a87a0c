//! The formats from outside: what is accepted, what is refused, and with which words.

mod release {
    mod bad_images;
    mod images;
    mod manifests;
    mod published_vector;
    mod roots;
}
