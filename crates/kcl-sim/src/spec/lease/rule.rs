/// What must hold in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rule {
    /// A checkpoint never goes back; the end of the shard stays.
    S5 = 1,
    /// A checkpoint that is written was asked for by the tenure that writes it.
    S6 = 1 << 1,
    /// A write that is applied belongs to the latest applied take.
    S7 = 1 << 2,
    /// Each applied write that renews, moves or checkpoints adds exactly one to the counter.
    S8 = 1 << 3,
    /// A checkpoint that was acknowledged is durable.
    S9 = 1 << 4,
    /// No write of a tenure is applied after the tenure has ended.
    S11 = 1 << 5,
    /// A tenure waits for at most one write.
    P3 = 1 << 6,
    /// A tenure acts no longer than the hold time after the stored renewal was sent.
    P5 = 1 << 7,
    /// A pause ends only by a renewal that was sent after it began and is answered as applied.
    P6 = 1 << 8,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 9] = [Self::S5, Self::S6, Self::S7, Self::S8, Self::S9, Self::S11, Self::P3, Self::P5, Self::P6];

    pub(super) const fn bit(self) -> u16 {
        self as u16
    }
}
