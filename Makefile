# The one entry point. `make` says what there is.

# Static: the same file runs on the host, in an empty container and as a guest's first process.
TARGET   := $(shell rustc -vV | sed -n 's/^host: //p')
OUT      := $(or $(CARGO_TARGET_DIR),target)
AGENT    := $(OUT)/$(TARGET)/release/tierprobe-agent
COLLECTOR := $(OUT)/$(TARGET)/release/tierprobe-collector
REFERENCE := $(OUT)/$(TARGET)/release/reference
STATIC   := RUSTFLAGS="-C target-feature=+crt-static"
KERNEL   := $(if $(wildcard out/guest-kernel/boot/vmlinuz-*),--kernel out/guest-kernel)

.DEFAULT_GOAL := help
.PHONY: help build demo check test golden bench accuracy alike calibration fuzz clean bench-collector

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

# Each by itself: the agent is smaller without what the collector asks of crates that both have.
build: ## Build the agent and the collector, static, for release
	@echo "==> building"
	$(STATIC) cargo build --locked --release --target $(TARGET) -p tierprobe-agent
	$(STATIC) cargo build --locked --release --target $(TARGET) -p tierprobe-collector

demo: ## Start real tiers on this machine, compare them, print the table, write out/lab.json
	@tests/tools.sh demo
	@$(MAKE) --no-print-directory build
	@mkdir -p out
	@$(MAKE) --no-print-directory lab

# A second make, so that the wildcard in KERNEL sees what tools.sh unpacked.
.PHONY: lab
lab:
	@echo "==> comparing tiers, about five and a half minutes"
	$(COLLECTOR) lab --tier process,runc,bwrap,qemu --for 4m $(KERNEL) --agent $(AGENT) --output out/lab.json

check: ## Formatting, lints, documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet

test: ## Everything, end to end included
	@tests/tools.sh test
	@$(MAKE) --no-print-directory build
	$(MAKE) --no-print-directory check
	TIERPROBE_AGENT=$(abspath $(AGENT)) TIERPROBE_COLLECTOR=$(abspath $(COLLECTOR)) cargo test --locked --workspace

golden: ## Write the golden files and METRICS.md anew
	TIERPROBE_GOLDEN=write cargo test --locked -p tierprobe-tests --test exposition --test rules
	TIERPROBE_GOLDEN=write cargo test --locked -p tierprobe-collector --lib serve::metrics

bench: ## Measure what the agent costs beside its peers, twelve minutes; writes agent/BUDGET.md
	@tests/tools.sh bench
	@$(MAKE) --no-print-directory build
	cargo run --locked --release -p tierprobe-tests --bin bench -- budget --agent $(AGENT) --write agent/BUDGET.md

accuracy: ## Measure beside the tools that people trust, twenty minutes; writes agent/ACCURACY.md and the ratios in agent/METHODOLOGY.md
	@tests/tools.sh accuracy
	@$(MAKE) --no-print-directory build
	$(STATIC) cargo build --locked --release --target $(TARGET) -p tierprobe-tests --bin reference --bin hog
	cargo run --locked --release -p tierprobe-tests --bin bench -- accuracy --agent $(AGENT) --reference $(REFERENCE) --write agent/ACCURACY.md --methodology agent/METHODOLOGY.md

alike: ## Compare an agent with itself, ten minutes; writes agent/ACCURACY.md
	@$(MAKE) --no-print-directory build
	cargo run --locked --release -p tierprobe-tests --bin bench -- alike --agent $(AGENT) --write agent/ACCURACY.md

calibration: ## Simulate fleets with known ratios, four minutes; writes collector/CALIBRATION.md
	@echo "==> simulating fleets"
	cargo run --locked --release -p tierprobe-tests --bin calibration -- --write collector/CALIBRATION.md

bench-collector: ## Measure what the collector costs, fifteen minutes; writes collector/BENCH.md
	@tests/tools.sh test
	@$(MAKE) --no-print-directory build
	TIERPROBE_COLLECTOR=$(abspath $(COLLECTOR)) cargo run --locked --release -p tierprobe-tests --bin bench -- collector --write collector/BENCH.md

# Coverage comes by options of the stable compiler; only the sanitizers would need another one.
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1
FUZZ_TARGETS := exposition open_metrics scrape record packed targets access answer rounds question words
FUZZ_SECONDS ?= 60

fuzz: ## Fuzz each parser for FUZZ_SECONDS; what it finds is in out/fuzz
	@echo "==> fuzzing $(FUZZ_TARGETS), $(FUZZ_SECONDS) s each"
	RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_PANIC=unwind CARGO_PROFILE_RELEASE_STRIP=none \
		cargo build --locked --release --target $(TARGET) --target-dir out/fuzz/target -p tierprobe-fuzz --features libfuzzer
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p out/fuzz/corpus/$$target out/fuzz/found/$$target; \
		TIERPROBE_FUZZ=$$target out/fuzz/target/$(TARGET)/release/tierprobe-fuzz -max_total_time=$(FUZZ_SECONDS) -timeout=5 \
			-rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=out/fuzz/found/$$target/ \
			out/fuzz/corpus/$$target tests/fuzz/seeds/$$target || exit 1; \
	done

clean: ## Remove what was built and unpacked
	cargo clean
	rm -rf out
