use crate::keyed::mix;

/// Every seed is derived from this number, a base and an index.
const BASE: u64 = 0x6b63_6c5f_7369_6d31;

/// The seed with this index.
pub fn seed_of(base: u64, index: u64) -> u64 {
    mix(BASE.wrapping_add(base).wrapping_add(index))
}
