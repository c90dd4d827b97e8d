//! Facts about the tree that no compiler checks.

mod finding;
mod links;
mod manifest;
mod mask;
mod source;

use std::path::Path;

use finding::Finding;

use crate::failure::Failure;
use crate::tree;

/// Prints what is untidy; fails if anything of it is more than a warning.
pub(crate) fn check() -> Result<(), Failure> {
    let root = tree::root();
    let mut findings = Vec::new();
    let packages = tree::packages(&root)?;
    for package in &packages {
        let manifest = package.join("Cargo.toml");
        findings.extend(manifest::check(&tree::shown(&manifest, &root), &tree::read(&manifest)?));
        for file in tree::files(package, "rs")? {
            findings.extend(source::check(&tree::shown(&file, &root), &tree::read(&file)?));
        }
    }
    for file in tree::files(&root, "md")? {
        findings.extend(check_links(&file, &root)?);
    }
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        return Err(Failure::new(format!("the tree is untidy: errors={errors}")));
    }
    println!("{} packages are tidy: warnings={}", packages.len(), findings.len());
    Ok(())
}

fn check_links(file: &Path, root: &Path) -> Result<Vec<Finding>, Failure> {
    let folder = file.parent().unwrap_or(root);
    let exists = |target: &str| match target.strip_prefix('/') {
        Some(from_root) => root.join(from_root).exists(),
        None => folder.join(target).exists(),
    };
    Ok(links::check(&tree::shown(file, root), &tree::read(file)?, exists))
}
