use std::fmt;

/// How many measurements were lost since the sink was made, by reason. Those below the level are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Not a number, infinite, or beyond what CloudWatch takes.
    pub unusable: u64,
    /// The oldest metric made room for a new one.
    pub overflow: u64,
    /// CloudWatch refused them for what they are, so that sending them again would not help.
    pub rejected: u64,
}

impl Dropped {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.unusable.saturating_add(self.overflow).saturating_add(self.rejected)
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unusable={} overflow={} rejected={}", self.unusable, self.overflow, self.rejected)
    }
}
