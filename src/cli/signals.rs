//! SIGTERM and Ctrl-C: the first one drains, the second one ends the process at once.

use std::io;

/// Signals that are caught from the moment of installation on.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Needs a tokio runtime.
    pub(super) fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

impl Signals {
    /// Resolves at the first signal.
    pub(super) async fn shutdown(mut self) {
        self.next().await;
        tracing::info!("draining; a second signal ends the process at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(1);
        });
    }
}
