use super::*;

fn source(folder: &Path) -> (PathBuf, Metadata) {
    let path = folder.join("app.tar");
    std::fs::write(&path, "content").unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    (path, metadata)
}

fn shared(bytes: &[u8]) -> Shared {
    Shared {
        name: "app.tar".parse().unwrap(),
        resource: ResourceId::of(bytes),
        manifest: "/m".into(),
        warnings: Vec::new(),
        refused: Vec::new(),
    }
}

#[test]
fn a_source_goes_only_when_what_is_shared_is_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (path, metadata) = source(folder.path());
    let source = Source::new(&path, &metadata).unwrap();
    let error = source.delete(&shared(b"other"), Some(ResourceId::of(b"content"))).unwrap_err();
    assert_eq!(error.exit_code(), 6);
    assert!(path.exists(), "{}", error.message);
    source.delete(&shared(b"content"), Some(ResourceId::of(b"content"))).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_source_that_was_changed_or_replaced_while_it_was_copied_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (path, metadata) = source(folder.path());
    std::fs::write(&path, "longer content").unwrap();
    let kept = |metadata: &Metadata| {
        let error = Source::new(&path, metadata).unwrap().delete(&shared(b"content"), None).unwrap_err();
        assert!(error.message.ends_with("stays where it is: it was changed while it was copied"));
        assert!(path.exists());
    };
    kept(&metadata);
    let metadata = std::fs::metadata(&path).unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, "longer content").unwrap();
    std::fs::File::open(&other).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
    std::fs::rename(&other, &path).unwrap();
    kept(&metadata);
}

#[test]
fn a_link_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (path, metadata) = source(folder.path());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = Source::new(&link, &metadata).err().unwrap();
    assert_eq!(error.exit_code(), 4);
}
