//! The devices that compete: one CPU thread, all of them, and the best adapter where there is one.

use explaind::compute::gpu::{GpuLimits, adapters, choose};
use explaind::compute::{Cpu, Device, Gpu};
use explaind::config::DevicePolicy;
use rayon::{ThreadPool, ThreadPoolBuilder};

pub struct Contender {
    device: Box<dyn Device + Send>,
    /// The host's side of the work stays on these threads; none is all cores.
    pool: Option<ThreadPool>,
    flop_per_s_best: f64,
}

impl Contender {
    pub fn run<R: Send>(&mut self, work: impl FnOnce(&mut dyn Device) -> R + Send) -> R {
        let device = self.device.as_mut();
        match &self.pool {
            Some(pool) => pool.install(|| work(device)),
            None => work(device),
        }
    }

    /// Seconds of a call at the best rate so far; 0 before the first.
    pub fn estimate_s(&self, flop: f64) -> f64 {
        if self.flop_per_s_best > 0.0 { flop / self.flop_per_s_best } else { 0.0 }
    }

    pub fn note(&mut self, flop: f64, seconds: f64) {
        self.flop_per_s_best = self.flop_per_s_best.max(flop / seconds);
    }
}

/// The adapter that `--device gpu` would use, or why there is none.
pub type Adapter = Result<wgpu::AdapterInfo, String>;

/// Places of the contenders; the GPU's is missing where there is none.
pub const ONE_THREAD: usize = 0;
pub const ALL_CORES: usize = 1;
pub const GPU: usize = 2;

pub fn contenders() -> (Vec<Contender>, Adapter) {
    let one_thread = ThreadPoolBuilder::new().num_threads(1).build().expect("one more thread can be started");
    let mut contenders =
        vec![contender(Box::new(Cpu::detect()), Some(one_thread)), contender(Box::new(Cpu::detect()), None)];
    let adapter = open_gpu().map(|(gpu, info)| {
        contenders.push(contender(Box::new(gpu), None));
        info
    });
    (contenders, adapter)
}

fn contender(device: Box<dyn Device + Send>, pool: Option<ThreadPool>) -> Contender {
    Contender { device, pool, flop_per_s_best: 0.0 }
}

fn open_gpu() -> Result<(Gpu, wgpu::AdapterInfo), String> {
    let adapters = adapters();
    let infos: Vec<wgpu::AdapterInfo> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let choice = choose(&infos, DevicePolicy::Gpu);
    let idx = choice.adapter_idx.ok_or(choice.reason)?;
    let gpu = Gpu::open(&adapters[idx], GpuLimits::default()).map_err(|error| error.to_string())?;
    Ok((gpu, infos[idx].clone()))
}
