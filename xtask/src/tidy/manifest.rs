use super::finding::Finding;

/// Whether a package inherits the workspace's lints.
pub(crate) fn check(path: &str, manifest: &str) -> Option<Finding> {
    let mut lines = manifest.lines().map(str::trim);
    let inherits = lines.any(|line| line == "[lints]")
        && lines.take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true");
    (!inherits).then(|| Finding::error(path, 1, "does not inherit the workspace's lints"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inheritance_is_read_from_the_lints_table_only() {
        assert_eq!(check("a", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), None);
        assert_eq!(check("a", "[lints]\nworkspace=true"), None);
        assert!(check("a", "[package]\nname = \"a\"\n").is_some());
        assert!(check("a", "[lints]\n\n[dependencies.x]\nworkspace = true\n").is_some());
        assert!(check("a", "[dependencies.x]\nworkspace = true\n").is_some());
    }
}
