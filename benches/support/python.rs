//! A Python environment for a benchmark's peers, made where it is missing, and a script in it that speaks JSON lines.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The interpreter of an environment with the packages of `requirements`; made anew when they change.
pub fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf, String> {
    let (python, installed) = (folder.join("bin/python"), folder.join("installed.txt"));
    let wanted = std::fs::read(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    if std::fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(python);
    }
    println!("Python packages are installed into {}", folder.display());
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    succeed(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(requirements))?;
    std::fs::write(&installed, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// A running script. It ends when its standard input does.
pub struct Script {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    pub fn start(python: &Path, script: &Path, arguments: &[&Path]) -> Result<Self, String> {
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let output = BufReader::new(process.stdout.take().expect("is piped")).lines();
        Ok(Self { input: process.stdin.take(), process, output })
    }

    /// Its next line; none at the end.
    pub fn next(&mut self) -> Option<Value> {
        let line = self.output.next()?.expect("reads");
        Some(serde_json::from_str(&line).expect("the script writes JSON"))
    }

    pub fn ask(&mut self, request: &Value) -> Value {
        let input = self.input.as_mut().expect("is open until the end");
        writeln!(input, "{request}").expect("the script reads; its own words are above");
        self.next().expect("the script answers; its own words are above")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
