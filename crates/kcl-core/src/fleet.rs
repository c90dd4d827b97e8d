//! Which protocol the workers of a lease table follow, and whether this library may join them.
//!
//! Workers of KCL 3.x share a table in one of two ways. In *2.x-compatible* mode each takes leases for itself, as this
//! library does. In *native* mode only an elected Java worker assigns leases; a worker that takes them for itself would fight
//! it. Which of the two it is stands in a row that every KCL 3.x worker follows (`MigrationClientVersion` in
//! `K/coordinator/migration`).

#[cfg(test)]
mod tests;

/// One state of a migration as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoredState {
    /// There is no such row.
    #[default]
    Absent,
    /// The row says this.
    Is(String),
    /// There is a row and it cannot be read; why.
    Unreadable(String),
}

/// The table of its own in which KCL 3.0 to 3.4 keep the state of their fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum CoordinatorTable {
    /// There is none.
    #[default]
    Absent,
    /// The credentials do not allow to look; which permission on which table is missing.
    Denied(String),
    /// Its rows.
    Present {
        /// `TableMigration3.5`: whether the rows of this table have moved to the lease table.
        table_migration: StoredState,
        /// `Migration3.0`: the protocol.
        client_version: StoredState,
    },
}

/// What is stored about the workers of a lease table. The default is what a table says that no KCL 3.x worker ever used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FleetRows {
    /// The coordinator table, read before the lease table: rows move from there to here.
    pub coordinator_table: CoordinatorTable,
    /// `Migration3.0` in the lease table, where KCL 3.5 keeps it if there is no coordinator table.
    pub client_version: StoredState,
    /// Whether the lease table has the index over owners, without which no worker runs natively. Asked only where no row
    /// says the protocol.
    pub owner_index: bool,
}

impl FleetRows {
    /// Whether some row says which protocol the workers follow, so that the index need not be asked for.
    pub fn names_version(&self) -> bool {
        let there = match &self.coordinator_table {
            CoordinatorTable::Present { client_version, .. } => *client_version != StoredState::Absent,
            CoordinatorTable::Absent | CoordinatorTable::Denied(_) => false,
        };
        there || self.client_version != StoredState::Absent
    }
}

/// A fleet that this library joins: every worker takes leases by the 2.x protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FleetMode {
    /// No trace of KCL 3.x. Workers of KCL 2.x, of this library, of KCL 3.5 before it begins to migrate, or none.
    Plain,
    /// No trace of KCL 3.x in the lease table, and the coordinator table may not be read: which permission is missing.
    Unseen(String),
    /// There are or were KCL 3.x workers, and they follow the 2.x protocol.
    Compatible(String),
}

/// Why this library does not join a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FleetRefusal {
    /// The workers run KCL 3.x natively.
    #[error(
        "the workers of this lease table run KCL 3.x natively, where only their leader assigns leases: roll them back to the \
         2.x protocol, or stop all of them and remove the row Migration3.0: client_version={client_version}"
    )]
    Native {
        /// The state that says so.
        client_version: String,
    },
    /// What is stored about the workers cannot be understood.
    #[error(
        "what KCL 3.x workers stored about their fleet is not understood, so no lease is taken beside them: repair the row, or \
         stop all of them and remove it: row={row} found={found}"
    )]
    NotUnderstood {
        /// The key of the row.
        row: &'static str,
        /// What is there.
        found: String,
    },
    /// There are KCL 3.x workers, and the table that says what they do may not be read.
    #[error("KCL 3.x workers use this lease table and what they do may not be read: {reason}")]
    Denied {
        /// Which permission on which table is missing.
        reason: String,
    },
    /// The lease table has the index of KCL 3.x workers and nothing says what they do.
    #[error(
        "the lease table has the index LeaseOwnerToLeaseKeyIndex of KCL 3.x workers and no row says what they do: name their \
         coordinator table to the lease store, or stop all of them and remove the index"
    )]
    Unexplained,
}

const CLIENT_VERSION: &str = "Migration3.0";
const TABLE_MIGRATION: &str = "TableMigration3.5";

/// Decides from what is stored whether the fleet may be joined, and as what.
///
/// The row is looked for where a KCL 3.5 worker looks for it: in the lease table alone once the tables have become one, else
/// in the coordinator table and then in the lease table.
///
/// # Errors
/// [`FleetRefusal`] for a fleet that runs natively, and for every state in which that cannot be ruled out.
pub fn fleet_mode(rows: &FleetRows) -> Result<FleetMode, FleetRefusal> {
    let not_understood = |row, found: &str| Err(FleetRefusal::NotUnderstood { row, found: found.to_owned() });
    let (one_table, there) = match &rows.coordinator_table {
        CoordinatorTable::Absent | CoordinatorTable::Denied(_) => (false, &StoredState::Absent),
        CoordinatorTable::Present { table_migration, client_version } => match table_migration {
            StoredState::Absent => (false, client_version),
            StoredState::Unreadable(reason) => return not_understood(TABLE_MIGRATION, reason),
            StoredState::Is(state) => match state.strip_prefix("TABLE_MIGRATION_STATUS_") {
                Some("COMPLETE") => (true, &StoredState::Absent),
                Some("INIT" | "DEPLOYED" | "PENDING") => (false, client_version),
                _ => return not_understood(TABLE_MIGRATION, state),
            },
        },
    };
    let client_version = if *there == StoredState::Absent { &rows.client_version } else { there };
    match client_version {
        StoredState::Absent if one_table => not_understood(CLIENT_VERSION, "none, although the tables have become one"),
        StoredState::Absent => without_version(rows),
        StoredState::Unreadable(reason) => not_understood(CLIENT_VERSION, reason),
        StoredState::Is(state) => match state.strip_prefix("CLIENT_VERSION_") {
            Some("INIT" | "UPGRADE_FROM_2X" | "2X") => Ok(FleetMode::Compatible(state.clone())),
            Some("3X_WITH_ROLLBACK" | "3X") => Err(FleetRefusal::Native { client_version: state.clone() }),
            _ => not_understood(CLIENT_VERSION, state),
        },
    }
}

/// No row that may be read says the protocol. No worker runs natively without the index.
fn without_version(rows: &FleetRows) -> Result<FleetMode, FleetRefusal> {
    match (&rows.coordinator_table, rows.owner_index) {
        (CoordinatorTable::Denied(reason), true) => Err(FleetRefusal::Denied { reason: reason.clone() }),
        (CoordinatorTable::Denied(reason), false) => Ok(FleetMode::Unseen(reason.clone())),
        (_, true) => Err(FleetRefusal::Unexplained),
        (_, false) => Ok(FleetMode::Plain),
    }
}
