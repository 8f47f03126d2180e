//! What a layer's archive may say, and what it may not.

use tar::EntryType;

use super::{
    super::{Image, MAX_UNPACKED, layer},
    Entry, archive, dir, file, hard, image, listed, symlink,
};

fn refused(layers: &[&[Entry]]) -> String {
    image(layers).expect_err("refused")
}

#[test]
fn layers_lie_over_each_other() {
    let made = image(&[
        &[dir("./"), dir("etc/"), file("etc/a", "1"), file("etc/b", "1"), dir("srv/"), file("srv/x", "1")],
        &[file("./etc/a", "2"), file("srv", "a file now"), dir("etc/b"), file("new/deep/c", "3")],
    ]);
    assert_eq!(
        listed(&made.expect("read")),
        ["etc/", "etc/a=2", "etc/b/", "new/", "new/deep/", "new/deep/c=3", "srv=a file now"]
    );
}

#[test]
fn a_whiteout_takes_away_what_lower_layers_have() {
    let lower: &[Entry] = &[dir("d"), file("d/a", ""), file("d/b", ""), dir("d/e"), file("d/e/f", ""), file("g", "")];
    let made = image(&[lower, &[file("d/.wh.a", ""), file("d/.wh.e", ""), file(".wh.g", ""), file(".wh.never", "")]]);
    assert_eq!(listed(&made.expect("read")), ["d/", "d/b="]);
    // Not what the same layer has, whichever comes first: image-spec layer.md.
    let made = image(&[lower, &[file("d/a", "own"), file("d/.wh.a", "")]]);
    assert!(listed(&made.expect("read")).contains(&"d/a=own".to_owned()));
}

#[test]
fn an_opaque_whiteout_takes_away_all_that_lower_layers_have_there() {
    let lower: &[Entry] = &[dir("d"), file("d/a", ""), dir("d/e"), file("d/e/f", ""), file("da", "")];
    let made = image(&[lower, &[dir("d"), file("d/e/own", ""), file("d/.wh..wh..opq", ""), file("d/z", "")]]);
    assert_eq!(listed(&made.expect("read")), ["d/", "d/e/", "d/e/own=", "d/z=", "da="]);
}

#[test]
fn a_whiteout_of_what_it_does_not_name_is_refused() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh..."] {
        let said = refused(&[&[dir("d"), file("a", "")], &[file(name, "")]]);
        assert!(said.contains("a whiteout of no file"), "{name}: {said}");
    }
    // aufs's own files are none.
    assert_eq!(listed(&image(&[&[dir(".wh..wh.plnk"), file("a", "")]]).expect("read")), ["a="]);
}

#[test]
fn no_name_climbs_out() {
    for name in ["../a", "a/../../b", "a/..", "/../a", "./../a"] {
        let said = refused(&[&[dir("a"), file(name, "")]]);
        assert!(said.contains("climbs out"), "{name}: {said}");
    }
    // An absolute one begins at the image's root.
    assert_eq!(listed(&image(&[&[file("/etc/passwd", "own")]]).expect("read")), ["etc/", "etc/passwd=own"]);
}

#[test]
fn a_link_among_the_parents_leads_nowhere_but_into_the_image() {
    // Where the machine's own /etc would be written to by who follows the link on a disk.
    for target in ["/etc", "../../../../../../etc", "/../etc"] {
        let made = image(&[&[dir("etc"), symlink("out", target)], &[file("out/cron", "x")]]);
        assert_eq!(listed(&made.expect("read")), ["etc/", "etc/cron=x", &format!("out->{target}")], "{target}");
    }
    // An absolute one begins at the root, wherever it lies.
    let made = image(&[&[dir("d"), symlink("d/out", "/etc"), file("d/out/cron", "x")]]);
    assert_eq!(listed(&made.expect("read")), ["d/", "d/out->/etc", "etc/", "etc/cron=x"]);
    // The same in one layer, and a link that is put in the place of a directory.
    let made = image(&[&[dir("d"), dir("e"), symlink("d", "/e"), file("d/a", "x")]]);
    assert_eq!(listed(&made.expect("read")), ["d->/e", "e/", "e/a=x"]);
    // What the machine has at the same path is not asked: neither its links are followed there nor is anything written.
    let machine = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(machine.path().join("real")).expect("made");
    std::os::unix::fs::symlink("real", machine.path().join("link")).expect("linked");
    let target: &'static str = machine.path().join("link").display().to_string().leak();
    let made = image(&[&[symlink("out", target), file("out/a", "x")]]).expect("read");
    assert!(listed(&made).contains(&format!("{}/a=x", target.trim_start_matches('/'))), "{:?}", listed(&made));
    assert_eq!(std::fs::read_dir(machine.path().join("real")).expect("read").count(), 0);
    // What a link names and is not there is made in the image.
    let made = image(&[&[symlink("d", "/tmp/none"), file("d/a", "x")]]);
    assert_eq!(listed(&made.expect("read")), ["d->/tmp/none", "tmp/", "tmp/none/", "tmp/none/a=x"]);
}

