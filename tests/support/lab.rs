//! For tests that make containers.

/// Whether containers can be made here, as root or as an ordinary user; where not, the test says so and is over. Must it run, it
/// fails. `also` is what else may stand in the way of this test.
pub(crate) fn runs_unless(also: impl FnOnce(&caplab::host::Machine) -> Option<String>) -> bool {
    let machine = caplab::host::Machine::probe(false);
    let obstacle = machine.obstacle.as_ref().map(|obstacle| obstacle.reason()).or_else(|| also(&machine));
    assert!(obstacle.is_none() || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "{obstacle:?}");
    if let Some(why) = &obstacle {
        println!("not run: {why}");
    }
    obstacle.is_none()
}
