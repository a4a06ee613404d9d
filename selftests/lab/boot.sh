#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# boot.sh [-t SECONDS] [-l LOG] [-a CMDLINE] [-i] KERNEL COMMAND...
#
# Boots a guest of that kernel, runs COMMAND (shell text) in it with its
# output on our stdout, and exits with its exit status. The kernel's console
# goes to LOG. Fails as well, whatever COMMAND said, when
#   - the console shows a splat (exit 90),
#   - the guest ends without having reported a result (91),
#   - SECONDS pass (92),
#   - the emulator, not the kernel, ended the guest (93, see emulator_fault);
#     it is booted again as long as COMMAND has not said anything,
#   - the guest's clock was ahead of ours (93 as well, see clock_fault).
#
#   -i            interactive: COMMAND gets the terminal
#   KMEMLEAK=on   the debug kernel remembers each allocation, and needs twice
#                 the time for everything
#   SMP, MEM      processors and memory of the guest (2, 2G)
#   BOOT_LIMIT    seconds until its first process runs (150); it is booted again
#   ICOUNT=1      one instruction is one nanosecond, and two runs of the same
#                 thing are the same to the bit; the host's load is irrelevant
#   COVERAGE      file for the .gcda of a module that was built for it, a .tgz
#   QEMU_EXTRA    more options for qemu

set -uo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

SPLAT='BUG:|WARNING:|KASAN|KCSAN|KFENCE|UBSAN|possible (circular|recursive)'
SPLAT+='|suspicious RCU|unreferenced object|Oops|[Pp]anic|refcount_t'
SPLAT+='|waiting for .* to become free|INFO: task|INFO: rcu|rcu.*stall'
SPLAT+='|general protection|inconsistent lock|sleeping function'
SPLAT+='|enqueued on deprecated'
SPLAT+='|Unknown symbol|disagrees about version'
# What a clean boot says and only looks like a splat: the command line is
# echoed with panic=, and kfence and kcsan announce themselves.
NOISE='Command line:|Kernel command line:|kfence: initialized|kcsan: non-strict'

accel()
{
	if [ -n "${ICOUNT:-}" ]; then
		echo tcg,thread=single
	elif [ -r "$LAB_DIR/kvm.sh" ]; then
		# shellcheck source=/dev/null
		. "$LAB_DIR/kvm.sh"
		nfsync_accel
	else
		echo tcg,thread=multi
	fi
}

# The kernels that we build. With panic_on_warn KCSAN would panic of a race in
# the kernel's own code, which is none of ours; the console tells them apart.
debug_cmdline()
{
	local slow="log_buf_len=4M rcupdate.rcu_cpu_stall_timeout=300"

	case $KERNEL in
	debug) echo "$slow panic_on_warn=1 kmemleak=${KMEMLEAK:-off}" ;;
	kcsan) echo "$slow" ;;
	esac
}

qemu_args()
{
	local acc cpu=max append

	acc=$(accel)
	append="console=ttyS0 loglevel=5 oops=panic panic=-1 8250.nr_uarts=2"
	append+=" rcupdate.rcu_cpu_stall_timeout=60 net.ifnames=0"
	# a cache of its own for our objects, which can be counted then
	append+=" slab_nomerge"
	# an emulated one is the host's clock; what a busy host delays is the
	# look at it, and without it every look at the time costs
	append+=" tsc=nowatchdog"
	append+=" $(debug_cmdline)"
	[ "$acc" = kvm ] && cpu=host
	if [ -n "${ICOUNT:-}" ]; then
		cpu=qemu64
		append+=" nokaslr"
		ARGS+=(-icount "shift=0,sleep=off")
		ARGS+=(-rtc "base=2026-01-01,clock=vm")
	fi
	[ -n "$INTERACTIVE" ] && append+=" lab.shell"
	ARGS+=(-accel "$acc" -machine q35 -cpu "$cpu" -m "${MEM:-2G}")
	ARGS+=(-smp "${SMP:-2}" -display none -vga none -net none -no-reboot)
	ARGS+=(-nodefaults -kernel "$KDIR/vmlinuz" -initrd "$WORK/initrd")
	ARGS+=(-serial "file:$LOG" -append "$append $EXTRA_CMDLINE")
	if [ -n "$INTERACTIVE" ]; then
		ARGS+=(-chardev "stdio,id=out,signal=off" -serial chardev:out)
	else
		ARGS+=(-serial stdio)
	fi
	# shellcheck disable=SC2206 # several words are meant
	ARGS+=(${QEMU_EXTRA:-})
}

# The command rides in an archive of its own, behind the others.
make_initrd()
{
	"$LAB_DIR/initramfs.sh" "$KERNEL" "$WORK/initrd" || exit 1
	printf '%s\n' "$*" > "$WORK/command"
	(cd "$WORK" && echo command | cpio -o -H newc --quiet) \
		>> "$WORK/initrd"
}

# filter_result: pass the guest's output on, keep its result, and what of the
# module was run, for us
filter_result()
{
	local line

	while IFS= read -r line; do
		: > "$WORK/spoke"
		line=${line%$'\r'}
		if [[ $line == "guest-result "* ]]; then
			echo "${line#guest-result }" > "$WORK/result"
		elif [[ $line == "guest-coverage "* ]]; then
			echo "${line#guest-coverage }" >> "$WORK/coverage"
		else
			printf '%s\n' "$line"
		fi
	done
}

