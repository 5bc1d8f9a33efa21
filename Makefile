# What a developer and the gate run. `make help` lists it.

WEFT := target/debug/weft
WEFT_BENCH := $(or $(CARGO_TARGET_DIR),target)/release/weft
export CARGO_TERM_PROGRESS_WHEN := never

.PHONY: help build demo test lab-packages lint unit labs fuzz bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

build: ## Build the weft command
	cargo build --locked --bin weft

demo: build ## Run the whole pipeline on the example network in the emulated lab; no root needed
	tests/demo.sh $(WEFT)

test: lab-packages lint unit fuzz ## Everything: lints, unit tests, end-to-end tests, labs with real routers, fuzzing

lab-packages: ## Install FRR, BIRD and sshd, when root on Debian or Ubuntu
	@tests/lab-packages.sh

lint: ## Formatting, lock files and lints
	cargo fmt --all --check
	cargo metadata --locked --quiet --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	cargo clippy --locked --workspace --all-targets -- --deny warnings

# The labs wait for routers for most of their time.
unit: ## All tests; those that need what this machine lacks say what they skip
	RUST_TEST_THREADS=4 cargo test --locked --workspace

labs: lab-packages ## Real routers: every link of every lab cut in turn, the controller killed at every line of its journal: half an hour, as root
	cargo test --locked --workspace --test netns -- --ignored --test-threads 1 --nocapture

fuzz: ## A minute of fuzzing: what reads texts never panics, whatever the text is
	tests/fuzz.sh

bench: ## The figures of docs/benchmarks.md
	cargo bench --locked -p weft-intent --bench load
	cargo bench --locked --workspace --bench fat_tree --bench all_pairs --bench networks --bench scale
	cargo bench --locked -p weft-cli --bench push
	cargo build --locked --profile bench --bin weft
	@echo "weft validate on the example network, 20 times:"
	@bash -c 'time for _ in {1..20}; do $(WEFT_BENCH) -q validate; done'

clean: ## Remove what was built
	cargo clean
