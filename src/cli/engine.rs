//! From settings to what all endpoints share: the device opened and warm, the operator cache, the limits.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use wgpu::AdapterInfo;

use crate::aws::definition::{ContainerMap, Defaults};
use crate::compute::gpu::{Choice, GpuLimits, adapters, choose};
use crate::compute::{Attributor, BatchLimits, BoxedDevice, Engine, Gpu};
use crate::config::{ContainerConfig, DevicePolicy, EngineConfig, OpenConfig, ServeConfig, ServerConfig};
use crate::endpoints::LoadLimits;
use crate::explain::{Limits, Shared};
use crate::fetch::{Reach, THIS_MACHINE};
use crate::shap::{DesignLimits, Method, OperatorCache};

pub(super) fn open(engine: &EngineConfig, server: &ServerConfig) -> anyhow::Result<Arc<Shared>> {
    // So that the system's lists of threads tell the engine's from the server's. A pool that is there already stays.
    let _ = rayon::ThreadPoolBuilder::new().thread_name(|idx| format!("engine-{idx}")).build_global();
    let limits = Limits {
        records_max: server.records_max,
        attributions_max: server.attributions_max,
        design: design_limits(&engine.open),
    };
    let operators = OperatorCache::new(engine.open.operator_bytes_max());
    Ok(Shared::new(open_attributor(engine)?, operators, limits))
}

pub(super) fn design_limits(open: &OpenConfig) -> DesignLimits {
    DesignLimits { players_max: open.players_max, operator_bytes_max: open.operator_bytes_max() }
}

/// What definitions are read with.
pub(super) fn defaults(open: &OpenConfig) -> anyhow::Result<Defaults> {
    let OpenConfig { kernel, estimator, .. } = *open;
    Ok(Defaults { method: Method { kernel, estimator }, containers: ContainerMap::read(&open.container_map)? })
}

/// What definitions that the operator wrote may load.
pub(super) fn load_limits(open: &OpenConfig, containers: &ContainerConfig) -> LoadLimits {
    LoadLimits {
        model_bytes_max: open.model_bytes_max(),
        baseline_bytes_max: open.baseline_bytes_max(),
        reach: Reach::operator(),
        containers: containers.clone(),
        asks_containers: false,
    }
}

/// What definitions made through the API may load. Where nobody but this machine can make them, this machine's own
/// backends need no flag; those that the operator has mapped need none anywhere.
pub(super) fn confined(config: &ServeConfig) -> anyhow::Result<LoadLimits> {
    let given: Vec<&str> =
        config.control.allow_backend.iter().map(String::as_str).filter(|pattern| !pattern.is_empty()).collect();
    let is_alone = config.listen.ip().to_canonical().is_loopback() && config.access.credentials.is_none();
    let own = if given.is_empty() && is_alone { THIS_MACHINE.to_vec() } else { given };
    let mapped = ContainerMap::read(&config.engine.open.container_map)?;
    let backends: Vec<String> = own.into_iter().map(str::to_owned).chain(mapped.urls().map(with_port)).collect();
    let kept: Vec<PathBuf> = config.access.credentials.iter().chain([&config.control.state]).cloned().collect();
    let reach = Reach::confined(&config.control.file_root, &kept, &backends)?;
    Ok(LoadLimits { reach, ..load_limits(&config.engine.open, &config.containers) })
}

/// A base URL without a port means the one of its scheme; a pattern without a port would mean all.
fn with_port(url: &str) -> String {
    let (scheme, authority) = url.split_once("://").expect("a base URL has a scheme. This is a bug.");
    let after_address = authority.rsplit(']').next().unwrap_or(authority);
    match (after_address.contains(':'), scheme) {
        (true, _) => url.to_owned(),
        (false, "https") => format!("{url}:443"),
        (false, _) => format!("{url}:80"),
    }
}

fn open_attributor(config: &EngineConfig) -> anyhow::Result<Attributor> {
    let batches = BatchLimits {
        columns_max: config.batch_columns_max,
        bytes_max: config.batch_mib_max << 20,
        wait_us: config.batch_wait_us,
        ..BatchLimits::default()
    };
    let policy = config.device;
    let adapter = if policy == DevicePolicy::Cpu { None } else { chosen_adapter(policy)? };
    let Some(adapter) = adapter else { return Ok(Attributor::start(|| Ok(Engine::cpu()), batches)?) };
    let name = adapter.get_info().name;
    let open = move || {
        let open_device =
            move || Gpu::open(&adapter, GpuLimits::default()).map(|gpu| Box::new(gpu) as BoxedDevice);
        match policy {
            DevicePolicy::Auto => Engine::routed(Arc::new(open_device)),
            DevicePolicy::Gpu | DevicePolicy::Cpu => Engine::accelerated(Arc::new(open_device)),
        }
    };
    match Attributor::start(open, batches) {
        Ok(attributor) => Ok(attributor),
        Err(error) if policy == DevicePolicy::Auto => {
            tracing::warn!(device = name, %error, "the device could not be opened; the CPU is used");
            Ok(Attributor::start(|| Ok(Engine::cpu()), batches)?)
        }
        Err(error) => Err(error).with_context(|| format!("--device gpu: {name}")),
    }
}

