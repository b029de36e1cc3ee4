//! Header names of InvokeEndpoint with their limits, and of our extensions.

use std::ops::RangeInclusive;

use super::fault::Faults;
use crate::model::TargetName;

pub const ENABLE_EXPLANATIONS: &str = "x-amzn-sagemaker-enable-explanations";
pub const CUSTOM_ATTRIBUTES: &str = "x-amzn-sagemaker-custom-attributes";
pub const TARGET_MODEL: &str = "x-amzn-sagemaker-target-model";
pub const TARGET_VARIANT: &str = "x-amzn-sagemaker-target-variant";
/// Headers that ask for what no endpoint here has.
pub const REFUSED: [&str; 3] = [
    "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component",
    "x-amzn-sagemaker-session-id",
];

/// Which operation of the control plane is called.
pub const TARGET: &str = "x-amz-target";
pub const REQUEST_ID: &str = "x-amzn-requestid";
pub const ERROR_TYPE: &str = "x-amzn-errortype";
pub const INVOKED_PRODUCTION_VARIANT: &str = "x-amzn-invoked-production-variant";

pub const DEVICE: &str = "x-explaind-device";
pub const KERNEL: &str = "x-explaind-kernel";
pub const ESTIMATOR: &str = "x-explaind-estimator";
pub const BASE_VALUES: &str = "x-explaind-base-values";
pub const CLIPPED: &str = "x-explaind-clipped";
pub const STAMP: &str = "x-explaind-stamp";
pub const SERVER_TIMING: &str = "server-timing";

/// The variant of an endpoint that comes from a definition file.
pub const VARIANT: &str = "AllTraffic";

/// Characters of EnableExplanations, in header and config.
pub const EXPRESSION_CHARS_MAX: usize = 64;

/// Bounds of a header in the service model.
pub struct Limit {
    pub header: &'static str,
    /// As errors name it.
    member: &'static str,
    chars: RangeInclusive<usize>,
    is_ascii: bool,
}

/// The headers of InvokeEndpoint (botocore's model of 2017-05-13).
pub const LIMITS: [Limit; 11] = [
    Limit { is_ascii: false, ..limit(ENABLE_EXPLANATIONS, "enableExplanations", 1..=EXPRESSION_CHARS_MAX) },
    limit("content-type", "contentType", 0..=1024),
    limit("accept", "accept", 0..=1024),
    limit(CUSTOM_ATTRIBUTES, "customAttributes", 0..=1024),
    limit(TARGET_MODEL, "targetModel", 1..=1024),
    limit(TARGET_VARIANT, "targetVariant", 0..=63),
    limit(REFUSED[0], "targetContainerHostname", 0..=63),
    limit(REFUSED[1], "inferenceComponentName", 0..=63),
    limit(REFUSED[2], "sessionId", 0..=256),
    limit("x-amzn-sagemaker-inference-id", "inferenceId", 1..=64),
    limit("x-amzn-sagemaker-prefix-aware-id", "prefixAwareId", 1..=64),
];

/// The value of TargetModel, whose limits have been checked.
pub fn target_model(text: &str) -> Result<TargetName, Faults> {
    TargetName::read(text).map_err(|constraint| {
        let mut faults = Faults::default();
        faults.push("targetModel", &text.into(), constraint);
        faults
    })
}

const fn limit(header: &'static str, member: &'static str, chars: RangeInclusive<usize>) -> Limit {
    Limit { header, member, chars, is_ascii: true }
}

impl Limit {
    /// `values` are all that a request gives the header.
    pub fn check(&self, values: &[&[u8]], faults: &mut Faults) {
        let Some(&value) = values.first() else { return };
        let text = String::from_utf8_lossy(value);
        let text = text.trim();
        let shown = text.into();
        faults.check_length(self.member, &shown, text.chars().count(), &self.chars);
        let mut refuse = |rule: &str| faults.push(self.member, &shown, rule);
        if std::str::from_utf8(value).is_err() {
            refuse("Member must be UTF-8");
        } else if self.is_ascii && !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            refuse("Member must be visible ASCII");
        }
        if values.len() > 1 {
            refuse("Member must be given once");
        }
    }
}
