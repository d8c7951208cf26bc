#!/usr/bin/env bash
# make test: installs what is missing, runs every suite, counts. See CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -mod=readonly"
leftout=()

missing() { # the packages of packages.txt that this machine lacks
	sed 's/#.*//' testdata/packages.txt | while read -r p; do
		[ -z "$p" ] || dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || echo "$p"
	done
}

peers=no
if command -v dpkg-query >/dev/null; then
	need=$(missing)
	if [ -n "$need" ] && [ "$(id -u)" = 0 ]; then
		echo "installing:" $need
		apt-get -qq -o DPkg::Lock::Timeout=600 update
		DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $need >/dev/null
		need=$(missing)
	fi
	if [ -z "$need" ]; then peers=yes; else leftout+=("real peers: these packages are missing and only root can install them: $(echo $need)"); fi
else
	leftout+=("real peers: the packages of testdata/packages.txt are Debian's, and this is another system")
fi
[ -n "${MUSTER_MONGO:-}" ] || leftout+=("a real MongoDB: MUSTER_MONGO names none (FerretDB stands in)")

leftout+=("the puppetservers of Puppet 7 and 8: make peers runs them" "a PuppetDB that runs: make puppetdb asks it (its recorded answers stand in)")

race=yes
command -v gcc >/dev/null || { race=no; leftout+=("the race detector: there is no C compiler"); }

unformatted=$(gofmt -l $(git ls-files '*.go'))
[ -z "$unformatted" ] || { echo "gofmt would change: $unformatted"; exit 1; }
tags=(); [ $peers = no ] || tags=(-tags peers)
go vet "${tags[@]}" ./...
go vet -tags puppetdb,puppetserver ./puppetfunc/... # what is left out must build
go build -o /dev/null . # this platform shares its cache with the tests
make -s platforms PLATFORMS="linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"

args=(); for l in "${leftout[@]}"; do args+=(-left-out "$l"); done
set +e
{
	go test -json -timeout 15m "${tags[@]}" ./...
	[ $race = no ] || CGO_ENABLED=1 go test -json -race -timeout 10m \
		-run 'Acknowledged|SideBySide|Daemon|Registry|ReadYourWrites|MemoryStore|Register|Shutdown|Slow|Publish|Subscriptions|Shared|AtOnce|Cancel|Receipts' \
		./registry ./internal/bus ./internal/wire ./agent
} | go run ./internal/tally "${args[@]}"
status=("${PIPESTATUS[@]}")
set -e
[ "${status[1]}" = 0 ] || exit 1
changed=$(git status --porcelain)
[ -z "$changed" ] || { echo "the suites changed the tree: $changed"; exit 1; }
