use kcl_sim::spec::{Size, search_all};

/// Searches every specification; whether all hold.
pub(crate) fn run(size: Size) -> bool {
    search_all(size, |line| println!("{line}"))
}
