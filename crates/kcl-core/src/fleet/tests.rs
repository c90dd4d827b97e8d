use super::*;

fn state(text: &str) -> StoredState {
    match text {
        "-" => StoredState::Absent,
        "?" => StoredState::Unreadable("attribute cv has the wrong type".to_owned()),
        text => StoredState::Is(text.to_owned()),
    }
}

/// `coordinator table / lease table [index]`: the first is `none`, `denied`, or its table migration and client version.
fn rows(text: &str) -> FleetRows {
    let words: Vec<&str> = text.split_whitespace().collect();
    let slash = words.iter().position(|word| *word == "/").unwrap();
    let version = |text: &str| state(&if matches!(text, "-" | "?") { text.to_owned() } else { format!("CLIENT_VERSION_{text}") });
    let table =
        |text: &str| state(&if matches!(text, "-" | "?") { text.to_owned() } else { format!("TABLE_MIGRATION_STATUS_{text}") });
    let coordinator_table = match words[..slash] {
        ["none"] => CoordinatorTable::Absent,
        ["denied"] => CoordinatorTable::Denied("dynamodb:GetItem on app-CoordinatorState".to_owned()),
        [migration, client] => CoordinatorTable::Present { table_migration: table(migration), client_version: version(client) },
        _ => panic!("{text}"),
    };
    let owner_index = words.get(slash + 2) == Some(&"index");
    FleetRows { coordinator_table, client_version: version(words[slash + 1]), owner_index }
}

fn decided(rows: &FleetRows) -> &'static str {
    match fleet_mode(rows) {
        Ok(FleetMode::Plain) => "plain",
        Ok(FleetMode::Unseen(_)) => "unseen",
        Ok(FleetMode::Compatible(_)) => "compatible",
        Err(FleetRefusal::Native { .. }) => "native",
        Err(FleetRefusal::NotUnderstood { row: CLIENT_VERSION, .. }) => "version?",
        Err(FleetRefusal::NotUnderstood { .. }) => "tables?",
        Err(FleetRefusal::Denied { .. }) => "denied",
        Err(FleetRefusal::Unexplained) => "unexplained",
    }
}

#[test]
fn what_is_stored_decides() {
    let cases = [
        // Fleets without a row: 2.x alone, or with KCL 3.5 that only prepares (PHASE1).
        ("none / -", "plain"),
        ("- - / -", "plain"),
        ("INIT - / -", "plain"),
        // KCL 3.0 to 3.4, and 3.5 beside a coordinator table: each state there is.
        ("- INIT / -", "compatible"),
        ("- UPGRADE_FROM_2X / -", "compatible"),
        ("- 2X / -", "compatible"),
        ("- 3X_WITH_ROLLBACK / -", "native"),
        ("- 3X / -", "native"),
        ("INIT 2X / -", "compatible"),
        ("DEPLOYED 3X / -", "native"),
        ("PENDING 2X / -", "compatible"),
        // While rows move they are in one of the two; the coordinator table is asked first.
        ("PENDING - / 2X", "compatible"),
        ("PENDING - / 3X", "native"),
        ("DEPLOYED 2X / 3X", "compatible"),
        ("DEPLOYED 3X / 2X", "native"),
        // KCL 3.5 without a coordinator table.
        ("none / INIT", "compatible"),
        ("none / UPGRADE_FROM_2X", "compatible"),
        ("none / 2X index", "compatible"),
        ("none / 3X_WITH_ROLLBACK", "native"),
        ("none / 3X", "native"),
        // Once the tables are one, what is left in the old one says nothing.
        ("COMPLETE - / 3X", "native"),
        ("COMPLETE 2X / 3X", "native"),
        ("COMPLETE 3X / 2X", "compatible"),
        ("COMPLETE - / -", "version?"),
        ("COMPLETE 2X / -", "version?"),
        // What is not understood is never joined.
        ("- 4X / -", "version?"),
        ("none / 4X", "version?"),
        ("- ? / -", "version?"),
        ("none / ?", "version?"),
        ("PENDING ? / 2X", "version?"),
        ("? 2X / -", "tables?"),
        ("HALF 2X / -", "tables?"),
        // No row says it. Natively there is an index.
        ("denied / -", "unseen"),
        ("denied / - index", "denied"),
        ("denied / 2X index", "compatible"),
        ("denied / 3X", "native"),
        ("none / - index", "unexplained"),
        ("- - / - index", "unexplained"),
    ];
    for (stored, expected) in cases {
        assert_eq!(decided(&rows(stored)), expected, "{stored}");
    }
}

#[test]
fn the_index_matters_only_where_no_row_says_the_protocol() {
    for (stored, names) in [
        ("none / -", false),
        ("- - / -", false),
        ("denied / -", false),
        ("- ? / -", true),
        ("none / 2X", true),
        ("- 2X / -", true),
    ] {
        assert_eq!(rows(stored).names_version(), names, "{stored}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let said = |stored| fleet_mode(&rows(stored)).unwrap_err().to_string();
    let native = said("none / 3X");
    assert!(native.contains("roll them back") && native.ends_with("client_version=CLIENT_VERSION_3X"), "{native}");
    assert!(said("denied / - index").ends_with("dynamodb:GetItem on app-CoordinatorState"));
    assert!(said("none / 4X").ends_with("row=Migration3.0 found=CLIENT_VERSION_4X"));
}
