//! What is admitted here beyond the service model. Everything else is as AWS has it.

use crate::aws::definition::pattern;

const INSTANCE_TYPE_CHARS_MAX: usize = 64;

/// Whether a text that the model refuses is admitted by one of our own rules.
pub fn admits(shape: &str, text: &str) -> bool {
    match shape {
        "Url" | "S3ModelUri" => (pattern::LOCATION.admits)(text),
        "ProductionVariantInstanceType" => is_instance_type(text),
        _ => false,
    }
}

/// AWS adds types every month, and nothing here depends on them: whatever looks like `ml.FAMILY.SIZE` is kept.
fn is_instance_type(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let parts = text.strip_prefix("ml.").and_then(|rest| rest.split_once('.'));
    text.len() <= INSTANCE_TYPE_CHARS_MAX && parts.is_some_and(|(family, size)| is_name(family) && is_name(size))
}
