//! What an operator may set, each with its unit, range and default. A flag wins over its `EXPLAIND_*` variable.

mod stars;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

pub use stars::fits;

/// A whole number that makes sense for its setting.
fn within<T: TryFrom<u64>, const LEAST: u64, const MOST: u64>(text: &str) -> Result<T, String> {
    let number: u64 = text.parse().map_err(|_| "not a whole number".to_owned())?;
    let in_range = Some(number).filter(|number| (LEAST..=MOST).contains(number));
    in_range.and_then(|number| T::try_from(number).ok()).ok_or_else(|| format!("not within {LEAST} and {MOST}"))
}

fn account_id(text: &str) -> Result<String, String> {
    let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("not twelve digits".to_owned()) }
}

fn region(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_region = !text.is_empty() && text.bytes().all(is_plain);
    if is_region { Ok(text.to_owned()) } else { Err("not a name such as us-east-1".to_owned()) }
}

/// Where the arithmetic may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DevicePolicy {
    /// The best hardware GPU, else the CPU.
    #[default]
    Auto,
    /// A GPU, software adapters included; refuses to start without one.
    Gpu,
    Cpu,
}

/// Which size weights the regression uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Kernel {
    /// k(s) = (M−1) / (C(M,s)·s·(M−s)): the Shapley kernel (Lundberg & Lee 2017, theorem 2).
    #[default]
    Shapley,
    /// k(s)²: what the recorded answers of the hosted service fit.
    Clarify,
}

impl Kernel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shapley => "shapley",
            Self::Clarify => "clarify",
        }
    }
}

/// How the attributions of sampled coalitions are estimated; listed games need no estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum SampledEstimator {
    /// `trend` where it is made for the kernel and solved soon: up to 128 players and 4,096 samples; else `kernel-shap`.
    #[default]
    Auto,
    /// Constrained weighted least squares.
    KernelShap,
    /// Least squares with a smooth prior on what is not additive; kernel `shapley` only.
    Trend,
}

impl SampledEstimator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::KernelShap => "kernel-shap",
            Self::Trend => "trend",
        }
    }
}

/// Settings by which endpoints are opened, whether they serve or are checked.
#[derive(Args, Clone, Debug)]
pub struct OpenConfig {
    /// Size weights of the regression; an endpoint's Environment may name its own in EXPLAIND_KERNEL
    #[arg(long, env = "EXPLAIND_KERNEL", value_enum, default_value = "shapley")]
    pub kernel: Kernel,

    /// Estimator of games too large to be listed; an endpoint's Environment may name its own in EXPLAIND_ESTIMATOR
    #[arg(long, env = "EXPLAIND_ESTIMATOR", value_enum, default_value = "auto")]
    pub estimator: SampledEstimator,

    /// A running container for an Image that is no URL; PATTERN may have stars; repeatable, the first that fits wins
    #[arg(long, env = "EXPLAIND_CONTAINER_MAP", value_delimiter = ',', value_name = "PATTERN=URL")]
    pub container_map: Vec<String>,

    /// Players (features, text units) of one record
    #[arg(long, env = "EXPLAIND_PLAYERS_MAX", default_value_t = 1024, value_name = "PLAYERS",
        value_parser = within::<usize, 1, 16_384>)]
    pub players_max: usize,

    /// Operators kept for reuse, and the largest one allowed, in MiB
    #[arg(long, env = "EXPLAIND_OPERATOR_MIB_MAX", default_value_t = 512, value_name = "MIB",
        value_parser = within::<usize, 1, 65_536>)]
    pub operator_mib_max: usize,

    /// Model file, in MiB
    #[arg(long, env = "EXPLAIND_MODEL_MIB_MAX", default_value_t = 512, value_name = "MIB",
        value_parser = within::<u64, 1, 3_072>)]
    pub model_mib_max: u64,

    /// Baseline that an endpoint names in ShapBaselineUri, in MiB
    #[arg(long, env = "EXPLAIND_BASELINE_MIB_MAX", default_value_t = 64, value_name = "MIB",
        value_parser = within::<u64, 1, 3_072>)]
    pub baseline_mib_max: u64,
}

impl OpenConfig {
    pub fn operator_bytes_max(&self) -> usize {
        self.operator_mib_max << 20
    }

    pub fn model_bytes_max(&self) -> u64 {
        self.model_mib_max << 20
    }

    pub fn baseline_bytes_max(&self) -> u64 {
        self.baseline_mib_max << 20
    }
}

/// Settings of the engine, shared by all commands that explain.
#[derive(Args, Clone, Debug)]
pub struct EngineConfig {
    /// Where the arithmetic runs; see `explaind devices`
    #[arg(long, env = "EXPLAIND_DEVICE", value_enum, default_value = "auto")]
    pub device: DevicePolicy,

    #[command(flatten)]
    pub open: OpenConfig,

