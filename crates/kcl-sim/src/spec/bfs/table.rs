/// A set of fingerprints, each with the number under which it came.
///
/// Open addressing over the fingerprints themselves: no second hash, no random keys, 12 to 20 bytes an entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    fingerprints: Vec<u64>,
    /// Numbers plus one; zero is an empty slot. The length is a power of two.
    slots: Vec<u32>,
}

impl Table {
    /// How many fingerprints there are.
    pub(crate) const fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// The fingerprint with this number.
    pub(crate) fn fingerprint(&self, number: u32) -> u64 {
        self.fingerprints.get(number as usize).copied().unwrap_or_default()
    }

    /// The number of a fingerprint, and whether it is new.
    pub(crate) fn insert(&mut self, fingerprint: u64) -> (u32, bool) {
        if self.slots.len() <= self.fingerprints.len() * 4 / 3 {
            self.grow();
        }
        let slot = self.slot_of(fingerprint);
        if let Some(number) = self.slots[slot].checked_sub(1) {
            return (number, false);
        }
        let number = u32::try_from(self.fingerprints.len()).unwrap_or(u32::MAX - 1);
        self.slots[slot] = number + 1;
        self.fingerprints.push(fingerprint);
        (number, true)
    }

    /// The slot that holds the fingerprint, or the empty one where it belongs.
    fn slot_of(&self, fingerprint: u64) -> usize {
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation, reason = "only the low bits are used")]
        let mut slot = fingerprint as usize & mask;
        loop {
            match self.slots[slot].checked_sub(1) {
                Some(number) if self.fingerprints[number as usize] != fingerprint => slot = (slot + 1) & mask,
                _ => return slot,
            }
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(64)];
        for number in 0..self.fingerprints.len() {
            let slot = self.slot_of_absent(self.fingerprints[number]);
            self.slots[slot] = u32::try_from(number + 1).unwrap_or(u32::MAX);
        }
    }

    fn slot_of_absent(&self, fingerprint: u64) -> usize {
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation, reason = "only the low bits are used")]
        let mut slot = fingerprint as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_order_and_kept() {
        let mut table = Table::default();
        // All of them want the same slot at first.
        let crowd = |number: u64| number << 32;
        for number in 0..1000 {
            assert_eq!(table.insert(crowd(number)), (u32::try_from(number).unwrap(), true));
        }
        for number in 0..1000 {
            assert_eq!(table.insert(crowd(number)), (u32::try_from(number).unwrap(), false));
            assert_eq!(table.fingerprint(u32::try_from(number).unwrap()), crowd(number));
        }
        assert_eq!(table.len(), 1000);
    }
}
