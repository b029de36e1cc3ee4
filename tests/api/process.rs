//! The program itself: as a command that ends, and as a server with what Linux says about its memory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Instant;

use crate::support::{Caller, PATIENCE, ms};

pub struct Process {
    child: Child,
    pub caller: Caller,
    /// MiB before the first request. None where the system does not say.
    pub idle_mib: Option<u64>,
}

impl Process {
    /// Serves what is below these paths, on the CPU.
    pub fn serving(endpoints: &[&Path]) -> Self {
        Self::keeping(Path::new("no-state"), endpoints)
    }

    /// The same, with a control plane that keeps its state in this folder.
    pub fn keeping(state: &Path, endpoints: &[&Path]) -> Self {
        let mut command = explaind(&["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--state"]);
        command.arg(state);
        // The folders of tests are where cargo's target is.
        for root in [env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR")] {
            command.args(["--file-root", root]);
        }
        for path in endpoints {
            command.arg("--endpoints").arg(path);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("is piped");
        BufReader::new(stdout).read_line(&mut line).expect("reads");
        let address = line.trim().strip_prefix("listening on http://").expect("listens");
        let idle_mib = status_mib(child.id(), "VmRSS:");
        Self { child, caller: Caller::to(address.parse().expect("is an address")), idle_mib }
    }

    /// As `kill -9` does; it has ended when this returns.
    pub fn kill(&mut self) {
        self.child.kill().expect("runs");
        self.child.wait().expect("ends");
    }

    /// Forgets the peak of memory so far.
    pub fn begin_peak(&self) {
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// The most MiB that the process held since `begin_peak`. None where the system does not say.
    pub fn peak(&self) -> Option<u64> {
        status_mib(self.child.id(), "VmHWM:")
    }
}

fn status_mib(process: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib >> 10)
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder for one test.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("creates");
    folder
}

/// The program with nothing of the caller's environment that concerns it.
pub fn explaind(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_explaind"));
    command.args(arguments).stdin(Stdio::null()).env("EXPLAIND_LOG", "error");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EXPLAIND_") && name != "EXPLAIND_LOG") {
        command.env_remove(name);
    }
    command
}

/// Ends a program that should have ended by itself.
pub fn output(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let started = Instant::now();
    while child.try_wait().expect("is ours").is_none() {
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            break;
        }
        sleep(ms(5));
    }
    child.wait_with_output().expect("is ours")
}
