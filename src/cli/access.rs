//! `--credentials`, `--allow-anonymous` and the address → the gate of the server, or why it must not open.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::aws::signature::Keys;
use crate::config::AccessConfig;
use crate::http::Gate;

const FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn gate(config: &AccessConfig, listen: SocketAddr) -> anyhow::Result<Gate> {
    // An IPv4 address may be written as an IPv6 one.
    let is_loopback = listen.ip().to_canonical().is_loopback();
    match &config.credentials {
        Some(_) if config.allow_anonymous => bail!("--credentials and --allow-anonymous exclude each other"),
        Some(path) => {
            let keys = read_keys(path).with_context(|| format!("--credentials {}", path.display()))?;
            tracing::info!(
                access_keys = keys.n_access_keys(),
                bearer_keys = keys.n_bearers(),
                "who has a key may call"
            );
            Ok(Gate::with(keys, is_loopback))
        }
        None if is_loopback => Ok(Gate::open()),
        None if config.allow_anonymous => {
            tracing::warn!(%listen, "everybody who reaches this address may call");
            Ok(Gate::open())
        }
        None => bail!(
            "--listen {listen}: everybody who reaches this address could call; name a file of keys with --credentials \
             FILE, or say that this is meant with --allow-anonymous"
        ),
    }
}

fn read_keys(path: &Path) -> anyhow::Result<Keys> {
    let file = File::open(path)?;
    check_readers(&file, path)?;
    let mut json = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut json)?;
    ensure!(json.len() as u64 <= FILE_BYTES_MAX, "the file has more than {FILE_BYTES_MAX} bytes");
    Ok(Keys::read(&json)?)
}

/// The file that is open, not what its name may lead to a moment later.
#[cfg(unix)]
fn check_readers(file: &File, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata()?.permissions().mode() & 0o777;
    let path = path.display();
    ensure!(mode & 0o077 == 0, "others than its owner may use the file (mode {mode:03o}): chmod 600 {path}");
    Ok(())
}

/// Other systems have no such bits.
#[cfg(not(unix))]
fn check_readers(_: &File, _: &Path) -> anyhow::Result<()> {
    Ok(())
}
