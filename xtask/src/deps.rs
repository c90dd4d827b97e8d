//! The direction of dependencies: who may know whom.
//!
//! A crate is judged by everything that it links (normal dependencies, all of its features, also indirectly), because
//! a clock or a network stack that comes in through a third crate is in all the same.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::{cargo, tree};

/// What one crate may link.
struct Rule {
    name: &'static str,
    /// The crates of this workspace that it may link, also indirectly.
    ours: &'static [&'static str],
    /// What it must not link. A trailing `*` stands for any end of the name.
    banned: &'static [&'static str],
}

/// A crate that is not here fails the check.
const RULES: &[Rule] = &[
    Rule { name: "kcl-aggregation", ours: &[], banned: &["async-trait", "aws-*", "futures-*", "tokio*", "tracing*"] },
    Rule { name: "kcl-core", ours: &[], banned: &["aws-*", "axum*", "hyper*", "log", "mio", "tokio*", "tracing*"] },
    Rule { name: "kcl-runtime", ours: &["kcl-aggregation", "kcl-core"], banned: &["aws-*", "axum*", "hyper*"] },
    Rule { name: "kcl-testing", ours: &["kcl-aggregation", "kcl-core", "kcl-runtime"], banned: &["aws-*"] },
    Rule { name: "kcl-sim", ours: &["kcl-aggregation", "kcl-core", "kcl-runtime", "kcl-testing"], banned: &["aws-*"] },
    Rule { name: "kcl-dynamo", ours: &["kcl-core"], banned: &["aws-config", "aws-sdk-cloudwatch", "aws-sdk-kinesis", "axum*"] },
    Rule { name: "kcl-kinesis", ours: &["kcl-core"], banned: &["aws-config", "aws-sdk-cloudwatch", "aws-sdk-dynamodb", "axum*"] },
    Rule { name: "kcl-metrics", ours: &["kcl-core"], banned: &["aws-config", "aws-sdk-dynamodb", "aws-sdk-kinesis", "axum*"] },
    Rule {
        name: "kcl",
        ours: &["kcl-aggregation", "kcl-core", "kcl-dynamo", "kcl-kinesis", "kcl-metrics", "kcl-runtime"],
        banned: &["axum*", "clap*", "dynoxide*", "ferrokinesis*"],
    },
    Rule {
        name: "kcl-interop",
        ours: &["kcl", "kcl-aggregation", "kcl-core", "kcl-dynamo", "kcl-kinesis", "kcl-metrics", "kcl-runtime", "kcl-testing"],
        banned: &["ferrokinesis*"],
    },
];

/// What no crate may link: TLS comes from rustls only. (`openssl-probe` only finds certificates and is fine.)
const BANNED_EVERYWHERE: &[&str] = &["native-tls", "openssl", "openssl-sys"];

/// Fails if a crate under `crates` links what its row does not allow, or has no row.
pub(crate) fn check() -> Result<(), Failure> {
    let root = tree::root();
    let mut names = Vec::new();
    for folder in tree::packages(&root)? {
        if folder.parent().is_some_and(|parent| parent.ends_with("crates")) {
            names.extend(package_name(&tree::read(&folder.join("Cargo.toml"))?));
        }
    }
    let mut broken = Vec::new();
    for name in &names {
        let listing =
            cargo::output(&["tree", "--package", name, "--edges", "normal", "--prefix", "none", "--all-features", "--quiet"])?;
        broken.extend(judge(RULES, name, &linked(&listing, name)));
    }
    if broken.is_empty() {
        println!("{} crates link what they may", names.len());
        return Ok(());
    }
    for line in &broken {
        println!("{line}");
    }
    Err(Failure::new(format!("dependencies against the rules in xtask/src/deps.rs: count={}", broken.len())))
}

/// The name in the `[package]` table of a manifest.
fn package_name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find(|line| line.starts_with("name = "))?;
    Some(line.trim_start_matches("name = ").trim().trim_matches('"').to_owned())
}

/// The crates in a listing of `cargo tree --prefix none`, without `root` itself.
fn linked<'a>(listing: &'a str, root: &str) -> BTreeSet<&'a str> {
    listing.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty() && *name != root).collect()
}

fn judge(rules: &[Rule], name: &str, linked: &BTreeSet<&str>) -> Vec<String> {
    let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
        return vec![format!("{name}: has no row in the table of dependencies")];
    };
    let mut broken = Vec::new();
    for &dependency in linked {
        let ours = dependency == "kcl" || dependency == "xtask" || dependency.starts_with("kcl-");
        let banned = rule.banned.iter().chain(BANNED_EVERYWHERE).any(|pattern| matches(pattern, dependency));
        if banned || (ours && !rule.ours.contains(&dependency)) {
            broken.push(format!("{name}: must not depend on {dependency}"));
        }
    }
    broken
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Rule] = &[
        Rule { name: "kcl-core", ours: &[], banned: &["tokio*", "aws-*"] },
        Rule { name: "kcl-runtime", ours: &["kcl-core"], banned: &["aws-*"] },
    ];

    fn judged(name: &str, listing: &str) -> Vec<String> {
        judge(TABLE, name, &linked(listing, name))
    }

    #[test]
    fn what_is_allowed_passes() {
        assert_eq!(judged("kcl-core", "kcl-core v0.1.0 (/x)\nbytes v1.12.0\nrand v0.10.4\n"), Vec::<String>::new());
        let listing = "kcl-runtime v0.1.0 (/x)\nkcl-core v0.1.0 (/y)\nbytes v1.12.0\ntokio v1.54.0\nbytes v1.12.0 (*)\n";
        assert_eq!(judged("kcl-runtime", listing), Vec::<String>::new());
    }

    #[test]
    fn a_banned_crate_is_named_once_however_it_comes_in() {
        let listing = "kcl-core v0.1.0 (/x)\ntokio-util v0.7.20\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        assert_eq!(
            judged("kcl-core", listing),
            ["kcl-core: must not depend on tokio", "kcl-core: must not depend on tokio-util"]
        );
    }

    #[test]
    fn one_of_ours_must_be_allowed_by_name() {
        assert_eq!(judged("kcl-core", "kcl-core v0.1.0\nkcl-runtime v0.1.0\n"), ["kcl-core: must not depend on kcl-runtime"]);
        assert_eq!(judged("kcl-runtime", "kcl-runtime v0.1.0\nkcl v0.1.0\n"), ["kcl-runtime: must not depend on kcl"]);
    }

    #[test]
    fn openssl_is_banned_without_a_row_saying_so() {
        assert_eq!(
            judged("kcl-runtime", "kcl-runtime v0.1.0\nopenssl-sys v0.9.0\n"),
            ["kcl-runtime: must not depend on openssl-sys"]
        );
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        assert_eq!(judged("kcl-new", "kcl-new v0.1.0\n"), ["kcl-new: has no row in the table of dependencies"]);
    }

    #[test]
    fn every_crate_that_a_row_allows_has_a_row() {
        for rule in RULES {
            for ours in rule.ours {
                assert!(RULES.iter().any(|other| other.name == *ours), "{} allows {ours}", rule.name);
                assert!(rule.name != *ours, "{} allows itself", rule.name);
            }
        }
    }

    #[test]
    fn the_name_of_a_package_is_read_from_its_manifest() {
        assert_eq!(package_name("[package]\nname = \"kcl-core\"\n").as_deref(), Some("kcl-core"));
        assert_eq!(package_name("[workspace]\n"), None);
    }
}
