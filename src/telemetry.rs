//! Every metric, in one list, and the log. Labels are bounded: endpoints that were asked lately, outcomes,
//! stages; never record values.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use metrics::{SetRecorderError, Unit};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

const REQUESTS: &str = "explaind_requests_total";
const CONTROL_CALLS: &str = "explaind_control_calls_total";
const REQUEST_SECONDS: &str = "explaind_request_seconds";
const STAGE_SECONDS: &str = "explaind_stage_seconds";
pub const RUNNING: &str = "explaind_requests_running";
pub const WAITING: &str = "explaind_requests_waiting";
const ACCESS_REFUSALS: &str = "explaind_access_refusals_total";
const RECORDS: &str = "explaind_records_total";
const EXPLAINED: &str = "explaind_records_explained_total";
const BATCH_COLUMNS: &str = "explaind_batch_columns";
const BATCH_PROBLEMS: &str = "explaind_batch_problems";
const BATCH_WAIT_SECONDS: &str = "explaind_batch_wait_seconds";
const BATCH_SECONDS: &str = "explaind_batch_seconds";
const FALLBACKS: &str = "explaind_device_fallbacks_total";
const OPERATOR_BYTES: &str = "explaind_operator_bytes";
const CONTAINER_REQUESTS: &str = "explaind_container_requests_total";
const CONTAINER_RETRIES: &str = "explaind_container_retries_total";
const CONTAINER_ROWS: &str = "explaind_container_rows_total";
const BATCH_REFUSALS: &str = "explaind_container_batch_refusals_total";
const MODEL_LOADS: &str = "explaind_model_loads_total";
const MODEL_UNLOADS: &str = "explaind_model_unloads_total";
const PANICS: &str = "explaind_panics_total";
const BUILD: &str = "explaind_build_info";

/// Counts and times of what has not happened for so long are forgotten: there may be ever new names of endpoints.
const IDLE_MAX: Duration = Duration::from_secs(6 * 3600);
/// How often times are added up and idle ones are dropped, also where nobody asks for metrics.
const UPKEEP: Duration = Duration::from_secs(60);

/// 0.1 ms to 60 s.
const SECONDS: [f64; 15] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];
const COUNTS: [f64; 13] = [1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024., 2048., 4096.];

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("metrics: {0}")]
    Build(#[from] BuildError),
    #[error("metrics: {0}")]
    Recorder(#[from] SetRecorderError<PrometheusRecorder>),
    #[error("metrics: {0}")]
    Thread(#[from] io::Error),
}

/// Installs the process-wide recorder; the handle renders `/metrics`.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let recorder = recorder(IDLE_MAX)?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    describe();
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    keep_up(handle.clone())?;
    Ok(handle)
}

fn recorder(idle_max: Duration) -> Result<PrometheusRecorder, BuildError> {
    // A gauge tells what is, however long it has been so.
    let idle = MetricKindMask::COUNTER | MetricKindMask::HISTOGRAM;
    let builder = PrometheusBuilder::new()
        .idle_timeout(idle, Some(idle_max))
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full(BATCH_COLUMNS.to_owned()), &COUNTS)?
        .set_buckets_for_metric(Matcher::Full(BATCH_PROBLEMS.to_owned()), &COUNTS)?;
    Ok(builder.build_recorder())
}

/// Until the process ends. The recorder drops what is idle only while it renders.
fn keep_up(handle: PrometheusHandle) -> io::Result<()> {
    let keep_up = move || {
        loop {
            thread::sleep(UPKEEP);
            drop(handle.render());
        }
    };
    thread::Builder::new().name("metrics".to_owned()).spawn(keep_up).map(drop)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests by endpoint and HTTP status");
    describe_counter!(CONTROL_CALLS, "Calls of the control plane by HTTP status");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "From complete headers to the answer");
    describe_histogram!(STAGE_SECONDS, Unit::Seconds, "Time of a request by stage");
    describe_gauge!(RUNNING, "Requests running now");
    describe_gauge!(WAITING, "Requests waiting for their turn");
    describe_counter!(ACCESS_REFUSALS, "Requests that no key lets in, by reason");
    describe_counter!(RECORDS, "Records received, by endpoint");
    describe_counter!(EXPLAINED, "Records explained, by endpoint");
    describe_histogram!(BATCH_COLUMNS, "Records × outputs of a batch");
    describe_histogram!(BATCH_PROBLEMS, "Problems joined in a batch");
    describe_histogram!(BATCH_WAIT_SECONDS, Unit::Seconds, "Time a problem waited for its batch");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Time of a batch, by device");
    describe_counter!(FALLBACKS, "Batches answered on the CPU instead of the device, by reason");
    describe_gauge!(OPERATOR_BYTES, Unit::Bytes, "Operators kept for reuse");
    describe_counter!(CONTAINER_REQUESTS, "Requests to model containers, by outcome");
    describe_counter!(CONTAINER_RETRIES, "Requests to model containers that were repeated");
    describe_counter!(
        CONTAINER_ROWS,
        "Synthetic records by whether a container was asked or the same request knew the answer"
    );
    describe_counter!(
        BATCH_REFUSALS,
        "Batches that a container refused, by what was done: asked in halves or one by one"
    );
    describe_counter!(MODEL_LOADS, "Loads of target models, by place (container, folder) and outcome");
    describe_counter!(MODEL_UNLOADS, "Unloads of target models, by place and outcome");
    describe_counter!(PANICS, "Panics that were caught, of requests and of batches");
    describe_gauge!(BUILD, "Version of this server");
}

