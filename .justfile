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
