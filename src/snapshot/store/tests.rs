use tempfile::TempDir;

use super::*;
use crate::scenario;

const HELD: &str = "containers:\n  box:\n    no_new_privs: true\nsteps:\n";
const OPEN: &str = "containers:\n  box:\n    no_new_privs: false\nsteps:\n";
const LESS: &str = "box no_new_privs: was true, is false";

/// With this matrix, `{a: [1, 2]}`; none where that is empty.
fn of(matrix: &str) -> Scenario {
    let variables: Vec<_> = matrix.split(['{', '}', ',']).filter_map(|part| part.split_once(": [")).collect();
    let used: String = variables.iter().map(|(name, _)| format!("${{{}}}", name.trim())).collect();
    let matrix = if matrix.is_empty() { String::new() } else { format!("matrix: {matrix}\n") };
    let text = format!("title: A claim\n{matrix}container: {{hostname: \"x{used}\"}}\nsteps: [inspect: {{uid: 0}}]\n");
    scenario::load("area/one", Path::new("area/one.yaml"), &text).unwrap_or_else(|_| panic!("no scenario: {text}"))
}

struct Kept {
    folder: TempDir,
    store: Store,
}

impl Kept {
    /// The pictures of a scenario with this matrix, each case's name and picture.
    fn of(matrix: &str, pictures: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::Folder(folder.path().to_owned());
        let kept = Self { folder, store };
        assert_eq!(kept.refused(matrix, pictures), Vec::<String>::new());
        kept
    }

    fn update(&self, matrix: &str, pictures: &[(&str, &str)], accept_weaker: bool) -> Result<bool, SnapshotError> {
        let name = |case: &str| (!case.is_empty()).then(|| case.to_owned());
        let new: Vec<Section> = pictures.iter().map(|(case, picture)| (name(case), (*picture).to_owned())).collect();
        let scenario = of(matrix);
        assert!(new.iter().all(|(case, _)| scenario.cases.iter().any(|known| known.name == *case)), "{pictures:?}");
        self.store.update(&scenario, &new, accept_weaker)
    }