#[test]
fn a_file_in_the_place_of_a_link_replaces_the_link() {
    let made = image(&[&[file("a", "target"), symlink("b", "a")], &[file("b", "own")]]);
    assert_eq!(listed(&made.expect("read")), ["a=target", "b=own"]);
}

#[test]
fn links_without_an_end_and_parents_that_are_files_are_refused() {
    let said = refused(&[&[symlink("a", "b"), symlink("b", "a"), file("a/c", "")]]);
    assert!(said.contains("without an end"), "{said}");
    let said = refused(&[&[file("a", ""), file("a/c", "")]]);
    assert!(said.contains("/a is no directory"), "{said}");
}

#[test]
fn a_hard_link_is_a_further_name_of_a_file_of_the_image() {
    let made = image(&[&[file("a", "x"), hard("b", "a"), hard("c", "/b"), symlink("l", "/none"), hard("m", "l")]]);
    let made = made.expect("read");
    assert_eq!(listed(&made), ["a=x", "b=x", "c=x", "l->/none", "m->/none"]);
    let links = made.tree.files().into_iter().filter(|file| matches!(file.kind, caplab_init::wire::ImageKind::Link(_)));
    assert_eq!(links.map(|file| file.path).collect::<Vec<_>>(), ["/b", "/c", "/m"]);
}

#[test]
fn a_hard_link_reaches_nothing_outside() {
    for (target, why) in [
        ("/etc/passwd", "does not have"),
        ("../../etc/passwd", "climbs out"),
        ("d", "is a directory"),
        ("out/passwd", "does not have"),
        ("", "leads nowhere"),
    ] {
        let said = refused(&[&[dir("d"), dir("etc"), symlink("out", "/etc"), hard("a", target)]]);
        assert!(said.contains(why), "{target}: {said}");
    }
}

#[test]
fn devices_and_fifos_are_left_out_by_name() {
    let of = |name, kind| Entry { kind, ..file(name, "") };
    let made = image(&[&[
        dir("dev"),
        of("dev/sda", EntryType::Block),
        of("dev/mem", EntryType::Char),
        of("fifo", EntryType::Fifo),
    ]]);
    let made = made.expect("read");
    assert_eq!(listed(&made), ["dev/"]);
    assert_eq!(made.left_out.len(), 3);
    assert!(made.left_out[0].contains("/dev/sda is a block device"), "{:?}", made.left_out);
    let said = refused(&[&[of("a", EntryType::new(b'V'))]]);
    assert!(said.contains("none of an image's"), "{said}");
}

