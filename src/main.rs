//! Flags → configuration → one command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match explaind::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("explaind: {error:#}");
            ExitCode::FAILURE
        }
    }
}
