//! Which places a definition may name: all of them where the operator wrote it, else files below some folders, none of
//! the server's own, and hosts that fit some patterns. A host is looked at again on each connection, by the addresses that its name leads to then.

mod addresses;
mod backend;
mod resolver;
mod roots;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use backend::{Backend, Place};
pub use resolver::Resolver;
use resolver::{Lookup, system_lookup};
use roots::Roots;

/// What `--allow-backend` stands for where nobody else can connect.
pub const THIS_MACHINE: [&str; 3] = ["localhost", "127.*", "[::1]"];

#[derive(Clone, Debug)]
pub struct Reach(Option<Arc<Confined>>);

#[derive(Debug)]
struct Confined {
    roots: Roots,
    backends: Vec<Backend>,
    lookup: Lookup,
}

/// Why a place may not be named. No text of it tells what is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    #[error("there is no such file below a folder of --file-root")]
    File,
    #[error("there is no such folder below a folder of --file-root")]
    Folder,
    #[error("no --allow-backend fits {host}:{port}")]
    Host { host: String, port: u16 },
    #[error("this is no http or https URL of a host")]
    NoHost,
    #[error("{host} leads to this machine, and no --allow-backend fits that")]
    ThisMachine { host: String },
    #[error(
        "{host} leads to a link-local, metadata, multicast or reserved address, where no --allow-backend leads"
    )]
    OffLimits { host: String },
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ReachSettingError {
    #[error("--file-root {}: {reason}", path.display())]
    FileRoot { path: PathBuf, reason: io::Error },
    #[error(
        "--allow-backend: the pattern number {number} must be HOST, HOST:PORT or SCHEME://HOST:PORT, as \
         '*.example.com' or 'http://127.0.0.1:8080'"
    )]
    AllowBackend { number: usize },
}

impl Reach {
    /// Of definitions that the operator wrote.
    pub fn operator() -> Self {
        Self(None)
    }

    /// Of definitions that others make: files below `file_roots`, and hosts that one of `backends` fits. Never files and
    /// folders that are `kept`, what is below them, and folders of models that lead to them.
    pub fn confined<B: AsRef<str>>(
        file_roots: &[PathBuf],
        kept: &[PathBuf],
        backends: &[B],
    ) -> Result<Self, ReachSettingError> {
        Self::confined_by(Roots::open(file_roots, kept)?, backends, system_lookup)
    }

    fn confined_by<B: AsRef<str>>(
        roots: Roots,
        backends: &[B],
        lookup: Lookup,
    ) -> Result<Self, ReachSettingError> {
        // A pattern may hold a password by mistake, so that none is shown.
        let read = |(i, pattern): (usize, &B)| {
            Backend::read(pattern.as_ref()).ok_or(ReachSettingError::AllowBackend { number: i + 1 })
        };
        let backends = backends.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self(Some(Arc::new(Confined { roots, backends, lookup }))))
    }

    pub fn is_everywhere(&self) -> bool {
        self.0.is_none()
    }

    /// What to open for a regular file. Looks at the disk.
    pub fn file(&self, path: &Path) -> Result<PathBuf, ReachError> {
        let Some(confined) = &self.0 else { return Ok(path.to_owned()) };
        confined.roots.find(path).filter(|path| path.is_file()).ok_or(ReachError::File)
    }

    /// The same for a folder.
    pub fn folder(&self, path: &Path) -> Result<PathBuf, ReachError> {
        let Some(confined) = &self.0 else { return Ok(path.to_owned()) };
        confined.roots.find(path).filter(|path| path.is_dir()).ok_or(ReachError::Folder)
    }

    /// A folder that somebody else opens, on a disk that may be another one.
    pub(super) fn foreign_folder(&self, path: &Path) -> Result<(), ReachError> {
        let holds = |confined: &Arc<Confined>| confined.roots.hold(path);
        if self.0.as_ref().is_none_or(holds) { Ok(()) } else { Err(ReachError::Folder) }
    }

    /// What resolves the name in a URL, each time somebody connects to it.
    pub(super) fn host(&self, url: &Url) -> Result<Resolver, ReachError> {
        let Some(confined) = &self.0 else { return Ok(Resolver::default()) };
        let place = Place::of(url).filter(|place| ["http", "https"].contains(&place.scheme.as_str()));
        let place = place.ok_or(ReachError::NoHost)?;
        if !confined.fits(&place) {
            return Err(ReachError::Host { host: place.host, port: place.port });
        }
        if let Some(address) = place.address() {
            confined.check(&place, address)?;
        }
        Ok(Resolver::confined(Arc::clone(confined), place))
    }

    /// The same, of the text of a URL.
    pub fn named_host(&self, url: &str) -> Result<Resolver, ReachError> {
        if self.is_everywhere() {
            return Ok(Resolver::default());
        }
        self.host(&url.parse().map_err(|_| ReachError::NoHost)?)
    }

    /// The same for a backend that is asked again and again: what its name leads to now is looked at here. A name that
    /// leads nowhere yet may do so later.
    pub async fn backend(&self, url: &str) -> Result<Resolver, ReachError> {
        let resolver = self.named_host(url)?;
        resolver.check_now().await?;
        Ok(resolver)
    }
}

impl Confined {
    fn fits(&self, place: &Place) -> bool {
        self.backends.iter().any(|backend| backend.fits(place))
    }

    /// Whether a place that fits may be sought at this address.
    fn check(&self, place: &Place, address: IpAddr) -> Result<(), ReachError> {
        if addresses::is_off_limits(address) {
            return Err(ReachError::OffLimits { host: place.host.clone() });
        }
        let address = addresses::meant(address);
        // Whoever allows this name means this machine; any other name must not lead here unnoticed.
        let is_meant = || place.host == "localhost" || self.fits(&place.at(address));
        if address.is_loopback() && !is_meant() {
            return Err(ReachError::ThisMachine { host: place.host.clone() });
        }
        Ok(())
    }
}
