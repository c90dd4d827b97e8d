use super::finding::Finding;

/// The links of a Markdown text that lead to a file which `exists` does not know. Web links and anchors are not followed.
pub(crate) fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            for target in targets(line) {
                let file = target.split('#').next().unwrap_or_default();
                if !file.is_empty() && !exists(file) {
                    findings.push(Finding::error(path, index + 1, format!("leads nowhere: link={target}")));
                }
            }
        }
    }
    findings
}

/// The local link targets of one line: `[text](target)` and `[name]: target`, outside of inline code.
fn targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    let mut found: Vec<&str> = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    if prose.starts_with('[') {
        found.extend(prose.split_once("]: ").map(|(_, target)| target));
    }
    found
        .into_iter()
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        check("a.md", text, |target| target == "docs/here.md").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_to_a_file_that_exists_passes() {
        assert_eq!(broken("See [here](docs/here.md), [there](docs/here.md#part) and [below](#part)."), Vec::<String>::new());
        assert_eq!(broken("[here]: docs/here.md\n[title](docs/here.md \"a title\")\n"), Vec::<String>::new());
    }

    #[test]
    fn a_link_to_a_missing_file_is_found_with_its_line() {
        assert_eq!(
            broken("one\n[a](gone.md) [b](lost.md#x)\n"),
            ["a.md:2: error: leads nowhere: link=gone.md", "a.md:2: error: leads nowhere: link=lost.md#x"]
        );
        assert_eq!(broken("[a]: gone.md"), ["a.md:1: error: leads nowhere: link=gone.md"]);
    }

    #[test]
    fn web_links_and_code_are_not_followed() {
        assert_eq!(broken("[a](https://example.com/x) [m](mailto:a@example.com) `x[0](y)`"), Vec::<String>::new());
        assert_eq!(broken("```\n[a](gone.md)\n```\n"), Vec::<String>::new());
    }
}