pub fn record_request(endpoint: &str, status: u16, took: Duration) {
    counter!(REQUESTS, "endpoint" => endpoint.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS, "endpoint" => endpoint.to_owned()).record(took);
}

pub fn count_control_call(status: u16) {
    counter!(CONTROL_CALLS, "status" => status.to_string()).increment(1);
}

pub fn count_access_refusal(reason: &'static str) {
    counter!(ACCESS_REFUSALS, "reason" => reason).increment(1);
}

pub fn record_stage(stage: &'static str, took: Duration) {
    histogram!(STAGE_SECONDS, "stage" => stage).record(took);
}

pub fn record_records(endpoint: &str, n_records: usize, n_explained: usize) {
    counter!(RECORDS, "endpoint" => endpoint.to_owned()).increment(n_records as u64);
    counter!(EXPLAINED, "endpoint" => endpoint.to_owned()).increment(n_explained as u64);
}

/// Moves one of the gauges above.
pub fn add_to_gauge(name: &'static str, change: f64) {
    gauge!(name).increment(change);
}

pub fn record_batch(n_columns: usize, n_problems: usize, waits: impl Iterator<Item = Duration>) {
    histogram!(BATCH_COLUMNS).record(n_columns as f64);
    histogram!(BATCH_PROBLEMS).record(n_problems as f64);
    waits.for_each(|wait| histogram!(BATCH_WAIT_SECONDS).record(wait));
}

pub fn record_batch_seconds(device: &str, took: Duration) {
    histogram!(BATCH_SECONDS, "device" => device.to_owned()).record(took);
}

pub fn count_fallback(reason: &'static str) {
    counter!(FALLBACKS, "reason" => reason).increment(1);
}

pub fn set_operator_bytes(bytes: usize) {
    gauge!(OPERATOR_BYTES).set(bytes as f64);
}

pub fn count_container_request(outcome: &'static str) {
    counter!(CONTAINER_REQUESTS, "outcome" => outcome).increment(1);
}

pub fn count_container_retry() {
    counter!(CONTAINER_RETRIES).increment(1);
}

pub fn count_container_rows(n_asked: usize, n_known: usize) {
    counter!(CONTAINER_ROWS, "answer" => "asked").increment(n_asked as u64);
    counter!(CONTAINER_ROWS, "answer" => "known").increment(n_known as u64);
}

pub fn count_batch_refusal(remedy: &'static str) {
    counter!(BATCH_REFUSALS, "remedy" => remedy).increment(1);
}

pub fn count_model_load(place: &'static str, outcome: &'static str) {
    counter!(MODEL_LOADS, "place" => place, "outcome" => outcome).increment(1);
}

pub fn count_model_unload(place: &'static str, outcome: &'static str) {
    counter!(MODEL_UNLOADS, "place" => place, "outcome" => outcome).increment(1);
}

pub fn count_panic() {
    counter!(PANICS).increment(1);
}

/// Logs to stderr; `EXPLAIND_LOG` takes the filter of the tracing crates, `info` when unset.
pub fn install_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("EXPLAIND_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,wgpu_core=warn,wgpu_hal=warn,naga=warn"));
    let is_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_terminal);
    // A second installation, as in tests, changes nothing.
    let _ = log.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_happened_for_long_is_forgotten_but_for_gauges() {
        let idle_max = Duration::from_millis(100);
        let recorder = recorder(idle_max).expect("builds");
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            record_request("once", 200, idle_max);
            record_records("once", 2, 1);
            add_to_gauge(RUNNING, 1.0);
        });
        let before = handle.render();
        for series in [REQUESTS, REQUEST_SECONDS, RECORDS, EXPLAINED, RUNNING] {
            assert!(before.contains(series), "{series} {before}");
        }
        thread::sleep(2 * idle_max);
        metrics::with_local_recorder(&recorder, || record_request("again", 200, idle_max));
        let after = handle.render();
        assert!(!after.contains("once") && after.contains("again") && after.contains(RUNNING), "{after}");
    }
}
