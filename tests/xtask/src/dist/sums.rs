//! `SHA256SUMS`, which `sha256sum --check` reads.

use cluster::files::sha256_file;
use std::fs;
use std::path::{Path, PathBuf};

/// The file's name.
pub(super) const NAME: &str = "SHA256SUMS";

/// Writes the file into `dist`, with a line for each of these files, which are in `dist` too. Returns its text.
pub(super) fn write(dist: &Path, files: &[PathBuf]) -> Result<String, String> {
    let mut text = String::new();
    for path in files {
        let hash = sha256_file(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let name = path.file_name().ok_or_else(|| format!("{} is not a file", path.display()))?;
        text += &format!("{hash}  {}\n", name.to_string_lossy());
    }
    let path = dist.join(NAME);
    fs::write(&path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn sha256sum_reads_it() {
        let dist = tempfile::tempdir().unwrap();
        let files = ["a.deb", "b.tar.gz"].map(|name| dist.path().join(name));
        files.iter().for_each(|path| fs::write(path, path.display().to_string()).unwrap());
        write(dist.path(), &files).unwrap();
        let check = || {
            let mut command = Command::new("sha256sum");
            command
                .current_dir(dist.path())
                .args(["--check", "--strict", "--quiet", NAME])
                .output()
                .unwrap()
                .status
        };
        assert!(check().success());
        fs::write(&files[0], "other").unwrap();
        assert!(!check().success());
    }
}
