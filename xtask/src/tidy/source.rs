use std::path::Path;

use super::finding::Finding;
use super::mask;

const LINES_ALLOWED: usize = 500;
const LINES_QUESTIONED: usize = 350;
const LIB_LINES_ALLOWED: usize = 150;

/// Words that mark unfinished work, in code and comments.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX", "dbg!", "todo!", "unimplemented!"];

/// Attributes that take a test out of the run, or let it pass on any panic.
const TEST_ATTRIBUTES: &[&str] = &["[ignore", "[should_panic"];

/// Time, tasks and randomness that do not come from the environment that the runtime is given.
const BANNED_CALLS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "tokio::time",
    "tokio::spawn",
    "spawn_blocking",
    "thread::spawn",
    "thread_rng",
    "rand::rng",
    "fastrand",
    "Uuid::new_v4",
    "tokio::select",
];

/// What is untidy in one Rust file. `path` is relative to the root of the repository, with forward slashes.
pub(crate) fn check(path: &str, source: &str) -> Vec<Finding> {
    let code = mask::code_only(source);
    let mut findings = found(path, &code, TEST_ATTRIBUTES, "leave a test to run and to assert");
    if !is_test_file(path) {
        findings.extend(found(path, &mask::without_strings(source), MARKS, "finish it or take it out"));
        findings.extend(too_long(path, source));
        if must_be_deterministic(path) {
            findings.extend(found(path, &mask::without_tests(&code), BANNED_CALLS, "take it from kcl_runtime::Env"));
        }
    }
    findings
}

fn too_long(path: &str, source: &str) -> Option<Finding> {
    if path.ends_with("/src/lib.rs") {
        let lines = source.lines().count();
        return (lines > LIB_LINES_ALLOWED).then(|| over(path, lines, LIB_LINES_ALLOWED));
    }
    let lines = product_lines(source);
    if lines > LINES_ALLOWED {
        return Some(over(path, lines, LINES_ALLOWED));
    }
    (lines > LINES_QUESTIONED)
        .then(|| Finding::warning(path, lines, format!("is long: lines={lines} questioned_over={LINES_QUESTIONED}")))
}

fn over(path: &str, lines: usize, allowed: usize) -> Finding {
    Finding::error(path, lines, format!("is too long: lines={lines} allowed={allowed}"))
}

/// Lines of a file without its unit tests.
fn product_lines(source: &str) -> usize {
    mask::without_tests(&mask::code_only(source)).lines().count()
}

fn is_test_file(path: &str) -> bool {
    let name = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    path.contains("/tests/") || path.contains("/benches/") || name == "tests"
}

fn must_be_deterministic(path: &str) -> bool {
    let product = path.starts_with("crates/kcl-core/src/") || path.starts_with("crates/kcl-runtime/src/");
    product && !path.split('/').any(|part| part.starts_with("tokio_env"))
}

/// Every line of `text` that holds one of `words` as a whole.
fn found(path: &str, text: &str, words: &[&str], advice: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| holds(line, word)) {
            findings.push(Finding::error(path, index + 1, format!("has `{word}`: {advice}")));
        }
    }
    findings
}

/// Whether `line` holds `word`, not as a part of a longer identifier.
fn holds(line: &str, word: &str) -> bool {
    let in_identifier = |character: char| character.is_alphanumeric() || character == '_';
    let open_start = !word.starts_with(in_identifier);
    let open_end = !word.ends_with(in_identifier);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        (open_start || !before.is_some_and(in_identifier)) && (open_end || !after.is_some_and(in_identifier))
    })
}

#[cfg(test)]
mod tests;