# watch_boot: a guest that does not come as far as its first process, before
# anything of ours is there, is ended. Now and then one processor of an
# emulated machine gets no timer interrupts from the beginning on.
watch_boot()
{
	local i

	for ((i = 0; i < BOOT_LIMIT; i++)); do
		sleep 1
		! grep -qa 'guest: .*up after' "$LOG" || return 0
	done
	: > "$WORK/unborn"
	pkill -f -- "-initrd $WORK/initrd"
}

run_guest()
{
	local watch began=$SECONDS

	if [ -n "$INTERACTIVE" ]; then
		qemu-system-x86_64 "${ARGS[@]}"
		return
	fi
	watch_boot &
	watch=$!
	timeout --foreground "$LIMIT" qemu-system-x86_64 "${ARGS[@]}" \
		< /dev/null 2> "$WORK/qemu.err" | filter_result
	local status=${PIPESTATUS[0]}
	TOOK=$((SECONDS - began))
	kill "$watch" 2> /dev/null
	[ "$status" -eq 124 ] && touch "$WORK/late"
	cat "$WORK/qemu.err" >&2
}

# console: what is of interest in it
console()
{
	tr -d '\r\000' < "$LOG" | awk -f "$TOP_DIR/selftests/kcsan.awk"
}

splats()
{
	console | grep -aE "$SPLAT" | grep -avE "$NOISE"
}

# Races in code that is not ours: no failure, and not to be overlooked
elsewhere()
{
	console | grep -aoE 'not in nfsync: .*' | sort | uniq -c |
		sed 's/^ */# kcsan, /' >&2
}

# emulator_fault: the guest died of a breakpoint that is not in its memory.
# The kernel patches its own code by way of a breakpoint, and with more than
# one thread qemu's TCG now and then executes it when it is gone: the oops says
# int3, and the byte before RIP is none (cc). A real one, such as a jump into
# the padding between functions, has it.
emulator_fault()
{
	local text code

	# Not through a pipe to what stops reading: who writes to it then fails,
	# now and then, and with it all of the pipe.
	text=$(console)
	[[ $text == *"Oops: int3"* ]] || return 1
	code=$(grep -a -m 1 'Code: ' <<< "$text")
	[[ $code == *"<"* && $code != *"cc <"* ]]
}

# clock_fault: the guest's clock went faster than ours, as now and then an emulated
# one does: five times as fast, so that every timeout in there came early and
# every answer late. Behind ours it always is, for it begins late.
clock_fault()
{
	local rc up

	[ -z "${ICOUNT:-}" ] && [ -s "$WORK/result" ] || return 1
	read -r rc up < "$WORK/result"
	[ "$up" -gt $((TOOK * 5 / 4 + 10)) ] || return 1
	echo "# guest: $up s by its clock, $TOOK s by ours (result $rc)" >&2
}

keep_coverage()
{
	if [ -n "${COVERAGE:-}" ] && [ -s "$WORK/coverage" ]; then
		base64 -d "$WORK/coverage" > "$COVERAGE"
	fi
}

verdict()
{
	if [ -e "$WORK/unborn" ]; then
		echo "# guest: no first process after $BOOT_LIMIT s" >&2
		tail -n 20 "$LOG" >&2
		return 92
	fi
	if emulator_fault || clock_fault; then
		return 93
	fi
	if [ -e "$WORK/late" ]; then
		echo "# guest: not finished after $LIMIT s" >&2
		tail -n 20 "$LOG" >&2
		return 92
	fi
	elsewhere
	if splats > "$WORK/splats"; then
		echo "# guest: the console shows:" >&2
		console | grep -aE -A 40 "$SPLAT" |
			grep -avE "$NOISE" | head -n 120 >&2
		return 90
	fi
	if [ ! -s "$WORK/result" ]; then
		echo "# guest: ended without a result" >&2
		tail -n 20 "$LOG" >&2
		return 91
	fi
	return "$(cut -d' ' -f1 "$WORK/result")"
}

LIMIT=600
LOG=
EXTRA_CMDLINE=
INTERACTIVE=
while getopts "t:l:a:i" opt; do
	case $opt in
	t) LIMIT=$OPTARG ;;
	l) LOG=$OPTARG ;;
	a) EXTRA_CMDLINE=$OPTARG ;;
	i) INTERACTIVE=1 ;;
	*) die "see the top of $0" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || die "usage: boot.sh [options] KERNEL COMMAND..."
KERNEL=$1
shift
case $KERNEL${ICOUNT:+.slow} in
*.slow | debug | kcsan) : "${BOOT_LIMIT:=1200}" ;;
*) : "${BOOT_LIMIT:=150}" ;;
esac
KDIR=$(kernel_dir "$KERNEL")
[ -s "$KDIR/vmlinuz" ] ||
	die "no kernel $KERNEL in the cache: run selftests/lab/setup.sh"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
: "${LOG:=$WORK/console}"
ARGS=()
make_initrd "$*"
qemu_args
for attempt in 1 2 3 4; do
	rm -f "$WORK"/{spoke,late,result,unborn,coverage}
	: > "$LOG"
	run_guest
	[ -z "$INTERACTIVE" ] || exit 0
	if [ -e "$WORK/unborn" ]; then
		echo "# guest: boot $attempt came to no first process" >&2
	elif [ ! -e "$WORK/spoke" ] && emulator_fault; then
		echo "# guest: qemu missed a code patch in boot $attempt" >&2
	else
		break
	fi
done
keep_coverage
verdict
