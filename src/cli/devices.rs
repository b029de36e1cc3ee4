//! `explaind devices`: what wgpu sees here, and what each policy would do with it.

use std::io::{self, Write};

use wgpu::{Adapter, AdapterInfo};

use crate::compute::cpu::Instructions;
use crate::compute::gpu::{adapters, choose};
use crate::config::DevicePolicy;

pub(super) fn run() -> anyhow::Result<()> {
    let adapters = adapters();
    let mut out = io::stdout().lock();
    for (idx, adapter) in adapters.iter().enumerate() {
        write_adapter(&mut out, idx, adapter)?;
    }
    writeln!(out, "cpu: {} threads, {:?}", rayon::current_num_threads(), Instructions::detect())?;
    let infos: Vec<AdapterInfo> = adapters.iter().map(Adapter::get_info).collect();
    for (policy, flag) in [(DevicePolicy::Auto, "auto"), (DevicePolicy::Gpu, "gpu")] {
        let choice = choose(&infos, policy);
        let device = match (choice.adapter_idx, policy) {
            (Some(idx), _) => format!("adapter {idx}, {}", infos[idx].name),
            (None, DevicePolicy::Gpu) => "refuses to start".to_owned(),
            (None, _) => "cpu".to_owned(),
        };
        writeln!(out, "--device {flag}: {device} ({})", choice.reason)?;
    }
    Ok(())
}

fn write_adapter(out: &mut impl Write, idx: usize, adapter: &Adapter) -> io::Result<()> {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    writeln!(out, "adapter {idx}: {}", info.name)?;
    writeln!(out, "  type      {:?}", info.device_type)?;
    writeln!(out, "  backend   {:?}", info.backend)?;
    writeln!(out, "  driver    {} {}", info.driver, info.driver_info)?;
    writeln!(out, "  buffer    {} MiB at most", limits.max_buffer_size >> 20)?;
    writeln!(out, "  binding   {} MiB at most", limits.max_storage_buffer_binding_size >> 20)?;
    writeln!(
        out,
        "  workgroup {} KiB of memory, {} invocations",
        limits.max_compute_workgroup_storage_size >> 10,
        limits.max_compute_invocations_per_workgroup
    )
}
