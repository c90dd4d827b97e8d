//! A valid aggregated record.

use std::fmt;
use std::sync::Arc;

use crate::layout::Layout;
use crate::user_records::UserRecords;

/// An aggregated record that was checked completely: every user record in it can be delivered.
///
/// Cheap to clone. It keeps the buffer that it was decoded from alive, and so does every user record.
#[derive(Clone)]
pub struct Aggregate {
    layout: Arc<Layout>,
}

impl Aggregate {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout: Arc::new(layout) }
    }

    /// Number of user records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.count
    }

    /// Whether it holds no user record. That is valid: there is then nothing to deliver.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The user records in the order in which the producer added them, from the first, made on demand.
    #[must_use]
    pub fn user_records(&self) -> UserRecords {
        UserRecords::new(Arc::clone(&self.layout))
    }
}

/// Shows sizes, never payload or keys.
impl fmt::Debug for Aggregate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Aggregate")
            .field("len", &self.len())
            .field("message_bytes", &self.layout.body.len())
            .finish_non_exhaustive()
    }
}