    /// Records × outputs of one batch
    #[arg(long, env = "EXPLAIND_BATCH_COLUMNS_MAX", default_value_t = 4096, value_name = "COLUMNS",
        value_parser = within::<usize, 1, 1_048_576>)]
    pub batch_columns_max: usize,

    /// Size of one batch, in MiB
    #[arg(long, env = "EXPLAIND_BATCH_MIB_MAX", default_value_t = 64, value_name = "MIB",
        value_parser = within::<usize, 1, 1_024>)]
    pub batch_mib_max: usize,

    /// How long a record may wait for others to share its batch, when the last batch was shared, in microseconds
    #[arg(long, env = "EXPLAIND_BATCH_WAIT_US", default_value_t = 100, value_name = "US",
        value_parser = within::<u64, 0, 1_000_000>)]
    pub batch_wait_us: u64,
}

/// Settings of models in containers and of endpoints with many models.
#[derive(Args, Clone, Debug)]
pub struct ContainerConfig {
    /// Requests under way to one container
    #[arg(long, env = "EXPLAIND_CONTAINER_IN_FLIGHT_MAX", default_value_t = 8, value_name = "REQUESTS",
        value_parser = within::<usize, 1, 1_024>)]
    pub container_in_flight_max: usize,

    /// A container must have answered a request after so long, in ms
    #[arg(long, env = "EXPLAIND_CONTAINER_ANSWER_MS", default_value_t = 60_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub container_answer_ms: u64,

    /// A container must answer its health check within so long when an endpoint is created or updated with it, in ms
    #[arg(long, env = "EXPLAIND_CONTAINER_READY_MS", default_value_t = 30_000, value_name = "MS",
        value_parser = within::<u64, 0, 3_600_000>)]
    pub container_ready_ms: u64,

    /// One answer of a container, in MiB
    #[arg(long, env = "EXPLAIND_CONTAINER_ANSWER_MIB_MAX", default_value_t = 64, value_name = "MIB",
        value_parser = within::<usize, 1, 1_024>)]
    pub container_answer_mib_max: usize,

    /// How often one request to a container is repeated when no answer came or it answered 429 or 5xx; all repetitions
    /// together stay below a fifth of a container's requests
    #[arg(long, env = "EXPLAIND_CONTAINER_RETRIES_MAX", default_value_t = 2, value_name = "RETRIES",
        value_parser = within::<u32, 0, 10>)]
    pub container_retries_max: u32,

    /// After so many failures in a row a container is left alone: its requests are answered 503 at once
    #[arg(long, env = "EXPLAIND_CIRCUIT_FAILURES", default_value_t = 5, value_name = "FAILURES",
        value_parser = within::<u32, 1, 1_000>)]
    pub circuit_failures: u32,

    /// For so long; then one request tries it again, in ms
    #[arg(long, env = "EXPLAIND_CIRCUIT_OPEN_MS", default_value_t = 2_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub circuit_open_ms: u64,

    /// How long it is remembered that a container refuses many records in one request, in s
    #[arg(long, env = "EXPLAIND_CONTAINER_MEMORY_S", default_value_t = 600, value_name = "S",
        value_parser = within::<u64, 1, 86_400>)]
    pub container_memory_s: u64,

    /// A request waits so long for its target model to be loaded; then it is answered 429, in ms
    #[arg(long, env = "EXPLAIND_MODEL_LOAD_MS", default_value_t = 10_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub model_load_ms: u64,

    /// Model files of one endpoint that are kept loaded, in MiB
    #[arg(long, env = "EXPLAIND_MODELS_MIB_MAX", default_value_t = 2_048, value_name = "MIB",
        value_parser = within::<u64, 1, 1_048_576>)]
    pub models_mib_max: u64,
}

