//! The config file and its drop-ins on disk: which files are read, in which order, and how unreadable ones are
//! reported.

use crate::host::config::drop_ins::{DROP_INS_MAX, unless_gone};
use crate::host::config::file::File;
use crate::host::config::{ConfigError, DaemonConfig, Files};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory for `ttd.toml` and `ttd.d`.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> PathBuf {
        self.path("ttd.toml")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and creates its directory.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The names of the files that are read.
    #[track_caller]
    fn names(&self) -> Vec<String> {
        let files = Files::read_if_any(&self.config()).unwrap_or_else(|error| panic!("{error}"));
        files.paths().map(|path| self.name(path)).collect()
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.folder.path()).unwrap().display().to_string()
    }

    fn load(&self) -> Result<DaemonConfig, ConfigError> {
        DaemonConfig::of(&Files::read(&self.config())?)
    }

    /// The error about the files, without the path of their directory.
    #[track_caller]
    fn error(&self) -> String {
        let error = self.load().unwrap_err().to_string();
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn drop_ins_come_after_the_file_in_the_order_of_their_names() {
    let place = Place::new();
    place.write("ttd.toml", "zone = \"main\"\nfile_mode = \"0600\"\n");
    for name in ["b", "10-a", "9-c", "B", "é"] {
        place.write(&format!("ttd.d/{name}.toml"), format!("zone = \"{name}\"\n"));
    }
    let names = ["10-a", "9-c", "B", "b", "é"].map(|name| format!("ttd.d/{name}.toml"));
    assert_eq!(place.names(), [&["ttd.toml".to_owned()], &names[..]].concat());
    let config = place.load().unwrap();
    assert_eq!((config.zone.as_str(), config.file_mode.bits()), ("é", 0o600));
}

#[test]
fn what_is_no_drop_in_is_passed_over() {
    let place = Place::new();
    let others = [
        ".hidden.toml",
        ".#a.toml",
        "#a.toml#",
        "a.toml~",
        "a.toml.dpkg-old",
        "a.conf",
        "toml",
        ".toml",
        "a.TOML",
        "folder.toml/inner.toml",
    ];
    for name in others {
        place.write(&format!("ttd.d/{name}"), "not = [TOML");
    }
    symlink("/nowhere", place.path("ttd.d/.#b.toml")).unwrap();
    assert!(place.names().is_empty());
    // This is how a Kubernetes volume is laid out.
    place.write("ttd.d/..data/a.toml", "zone = \"a\"\n");
    symlink("..data/a.toml", place.path("ttd.d/a.toml")).unwrap();
    assert_eq!(place.names(), ["ttd.d/a.toml"]);
}

#[test]
fn drop_ins_need_no_file_beside_them() {
    let place = Place::new();
    place.write("ttd.d/a.toml", "zone = \"a\"\n");
    assert_eq!(place.load().unwrap().zone.as_str(), "a");
    let files = Files::read(&place.config()).unwrap();
    assert_eq!(files.to_string(), format!("{} with 1 drop-in", place.config().display()));
    assert!(!files.is_empty());
    let says = files.verdict();
    let folder = place.folder.path().display();
    assert_eq!(says, format!("{folder}/ttd.toml: no such file\n{folder}/ttd.d/a.toml: OK\n"));
}

#[test]
fn a_file_that_was_named_must_be_there_unless_drop_ins_are() {
    let place = Place::new();
    fs::create_dir(place.path("ttd.d")).unwrap();
    assert!(place.error().starts_with("ttd.toml: cannot read the config file: "), "{}", place.error());
    let files = Files::read_if_any(&place.config()).unwrap();
    assert!(files.is_empty());
    assert!(files.verdict().ends_with("/ttd.toml: no such file; using defaults\n"));
}

#[test]
fn the_folder_is_named_after_the_file() {
    let place = Place::new();
    for (file, folder) in
        [("my.toml", "my.d"), ("my.conf", "my.conf.d"), ("my", "my.d"), ("my.d.toml", "my.d.d")]
    {
        place.write(file, "");
        place.write(&format!("{folder}/a.toml"), "");
        let files = Files::read(&place.path(file)).unwrap();
        let names: Vec<String> = files.paths().map(|path| place.name(path)).collect();
        assert_eq!(names, [file.to_owned(), format!("{folder}/a.toml")]);
        fs::remove_dir_all(place.path(folder)).unwrap();
    }
}

#[test]
fn a_drop_in_that_cannot_be_read_is_named() {
    let place = Place::new();
    place.write("ttd.toml", "zone = \"a\"\n");
    fs::create_dir(place.path("ttd.d")).unwrap();
    let path = place.path("ttd.d/a.toml");
    symlink("/nowhere", &path).unwrap();
    assert!(place.error().starts_with("ttd.d/a.toml: cannot read the config file: "), "{}", place.error());
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    assert_eq!(place.error(), "ttd.d/a.toml: cannot read the config file: not a regular file");
    fs::remove_file(&path).unwrap();
    place.write("ttd.d/a.toml", " ".repeat((1 << 20) + 1));
    assert_eq!(place.error(), "ttd.d/a.toml: cannot read the config file: larger than 1 MiB");
    place.write("ttd.d/a.toml", b"zone = \"\xff\"");
    assert_eq!(place.error(), "ttd.d/a.toml: cannot read the config file: not valid UTF-8");
    fs::remove_dir_all(place.path("ttd.d")).unwrap();
    place.write("ttd.d", "no folder");
    assert!(place.error().starts_with("ttd.d: cannot read the drop-in directory: "), "{}", place.error());
}

#[test]
fn a_mistake_in_a_drop_in_is_told_with_its_file_and_line() {
    let place = Place::new();
    place.write("ttd.toml", "zone = \"a\"\n");
    place.write("ttd.d/a.toml", "\nupload_limt = 5\n");
    assert_eq!(place.error(), "ttd.d/a.toml:2: unknown key \"upload_limt\"; did you mean \"upload_limit\"?");
    place.write("ttd.d/a.toml", "\n\nzone = ");
    assert!(place.error().starts_with("ttd.d/a.toml:3: "), "{}", place.error());
}

#[test]
fn the_number_of_drop_ins_is_bounded() {
    let place = Place::new();
    for number in 0..DROP_INS_MAX {
        place.write(&format!("ttd.d/{number:04}.toml"), "");
    }
    assert_eq!(place.names().len(), DROP_INS_MAX);
    place.write("ttd.d/one-more.toml", "");
    assert_eq!(
        place.error(),
        format!("ttd.d: more than {DROP_INS_MAX} drop-ins; merge some of them into one file")
    );
}

#[test]
fn the_last_file_that_sets_a_key_is_where_it_is_set() {
    let place = Place::new();
    place.write("ttd.toml", "zone = \"a\"\nfile_group = \"staff\"\n");
    place.write("ttd.d/a.toml", "\nfile_group = \"wheel\"\n");
    place.write("ttd.d/b.toml", "file_mode = \"0640\"\n");
    let files = Files::read(&place.config()).unwrap();
    let folder = place.folder.path().display();
    assert_eq!(files.place_of("file_group"), format!("{folder}/ttd.d/a.toml:2"));
    assert_eq!(files.place_of("zone"), format!("{folder}/ttd.toml:1"));
    assert_eq!(files.place_of("listen"), format!("{folder}/ttd.toml"));
    assert_eq!(files.to_string(), format!("{folder}/ttd.toml with 2 drop-ins"));
}

#[test]
fn a_drop_in_that_was_deleted_after_the_folder_was_listed_is_passed_over() {
    let place = Place::new();
    place.write("ttd.d/a.toml", "");
    let path = place.path("ttd.d/a.toml");
    assert!(matches!(unless_gone(&path, File::read(&path)), Ok(Some(_))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(unless_gone(&path, File::read(&path)), Ok(None)));
    symlink("/nowhere", &path).unwrap();
    assert!(unless_gone(&path, File::read(&path)).is_err(), "the link is still there");
}
