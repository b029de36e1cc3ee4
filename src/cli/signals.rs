//! SIGTERM and Ctrl-C: the first one drains, the second one ends the process at once.

use std::io;
use std::time::Duration;

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

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
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

    async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Interrupt
    }
}

enum Signal {
    Terminate,
    Interrupt,
}

impl Signals {
    /// Resolves at the first signal, with the time to go on taking requests: `grace` for SIGTERM, so that load
    /// balancers look elsewhere first; none for Ctrl-C, since somebody is waiting.
    pub(super) async fn shutdown(mut self, grace: Duration) -> Duration {
        let signal = self.next().await;
        tracing::info!("draining; a second signal ends the process at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(1);
        });
        match signal {
            Signal::Terminate => grace,
            Signal::Interrupt => Duration::ZERO,
        }
    }
}
