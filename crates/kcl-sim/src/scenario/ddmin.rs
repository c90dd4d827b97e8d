/// The fewest of these items with which it still fails, as far as leaving out runs of them tells: halves first, then
/// quarters, down to single ones.
pub(super) fn ddmin<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut length = items.len();
    while length > 0 {
        let (mut start, mut found) = (0, false);
        while start < items.len() {
            let end = (start + length).min(items.len());
            let fewer: Vec<T> = items.iter().take(start).chain(items.iter().skip(end)).cloned().collect();
            if fails(&fewer) {
                items = fewer;
                found = true;
            } else {
                start = end;
            }
        }
        // Single ones until none can go; longer runs once.
        if length > 1 || !found {
            length /= 2;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let needed = [3, 17, 18, 99];
        let mut runs = 0;
        let left = ddmin((0..100).collect(), |items| {
            runs += 1;
            needed.iter().all(|item| items.contains(item))
        });
        assert_eq!(left, needed);
        assert!(runs < 80, "runs={runs}");
    }

    #[test]
    fn nothing_stays_if_nothing_is_needed() {
        assert!(ddmin((0..9).collect::<Vec<u8>>(), |_| true).is_empty());
        assert!(ddmin(Vec::<u8>::new(), |_| false).is_empty());
    }
}
