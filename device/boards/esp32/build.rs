//! The linker's script is esp-hal's.

fn main() {
    println!("cargo:rerun-if-env-changed=OTARU_FIRMWARE_VERSION");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("riscv32") {
        for kind in ["bins", "examples"] {
            println!("cargo:rustc-link-arg-{kind}=-Tlinkall.x");
        }
    }
}
