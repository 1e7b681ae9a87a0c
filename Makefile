# Two commands for a newcomer: `make demo` and `make test`. The rest is for those who stay.

CARGO ?= cargo
DEMO_ARGS ?=
OIDC_PROVIDER := testing/oidc-provider/node_modules/.package-lock.json

.PHONY: help demo web web-test web-e2e screenshots setup setup-build setup-browser setup-bench test conformance check formats bench-start bench-listeners bench-serve bench-identity bench-shadow bench-sim bench-release-day bench-trust bench-device bench-delta boards boards-check boards-test boards-powercut bench-boards esp32 esp32-check esp32-test fuzz deny proof proof-mutants mutants-survey

help:
	@echo 'make demo         the whole job on this machine, to be played with in a browser until Ctrl-C;'
	@echo '                  DEMO_ARGS=--auto presses Install itself and ends, --bad-release fails its self-test'
	@echo 'make test         all tests, on SQLite and PostgreSQL and in Chromium; installs what they need'
	@echo 'make conformance  the shadow service, asked by AWS'\''s clients and plain MQTT ones'
	@echo 'make formats      the signed documents and patches of docs/vectors, read by code that is not ours'
	@echo 'make check        every gate of CI: fmt, clippy, docs, tidy, tests'
	@echo 'make web          the pages, built into web/dist when a source is newer'
	@echo 'make web-e2e      the pages in Chromium against a real server and simulated devices'
	@echo 'make screenshots  the main pages, phone and desktop, light and dark, into docs/screenshots'
	@echo 'make bench-start  start-up time, idle memory, time of one update'
	@echo 'make bench-listeners  memory of 5,000 open event streams, and how fast one event reaches them'
	@echo 'make bench-serve  what sending images costs, fast and to 2,000 slow clients, beside nginx'
	@echo 'make bench-identity  what tokens, handshakes of devices and passwords cost, beside mosquitto'
	@echo 'make bench-shadow durable shadow updates a second, how long each waits and what a device costs,'
	@echo '                  beside bare brokers; BENCH_SHADOWS=100000 stores fewer than a million'
	@echo 'make bench-sim    what a simulated device costs, of a thousand in one process'
	@echo 'make bench-release-day  a thousand simulated devices take one update, by patch and by full image;'
	@echo '                  DEVICES=100 takes fewer'
	@echo 'make bench-trust  what the check of a release costs a device: instructions, bytes, code'
	@echo 'make bench-device what the whole agent costs a device: code, memory, writes, erases, bytes fetched again'
	@echo 'make bench-delta  bytes of patches between real images, beside bsdiff, xdelta3, zstd and detools;'
	@echo '                  OTARU_FIRMWARE_DIR names a folder with more: <name>-<version>.bin'
	@echo 'make fuzz         every decoder of outside bytes, SECONDS each (default 60)'
	@echo 'make deny         licences, sources and known holes of all dependencies (deny.toml)'
	@echo 'make proof        every way power can go in the whole life of a device, and LIVES random lives'
	@echo '                  under each bootloader (default 1000000); goes on where it was stopped'
	@echo 'make proof-mutants  builds faults into the device and shows which test sees each'
	@echo 'make mutants-survey  has cargo-mutants name every mutant of CRATE (device/slots, device/agent) and'
	@echo '                  shows which no test of it sees; FILES=otadata.rs of these alone'
	@echo 'make boards       firmware for boards, built for their chips; prints what it weighs'
	@echo 'make boards-test  the same, run in QEMU against a real server'
	@echo 'make boards-powercut  boards killed at N moments (300), and started again'
	@echo 'make esp32        the firmware as images for ESP32-C6 and ESP32-C3, read by esptool; what they weigh;'
	@echo '                  OTARU_FIRMWARE_VERSION=1.2.3 says which version they are'
	@echo 'make esp32-test   the same, handed to a real server'
	@echo 'make setup        install the Debian packages the above need, if missing'

# With --auto nobody opens a page.
demo: setup-build $(if $(filter --auto,$(DEMO_ARGS)),,web)
	$(CARGO) run --locked --package otaru -- demo $(DEMO_ARGS)

test: setup setup-browser web-test $(OIDC_PROVIDER)
	$(CARGO) xtask test
	testing/conformance/run.sh
	testing/formats/run.sh
	cd web && ../tools/npm.sh run e2e

conformance: setup
	$(CARGO) build --locked --workspace --bin otaru
	testing/conformance/run.sh $(TESTS)

formats: setup
	testing/formats/run.sh $(TESTS)

# A real identity provider, for the tests of the pages.
$(OIDC_PROVIDER): testing/oidc-provider/package.json testing/oidc-provider/package-lock.json | setup-build
	cd testing/oidc-provider && ../../tools/npm.sh ci

