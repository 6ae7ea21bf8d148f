# The one door to every command.

# What CI runs.
check:
    bash .ci/run

# All tests; arguments go to the test runner.
test *args:
    ./scripts/test {{args}}

# Formatting, clippy, dependencies.
lint:
    ./scripts/lint

# The containers, end to end.
compose-test:
    ./scripts/compose-test

# Recorded sessions through the real programs, with the table.
replay:
    cargo build --workspace --bins --locked
    cargo test --package headroom-tests --test replay --locked -- --nocapture

# How soon a burst of cold starts is compressed, with one worker and with more; arguments go to it (--help).
burst *args:
    cargo run --release --package headroom-tests --bin burst --locked -- {{args}}

# 20,000 jobs while workers, connections and redis-server are killed.
faults:
    cargo build --workspace --bins --locked
    cargo test --package headroom-tests --test queue_load --locked -- --ignored --nocapture
