//! The dashboard is embedded at compile time, so a new one means a new binary.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
}
