//! A device lost in the middle of a batch: every problem is answered, as before, and the device comes back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use explaind::compute::gpu::GpuLimits;
use explaind::compute::{Attributor, BatchLimits, BoxedDevice, Engine, Gpu, Problem, Solution, Work};
use explaind::config::Kernel;
use explaind::shap::{Design, Operator};
use futures_util::future::join_all;
use libtest_mimic::Trial;

use crate::games::{near, noise};
use crate::paths::{LIMITS, adapter, runtime};
use crate::{Check, trial};

pub fn trials() -> Vec<Trial> {
    let adapter = adapter();
    let ignored = adapter.is_none();
    let lost = move || lost_in_the_middle(adapter.expect("ignored without an adapter"));
    vec![trial("a device lost in the middle of a batch loses no answer", lost).with_ignored_flag(ignored)]
}

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The device that is open now, for the drill to destroy.
type Opened = Arc<Mutex<Option<wgpu::Device>>>;

fn start(adapter: wgpu::Adapter, opened: Opened) -> Attributor {
    let open = move || {
        let gpu = move || {
            let gpu = Gpu::open(&adapter, GpuLimits::default())?;
            *opened.lock().expect("nobody panics with the lock") = Some(gpu.handles().0);
            Ok(Box::new(gpu) as BoxedDevice)
        };
        Engine::accelerated(Arc::new(gpu))
    };
    Attributor::start(open, BatchLimits::default()).expect("the adapter was found")
}

fn problems(operator: &Arc<Operator>) -> Vec<Problem> {
    let column =
        |salt: usize| (0..operator.design.n_pairs).map(move |idx| noise((salt * 10_000 + idx) as u64) as f32);
    let problem = |first: usize| {
        let columns = (first * 16..first * 16 + 16).map(|salt| column(salt).collect()).collect();
        Problem { operator: Arc::clone(operator), work: Work::Columns(columns) }
    };
    (0..64).map(problem).collect()
}

fn solve(attributor: &Attributor, operator: &Arc<Operator>) -> Vec<Solution> {
    let all = join_all(problems(operator).into_iter().map(|problem| attributor.solve(problem)));
    runtime().block_on(all).into_iter().map(|solution| solution.expect("no problem is lost")).collect()
}

fn lost_in_the_middle(adapter: wgpu::Adapter) -> Check {
    let design = Design::new(64, None, 1, Kernel::Shapley, LIMITS).map_err(|error| error.to_string())?;
    let operator = Arc::new(Operator::of(design));
    let name = adapter.get_info().name;
    let opened = Opened::default();
    let attributor = start(adapter, Arc::clone(&opened));
    let before = solve(&attributor, &operator);
    if before.iter().any(|solution| *solution.device != *name) {
        return Err(format!("{name} did not answer while it was well"));
    }
    let mut n_on_cpu = 0;
    for delay_ms in [0, 1, 3, 10, 30] {
        let device = opened.lock().expect("nobody panics with the lock").clone().expect("a device is open");
        let drill = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(delay_ms));
            device.destroy();
        });
        // Solved again and again until the loss has struck.
        let give_up = Instant::now() + PATIENCE;
        let after = loop {
            let after = solve(&attributor, &operator);
            if drill.is_finished() && after.iter().any(|solution| &*solution.device == "cpu") {
                break after;
            }
            if Instant::now() > give_up {
                return Err(format!("the loss never struck within {PATIENCE:?}"));
            }
        };
        drill.join().map_err(|_| "the drill panicked")?;
        n_on_cpu += after.iter().filter(|solution| &*solution.device == "cpu").count();
        agree(&before, &after)?;
        wait_until_back(&attributor, &operator, &name)?;
    }
    println!("{n_on_cpu} problems were answered on the CPU");
    agree(&before, &solve(&attributor, &operator))
}

fn agree(before: &[Solution], after: &[Solution]) -> Check {
    let widen = |solution: &Solution| solution.attributions.iter().map(|&a| f64::from(a)).collect::<Vec<f64>>();
    before.iter().zip(after).try_for_each(|(b, a)| near("after the loss", &widen(a), &widen(b), 1e-6))
}

fn wait_until_back(attributor: &Attributor, operator: &Arc<Operator>, name: &str) -> Check {
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        if solve(attributor, operator).iter().all(|solution| &*solution.device == name) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("{name} did not come back within {PATIENCE:?}"))
}
