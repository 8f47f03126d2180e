//! Images as they are saved.

use std::{fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use super::{
    super::{Folder, Image, config::architecture, layout, open},
    Entry, archive, dir, file, gzip, listed, symlink,
};
use crate::scenario::model::{IdOrName, User};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An OCI layout in a folder.
struct Layout(tempfile::TempDir);

impl Layout {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("i/blobs/sha256")).expect("made");
        fs::write(folder.path().join("i/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").expect("written");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn blob(&self, bytes: &[u8]) -> Value {
        fs::write(self.path().join("i/blobs/sha256").join(hex(bytes)), bytes).expect("written");
        json!({"digest": format!("sha256:{}", hex(bytes)), "size": bytes.len(), "mediaType": "x"})
    }

    fn json(&self, document: &Value) -> Value {
        self.blob(document.to_string().as_bytes())
    }

    fn index(&self, manifests: &Value) {
        fs::write(self.path().join("i/index.json"), json!({"manifests": manifests}).to_string()).expect("written");
    }

    /// One image of one layer, as it is compressed and as it is not.
    fn image(&self, stored: &[u8], layer: &[u8], config: &Value) -> Value {
        let document = json!({
            "os": "linux", "architecture": architecture(), "config": config,
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(layer))]},
        });
        let (config, layer) = (self.json(&document), self.blob(stored));
        self.json(&json!({"schemaVersion": 2, "config": config, "layers": [layer]}))
    }

    fn open(&self) -> Result<Image, String> {
        open(&Folder::of(self.path())?, "i")
    }
}

#[test]
fn a_layout_and_what_its_image_says() {
    let layout = Layout::new();
    let layer = archive(&[dir("etc"), file("etc/a", "x")]);
    let said = json!({
        "User": "nonroot:7", "Env": ["PATH=/bin", "EMPTY=", "A=b=c"], "WorkingDir": "/srv/../opt",
        "Entrypoint": ["/init"], "Cmd": null, "Labels": {"a": "b"},
    });
    layout.index(&json!([layout.image(&gzip(&layer), &layer, &said)]));
    let image = layout.open().expect("read");
    assert_eq!(listed(&image), ["etc/", "etc/a=x"]);
    let config = image.config;
    assert_eq!(config.user, Some(User { user: IdOrName::Name("nonroot".to_owned()), group: Some(IdOrName::Id(7)) }));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(config.environment, [pair("PATH", "/bin"), pair("EMPTY", ""), pair("A", "b=c")]);
    assert_eq!(config.working_dir.as_deref(), Some("/opt"));
    assert_eq!((config.entrypoint, config.command), (vec!["/init".to_owned()], Vec::new()));
}

#[test]
fn the_image_for_this_machine_is_taken_from_an_index_of_an_index() {
    let layout = Layout::new();
    let layer = archive(&[file("a", "own")]);
    let mut own = layout.image(&layer, &layer, &json!({}));
    own["platform"] = json!({"os": "linux", "architecture": architecture()});
    let mut other = own.clone();
    other["platform"]["architecture"] = json!("s390x");
    let mut attestation = own.clone();
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let mut inner = layout.json(&json!({"manifests": [other, own, attestation]}));
    inner["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
    layout.index(&json!([inner]));
    assert_eq!(listed(&layout.open().expect("read")), ["a=own"]);
    layout.index(&json!([other]));
    assert!(layout.open().expect_err("refused").contains("no image for linux/"));
    layout.index(&json!([own, own]));
    assert!(layout.open().expect_err("refused").contains("several images"));
}

#[test]
fn nothing_is_taken_that_is_not_what_its_digest_says() {
    let layout = Layout::new();
    let layer = archive(&[file("a", "own")]);
    let other = archive(&[file("a", "other")]);
    let manifest = layout.image(&layer, &layer, &json!({}));
    layout.index(&json!([manifest]));
    layout.open().expect("read");
    // A blob of the same length with another content.
    let blob = layout.path().join("i/blobs/sha256").join(hex(&layer));
    fs::write(&blob, &other).expect("written");
    assert!(layout.open().expect_err("refused").contains("not what its digest says"));
    fs::write(&blob, "short").expect("written");
    assert!(layout.open().expect_err("refused").contains("5 bytes, not the"));
    fs::remove_file(&blob).expect("removed");
    assert!(layout.open().expect_err("refused").contains("is not there"));
    // A layer that is what the manifest says, and not what the config says.
    layout.index(&json!([layout.image(&other, &layer, &json!({}))]));
    assert!(layout.open().expect_err("refused").contains("not what the image's config says"));
    // A digest that is a path.
    let mut climbing = manifest;
    climbing["digest"] = json!("sha256:../../../../etc/passwd");
    layout.index(&json!([climbing]));
    assert!(layout.open().expect_err("refused").contains("none of sha256"));
}

#[test]
fn what_unpacks_to_more_than_an_image_may_have_is_refused() {
    let bomb = gzip(&[0; 100_000]);
    assert!(bomb.len() < 1000);
    let said = layout::unpacked(bomb.clone(), 99_999).expect_err("refused");
    assert!(said.contains("unpacked it is larger"), "{said}");
    assert_eq!(layout::unpacked(bomb, 100_000).map(|bytes| bytes.len()), Ok(100_000));
}

#[test]
fn zstd_and_another_architecture_are_refused_by_name() {
    let layout = Layout::new();
    let zstd = b"\x28\xb5\x2f\xfd rest";
    layout.index(&json!([layout.image(zstd, zstd, &json!({}))]));
    assert!(layout.open().expect_err("refused").contains("zstd"));
    let layer = archive(&[file("a", "")]);
    let document =
        json!({"os": "linux", "architecture": "s390x", "rootfs": {"diff_ids": [format!("sha256:{}", hex(&layer))]}});
    let (config, layer) = (layout.json(&document), layout.blob(&layer));
    layout.index(&json!([layout.json(&json!({"config": config, "layers": [layer]}))]));
    assert!(layout.open().expect_err("refused").contains("the image is for linux/s390x"));
}

/// What `docker save` writes: an archive of documents and archives.
fn saved(members: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).expect("appended");
    }
    for (name, target) in links {
        let mut header = Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, name, target).expect("appended");
    }
    archive.into_inner().expect("finished")
}

