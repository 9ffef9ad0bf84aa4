//! Finds the packages and their files: those of the workspace, and the fuzz targets.

use super::source::{Source, Sources};
use crate::cargo::Workspace;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The fuzz targets are a workspace of their own, because they are built with instrumentation.
const FUZZ: &str = "tests/fuzz/Cargo.toml";

/// A package with its files.
pub(super) struct Package {
    pub(super) name: String,
    /// The root file of its library and those of its programs; integration tests are left out.
    pub(super) roots: Vec<String>,
    /// All its files, including tests.
    pub(super) sources: Sources,
}

/// The packages with these names, or all.
///
/// # Errors
/// When there is no such package, or a file cannot be read or is not valid Rust.
pub(super) fn find(workspace: &Workspace, names: &[String]) -> Result<Vec<Package>, String> {
    let mut all = described(workspace, Path::new("Cargo.toml"))?;
    all.extend(described(workspace, Path::new(FUZZ))?);
    let known: Vec<&str> = all.iter().filter_map(|package| package["name"].as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("unknown crate \"{unknown}\"; the crates are {}", known.join(", ")));
    }
    let is_wanted = |package: &&Value| {
        names.is_empty() || names.iter().any(|name| package["name"].as_str() == Some(name))
    };
    all.iter().filter(is_wanted).map(|package| read(workspace, package)).collect()
}

/// Cargo's description of the packages of a workspace.
fn described(workspace: &Workspace, manifest: &Path) -> Result<Vec<Value>, String> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(manifest);
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata of {}: {}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
}

fn read(workspace: &Workspace, package: &Value) -> Result<Package, String> {
    let name = package["name"].as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
    let folder = manifest.parent().ok_or_else(|| format!("{name} has no directory"))?;
    let mut sources = Sources::new();
    read_folder(&workspace.root, folder, &mut sources)?;
    let targets = package["targets"].as_array().into_iter().flatten();
    let is_test = |target: &&Value| {
        target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"))
    };
    let roots = targets.filter(|target| !is_test(target)).filter_map(|target| target["src_path"].as_str());
    let roots = roots.map(|path| name_of(&workspace.root, Path::new(path))).collect();
    Ok(Package { name, roots, sources })
}

/// Reads all Rust files below a folder, without other packages and build products.
fn read_folder(root: &Path, folder: &Path, sources: &mut Sources) -> Result<(), String> {
    let said = |path: &Path, error: std::io::Error| format!("cannot read {}: {error}", path.display());
    for entry in fs::read_dir(folder).map_err(|error| said(folder, error))? {
        let path = entry.map_err(|error| said(folder, error))?.path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.join("Cargo.toml").exists() {
                read_folder(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| said(&path, error))?;
            let name = name_of(root, &path);
            sources.insert(name.clone(), Source::of(&name, &text)?);
        }
    }
    Ok(())
}

fn name_of(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
