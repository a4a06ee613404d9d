#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# profile.sh [KERNEL [MODE [LOAD]]] - which functions the instructions go to
#
# Runs the same guest twice, the second time with twice the connections; the
# difference is what a connection costs, function by function, exactly and
# without boot and set-up. MODE as in cost.sh (nfsync), LOAD are options of
# flow ("-c 16 -e": connections of six packets). Prints the functions of the
# module, then the rest of the kernel by what MODE adds to "none". With the
# LOAD "bulk" it is a state in a bulk transfer, MODE as in bulk-cost.sh, and
# the rest of the kernel what it adds to "told".

set -uo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

KERNEL=${1:-6.12}
MODE=${2:-nfsync}
LOAD=${3:--c 16 -e}
CONNS=${CONNS:-1000}
BASE=none
[ "$LOAD" != bulk ] || BASE=told
BUILT=$TOP_DIR/build/$KERNEL/profile
PLUGIN=$BUILT/insns.so
mkdir -p "$BUILT"
make -s -C "$TOP_DIR/selftests/bin" || exit 1
${CC:-cc} -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -shared -fPIC \
	-o "$PLUGIN" "$TOP_DIR/selftests/bench/insns.c" || exit 1

# guest_command MODE NUMBER
guest_command()
{
	if [ "$LOAD" = bulk ]; then
		echo "/selftests/bench/bulk-cost.sh profile $1:$2"
	else
		echo "NFSYNC_LOAD='$LOAD' NFSYNC_CONNS=$2" \
			"/selftests/bench/cost.sh profile $1"
	fi
}

# count MODE TIMES: the blocks of one guest, and its symbols
count()
{
	local name=$1.$2

	QEMU_EXTRA="-plugin $PLUGIN,out=$BUILT/$name.blocks" ICOUNT=1 SMP=1 \
		"$LAB_DIR/boot.sh" -t 3600 "$KERNEL" \
		"$(guest_command "$1" $((CONNS * $2)))" > "$BUILT/$name.out" ||
		die "the guest failed, see $BUILT/$name.out"
	sed -n '/^begin-symbols$/,/^end-symbols$/p' "$BUILT/$name.out" |
		sed '1d;$d' | base64 -d | gzip -d > "$BUILT/$name.symbols"
}

# sums RUN: "NAME INSTRUCTIONS" of a whole guest, names of the module with a
# mark. Each guest has its own symbols: modules do not always come to the same
# place.
sums()
{
	{
		awk '{ print $1, "0", $3 ($4 == "[nfsync]" ? "@" : "") }' \
			"$BUILT/$1.symbols"
		awk '{ print $1, "1", $2 * $3 }' "$BUILT/$1.blocks"
	} | awk '{ while (length($1) < 16) $1 = "0" $1; print }' |
	LC_ALL=C sort -k1,1 -k2,2 | awk '
	$2 == "0" { name = $3; next }
	$1 < "ffff" { name = "user-space" }
	{ sum[name] += $3 }
	END { for (f in sum) printf "%s %.0f\n", f, sum[f] }' |
	LC_ALL=C sort
}

# functions MODE: the same a connection
functions()
{
	LC_ALL=C join -a 1 -a 2 -e 0 -o 0,1.2,2.2 <(sums "$1.1") \
		<(sums "$1.2") | awk -v n="$CONNS" '
		$3 - $2 > n || $2 - $3 > n {
			printf "%s %.0f\n", $1, ($3 - $2) / n
		}'
}

for mode in "$BASE" "$MODE"; do
	# REPORT=1: the guests have run before
	if [ -z "${REPORT:-}" ]; then
		count "$mode" 1
		count "$mode" 2
	fi
	functions "$mode" > "$BUILT/$mode.functions"
done

echo "Instructions a connection ($LOAD), Linux $KERNEL, $MODE"
echo
grep '@' "$BUILT/$MODE.functions" | sort -k2 -nr | awk '
	{ sub("@", "", $1); printf "%10d  %s\n", $2, $1; sum += $2 }
	END { printf "%10d  the module in all\n\n", sum }'
echo "Added elsewhere:"
LC_ALL=C join -a 1 -a 2 -e 0 -o 0,1.2,2.2 "$BUILT/$BASE.functions" \
	"$BUILT/$MODE.functions" | grep -v '@' |
	awk '{ d = $3 - $2; sum += d; print d, $1 }
	END { print sum, "everything-outside-the-module" }' | sort -nr |
	awk '$1 >= 50 { printf "%10d  %s\n", $1, $2 }' | head -n 60
