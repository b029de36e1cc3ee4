//! `explaind check`: an endpoint's definition and some records → what its model is asked and answers, step by step as it
//! is when it explains, how that is read, and what would mend it. Nothing computes attributions.

mod batch;
mod compare;
mod input;
mod own;
mod players;
mod records;
mod report;
mod steps;
mod subject;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{engine, serve};
use crate::config::{ContainerConfig, OpenConfig};
use crate::model::TargetName;
use input::Input;
use report::Report;
use subject::Opener;

#[derive(Args, Debug)]
pub(super) struct CheckConfig {
    /// Endpoint definition: a file, or a folder that holds an endpoint.json
    #[arg(long, value_name = "PATH")]
    endpoint: PathBuf,

    /// Records as clients send them, in CSV or JSON Lines
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Content type of the records; without it the file's ending says it: .csv, .jsonl or .jsonlines
    #[arg(long, value_name = "MIME")]
    content_type: Option<String>,

    /// What clients accept
    #[arg(long, value_name = "MIME")]
    accept: Option<String>,

    /// Which of an endpoint's many models is asked
    #[arg(long, value_name = "MODEL", value_parser = TargetName::read)]
    target_model: Option<TargetName>,

    #[command(flatten)]
    open: OpenConfig,

    #[command(flatten)]
    containers: ContainerConfig,
}

/// Succeeds when explanations will work.
pub(super) fn run(config: CheckConfig) -> anyhow::Result<ExitCode> {
    let CheckConfig { endpoint, input, content_type, accept, target_model, open, containers } = config;
    let path = if endpoint.is_dir() { endpoint.join(serve::DEFINITION) } else { endpoint };
    let opener = Opener::new(
        path,
        engine::defaults(&open)?,
        engine::design_limits(&open),
        engine::load_limits(&open, &containers),
    );
    let input = Input { path: input, content_type, target_model };
    let report = Report::new(io::stdout());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let works = runtime.block_on(steps::check(opener, input, accept, report));
    // A step that was given up may still hold a thread.
    runtime.shutdown_background();
    Ok(if works? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