    /// What is named where these are to take their place; nothing where they do.
    fn refused(&self, matrix: &str, pictures: &[(&str, &str)]) -> Vec<String> {
        match self.update(matrix, pictures, false) {
            Ok(_) => Vec::new(),
            Err(SnapshotError::Weaker { points, .. }) => points.iter().map(|point| point.trim().to_owned()).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Names of the cases that have a picture.
    fn cases(&self) -> Vec<String> {
        let sections = self.store.sections("area/one").expect("a snapshot");
        sections.into_iter().map(|(name, _)| name.unwrap_or_default()).collect()
    }
}

#[test]
fn a_case_that_is_gone_is_named() {
    let kept = Kept::of("{a: [1, 2]}", &[("a=1", HELD), ("a=2", OPEN)]);
    let fewer = [("a=1", HELD)];
    assert_eq!(kept.refused("{a: [1]}", &fewer), ["[a=2] the case is gone"]);
    assert_eq!(kept.cases(), ["a=1", "a=2"]);
    kept.update("{a: [1]}", &fewer, true).expect("accepted");
    assert_eq!(kept.cases(), ["a=1"]);
    // Also where it is not run, and where another one has come.
    assert_eq!(kept.refused("{a: [3, 4]}", &[("a=3", OPEN)]), ["[a=1] the case is gone"]);
}

#[test]
fn a_case_that_has_another_name_and_the_same_picture_is_not_gone() {
    let kept = Kept::of("{a: [1, 2]}", &[("a=1", HELD), ("a=2", OPEN)]);
    assert_eq!(kept.refused("{a: [1, two]}", &[("a=1", HELD), ("a=two", OPEN)]), Vec::<String>::new());
    // One that was there before says nothing for it.
    assert_eq!(kept.refused("{a: [1]}", &[("a=1", OPEN)]), [&format!("[a=1] {LESS}"), "[a=two] the case is gone"]);
}

#[test]
fn a_case_that_grew_is_compared_with_the_one_it_was() {
    let kept = Kept::of("", &[("", HELD)]);
    let first = [("a=1", HELD), ("a=2", OPEN)];
    assert_eq!(kept.refused("{a: [1, 2]}", &first), [format!("[now a=2] {LESS}")]);
    kept.update("{a: [1, 2]}", &first, true).expect("accepted");
    let grown = |one, two| [("b=x,a=1", one), ("b=x,a=2", two), ("b=y,a=1", one), ("b=y,a=2", OPEN)];
    let wanted = [format!("[a=1, now b=x,a=1] {LESS}"), format!("[a=1, now b=y,a=1] {LESS}")];
    assert_eq!(kept.refused("{b: [x, y], a: [1, 2]}", &grown(OPEN, OPEN)), wanted);
    assert_eq!(kept.refused("{b: [x, y], a: [1, 2]}", &grown(HELD, OPEN)), Vec::<String>::new());
    assert_eq!(kept.cases(), ["b=x,a=1", "b=x,a=2", "b=y,a=1", "b=y,a=2"]);
}

#[test]
fn a_case_that_shrank_is_compared_with_all_that_it_was() {
    let pictures = [("a=1,b=x", HELD), ("a=1,b=y", OPEN), ("a=2,b=x", OPEN), ("a=2,b=y", OPEN)];
    let kept = Kept::of("{a: [1, 2], b: [x, y]}", &pictures);
    assert_eq!(kept.refused("{a: [1, 2]}", &[("a=1", OPEN), ("a=2", OPEN)]), [format!("[a=1,b=x, now a=1] {LESS}")]);
    assert_eq!(kept.refused("", &[("", OPEN)]), [format!("[a=1,b=x, now without a matrix] {LESS}")]);
    // A value is gone with the variable that came after it.
    let gone = ["[a=2,b=x] the case is gone", "[a=2,b=y] the case is gone"];
    assert_eq!(kept.refused("{a: [1]}", &[("a=1", HELD)]), gone);
    assert_eq!(kept.refused("", &[("", HELD)]), Vec::<String>::new());
    assert_eq!(kept.cases(), [""]);
}

#[test]
fn variables_in_another_order_or_with_other_names_are_the_same_cases() {
    let kept = Kept::of(
        "{a: [1, 2], b: [2, 1]}",
        &[("a=1,b=2", HELD), ("a=2,b=1", OPEN), ("a=1,b=1", OPEN), ("a=2,b=2", OPEN)],
    );
    let pictures = |held| [("b=2,a=1", held), ("b=1,a=2", OPEN), ("b=1,a=1", OPEN), ("b=2,a=2", OPEN)];
    let matrix = "{b: [1, 2], a: [1, 2]}";
    assert_eq!(kept.refused(matrix, &pictures(OPEN)), [format!("[a=1,b=2, now b=2,a=1] {LESS}")]);
    assert_eq!(kept.refused(matrix, &pictures(HELD)), Vec::<String>::new());
    let pictures = |held| [("b=2,c=1", held), ("b=1,c=2", OPEN), ("b=1,c=1", OPEN), ("b=2,c=2", OPEN)];
    let matrix = "{b: [1, 2], c: [1, 2]}";
    assert_eq!(kept.refused(matrix, &pictures(OPEN)), [format!("[b=2,a=1, now b=2,c=1] {LESS}")]);
    assert_eq!(kept.refused(matrix, &pictures(HELD)), Vec::<String>::new());
}

#[test]
fn what_a_case_was_is_kept_until_every_case_that_it_became_has_a_picture() {
    let kept = Kept::of("", &[("", HELD)]);
    let matrix = "{a: [1, 2]}";
    assert_eq!(kept.refused(matrix, &[("a=2", HELD)]), Vec::<String>::new());
    assert_eq!(kept.cases(), ["", "a=2"]);
    // The others are not said to be wrong for it.
    let cases = [Some("a=2".to_owned()), Some("a=1".to_owned())];
    assert_eq!(kept.store.compare("area/one", Some("a=2"), HELD, &cases), Comparison::Same);
    assert_eq!(kept.store.compare("area/one", Some("a=1"), HELD, &cases), Comparison::Missing);
    assert_eq!(kept.refused(matrix, &[("a=1", OPEN)]), [format!("[now a=1] {LESS}")]);
    assert_eq!(kept.refused(matrix, &[("a=1", HELD)]), Vec::<String>::new());
    assert_eq!(kept.cases(), ["a=1", "a=2"]);
}

#[test]
fn a_snapshot_that_cannot_be_read_is_not_replaced() {
    let kept = Kept::of("", &[("", HELD)]);
    let file = kept.folder.path().join("area/one.snap");
    fs::write(&file, b"\xff").expect("written");
    let error = kept.update("", &[("", OPEN)], true).expect_err("refused");
    assert!(error.to_string().contains("one.snap: stream did not contain valid UTF-8"), "{error}");
    assert_eq!(fs::read(&file).expect("read"), b"\xff");
}
