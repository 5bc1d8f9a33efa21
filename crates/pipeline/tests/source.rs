//! Reading a project from the working tree and straight from git's objects.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use weft_pipeline::source::{self, SourceError, Sources};

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn project(root: &Path) {
    write(root, "intents/a.yaml", "kind: A\n");
    write(root, "intents/deep/er/b.yaml", "kind: B\n");
    write(root, "intents/allocations.lock.yaml", "{}\n");
    write(root, "intents/notes.md", "not read\n");
    write(root, "intents/.hidden.yaml", "not read\n");
    write(root, "device-templates/frr/manifest.yaml", "description: x\n");
    write(root, "device-templates/frr/templates/bgp.j2", "router bgp\n");
    write(root, "device-templates/README.md", "about\n");
    write(root, "pipeline/default.yaml", "kind: Pipeline\n");
    write(root, "policy/house.yaml", "kind: Policy\n");
    write(root, "src/intents/c.yaml", "elsewhere\n");
}

fn paths(sources: &Sources) -> Vec<&str> {
    sources.intents.iter().map(|file| &*file.path).collect()
}

/// Commits every file below `folder` of the working tree, and returns the commit in hexadecimal.
fn commit(repository: &gix::Repository, message: &str) -> String {
    let root = tree_of(repository, repository.workdir().unwrap());
    let parents: Vec<gix::ObjectId> = repository.head_id().ok().map(|id| id.detach()).into_iter().collect();
    let who = gix::actor::SignatureRef { name: "n".into(), email: "n@example.net".into(), time: "1700000000 +0000" };
    repository.commit_as(who, who, "HEAD", message, root, parents).unwrap().to_string()
}

/// Writes the files below a folder as git objects, and returns the tree's id.
fn tree_of(repository: &gix::Repository, folder: &Path) -> gix::ObjectId {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    names.sort_by_key(|entry| {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() { name + "/" } else { name }
    });
    let mut tree = gix::objs::Tree::empty();
    for entry in names {
        let name = entry.file_name().into_string().unwrap();
        let kind = entry.file_type().unwrap();
        if name == ".git" {
            continue;
        }
        let (mode, oid) = if kind.is_dir() {
            (gix::objs::tree::EntryKind::Tree, tree_of(repository, &entry.path()))
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            (gix::objs::tree::EntryKind::Link, repository.write_blob(target.to_str().unwrap()).unwrap().detach())
        } else {
            let content = fs::read(entry.path()).unwrap();
            (gix::objs::tree::EntryKind::Blob, repository.write_blob(content).unwrap().detach())
        };
        tree.entries.push(gix::objs::tree::Entry { mode: mode.into(), filename: name.into(), oid });
    }
    repository.write_object(&tree).unwrap().detach()
}

#[test]
fn a_folder_that_is_no_repository_is_read_without_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let (sources, findings) = source::read(folder.path(), None).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(paths(&sources), ["intents/a.yaml", "intents/deep/er/b.yaml"]);
    assert_eq!(&*sources.lock.unwrap().path, "intents/allocations.lock.yaml");
    assert_eq!(sources.packs.keys().collect::<Vec<_>>(), ["frr"]);
    assert_eq!(sources.packs["frr"].keys().collect::<Vec<_>>(), ["manifest.yaml", "templates/bgp.j2"]);
    assert_eq!(&*sources.pipelines[0].path, "pipeline/default.yaml");
    assert_eq!(&*sources.policies[0].path, "policy/house.yaml");
    assert_eq!((sources.commit, sources.dirty), (None, false));
    assert!(matches!(source::read(folder.path(), Some("HEAD")), Err(SourceError::NoRepository { .. })));
}

#[test]
fn a_commit_is_read_from_git_whatever_the_working_tree_says() {
    let folder = tempfile::tempdir().unwrap();
    let repository = gix::init(folder.path()).unwrap();
    project(folder.path());
    assert_eq!(source::read(folder.path(), None).unwrap().0.commit, None, "before the first commit there is none");
    let first = commit(&repository, "first");
    let (clean, _) = source::read(folder.path(), None).unwrap();
    assert_eq!((clean.exact_commit(), clean.dirty), (Some(first.as_str()), false));

    write(folder.path(), "intents/a.yaml", "kind: Changed\n");
    fs::remove_dir_all(folder.path().join("device-templates")).unwrap();
    let (committed, _) = source::read(folder.path(), Some("HEAD")).unwrap();
    assert_eq!(paths(&committed), paths(&clean));
    assert_eq!(&*committed.intents[0].text, "kind: A\n");
    assert_eq!(committed.packs, clean.packs);
    assert_eq!(committed.lock, clean.lock);
    assert_eq!(committed.exact_commit(), Some(first.as_str()));

    project(folder.path());
    write(folder.path(), "intents/new.yaml", "kind: New\n");
    let (dirty, _) = source::read(folder.path(), None).unwrap();
    assert!(dirty.dirty, "a new file makes a difference");
    assert_eq!((dirty.commit.as_deref(), dirty.exact_commit()), (Some(first.as_str()), None));
    let second = commit(&repository, "second");
    let (before, _) = source::read(folder.path(), Some("HEAD~1")).unwrap();
    assert_eq!(before.commit, Some(first.clone()));
    let (abbreviated, _) = source::read(folder.path(), Some(&second[..8])).unwrap();
    assert_eq!(paths(&abbreviated), ["intents/a.yaml", "intents/deep/er/b.yaml", "intents/new.yaml"]);
    let error = source::read(folder.path(), Some("no-such-branch")).unwrap_err();
    assert!(error.to_string().contains("no-such-branch"), "{error}");
}

#[test]
fn files_that_are_not_read_do_not_make_the_tree_dirty() {
    let folder = tempfile::tempdir().unwrap();
    let repository = gix::init(folder.path()).unwrap();
    project(folder.path());
    commit(&repository, "first");
    write(folder.path(), "README.md", "new\n");
    write(folder.path(), "intents/notes.md", "changed\n");
    assert!(!source::read(folder.path(), None).unwrap().0.dirty);
}

#[test]
fn a_project_in_a_folder_of_a_repository_is_found_in_its_commits() {
    let folder = tempfile::tempdir().unwrap();
    let repository = gix::init(folder.path()).unwrap();
    let root = folder.path().join("networks/campus");
    project(&root);
    commit(&repository, "first");
    let (sources, _) = source::read(&root, Some("HEAD")).unwrap();
    assert_eq!(paths(&sources), ["intents/a.yaml", "intents/deep/er/b.yaml"]);
    assert!(!source::read(&root, None).unwrap().0.dirty);
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = source::read(folder.path(), None).unwrap_err();
    assert!(error.to_string().contains("`intents`"), "{error}");

    project(folder.path());
    write(folder.path(), "intents/latin.yaml", b"name: caf\xe9\n");
    write(folder.path(), "device-templates/frr/logo.png", b"\x89PNG\xff");
    write(folder.path(), "intents/c.yml", "kind: C\n");
    let (sources, findings) = source::read(folder.path(), None).unwrap();
    assert_eq!(paths(&sources), ["intents/a.yaml", "intents/deep/er/b.yaml"]);
    let files: Vec<&str> = findings.iter().map(|finding| &*finding.span.as_ref().unwrap().file).collect();
    assert_eq!(files, ["device-templates/frr/logo.png", "intents/c.yml", "intents/latin.yaml"]);

    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("intents/link.yaml")).unwrap();
    let error = source::read(folder.path(), None).unwrap_err();
    assert!(error.to_string().contains("link.yaml"), "{error}");
}
