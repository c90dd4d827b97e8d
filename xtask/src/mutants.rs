//! The source mutants: a copy of the crates with every edit of `crates/kcl-sim/mutants` applied, built and run.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::{cargo, tree};

/// What the simulator is made of.
const CRATES: [&str; 5] = ["kcl-aggregation", "kcl-core", "kcl-runtime", "kcl-sim", "kcl-testing"];

/// Looks for every mutant of the list, with these further arguments.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree::root().join("target"), PathBuf::from);
    let copy = target.join("mutants");
    let mut files = files_of_crates()?;
    let edits = apply_all(&mut files)?;
    bring_up_to_date(&copy, &files)?;
    println!("{edits} edits applied");
    let manifest = copy.join("Cargo.toml");
    // A folder of its own: cargo takes the crates of both workspaces for the same ones.
    let build = target.join("mutants-build");
    let (manifest, build) = (manifest.to_string_lossy(), build.to_string_lossy());
    let mut all = vec!["run", "--quiet", "--manifest-path", &manifest, "--target-dir", &build];
    all.extend(["--package", "kcl-sim", "--profile", "sim", "--", "--mutants"]);
    all.extend(arguments);
    cargo::run(&all)
}

/// Every file of the copy: its path there, and its text.
type Files = BTreeMap<PathBuf, String>;

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what}: path={} {error}", path.display()))
}

/// The crates as they are. All their files are text.
fn files_of_crates() -> Result<Files, Failure> {
    let root = tree::root();
    let mut files = Files::new();
    for name in CRATES {
        add_folder(&mut files, &root, &Path::new("crates").join(name))?;
    }
    let manifest = tree::read(&root.join("Cargo.toml"))?.replace(r#""crates/*", "examples", "xtask""#, r#""crates/*""#);
    files.insert("Cargo.toml".into(), manifest);
    files.insert("Cargo.lock".into(), tree::read(&root.join("Cargo.lock"))?);
    Ok(files)
}

fn add_folder(files: &mut Files, root: &Path, folder: &Path) -> Result<(), Failure> {
    let from = root.join(folder);
    for entry in fs::read_dir(&from).map_err(|error| failed("read", &from, &error))? {
        let entry = entry.map_err(|error| failed("read", &from, &error))?;
        let (path, inside) = (entry.path(), folder.join(entry.file_name()));
        if path.is_dir() {
            add_folder(files, root, &inside)?;
        } else {
            files.insert(inside, tree::read(&path)?);
        }
    }
    Ok(())
}

/// Writes what is not there yet and removes what is there no more. A file that stays as it was is not touched, so that only
/// what changed is built again.
fn bring_up_to_date(copy: &Path, files: &Files) -> Result<(), Failure> {
    let mut there = Files::new();
    if copy.exists() {
        add_folder(&mut there, copy, Path::new(""))?;
    }
    // Cargo writes to this one.
    there.remove(Path::new("Cargo.lock"));
    for path in there.keys().filter(|path| !files.contains_key(*path)) {
        let path = copy.join(path);
        fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
    }
    for (path, text) in files.iter().filter(|(path, text)| there.get(*path) != Some(text)) {
        let path = copy.join(path);
        let folder = path.parent().unwrap_or(copy);
        fs::create_dir_all(folder).map_err(|error| failed("make", folder, &error))?;
        fs::write(&path, text).map_err(|error| failed("write", &path, &error))?;
    }
    Ok(())
}

/// Applies every edit; how many there are. All that do not apply are told at once.
fn apply_all(files: &mut Files) -> Result<usize, Failure> {
    let folder = Path::new("crates/kcl-sim/mutants");
    let switch = files.get(&folder.join("switch.rs")).cloned().unwrap_or_default();
    files.insert("crates/kcl-core/src/mutant.rs".into(), switch);
    let edits: Vec<(PathBuf, String)> = files
        .iter()
        .filter(|(path, _)| path.starts_with(folder) && path.extension().is_some_and(|extension| extension == "edit"))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for (named, text) in edits {
        for edit in parse(&text) {
            let applied = edit.and_then(|edit| {
                let text = files.get_mut(Path::new(&edit.path)).ok_or("its file is not there")?;
                *text = apply(text, &edit)?;
                Ok(())
            });
            match applied {
                Ok(()) => count += 1,
                Err(why) => wrong.push(format!("{}: {why}", named.display())),
            }
        }
    }
    if wrong.is_empty() {
        Ok(count)
    } else {
        Err(Failure::new(format!("mutants that do not apply any more:\n{}", wrong.join("\n"))))
    }
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
