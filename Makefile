# Two commands for a newcomer: `make demo` and `make test`. The rest is for those who stay.

CARGO ?= cargo
DEMO_ARGS ?=

.PHONY: help demo setup setup-build test check bench-start fuzz

help:
	@echo 'make demo         the whole job on this machine: server, devices, an update (DEMO_ARGS=--bad-release)'
	@echo 'make test         all tests, on SQLite and PostgreSQL; installs what they need'
	@echo 'make check        every gate of CI: fmt, clippy, docs, tidy, tests'
	@echo 'make bench-start  start-up time, idle memory, time of one update'
	@echo 'make fuzz         every decoder of outside bytes, SECONDS each (default 60)'
	@echo 'make setup        install the Debian packages the above need, if missing'

demo: setup-build
	$(CARGO) run --locked --package otaru -- demo --auto $(DEMO_ARGS)

test: setup
	$(CARGO) xtask test

check: setup
	$(CARGO) xtask check

bench-start: setup-build
	$(CARGO) build --locked --release --package otaru
	$(CARGO) run --locked --quiet --package otaru-bench -- start

SECONDS ?= 60
fuzz: setup-build
	$(CARGO) run --locked --release --package otaru-fuzz -- --seconds $(SECONDS)

setup-build:
	@tools/setup.sh build

setup:
	@tools/setup.sh test
