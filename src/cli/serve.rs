//! `explaind serve`: definitions → endpoints → HTTP until SIGTERM or Ctrl-C.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use super::signals::Signals;
use super::{access, engine};
use crate::aws::control::{Account, ControlPlane, FileEndpoint, Opener};
use crate::aws::{definition, headers};
use crate::config::{ServeConfig, ServerConfig};
use crate::endpoints::{Endpoint, FolderStore, Registry, Setup, SetupError};
use crate::explain::Shared;
use crate::fetch::read_file;
use crate::{http, telemetry};

pub(super) const DEFINITION: &str = "endpoint.json";
pub(super) const DEFINITION_BYTES_MAX: u64 = 1 << 20;

pub(super) fn run(config: ServeConfig) -> anyhow::Result<()> {
    // Before anything slow: whoever must not open need not wait for it.
    let gate = access::gate(&config.access, config.listen)?;
    let metrics = telemetry::install_metrics()?;
    let shared = engine::open(&config.engine, &config.server)?;
    let grace = Duration::from_millis(config.server.drain_grace_ms);
    run_to_end(&shared, async {
        let registry = Arc::new(Registry::default());
        let control = open_endpoints(&config, &shared, &registry).await?;
        tracing::info!(device = shared.attributor.device(), endpoints = ?registry.names(), "ready");
        let app = http::App::new(registry, Some(control), config.server, gate, metrics);
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("--listen {}", config.listen))?;
        let signals = Signals::install()?;
        // A closed stdout is no reason not to serve.
        let _ = writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?);
        if !http::serve(listener, app, signals.shutdown(grace)).await {
            bail!("requests were still running at the end of the drain and are lost");
        }
        Ok(())
    })
}

/// Work that goes on after `main_task` is given up: nobody waits for it. The device is closed before the process ends.
pub(super) fn run_to_end(
    shared: &Shared,
    main_task: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(main_task);
    runtime.shutdown_background();
    shared.attributor.close();
    outcome
}

/// A file is a definition; a folder holds an endpoint.json, or folders that do.
fn definition_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let own = path.join(DEFINITION);
        let mut found = if own.is_file() { vec![own] } else { definitions_below(path)? };
        if found.is_empty() {
            bail!("{}: neither {DEFINITION} nor a folder with one", path.display());
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn definitions_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let candidate = entry?.path().join(DEFINITION);
        found.extend(candidate.is_file().then_some(candidate));
    }
    Ok(found)
}

/// Those of files, then those that the control plane keeps.
async fn open_endpoints(
    config: &ServeConfig,
    shared: &Arc<Shared>,
    registry: &Arc<Registry>,
) -> anyhow::Result<Arc<ControlPlane>> {
    let control = open_control_plane(config, shared, registry)?;
    // Names differ in more than their case.
    let mut places = HashMap::new();
    for path in definition_files(&config.endpoints)? {
        let (setup, file) = read_definition(&path, config).with_context(|| cannot_serve(&path))?;
        let name = setup.name.clone();
        if let Some(other) = places.insert(name.to_ascii_lowercase(), path.clone()) {
            bail!("{}: the endpoint {name:?} is also defined in {}", path.display(), other.display());
        }
        control.check_name(&name).await.with_context(|| path.display().to_string())?;
        let limits = engine::load_limits(&config.engine.open, &config.containers);
        let opened = setup.open(shared, &limits).await.map_err(in_member).with_context(|| cannot_serve(&path))?;
        registry.put(Endpoint::single(name, headers::VARIANT, opened));
        control.add(file).await;
    }
    control.open_all().await;
    Ok(control)
}

fn open_control_plane(
    config: &ServeConfig,
    shared: &Arc<Shared>,
    registry: &Arc<Registry>,
) -> anyhow::Result<Arc<ControlPlane>> {
    let ServerConfig { account_id, region, .. } = &config.server;
    let account = Account { id: account_id.clone(), region: region.clone() };
    let opener =
        Opener::new(Arc::clone(shared), engine::confined(config)?, engine::defaults(&config.engine.open)?);
    let in_state = || format!("--state {}", config.control.state.display());
    let store = FolderStore::open(config.control.state.clone()).with_context(in_state)?;
    ControlPlane::load(account, Arc::new(store), Arc::clone(registry), opener).with_context(in_state)
}

fn cannot_serve(path: &Path) -> String {
    format!("{}: the endpoint cannot serve", path.display())
}

fn read_definition(path: &Path, config: &ServeConfig) -> anyhow::Result<(Setup, FileEndpoint)> {
    let json = read_file(path, DEFINITION_BYTES_MAX)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let setup = definition::read(&json, folder, engine::defaults(&config.engine.open)?)?;
    let written = path.metadata()?.modified()?;
    let file = FileEndpoint { name: setup.name.clone(), definition: serde_json::from_slice(&json)?, written };
    Ok((setup, file))
}

/// With the member of the definition that it is about.
pub(super) fn in_member(error: SetupError) -> anyhow::Error {
    let member = definition::member(&error);
    anyhow::Error::new(error).context(member)
}
