/// How big the worlds are that a search visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds without optimisation: every `cargo test`.
    Small,
    /// Seconds with optimisation.
    Ci,
    /// Minutes and gigabytes.
    Nightly,
}

impl Size {
    /// The size that the environment variable `KCL_SPEC_SIZE` names: `ci`, `nightly`, or [`Small`](Self::Small).
    pub fn from_env() -> Self {
        match std::env::var("KCL_SPEC_SIZE").as_deref() {
            Ok("ci") => Self::Ci,
            Ok("nightly") => Self::Nightly,
            _ => Self::Small,
        }
    }
}
