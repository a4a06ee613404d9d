#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vng.sh KERNEL [TEST...] - run the kselftests under virtme-ng, as KTAP
#
# virtme-ng boots the same stock kernel on a snapshot of this machine's own
# root, so the tests find the tools that are installed here. Nothing that the
# guest writes to that snapshot outlives it; results come back on its stdout.
# The modules and ours are gathered in build/vng/KERNEL first.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source-path=SCRIPTDIR source=kvm.sh
. "$LAB_DIR/kvm.sh"

[ $# -ge 1 ] || die "usage: vng.sh KERNEL [TEST...]"
KERNEL=$1
shift
VNG=$CACHE/virtme-ng
KVER=$(kernel_release "$KERNEL") || die "no Linux $KERNEL: run setup.sh"
OUT=$TOP_DIR/build/vng/$KERNEL
CONSOLE=$OUT/console.log
LIMIT=${GUEST_TIMEOUT:-1800}

# An image with modules beside it is what vng takes for an installed kernel.
# Hard links: depmod replaces its files and does not write into them.
gather()
{
	local from

	from=$(kernel_dir "$KERNEL")
	rm -rf "$OUT"
	mkdir -p "$OUT/lib/modules"
	cp -l "$from/vmlinuz" "$OUT/" 2>/dev/null ||
		cp "$from/vmlinuz" "$OUT/"
	cp -rl "$from/lib/modules/$KVER" "$OUT/lib/modules/" 2>/dev/null ||
		cp -r "$from/lib/modules/$KVER" "$OUT/lib/modules/"
	install -D -m 644 "$TOP_DIR/build/$KERNEL/nfsync.ko" \
		"$OUT/lib/modules/$KVER/updates/nfsync.ko"
	/sbin/depmod -b "$OUT" "$KVER"
}

# What the guest runs; the snapshot is the machine's, its settings are not.
guest_command()
{
	printf '%s; ' "export NFSYNC_GUEST=1" "export KSFT_LIB='$CACHE/kselftest'" \
		"export IP_LIB_DIR='$TOP_DIR/tools/ip'" \
		"export NFSYNC_SLOW='${NFSYNC_SLOW:-2}'" \
		"export PATH=/usr/sbin:/usr/bin:/sbin:/bin" \
		"mkdir -p /run/netns" "'$TOP_DIR/selftests/bin/stamp'"
	echo "'$TOP_DIR/selftests/run.sh' $*"
}

run_vng()
{
	local kvm=()

	[ "$(nfsync_accel)" = kvm ] || kvm=(--disable-kvm --disable-microvm)
	exec env PATH="$VNG/usr/bin:$PATH" \
		PYTHONPATH="$VNG/usr/lib/python3/dist-packages" \
		PYTHONDONTWRITEBYTECODE=1 \
		timeout "$LIMIT" vng -r "$OUT/vmlinuz" \
		"${kvm[@]}" --verbose --cpus 2 --memory 2G --user root \
		--cwd "$TOP_DIR" --exec "$(guest_command "$@")" \
		</dev/null 2>"$CONSOLE"
}

# speaks SECONDS: has it printed anything of the tests by then?
speaks()
{
	local i

	for ((i = 0; i < $1; i++)); do
		! grep -qa '^TAP version' "$OUT/ktap" || return 0
		kill -0 "$guest" 2>/dev/null || break
		sleep 1
	done
	grep -qa '^TAP version' "$OUT/ktap"
}

# An emulated machine does not always come up, see boot.sh
boot()
{
	local attempt guest

	for attempt in 1 2 3; do
		: >"$OUT/ktap"
		run_vng "$@" >"$OUT/ktap" &
		guest=$!
		! speaks 400 || break
		kill "$guest" 2>/dev/null
		wait "$guest"
		echo "# vng: boot $attempt came to no test"
	done
	wait "$guest"
}

[ -x "$VNG/usr/bin/vng" ] || die "no virtme-ng: run setup.sh vng"
[ $# -gt 0 ] || read -ra TESTS < <(make -s -C "$TOP_DIR/selftests" list)
[ $# -eq 0 ] || TESTS=("$@")
gather || die "cannot gather the modules of $KVER"
boot "${TESTS[@]}"
status=$?
cat "$OUT/ktap"
[ $status -le 1 ] || tail -n 30 "$CONSOLE" | sed 's/^/# /'
exit $status
