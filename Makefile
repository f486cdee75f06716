# All tasks of this repository. CI runs only these targets.
SHELL := /bin/bash
LINT_VERSION := v2.15.0
DEADCODE_VERSION := v0.52.0
LISTEN ?= 127.0.0.1:8080
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: build
build: ## Build bin/halcyon
	go build -o bin/halcyon ./cmd/halcyon

.PHONY: demo
demo: build ## Run a whole cloud on this machine (LISTEN=127.0.0.1:8080)
	bin/halcyon demo --listen $(LISTEN)

.PHONY: test
test: build ## Run all tests on SQLite and PostgreSQL, with a browser, a terminal, Node's and Python's clients, and the tour
	scripts/with-postgres.sh scripts/with-node.sh scripts/with-chromium.sh scripts/with-python.sh scripts/with-tmux.sh scripts/with-curl.sh go test -timeout 40m -parallel 4 ./...
	scripts/tour.sh

.PHONY: test-sqlite
test-sqlite: ## Run the tests on SQLite only, without installing anything
	go test -timeout 40m ./...

.PHONY: race
race: ## Run the concurrency tests under the race detector (needs a C compiler)
	@# checkptr is off: it is most of the time in SQLite, which is C translated to Go
	CGO_ENABLED=1 scripts/with-postgres.sh go test -race -gcflags=all=-d=checkptr=0 ./hal/... ./pkg/...

.PHONY: clients
clients: ## Run the clients of testdata/clients and the sample client against a demo
	scripts/with-node.sh scripts/with-python.sh scripts/with-curl.sh go test ./cmd/halcyon/e2e -run 'TestNPMClients|TestSampleClient|TestShellClient' -count=1 -v

.PHONY: browser
browser: ## Test the pages in Chromium
	scripts/with-chromium.sh go test ./cmd/halcyon/e2e -run 'TestBrowser' -count=1 -v

.PHONY: screenshots
screenshots: ## Take the screenshots of docs/images
	scripts/screenshots.sh

.PHONY: tour
tour: build ## Run and check the README's tour
	scripts/with-curl.sh scripts/tour.sh

.PHONY: bench
bench: build ## Measure against the hand-written reference (ARGS=--big for a million servers)
	go run ./cmd/bench $(ARGS)

.PHONY: chaos
chaos: build ## Kill the server repeatedly while it works (ARGS="--orders 1000 --kills 50")
	scripts/with-postgres.sh go run ./cmd/chaos $(ARGS)

.PHONY: lint
lint: bin/golangci-lint-$(LINT_VERSION) bin/deadcode-$(DEADCODE_VERSION) ## Check the code's style, the dependency rule, and that everything is used
	bin/golangci-lint-$(LINT_VERSION) run ./...
	@echo 'functions that nothing calls:'
	@! bin/deadcode-$(DEADCODE_VERSION) -test ./... | grep . # deadcode itself exits with 0
	go run ./scripts/exports

bin/golangci-lint-$(LINT_VERSION):
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

bin/deadcode-$(DEADCODE_VERSION):
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod go install golang.org/x/tools/cmd/deadcode@$(DEADCODE_VERSION)
	mv bin/deadcode $@

.PHONY: fmt
fmt: bin/golangci-lint-$(LINT_VERSION) ## Format the code
	bin/golangci-lint-$(LINT_VERSION) fmt ./...

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (10s)
	@for p in $$(grep -rlE '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -hoE '^func Fuzz[A-Za-z]+' $$p/*_test.go | cut -d' ' -f2); do \
			echo "$$p $$f"; go test $$p -run=NONE -fuzz="^$$f\$$" -fuzztime=$${FUZZTIME:-10s} || exit 1; \
		done; done

.PHONY: golden
golden: ## Rewrite the expected documents of the behavior scripts
	scripts/with-postgres.sh scripts/with-tmux.sh go test ./cmd/halcyon/e2e -update

.PHONY: clean
clean: ## Remove build results
	rm -rf bin
