//! The texts of the kernels, with what some of them share in front.

/// The text of a file below `shaders/`.
macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
    };
}
pub(super) use shader;

const ELEMENTARY: &str = shader!("shared/elementary");

/// A kernel's text says in a line of its own what it uses; this puts it in front.
pub(super) fn composed(text: &str) -> String {
    let uses_elementary = text.lines().any(|line| line == "// uses shared/elementary.wgsl");
    let shared = if uses_elementary { ELEMENTARY } else { "" };
    format!("{shared}{text}")
}
