//! One target of `../targets.rs` under libFuzzer: the one that the binary is named after.
#![no_main]

#[path = "../targets.rs"]
mod targets;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let target = targets::TARGETS.iter().find(|target| target.name == env!("CARGO_BIN_NAME"));
    targets::run(target.expect("binaries are named after targets"), data);
});
