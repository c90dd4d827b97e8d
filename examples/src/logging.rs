//! Where logs go.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged if `RUST_LOG` does not say. The embedded servers only tell what goes wrong.
const DEFAULT: &str = "info,dynoxide=error,ferrokinesis=warn";

/// Sends logs to standard error, so that standard output carries results only. `RUST_LOG` says how much; the default is
/// `info`. With `json`, each line is one JSON object. A second call changes nothing.
pub fn init(json: bool) {
    let wanted = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = EnvFilter::builder().parse_lossy(wanted.as_deref().unwrap_or(DEFAULT));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // It fails only if logs go somewhere already, and then they should stay there.
    let _ = if json {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).finish().try_init()
    };
}
