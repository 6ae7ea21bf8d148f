# Every command of the project, in one place.

# What CI runs.
check:
    bash .ci/run

# All tests; arguments go to the test runner.
test *args:
    ./scripts/test {{args}}

# Formatting, clippy, dependencies.
lint:
    ./scripts/lint

# The model, on ONNX Runtime from PyPI; arguments go to the test runner.
model *args:
    ./scripts/model {{args}}

# The page in a headless Chromium; arguments go to the test runner.
browser *args:
    ./scripts/browser {{args}}

# Kubernetes resources, systemd units, the compose file and GitHub workflows against their schemas.
manifests:
    ./scripts/manifests

# cargo install, by path and from a Git repository.
install-test:
    ./scripts/install-test

# What a release carries, in target/package.
package:
    ./scripts/package

# What the demo prints, as docs/demo.svg.
demo-image:
    ./scripts/demo-image

# The containers, end to end.
compose-test:
    ./scripts/compose-test

# Recorded sessions through the real programs, with the table.
replay:
    cargo build --workspace --bins --locked
    cargo test --package headroom-tests --test sessions --locked -- replay:: --include-ignored --nocapture

# Sessions of the real Claude Code and Codex CLI, with the tables; arguments go to the test runner.
real-clients *args:
    ./scripts/real-clients {{args}}

# How soon a burst of cold starts is compressed, with one worker and with more; arguments go to it (--help).
burst *args:
    cargo run --release --package headroom-tests --bin burst --locked -- {{args}}

# What the proxy adds to a request, beside a direct connection and nginx; arguments go to it (--help).
latency *args:
    cargo run --release --package headroom-tests --bin latency --locked -- {{args}}

# Tokens that compression removes from recorded outputs and sessions, and what agents still find in them; arguments go to it (--help).
quality *args:
    cargo run --release --package headroom-tests --bin quality --locked -- {{args}}

# What compressing new blocks adds to the hardest requests; arguments go to it (--help).
entry-budget *args:
    cargo run --release --package headroom-tests --bin entry-budget --locked -- {{args}}

# 20,000 jobs while workers, connections and redis-server are killed.
faults:
    cargo build --workspace --bins --locked
    cargo test --package headroom-tests --test queue --locked -- load:: --ignored --nocapture

# Sessions under every kind of fault, ten minutes or as long as --minutes says; arguments go to it (--help).
soak *args:
    cargo run --release --package headroom-tests --bin soak --locked -- {{args}}

# What the hot path takes: times on this machine; arguments go to the benches (such as scan, or --help).
bench *args:
    cargo bench --package headroom-proxy --bench hot_path --locked -- {{args}}

# How fast outputs are compressed, by kind; arguments go to the bench (--help).
bench-compress *args:
    cargo bench --package headroom-shared --bench compress --locked -- {{args}}

# How fast tokens are estimated; arguments go to the bench (--help).
bench-estimate *args:
    cargo bench --package headroom-shared --bench estimate --locked -- {{args}}

# What the hot path takes: instructions, as CI bounds them.
instructions:
    ./scripts/instructions

# Fuzzes string_end, scan, splice or turns until stopped; arguments go to libFuzzer (such as -max_total_time=60). Needs cargo-fuzz.
fuzz TARGET *args:
    mkdir -p target/fuzz-found/{{TARGET}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir proxy/fuzz --target-dir target/fuzz {{TARGET}} \
        target/fuzz-found/{{TARGET}} proxy/fuzz/corpus -- -dict=proxy/fuzz/json.dict {{args}}
