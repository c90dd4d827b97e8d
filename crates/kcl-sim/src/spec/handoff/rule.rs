/// What must hold in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rule {
    /// A checkpoint never goes back.
    S5 = 1,
    /// A write of an owner that is applied belongs to the latest tenure.
    S7 = 1 << 1,
    /// Each applied write adds exactly one to the counter, except a request.
    S8 = 1 << 2,
    /// A checkpoint that was acknowledged is durable.
    S9 = 1 << 3,
    /// No write of a tenure is applied after the tenure has ended.
    S11 = 1 << 4,
    /// There is at most one tenure for each counter, and the row is its owner's.
    OneTenure = 1 << 5,
    /// After a transfer was sent, its sender hands no record over.
    SilentAfterTransfer = 1 << 6,
    /// A transfer is at the last record that was handed over: no record comes twice.
    NoDuplicates = 1 << 7,
    /// A request replaces no other.
    OneRequest = 1 << 8,
    /// A request that was made of another tenure moves nothing.
    FreshRequest = 1 << 9,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::S5,
        Self::S7,
        Self::S8,
        Self::S9,
        Self::S11,
        Self::OneTenure,
        Self::SilentAfterTransfer,
        Self::NoDuplicates,
        Self::OneRequest,
        Self::FreshRequest,
    ];

    pub(super) const fn bit(self) -> u16 {
        self as u16
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::S5 => "S5: a checkpoint never goes back",
            Self::S7 => "S7: only the latest tenure writes",
            Self::S8 => "S8: each write adds one to the counter",
            Self::S9 => "S9: acknowledged means durable",
            Self::S11 => "S11: no write of an ended tenure is applied",
            Self::OneTenure => "one tenure for each counter",
            Self::SilentAfterTransfer => "nothing is handed over after a transfer was sent",
            Self::NoDuplicates => "a planned move has no duplicates",
            Self::OneRequest => "a request replaces no other",
            Self::FreshRequest => "a stale request moves nothing",
        }
    }
}
