use super::*;

const RUNTIME: &str = "crates/kcl-runtime/src/driver.rs";
const OTHER: &str = "crates/kcl-dynamo/src/row.rs";

fn shown(path: &str, source: &str) -> Vec<String> {
    check(path, source).iter().map(ToString::to_string).collect()
}

#[test]
fn clean_code_passes() {
    assert_eq!(shown(RUNTIME, "//! Reads.\n\nfn read(env: &dyn Env) -> Mono {\n    env.now()\n}\n"), Vec::<String>::new());
}

#[test]
fn an_unfinished_mark_is_found_in_code_and_comment_but_not_in_text() {
    assert_eq!(shown(OTHER, "// TODO later\n"), [format!("{OTHER}:1: error: has `TODO`: finish it or take it out")]);
    assert_eq!(shown(OTHER, "fn a() {\n    dbg!(1);\n}").len(), 1);
    assert_eq!(shown(OTHER, "fn a() {\n    unimplemented!()\n}").len(), 1);
    assert_eq!(shown(OTHER, "const A: &str = \"TODO FIXME\";"), Vec::<String>::new());
    assert_eq!(shown(OTHER, "const TODOS: u32 = 1;"), Vec::<String>::new());
}

#[test]
fn a_banned_call_is_found_only_in_product_code_of_core_and_runtime() {
    let source = "fn a() {\n    let now = std::time::Instant::now();\n}\n";
    assert_eq!(shown(RUNTIME, source), [format!("{RUNTIME}:2: error: has `Instant::now`: take it from kcl_runtime::Env")]);
    assert_eq!(shown("crates/kcl-core/src/lease.rs", source).len(), 1);
    for path in [
        OTHER,
        "crates/kcl-runtime/src/tokio_env.rs",
        "crates/kcl-runtime/src/tokio_env/clock.rs",
        "crates/kcl-runtime/tests/driver.rs",
        "crates/kcl-runtime/src/driver/tests.rs",
    ] {
        assert_eq!(shown(path, source), Vec::<String>::new(), "{path}");
    }
    let in_tests = format!("#[cfg(test)]\nmod tests {{\n{source}}}\n");
    assert_eq!(shown(RUNTIME, &in_tests), Vec::<String>::new());
    assert_eq!(shown(RUNTIME, "/// Never calls `Instant::now`.\nfn a() {}\n"), Vec::<String>::new());
}

#[test]
fn every_banned_call_is_found() {
    for call in BANNED_CALLS {
        assert_eq!(shown(RUNTIME, &format!("fn a() {{ {call}(); }}")).len(), 1, "{call}");
    }
}

#[test]
fn a_longer_name_is_not_the_banned_one() {
    assert_eq!(shown(RUNTIME, "use rand::rngs::ChaCha8Rng;\nuse tokio::sync;\nfn respawn() {}\n"), Vec::<String>::new());
}

#[test]
fn a_test_that_does_not_run_or_asserts_nothing_is_found_in_any_file() {
    for attribute in ["ignore", "ignore = \"slow\"", "should_panic", "should_panic(expected = \"a\")"] {
        let source = format!("#[test]\n#{}{attribute}]\nfn a() {{}}\n", "[");
        assert_eq!(shown("crates/kcl-dynamo/tests/rows.rs", &source).len(), 1, "{attribute}");
        assert_eq!(shown(OTHER, &source).len(), 1, "{attribute}");
    }
}

#[test]
fn length_is_judged_without_unit_tests() {
    let lines = |count: usize| "fn a() {}\n".repeat(count);
    assert_eq!(shown(OTHER, &lines(350)), Vec::<String>::new());
    assert_eq!(shown(OTHER, &lines(351)), [format!("{OTHER}:351: warning: is long: lines=351 questioned_over=350")]);
    assert_eq!(shown(OTHER, &lines(501)), [format!("{OTHER}:501: error: is too long: lines=501 allowed=500")]);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(300), lines(400));
    assert_eq!(shown(OTHER, &tested), Vec::<String>::new());
    assert_eq!(shown("crates/kcl-dynamo/tests/rows.rs", &lines(600)), Vec::<String>::new());
}

#[test]
fn a_crate_root_stays_short() {
    let root = "crates/kcl-dynamo/src/lib.rs";
    assert_eq!(shown(root, &"//! a\n".repeat(150)), Vec::<String>::new());
    assert_eq!(shown(root, &"//! a\n".repeat(151)), [format!("{root}:151: error: is too long: lines=151 allowed=150")]);
}
