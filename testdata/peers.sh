#!/usr/bin/env bash
# make peers: what takes too long for make test. Real puppetservers of Puppet 7 and
# 8, that one in a folder with Debian 13 that is made once. As root, on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -mod=readonly"
export MUSTER_PUPPET8="${MUSTER_PUPPET8:-${XDG_CACHE_HOME:-$HOME/.cache}/muster/debian13}"

need=$(sed 's/#.*//' testdata/packages.txt testdata/packages-peers.txt | while read -r p; do
	[ -z "$p" ] || dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || echo "$p"
done)
if [ -n "$need" ]; then
	echo "installing:" $need
	apt-get -qq -o DPkg::Lock::Timeout=600 update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $need >/dev/null
fi
if [ ! -x "$MUSTER_PUPPET8/usr/bin/puppet" ]; then
	mkdir -p "$MUSTER_PUPPET8"
	debootstrap --variant=minbase --include=puppet-agent trixie "$MUSTER_PUPPET8" >/dev/null
fi
if [ ! -e "$MUSTER_PUPPET8/usr/share/puppetserver/puppetserver.jar" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$MUSTER_PUPPET8/usr/sbin/policy-rc.d" # nothing is started there
	chmod 755 "$MUSTER_PUPPET8/usr/sbin/policy-rc.d"
	unshare --mount-proc="$MUSTER_PUPPET8/proc" chroot "$MUSTER_PUPPET8" sh -ec 'apt-get -qq update
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends puppetserver puppet-terminus-puppetdb >/dev/null'
fi
go test -timeout 60m -tags "peers puppetserver" -run 'Puppetserver|Puppet8' -v ./puppetfunc
