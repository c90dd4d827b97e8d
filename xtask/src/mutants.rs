//! The source mutants: a copy of the crates with every edit of `crates/kcl-sim/mutants` applied, built and run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::{cargo, tree};

/// What the simulator is made of.
const CRATES: [&str; 5] = ["kcl-aggregation", "kcl-core", "kcl-runtime", "kcl-sim", "kcl-testing"];

/// Looks for every mutant of the list, with these further arguments.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let copy = tree::root().join("target/mutants");
    copy_crates(&copy)?;
    let edits = apply_all(&copy)?;
    println!("{edits} edits applied");
    let manifest = copy.join("Cargo.toml");
    // A folder of its own: cargo takes the crates of both workspaces for the same ones.
    let target = tree::root().join("target/mutants-build");
    let (manifest, target) = (manifest.to_string_lossy(), target.to_string_lossy());
    let mut all = vec!["run", "--quiet", "--manifest-path", &manifest, "--target-dir", &target];
    all.extend(["--package", "kcl-sim", "--profile", "sim", "--", "--mutants"]);
    all.extend(arguments);
    cargo::run(&all)
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what}: path={} {error}", path.display()))
}

fn copy_crates(copy: &Path) -> Result<(), Failure> {
    let root = tree::root();
    if copy.exists() {
        fs::remove_dir_all(copy).map_err(|error| failed("remove", copy, &error))?;
    }
    for name in CRATES {
        copy_folder(&root.join("crates").join(name), &copy.join("crates").join(name))?;
    }
    let manifest = tree::read(&root.join("Cargo.toml"))?.replace(r#""crates/*", "examples", "xtask""#, r#""crates/*""#);
    write(&copy.join("Cargo.toml"), &manifest)?;
    write(&copy.join("Cargo.lock"), &tree::read(&root.join("Cargo.lock"))?)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|error| failed("make", to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| failed("read", from, &error))? {
        let entry = entry.map_err(|error| failed("read", from, &error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|error| failed("copy", &path, &error))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| failed("write", path, &error))
}

fn apply_all(copy: &Path) -> Result<usize, Failure> {
    let folder = tree::root().join("crates/kcl-sim/mutants");
    let entries = fs::read_dir(&folder).map_err(|error| failed("read", &folder, &error))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "edit"));
    files.sort();
    let switch = tree::read(&folder.join("switch.rs"))?;
    write(&copy.join("crates/kcl-core/src/mutant.rs"), &switch)?;
    let mut count = 0;
    for file in files {
        for edit in parse(&tree::read(&file)?) {
            let edit = edit.map_err(|why| Failure::new(format!("{why}: file={}", file.display())))?;
            let path = copy.join(&edit.path);
            let changed = apply(&tree::read(&path)?, &edit).map_err(|why| {
                Failure::new(format!("a mutant does not apply any more: {why}: edit={} file={}", file.display(), edit.path))
            })?;
            write(&path, &changed)?;
            count += 1;
        }
    }
    Ok(count)
}

/// One replacement in one file.
#[derive(Debug, PartialEq, Eq)]
struct Edit {
    path: String,
    find: String,
    replace: String,
}

/// The edits of a file: after `@@@ path`, any number of `<<<` text `===` other text `>>>`; everything else is a comment.
fn parse(text: &str) -> Vec<Result<Edit, &'static str>> {
    let (mut edits, mut path) = (Vec::new(), None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(named) = line.strip_prefix("@@@ ") {
            path = Some(named.to_owned());
        } else if line == "<<<" {
            let mut until = |end: &str| {
                let part: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                part.join("\n")
            };
            let (find, replace) = (until("==="), until(">>>"));
            edits.push(match &path {
                Some(path) if !find.is_empty() => Ok(Edit { path: path.clone(), find, replace }),
                _ => Err("an edit without a path or without a text to find"),
            });
        }
    }
    edits
}

fn apply(text: &str, edit: &Edit) -> Result<String, &'static str> {
    match text.matches(&edit.find).count() {
        0 => Err("its text is not there"),
        1 => Ok(text.replacen(&edit.find, &edit.replace, 1)),
        _ => Err("its text is there more than once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_replaces_what_is_there_once() {
        let parsed = parse("why\n@@@ a.rs\n<<<\none\ntwo\n===\nthree\n>>>\n<<<\nx\n===\n>>>\n");
        let edit =
            |find: &str, replace: &str| Edit { path: "a.rs".to_owned(), find: find.to_owned(), replace: replace.to_owned() };
        assert_eq!(parsed, [Ok(edit("one\ntwo", "three")), Ok(edit("x", ""))]);
        assert_eq!(apply("zero\none\ntwo\n", &edit("one\ntwo", "three")).as_deref(), Ok("zero\nthree\n"));
        assert!(apply("nothing", &edit("x", "y")).is_err() && apply("x x", &edit("x", "y")).is_err());
        assert!(parse("<<<\na\n===\nb\n>>>").iter().all(Result::is_err), "no path");
    }
}