# Rust's own build never calls npm: it embeds what it finds in web/dist, or nothing.
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' \
	-not -path 'web/test-results/*' -not -path 'web/e2e/*' -not -path 'web/tests/*')
web: web/dist/index.html
web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && ../tools/npm.sh run build

web/node_modules/.package-lock.json: web/package.json web/package-lock.json | setup-build
	cd web && ../tools/npm.sh ci

web-test: web
	cd web && ../tools/npm.sh run check && ../tools/npm.sh test

# As a whole workspace, so that it is the program that the other tests run.
web-e2e: setup-browser web $(OIDC_PROVIDER)
	$(CARGO) build --locked --workspace --bin otaru
	cd web && ../tools/npm.sh run e2e

screenshots: setup-browser web
	$(CARGO) build --locked --workspace --bin otaru
	cd web && ../tools/npm.sh run screenshots

check: setup
	$(CARGO) xtask check

bench-start: setup-build
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --quiet --package otaru-bench -- start

bench-listeners: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- listeners

bench-identity: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- identity

bench-serve: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- serve

bench-shadow: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- shadow

bench-sim: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- sim

bench-release-day: setup-bench
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --release --quiet --package otaru-bench -- release-day

bench-trust: setup-bench
	$(CARGO) run --locked --quiet --package otaru-bench -- trust

# The life it measures runs with pointers as long as the chip's.
bench-device: setup-build
	@for target in $(ESP32C3_TARGET) i686-unknown-linux-musl; do \
		rustup target list --installed | grep --quiet --line-regexp $$target || rustup target add $$target || exit 1; \
	done
	$(CARGO) run --locked --quiet --package otaru-bench -- device

bench-delta: setup-bench
	$(CARGO) build --locked --release --package otaru-patches --example patch
	bench/delta/run.sh

SECONDS ?= 60
fuzz: setup-build
	$(CARGO) run --locked --release --package otaru-fuzz -- --seconds $(SECONDS)

# Advisories come from the network. A tool of its own: what it needs is not ours to ship.
deny: setup-build
	$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check
	cd device/boards && $(CARGO) deny --config ../../deny.toml check licenses bans sources

LIVES ?= 1000000
proof: setup-build
	$(CARGO) run --locked --profile proof --package otaru-sim-device -- --lives $(LIVES)

proof-mutants: setup-build
	CARGO='$(CARGO)' testing/sim-device/mutants/run.py

CRATE ?= device/slots
FILES ?=
mutants-survey: setup-build
	$(CARGO) mutants --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-mutants
	CARGO='$(CARGO)' testing/sim-device/mutants/survey.py $(CRATE) $(FILES)

BOARDS_TARGET := riscv32imac-unknown-none-elf
ESP32C3_TARGET := riscv32imc-unknown-none-elf
boards: setup-boards
	cd device/boards && $(CARGO) build --locked --release --package otaru-board-virt --target $(BOARDS_TARGET)
	cd device/boards && $(CARGO) build --locked --package otaru-board-rig --bins
	cd device/boards && $(CARGO) run --locked --quiet --package otaru-board-rig --bin sizes

boards-check: setup-boards
	cd device/boards && $(CARGO) fmt --all --check
	cd device/boards && $(CARGO) clippy --locked --release --package otaru-board-virt --package otaru-firmware \
		--target $(BOARDS_TARGET) -- --deny warnings
	cd device/boards && $(CARGO) clippy --locked --all-targets --package otaru-board-rig -- --deny warnings
	$(CARGO) rustc --locked --release --package otaru-c --crate-type staticlib --no-default-features \
		--features ed25519 --target $(ESP32C3_TARGET)

# One feature for each chip, and the instructions that it has.
ESP32_CHIPS := esp32c6:$(BOARDS_TARGET) esp32c3:$(ESP32C3_TARGET)
ESP32 := --locked --release --package otaru-board-esp32 --bins --examples
esp32: setup-boards
	for chip in $(ESP32_CHIPS); do \
		(cd device/boards && $(CARGO) build $(ESP32) --features $${chip%:*} --target $${chip#*:}) && \
		device/boards/images.sh $${chip%:*} $${chip#*:} || exit 1; \
	done
	cd device/boards && $(CARGO) test --locked --quiet --package otaru-board-rig --test esp32 -- --nocapture

esp32-test: esp32
	$(CARGO) build --locked --workspace --bin otaru
	cd device/boards && $(CARGO) test --locked --package otaru-board-rig --test esp32_server

# The chips differ in one function.
esp32-check: setup-boards
	cd device/boards && $(CARGO) clippy $(ESP32) --features esp32c6 --target $(BOARDS_TARGET) -- --deny warnings

# The server is that of the other workspace, as its own tests run it.
boards-test: boards
	$(CARGO) build --locked --workspace --bin otaru
	cd device/boards && $(CARGO) test --locked --lib --package otaru-board-virt --package otaru-firmware
	cd device/boards && $(CARGO) test --locked --package otaru-board-rig --lib --bins --test it

N ?= 300
boards-powercut: boards
	$(CARGO) build --locked --workspace --bin otaru
	cd device/boards && $(CARGO) run --locked --package otaru-board-rig --bin powercut -- --cuts $(N)

bench-boards: boards
	$(CARGO) build --locked --workspace --bin otaru
	cd device/boards && $(CARGO) run --locked --package otaru-board-rig --bin bench

setup-build:
	@tools/setup.sh build

setup: $(OIDC_PROVIDER)
	@tools/setup.sh test

setup-browser:
	@tools/setup.sh browser

setup-bench:
	@tools/setup.sh bench

setup-boards:
	@tools/setup.sh boards
	@for target in $(BOARDS_TARGET) $(ESP32C3_TARGET); do \
		rustup target list --installed | grep --quiet --line-regexp $$target || rustup target add $$target || exit 1; \
	done