/// Settings of the HTTP front end.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Requests that run at the same time
    #[arg(long, env = "EXPLAIND_RUNNING_MAX", default_value_t = 32, value_name = "REQUESTS",
        value_parser = within::<usize, 1, 65_536>)]
    pub running_max: usize,

    /// Requests that wait for their turn; one more is answered 429
    #[arg(long, env = "EXPLAIND_WAITING_MAX", default_value_t = 128, value_name = "REQUESTS",
        value_parser = within::<usize, 0, 1_048_576>)]
    pub waiting_max: usize,

    /// Open connections; one more waits to be accepted
    #[arg(long, env = "EXPLAIND_CONNECTIONS_MAX", default_value_t = 1024, value_name = "CONNECTIONS",
        value_parser = within::<usize, 1, 1_048_576>)]
    pub connections_max: usize,

    /// Request body, in bytes
    #[arg(long, env = "EXPLAIND_BODY_BYTES_MAX", default_value_t = 6 << 20, value_name = "BYTES",
        value_parser = within::<usize, 1, 1_073_741_824>)]
    pub body_bytes_max: usize,

    /// Bodies of all requests together, in MiB; one more is answered 429
    #[arg(long, env = "EXPLAIND_BODIES_MIB_MAX", default_value_t = 1024, value_name = "MIB",
        value_parser = within::<usize, 1, 1_048_576>)]
    pub bodies_mib_max: usize,

    /// Numbers of one answer: explained records × features × outputs
    #[arg(long, env = "EXPLAIND_ATTRIBUTIONS_MAX", default_value_t = 4_000_000, value_name = "NUMBERS",
        value_parser = within::<usize, 1, 1_073_741_824>)]
    pub attributions_max: usize,

    /// Records of one request
    #[arg(long, env = "EXPLAIND_RECORDS_MAX", default_value_t = 100_000, value_name = "RECORDS",
        value_parser = within::<usize, 1, 1_073_741_824>)]
    pub records_max: usize,

    /// From a request's complete headers to its answer, in ms; keep it below the client's 60 s
    #[arg(long, env = "EXPLAIND_DEADLINE_MS", default_value_t = 55_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub deadline_ms: u64,

    /// A connection without complete request headers for so long is closed, idle or slow, in ms
    #[arg(long, env = "EXPLAIND_HEADER_TIMEOUT_MS", default_value_t = 10_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub header_timeout_ms: u64,

    /// A body must be complete after so long, in ms
    #[arg(long, env = "EXPLAIND_BODY_TIMEOUT_MS", default_value_t = 30_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub body_timeout_ms: u64,

    /// A connection that takes no byte of its answer for so long is cut off, in ms
    #[arg(long, env = "EXPLAIND_WRITE_TIMEOUT_MS", default_value_t = 30_000, value_name = "MS",
        value_parser = within::<u64, 1, 3_600_000>)]
    pub write_timeout_ms: u64,

    /// After SIGTERM, how long requests are still taken while /ping already answers 503, in ms
    #[arg(long, env = "EXPLAIND_DRAIN_GRACE_MS", default_value_t = 5_000, value_name = "MS",
        value_parser = within::<u64, 0, 3_600_000>)]
    pub drain_grace_ms: u64,

    /// After that, how long running requests may take to finish, in ms
    #[arg(long, env = "EXPLAIND_DRAIN_MS", default_value_t = 60_000, value_name = "MS",
        value_parser = within::<u64, 0, 3_600_000>)]
    pub drain_ms: u64,

    /// The account named in messages and ARNs
    #[arg(long, env = "EXPLAIND_ACCOUNT_ID", default_value = "000000000000", value_name = "ID", value_parser = account_id)]
    pub account_id: String,

    /// The region named in messages and ARNs
    #[arg(long, env = "EXPLAIND_REGION", default_value = "us-east-1", value_name = "REGION", value_parser = region)]
    pub region: String,
}

impl ServerConfig {
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// Settings of the control plane. What its definitions may name is limited; definition files are the operator's word.
#[derive(Args, Clone, Debug)]
pub struct ControlConfig {
    /// Folder of what CreateEndpoint and its like made; it is made with the first of them
    #[arg(long, env = "EXPLAIND_STATE", default_value = "explaind-state", value_name = "FOLDER")]
    pub state: PathBuf,

    /// Folder of models and baselines that definitions made through the API may name; repeatable
    #[arg(long, env = "EXPLAIND_FILE_ROOT", default_value = ".", value_delimiter = ',', value_name = "PATH")]
    pub file_root: Vec<PathBuf>,

    /// Host of containers, https: and S3 that definitions made through the API may name, as HOST, HOST:PORT or
    /// SCHEME://HOST:PORT, where HOST may have stars; repeatable; without it this machine, while only it can connect
    #[arg(long, env = "EXPLAIND_ALLOW_BACKEND", value_delimiter = ',', value_name = "PATTERN")]
    pub allow_backend: Vec<String>,
}

/// Who may call.
#[derive(Args, Clone, Debug)]
pub struct AccessConfig {
    /// Keys of those who may call: a JSON list of {"access_key_id", "secret_access_key"} and {"bearer"}, in a file that
    /// nobody else may read; without it everybody may call
    #[arg(long, env = "EXPLAIND_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Listen without keys on an address that is not loopback: everybody who reaches it may call
    #[arg(long, env = "EXPLAIND_ALLOW_ANONYMOUS", value_parser = BoolishValueParser::new())]
    pub allow_anonymous: bool,
}

/// `explaind serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeConfig {
    /// Endpoint definitions: files, or folders that hold an endpoint.json or folders with one; repeatable
    #[arg(long, env = "EXPLAIND_ENDPOINTS", num_args = 1.., value_delimiter = ',', value_name = "PATH")]
    pub endpoints: Vec<PathBuf>,

    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "EXPLAIND_LISTEN", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8700))]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub access: AccessConfig,

    #[command(flatten)]
    pub engine: EngineConfig,

    #[command(flatten)]
    pub containers: ContainerConfig,

    #[command(flatten)]
    pub server: ServerConfig,

    #[command(flatten)]
    pub control: ControlConfig,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_with_their_range() {
        let limit = within::<usize, 1, 10>;
        assert_eq!(limit("10"), Ok(10));
        for (text, reason) in
            [("0", "not within 1 and 10"), ("11", "not within 1 and 10"), ("x", "not a whole number")]
        {
            assert_eq!(limit(text), Err(reason.to_owned()));
        }
    }
}
