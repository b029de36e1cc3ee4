//! Header names of InvokeEndpoint and of our extensions.

pub const ENABLE_EXPLANATIONS: &str = "x-amzn-sagemaker-enable-explanations";
pub const TARGET_MODEL: &str = "x-amzn-sagemaker-target-model";
pub const TARGET_VARIANT: &str = "x-amzn-sagemaker-target-variant";
/// Headers that ask for what an endpoint of one embedded model does not have.
pub const REFUSED: [&str; 3] = [
    "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component",
    "x-amzn-sagemaker-session-id",
];

pub const REQUEST_ID: &str = "x-amzn-requestid";
pub const ERROR_TYPE: &str = "x-amzn-errortype";
pub const INVOKED_PRODUCTION_VARIANT: &str = "x-amzn-invoked-production-variant";

pub const DEVICE: &str = "x-explaind-device";
pub const KERNEL: &str = "x-explaind-kernel";
pub const ESTIMATOR: &str = "x-explaind-estimator";
pub const BASE_VALUES: &str = "x-explaind-base-values";
pub const CLIPPED: &str = "x-explaind-clipped";
pub const SERVER_TIMING: &str = "server-timing";

/// The variant of an endpoint that comes from a definition file.
pub const VARIANT: &str = "AllTraffic";

/// Characters of EnableExplanations, in header and config.
pub const EXPRESSION_CHARS_MAX: usize = 64;
