//! When to stop.

use std::io;

use tracing::info;

/// Listens for Ctrl-C (SIGINT) and for SIGTERM, which is what container platforms send. From then on neither ends the
/// process by itself.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

/// Waits until the process is asked to stop.
///
/// # Errors
/// If the signals cannot be listened to.
pub async fn stop_requested() -> io::Result<()> {
    StopSignals::listen()?.stop_requested().await
}

#[cfg(unix)]
impl StopSignals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits until the process is asked to stop. What was asked since [`listen`](Self::listen) counts.
    ///
    /// # Errors
    /// Never on this platform.
    pub async fn stop_requested(mut self) -> io::Result<()> {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        };
        info!(signal, "asked to stop");
        Ok(())
    }
}

#[cfg(not(unix))]
impl StopSignals {
    /// Begins to listen.
    ///
    /// # Errors
    /// Never on this platform.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits until the process is asked to stop.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn stop_requested(self) -> io::Result<()> {
        tokio::signal::ctrl_c().await?;
        info!("asked to stop");
        Ok(())
    }
}
