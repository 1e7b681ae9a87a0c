//! Where the linker puts what: one script for each program.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=boot.x");
    println!("cargo:rerun-if-changed=app.x");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("riscv32") {
        for program in ["boot", "app"] {
            println!("cargo:rustc-link-arg-bin={program}=-T{here}/{program}.x");
            println!("cargo:rustc-link-arg-bin={program}=-Tlink.x");
        }
    }
}
