//! What /proc says about a running process: CPU time by thread, and the largest resident size.

use std::path::Path;

/// CPU seconds since the process began.
#[derive(Clone, Copy)]
pub struct Cpu {
    /// Threads of the batcher and of the pool of all cores.
    pub engine_s: f64,
    pub edge_s: f64,
}

/// How names of its threads begin.
const ENGINE: [&str; 2] = ["attribute", "engine-"];

/// Of /proc/*/stat.
const TICKS_PER_S: f64 = 100.0;

impl Cpu {
    pub fn of(process_id: u32) -> Self {
        let process = format!("/proc/{process_id}");
        let tasks = std::fs::read_dir(format!("{process}/task")).expect("the process runs, on Linux");
        let is_engine = |name: &str| ENGINE.iter().any(|own| name.starts_with(own));
        let threads = tasks.filter_map(|task| times(&task.ok()?.path()));
        let engine_s = threads.filter(|(name, _)| is_engine(name)).map(|(_, seconds)| seconds).sum();
        // Of the process, since threads at the edge come and go.
        let (_, all_s) = times(Path::new(&process)).expect("the process runs, on Linux");
        Self { engine_s, edge_s: all_s - engine_s }
    }

    pub fn all_s(self) -> f64 {
        self.engine_s + self.edge_s
    }
}

/// Name and CPU seconds of a process or a thread.
fn times(task: &Path) -> Option<(String, f64)> {
    let stat = std::fs::read_to_string(task.join("stat")).ok()?;
    let (head, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |idx: usize| fields.get(idx)?.parse::<f64>().ok();
    Some((head.split_once('(')?.1.to_owned(), (ticks(11)? + ticks(12)?) / TICKS_PER_S))
}

pub fn peak_bytes(process_id: u32) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{process_id}/status")).expect("the process runs, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("is a number")
}