fn open_saved(bytes: &[u8]) -> Result<Image, String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("image.tar"), bytes).expect("written");
    open(&Folder::of(folder.path())?, "image.tar")
}

#[test]
fn an_archive_of_docker_save() {
    let lower = archive(&[file("a", "1"), file("b", "1")]);
    let upper = archive(&[file(".wh.a", "")]);
    let ids: Vec<String> = [&lower, &upper, &lower].iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    let config =
        json!({"os": "linux", "architecture": architecture(), "config": {"User": "6667"}, "rootfs": {"diff_ids": ids}})
            .to_string();
    let name = format!("{}.json", hex(config.as_bytes()));
    let manifest = json!([{"Config": name, "Layers": ["x/layer.tar", "y/layer.tar", "z/layer.tar"], "RepoTags": null}])
        .to_string();
    let members: [(&str, &[u8]); 4] = [
        ("x/layer.tar", &lower),
        ("y/layer.tar", &upper),
        (&name, config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ];
    // docker before 25 writes a layer that it has written as a link.
    let image = open_saved(&saved(&members, &[("z/layer.tar", "../x/layer.tar")])).expect("read");
    assert_eq!(listed(&image), ["a=1", "b=1"]);
    assert_eq!(image.config.user, Some(User { user: IdOrName::Id(6667), group: None }));
    let said = open_saved(&saved(&members, &[])).expect_err("refused");
    assert!(said.contains("z/layer.tar, which its manifest.json names, is not there"), "{said}");
    let said = open_saved(&saved(&members, &[("z/layer.tar", "../../../etc/passwd")])).expect_err("refused");
    assert!(said.contains("is not there"), "{said}");
    let said = open_saved(&saved(&members, &[("z/layer.tar", "layer.tar")])).expect_err("refused");
    assert!(said.contains("a link without an end"), "{said}");
    let other = [members[0], members[1], (&*name, &b"{}"[..]), members[3]];
    assert!(open_saved(&saved(&other, &[])).expect_err("refused").contains("not what its name says"));
    assert!(open_saved(&gzip(b"x")).expect_err("refused").contains("compressed"));
    assert!(open_saved(&archive(&[file("a", "")])).expect_err("refused").contains("no image that was saved"));
}

#[test]
fn a_folder_is_a_root_file_system_and_its_links_are_not_followed() {
    let above = tempfile::tempdir().expect("a folder");
    let root = above.path().join("root");
    fs::create_dir_all(root.join("etc")).expect("made");
    fs::write(root.join("etc/passwd"), "own").expect("written");
    fs::write(above.path().join("secret"), "secret").expect("written");
    std::os::unix::fs::symlink("../../secret", root.join("etc/out")).expect("linked");
    std::os::unix::fs::symlink("/etc", root.join("absolute")).expect("linked");
    let image = open(&Folder::of(above.path()).expect("opened"), "root").expect("read");
    assert_eq!(listed(&image), ["absolute->/etc", "etc/", "etc/out->../../secret", "etc/passwd=own"]);
    assert!(image.tree.iter().all(|(_, body)| (body.uid, body.gid) == (0, 0)));
    // The image itself is beneath the folder.
    std::os::unix::fs::symlink("/", above.path().join("machine")).expect("linked");
    let folder = Folder::of(&root).expect("opened");
    for name in ["../secret", "/etc", "etc/out"] {
        assert!(open(&folder, name).is_err(), "{name}");
    }
    let said = open(&Folder::of(above.path()).expect("opened"), "machine").expect_err("refused");
    assert!(said.contains("it leads out"), "{said}");
}

#[test]
fn a_tree_is_the_same_after_it_was_laid_out_and_read() {
    let entries: &[Entry] = &[dir("d"), file("d/a", "x"), super::hard("d/b", "d/a"), symlink("l", "d")];
    let tree = super::image(&[entries]).expect("read").tree;
    let again = super::super::Tree::of_files(tree.files()).expect("read");
    assert_eq!(again.id(), tree.id());
    let other = super::image(&[&[dir("d"), file("d/a", "x"), file("d/b", "x"), symlink("l", "d")]]).expect("read").tree;
    assert_ne!(other.id(), tree.id(), "a file of two names is not two files");
}
