# One word per chore. `make` lists them.

GO ?= go
export CGO_ENABLED ?= 0
FUZZTIME ?= 1m
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## install what is missing, run every suite with real peers, and count
	@bash testdata/suite.sh

peers: ## what takes too long for make test: the puppetservers of Puppet 7 and 8
	@bash testdata/peers.sh

quick: ## go test ./..., which needs nothing but Go
	$(GO) test ./...

build: ## the static binary for this machine
	$(GO) build -trimpath -ldflags='-s -w' -o muster .

platforms: ## build for every platform muster runs on
	@set -e; for p in $(PLATFORMS); do echo "build $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -o /dev/null .; done

check: fmt-check vet lint ## what a reviewer would ask first
vet: ## go vet, with the real-peer suites too
	$(GO) vet ./... && $(GO) vet -tags peers ./...
fmt-check: ## every file is as gofmt writes it
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change: $$out"; exit 1; }
lint: ## golangci-lint and staticcheck, at pinned versions
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

docs: ## rewrite the generated documents
	$(GO) run . reference > docs/cli.md
	$(GO) run . reference --openapi > docs/openapi.json
golden: ## rewrite golden files with what the code says now
	$(GO) test $$(grep -rl 'flag.Bool("update"' --include='*_test.go' . | xargs -n1 dirname | sort -u) -update

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
		echo "$$t in $$(dirname $$f)"; $(GO) test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f); done; done

puppetdb: ## 2,000 questions to a real PuppetDB and to us; needs Debian's puppetdb and postgresql, and some minutes
	$(GO) test -tags puppetdb -timeout 20m -v -run AgainstPuppetDB ./puppetfunc/pdb/shadow $(RECORD)

bench: ## measure what docs/performance.md promises, and write it anew (half an hour)
	$(GO) run ./internal/bench -o docs/performance.md

.PHONY: puppetdb help test peers quick build platforms check vet fmt-check lint docs golden fuzz bench
