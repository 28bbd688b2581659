# Everything a newcomer needs: `make run` and `make test`. Both get PostgreSQL
# first when the machine has none.

SHELL := /bin/bash

# A shell without Go in its PATH (su, cron, CI) finds it where its installer puts it.
GO ?= $(shell command -v go || echo /usr/local/go/bin/go)
GOFMT := $(dir $(GO))gofmt

# Go keeps its caches below HOME; a shell without one gets a place of its own.
ifeq ($(HOME),)
export HOME := /tmp/zurnals-home-$(shell id -u)
endif

# The race detector needs a C compiler. CC may be more than one word.
CC_FOUND := $(shell command -v $(firstword $(shell $(GO) env CC)) 2>/dev/null)
ifneq ($(CC_FOUND),)
RACE := -race
test-go: export CGO_ENABLED := 1
endif

# One PostgreSQL server for all test processes.
WITH_PG := $(GO) run ./internal/pgtest/run

.PHONY: setup build run tour test check test-go test-18 soak trace bench clean

## setup: get the PostgreSQL server if this machine has none
setup:
	@$(GO) run ./internal/setup

build:
	@$(GO) build -o bin/zurnals ./cmd/zurnals

## run: serve on http://127.0.0.1:8080 with demo data; ARGS="…" are added
run: setup build
	@exec bin/zurnals serve --dev $(ARGS)

## tour: the program's main job once, on a fresh database
tour: setup build
	@bin/zurnals tour

## test: everything CI runs
test: check test-go tour

check:
	@unformatted=$$($(GOFMT) -l .); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

test-go: setup
ifeq ($(RACE),)
	@echo "No C compiler: the tests run without the race detector."
endif
	$(WITH_PG) $(GO) test $(RACE) -timeout 10m ./...

## test-18: what depends on the server, with the newest PostgreSQL we serve
test-18:
	@bin=$$($(GO) run ./internal/setup -npm) && echo "PostgreSQL in $$bin" && \
	  ZURNALS_PG_BIN=$$bin $(WITH_PG) $(GO) test -timeout 10m ./internal/embedpg ./migrations ./eventstore/... ./projections/...

## soak: minutes of faults, see internal/soak; SOAK=30m for longer
SOAK ?= 3m
soak: setup
	ZURNALS_SOAK=$(SOAK) $(GO) test -count=1 -timeout 24h -v -run 'TestNothingAcknowledgedIsEverLost|TestAServerUnderFaults|TestADiskThatIsFull' ./internal/soak ./cmd/zurnals

## trace: which requirements the tests show
trace: setup
	@rm -f trace.tsv
	ZURNALS_TRACE=$(CURDIR)/trace.tsv $(WITH_PG) $(GO) test -count=1 ./...
	@$(GO) run ./internal/trace/report trace.tsv

## bench: the benchmarks, on a server with fsync; appends and the staff directory into docs/benchmarks.md
bench: setup
	internal/bench/peers.sh
	$(GO) run ./internal/bench -report docs/benchmarks.md
	$(GO) run ./internal/bench directory -rounds 5 -report docs/benchmarks.md
	$(WITH_PG) -durable $(GO) test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf bin trace.tsv
