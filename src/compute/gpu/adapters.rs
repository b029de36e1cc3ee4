//! Which adapters wgpu sees, and which one each policy would use.

use wgpu::{AdapterInfo, Backends, DeviceType};

use crate::config::DevicePolicy;

/// The adapter a policy picks, and why in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index into the adapters; none is the CPU path.
    pub adapter_idx: Option<usize>,
    pub reason: String,
}

/// All adapters of the backends we ship: Vulkan, Metal, DX12. Empty where no driver is.
pub fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let instance = wgpu::Instance::new(descriptor);
    pollster::block_on(instance.enumerate_adapters(Backends::all()))
}

/// Lower is better; a software adapter is last.
fn rank(device_type: DeviceType) -> usize {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// `auto` takes the best hardware adapter, `gpu` the best of any kind, `cpu` none.
pub fn choose(adapters: &[AdapterInfo], policy: DevicePolicy) -> Choice {
    let is_candidate = |info: &AdapterInfo| policy == DevicePolicy::Gpu || info.device_type != DeviceType::Cpu;
    let best = adapters
        .iter()
        .enumerate()
        .filter(|(_, info)| policy != DevicePolicy::Cpu && is_candidate(info))
        .min_by_key(|(_, info)| rank(info.device_type));
    let reason = match (policy, best) {
        (DevicePolicy::Cpu, _) => "--device cpu".to_owned(),
        (_, Some((_, info))) => format!("best adapter by type: {:?}", info.device_type),
        (DevicePolicy::Gpu, None) => "no adapter was found".to_owned(),
        (DevicePolicy::Auto, None) if adapters.is_empty() => "no adapter was found".to_owned(),
        (DevicePolicy::Auto, None) => {
            "only software adapters were found, and they are slower than the CPU path".to_owned()
        }
    };
    Choice { adapter_idx: best.map(|(idx, _)| idx), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(types: &[DeviceType], policy: DevicePolicy) -> Option<usize> {
        let infos: Vec<AdapterInfo> =
            types.iter().map(|&device_type| AdapterInfo::new(device_type, wgpu::Backend::Vulkan)).collect();
        choose(&infos, policy).adapter_idx
    }

    #[test]
    fn auto_never_takes_a_software_adapter_and_gpu_takes_it_last() {
        use DevicePolicy::{Auto, Gpu};
        use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu};
        assert_eq!(chosen(&[Cpu], Auto), None);
        assert_eq!(chosen(&[Cpu], Gpu), Some(0));
        assert_eq!(chosen(&[Cpu, IntegratedGpu, DiscreteGpu], Auto), Some(2));
        assert_eq!(chosen(&[Cpu, IntegratedGpu], Gpu), Some(1));
        assert_eq!(chosen(&[DiscreteGpu], DevicePolicy::Cpu), None);
        assert_eq!(chosen(&[], Gpu), None);
    }
}
