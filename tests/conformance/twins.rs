//! The shader against its CPU twin: equal bit for bit on a software adapter, which rounds every product,
//! and within the bound of fused multiply-add on hardware. All instruction sets of the CPU agree bit for bit.

use explaind::compute::cpu::{Instructions, attribute::attribute};
use explaind::compute::gpu::GpuLimits;
use explaind::compute::{Device, Gpu};
use explaind::shap::Panels;
use libtest_mimic::Trial;
use wgpu::DeviceType;

use crate::games::noise;
use crate::paths::adapter;
use crate::{Check, trial};

/// Pairs, players, columns: ones, primes, and the edges of panels, blocks and workgroups.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (1, 13, 2),
    (2, 16, 64),
    (31, 15, 63),
    (32, 17, 65),
    (33, 31, 16),
    (63, 32, 17),
    (64, 33, 15),
    (65, 8, 127),
    (97, 64, 128),
    (255, 65, 3),
    (1054, 30, 70),
    (1152, 128, 5),
    (1536, 512, 1),
];

pub fn trials() -> Vec<Trial> {
    let adapter = adapter();
    let ignored = adapter.is_none();
    let again = adapter.clone();
    let present = "ignored without an adapter";
    vec![
        trial("twins: every instruction set gives the same bits", instruction_sets),
        trial("twins: the shader equals its twin on all shapes", move || shapes(&adapter.expect(present)))
            .with_ignored_flag(ignored),
        trial("twins: what was in workgroup memory does not matter", move || poisoned(&again.expect(present)))
            .with_ignored_flag(ignored),
    ]
}

fn matrix(n_rows: usize, n_columns: usize, salt: u64) -> Panels<f32> {
    let element = |column, row| noise(salt + (column * n_rows + row) as u64) as f32;
    let columns: Vec<Vec<f32>> =
        (0..n_columns).map(|column| (0..n_rows).map(|row| element(column, row)).collect()).collect();
    Panels::from_columns(n_rows, &columns)
}

fn instruction_sets() -> Check {
    let available = Instructions::available();
    let (first, others) = available.split_first().expect("every machine has a baseline");
    println!("{first:?} against {others:?}");
    for (n_rows, n_players, n_columns) in SHAPES {
        let (operator, columns) = (matrix(n_rows, n_players, 1), matrix(n_rows, n_columns, 2));
        let want = attribute(*first, &operator, &columns);
        if let Some(other) = others.iter().find(|&&other| attribute(other, &operator, &columns) != want) {
            return Err(format!("{other:?} differs from {first:?} at {n_rows}×{n_players}×{n_columns}"));
        }
    }
    Ok(())
}

fn open(adapter: &wgpu::Adapter, limits: GpuLimits) -> Result<Gpu, String> {
    println!("adapter: {}", adapter.get_info().name);
    Gpu::open(adapter, limits).map_err(|error| error.to_string())
}

fn shapes(adapter: &wgpu::Adapter) -> Check {
    let is_software = adapter.get_info().device_type == DeviceType::Cpu;
    // The second limit cuts every batch into many dispatches.
    for dispatch_bytes_max in [32 << 20, 256 << 10] {
        let mut gpu = open(adapter, GpuLimits { dispatch_bytes_max, ..GpuLimits::default() })?;
        for (idx, (n_rows, n_players, n_columns)) in SHAPES.into_iter().enumerate() {
            let (operator, columns) = (matrix(n_rows, n_players, 3), matrix(n_rows, n_columns, 4));
            let got = gpu.attribute(idx as u64, &operator, &columns).map_err(|error| error.to_string())?;
            let want = attribute(Instructions::detect(), &operator, &columns);
            let bounds = if is_software { vec![0.0; want.len()] } else { bounds(&operator, &columns) };
            same(&got, &want, &bounds).map_err(|e| format!("{n_rows}×{n_players}×{n_columns}: {e}"))?;
        }
    }
    Ok(())
}

/// Two blocked sums of rounded or fused products are at most 2·(32 + blocks)·2⁻²⁴·Σ|A||D| apart.
fn bounds(operator: &Panels<f32>, columns: &Panels<f32>) -> Vec<f32> {
    let magnitudes = |panels: &Panels<f32>| Panels {
        data: panels.data.iter().map(|element| element.abs()).collect(),
        ..*panels
    };
    let steps = 32.0 + (operator.n_rows as f32 / 32.0).ceil();
    let sums = attribute(Instructions::detect(), &magnitudes(operator), &magnitudes(columns));
    sums.into_iter().map(|sum| steps * f32::EPSILON * sum).collect()
}

fn same(got: &[f32], want: &[f32], bounds: &[f32]) -> Check {
    if got.len() != want.len() {
        return Err(format!("{} numbers instead of {}", got.len(), want.len()));
    }
    let wrong = |idx: &usize| got[*idx].is_nan() || (got[*idx] - want[*idx]).abs() > bounds[*idx];
    match (0..got.len()).find(wrong) {
        None => Ok(()),
        Some(idx) => Err(format!("number {idx}: {} instead of {} ± {}", got[idx], want[idx], bounds[idx])),
    }
}

/// The pipeline does not zero workgroup memory, so a kernel that reads before it writes would see these NaN.
const POISON: &str = "
    var<workgroup> memory: array<f32, 4096>;
    @group(0) @binding(0) var<storage, read_write> sink: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(local_invocation_index) thread: u32) {
        for (var i = thread; i < 4096u; i += 64u) { memory[i] = bitcast<f32>(sink_bits()); }
        workgroupBarrier();
        sink[thread] = memory[4095u - thread];
    }
    fn sink_bits() -> u32 { return 0x7fc00000u | bitcast<u32>(sink[0]); }
";

fn poisoned(adapter: &wgpu::Adapter) -> Check {
    let mut gpu = open(adapter, GpuLimits::default())?;
    let (operator, columns) = (matrix(40, 33, 5), matrix(40, 65, 6));
    let want = gpu.attribute(1, &operator, &columns).map_err(|error| error.to_string())?;
    let (device, queue) = gpu.handles();
    poison(&device, &queue);
    let got = gpu.attribute(1, &operator, &columns).map_err(|error| error.to_string())?;
    same(&got, &want, &vec![0.0; want.len()])
}

fn poison(device: &wgpu::Device, queue: &wgpu::Queue) {
    let source = wgpu::ShaderSource::Wgsl(POISON.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let usage = wgpu::BufferUsages::STORAGE;
    let sink = wgpu::BufferDescriptor { label: None, size: 256, usage, mapped_at_creation: false };
    let sink = device.create_buffer(&sink);
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: sink.as_entire_binding() }],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &bindings, &[]);
    pass.dispatch_workgroups(64, 1, 1);
    drop(pass);
    queue.submit([encoder.finish()]);
}
