//! The commands. They may use everything; nothing uses them.

mod access;
mod chart;
mod check;
mod demo;
mod devices;
mod document;
mod engine;
mod serve;
mod shading;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ServeConfig;

/// Explains predictions as a SageMaker endpoint with the Clarify explainer does, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "explaind", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a bundled endpoint, explain one record over HTTP and draw the answer
    Demo(demo::DemoConfig),
    /// Serve endpoints from their definitions
    Serve(ServeConfig),
    /// Ask an endpoint's model as it will be asked to explain, show how its answers are read and what would mend them
    Check(check::CheckConfig),
    /// List the adapters and say which one would be used, and why
    Devices,
}

impl Cli {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        crate::telemetry::install_log();
        match self.command {
            Command::Demo(config) => demo::run(config)?,
            Command::Serve(config) => serve::run(config)?,
            Command::Check(config) => return check::run(config),
            Command::Devices => devices::run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_setting_of_serve_is_also_an_environment_variable() {
        let mut cli = Cli::command();
        cli.build();
        let serve = cli.find_subcommand("serve").expect("serve is there");
        for argument in serve.get_arguments().filter(|argument| argument.get_id() != "help") {
            let name = argument.get_long().expect("settings are long flags");
            let variable = argument.get_env().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
            assert!(variable.starts_with("EXPLAIND_"), "--{name} has no EXPLAIND_ variable");
        }
    }
}