fn chosen_adapter(policy: DevicePolicy) -> anyhow::Result<Option<wgpu::Adapter>> {
    let mut adapters = adapters();
    let infos: Vec<AdapterInfo> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let Choice { adapter_idx, reason } = choose(&infos, policy);
    match adapter_idx {
        Some(idx) => Ok(Some(adapters.swap_remove(idx))),
        None if policy == DevicePolicy::Gpu => bail!("--device gpu: {reason}"),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Serve {
        #[command(flatten)]
        config: ServeConfig,
    }

    /// Whether a definition made through the API may name a container.
    fn may_name(flags: &[&str], url: &str) -> bool {
        let arguments = ["serve"].iter().chain(flags);
        let limits = confined(&Serve::parse_from(arguments).config).expect("makes sense");
        limits.reach.named_host(url).is_ok()
    }

    #[test]
    fn without_a_flag_only_this_machine_may_be_named_and_only_from_it() {
        let (near, far) = ("http://127.0.0.1:8080", "http://models.example:8080");
        let map = ["--container-map", "*/x:*=http://models.example:8080"];
        let keys = ["--credentials", "keys.json"];
        for (flags, url, expected) in [
            (&[][..], near, true),
            (&[], "http://localhost:1", true),
            (&["--listen", "[::1]:0"], near, true),
            (&[], far, false),
            (&keys, near, false),
            (&["--listen", "0.0.0.0:0"], near, false),
            (&["--listen", "10.0.0.1:0"], near, false),
            (&["--allow-backend", ""], near, true),
            (&["--allow-backend", "*.example"], far, true),
            (&["--allow-backend", "*.example"], near, false),
            (&["--allow-backend", "a,*.example", "--credentials", "keys.json"], far, true),
            (&["--allow-backend", "127.*", "--listen", "0.0.0.0:0"], near, true),
            (&[map[0], map[1], keys[0], keys[1]], far, true),
            (&[map[0], map[1], keys[0], keys[1]], near, false),
            (&map, near, true),
        ] {
            assert_eq!(may_name(flags, url), expected, "{flags:?} {url}");
        }
    }

    #[test]
    fn a_mapped_container_may_be_named_on_its_own_port_alone() {
        for (mapped, url, expected) in [
            ("http://models.example", "http://models.example", true),
            ("http://models.example", "http://models.example:80", true),
            ("http://models.example", "http://models.example:8080", false),
            ("http://models.example/", "http://models.example:6379", false),
            ("HTTP://models.example", "http://models.example:80", true),
            ("HTTPS://models.example", "https://models.example", true),
            ("https://models.example", "https://models.example:443", true),
            ("https://models.example", "https://models.example:8443", false),
            ("https://models.example", "http://models.example:443", false),
            ("http://models.example:8080", "http://models.example:8080", true),
            ("http://models.example:8080", "http://models.example", false),
            ("http://[fd00::7]", "http://[fd00::7]", true),
            ("http://[fd00::7]", "http://[fd00::7]:8080", false),
            ("http://[fd00::7]:8080", "http://[fd00::7]:8080", true),
            ("http://[fd00::7]:8080", "http://[fd00::7]", false),
        ] {
            let pair = format!("*/x:*={mapped}");
            let flags = ["--credentials", "keys.json", "--container-map", &pair];
            assert_eq!(may_name(&flags, url), expected, "{mapped} {url}");
        }
    }

    #[test]
    fn the_own_keys_and_state_may_not_be_named() {
        let manifest = std::path::Path::new("Cargo.toml");
        for (flags, expected) in [
            (&[][..], true),
            (&["--credentials", "Cargo.lock"], true),
            (&["--credentials", "src/../Cargo.toml"], false),
            (&["--state", "src"], true),
            (&["--state", "."], false),
            (&["--state", "Cargo.toml"], false),
        ] {
            let arguments = ["serve", "--file-root", env!("CARGO_MANIFEST_DIR")].iter().chain(flags);
            let limits = confined(&Serve::parse_from(arguments).config).expect("makes sense");
            assert_eq!(limits.reach.file(manifest).is_ok(), expected, "{flags:?}");
        }
    }

    #[test]
    fn settings_without_sense_are_refused() {
        for (flag, value) in [("--allow-backend", "http://"), ("--file-root", "no/such/folder")] {
            let config = Serve::parse_from(["serve", flag, value]).config;
            let error = confined(&config).expect_err(value).to_string();
            assert!(error.starts_with(flag), "{error}");
        }
    }
}