#[test]
fn owners_modes_and_capabilities_are_kept() {
    // CAP_NET_RAW, effective and permitted: what `setcap cap_net_raw+ep` writes.
    let value: &[u8] = &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let made = image(&[&[
        Entry { mode: 0o4755, owner: (6667, 42), ..file("su", "") },
        Entry { pax: vec![("SCHILY.xattr.security.capability", value)], ..file("ping", "") },
        Entry { pax: vec![("uid", b"3000000000"), ("gid", b"7")], ..file("far", "") },
        Entry { mode: 0o1777, ..dir("tmp") },
    ]]);
    let made = made.expect("read");
    let body = |path| made.tree.get(path).expect("there").clone();
    assert_eq!((body("su").mode, body("su").uid, body("su").gid), (0o4755, 6667, 42));
    assert_eq!(body("ping").capability.as_deref(), Some(value));
    assert_eq!((body("far").uid, body("far").gid), (3_000_000_000, 7));
    assert_eq!(body("tmp").mode, 0o1777);
    for (key, value, why) in [
        ("uid", &b"4294967295"[..], "is no id"),
        ("uid", b"5000000000", "is no id"),
        ("gid", b"x", "no gid that is a number"),
        ("SCHILY.xattr.security.capability", b"\x01\0\0\x03", "not of version 2"),
    ] {
        let said = refused(&[&[Entry { pax: vec![(key, value)], ..file("a", "") }]]);
        assert!(said.contains(why), "{key}: {said}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let mut huge = archive(&[file("huge", "")]);
    let mut header = tar::Header::new_gnu();
    header.set_path("huge").expect("a path");
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    huge[..512].copy_from_slice(header.as_bytes());
    let said = layer::apply(&mut Image::default(), huge.as_slice(), &mut MAX_UNPACKED.clone()).expect_err("refused");
    assert!(said.contains("larger than it may be"), "{said}");
}

#[test]
fn files_that_replace_each_other_count_each() {
    let mut room = 5;
    let said =
        layer::apply(&mut Image::default(), archive(&[file("a", "1234"), file("a", "1234")]).as_slice(), &mut room);
    assert!(said.expect_err("refused").contains("larger than it may be"));
}

#[test]
fn a_sparse_file_is_as_large_as_with_its_holes() {
    // GNU's old format: the map in the header says where the one piece of data is.
    let sparse = |real: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path("sparse").expect("a path");
        header.set_entry_type(EntryType::GNUSparse);
        header.set_size(4);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        let gnu = header.as_gnu_mut().expect("a GNU header");
        gnu.set_real_size(real);
        gnu.sparse[0].set_offset(real - 4);
        gnu.sparse[0].set_length(4);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(b"data");
        bytes.resize(512 + 512 + 1024, 0);
        bytes
    };
    let mut image = Image::default();
    layer::apply(&mut image, sparse(4096).as_slice(), &mut MAX_UNPACKED.clone()).expect("read");
    let content = image.tree.read("/sparse").expect("there");
    assert_eq!((content.len(), &content[4092..]), (4096, &b"data"[..]));
    let said = layer::apply(&mut image, sparse(1 << 36).as_slice(), &mut MAX_UNPACKED.clone()).expect_err("refused");
    assert!(said.contains("larger than it may be"), "{said}");
    let pax = Entry { pax: vec![("GNU.sparse.major", b"1")], ..file("a", "") };
    let said = refused(&[&[pax]]);
    assert!(said.contains("sparse"), "{said}");
}

#[test]
fn what_a_container_mounts_on_is_a_directory() {
    for name in ["proc", "sys", "dev"] {
        let said = refused(&[&[dir("etc"), symlink(name, "/etc")]]);
        assert!(said.contains("is no directory"), "{said}");
    }
}

#[test]
fn a_path_that_linux_does_not_have_is_refused() {
    let deep: &'static str = Box::leak("a/".repeat(45).into_boxed_str());
    let pax =
        |path: String| Entry { pax: vec![("path", Box::leak(path.into_bytes().into_boxed_slice()))], ..file("a", "") };
    assert!(image(&[&[file(deep, "")]]).is_ok());
    for (path, why) in [
        ("a/".repeat(200), "directories deep"),
        ("a".repeat(300), "no path that Linux has"),
        ("a\0b".to_owned(), "no path that Linux has"),
    ] {
        let said = refused(&[&[pax(path)]]);
        assert!(said.contains(why), "{said}");
    }
    let said = refused(&[&[Entry { pax: vec![("path", b"\xff")], ..file("a", "") }]]);
    assert!(said.contains("not UTF-8"), "{said}");
}

#[test]
fn an_archive_that_ends_early_or_is_none_is_refused() {
    let whole = archive(&[file("a", "1234")]);
    for bytes in [&whole[..514], &[b'x'; 600][..]] {
        let said = layer::apply(&mut Image::default(), bytes, &mut MAX_UNPACKED.clone());
        assert!(said.is_err(), "{} bytes", bytes.len());
    }
}

#[test]
fn names_of_accounts_are_read_through_links_in_the_image() {
    let made =
        image(&[&[symlink("etc", "/private/etc"), file("etc/passwd", "own"), symlink("private/etc/p", "passwd")]]);
    let tree = made.expect("read").tree;
    assert_eq!(tree.read("/etc/passwd"), Some(&b"own"[..]));
    assert_eq!(tree.read("/etc/p"), Some(&b"own"[..]));
    assert_eq!(tree.read("/etc"), None);
}
