# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced: nfsync_accel says which accelerator qemu can really use here.
#
# /dev/kvm may exist, open, and still not run a stock kernel (nested and
# paravirtual machines), so it is found out by trying: the lab's own kernel
# has a few seconds to print its first line. The answer holds until the next
# boot and is kept in the cache. NFSYNC_ACCEL overrules it.

kvm_boots()
{
	local kernel=$1 log

	[ -r /dev/kvm ] && [ -w /dev/kvm ] && [ -s "$kernel" ] || return 1
	log=$(mktemp)
	timeout -k 1 10 qemu-system-x86_64 -accel kvm -machine q35 -cpu host \
		-m 512M -smp 2 -display none -vga none -net none -nodefaults \
		-no-reboot -serial stdio -kernel "$kernel" \
		-append "console=ttyS0 earlyprintk=serial panic=-1" \
		</dev/null >"$log" 2>/dev/null &
	local pid=$! i
	for ((i = 0; i < 50; i++)); do
		grep -qa 'Linux version' "$log" && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	grep -qa 'Linux version' "$log"
	i=$?
	rm -f "$log"
	return $i
}

nfsync_accel()
{
	local cache=${NFSYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nfsync}
	local boot_id state

	if [ -n "${NFSYNC_ACCEL:-}" ]; then
		echo "$NFSYNC_ACCEL"
		return
	fi
	boot_id=$(cat /proc/sys/kernel/random/boot_id)
	read -r state 2>/dev/null <"$cache/kvm" || state=
	if [ "${state%% *}" != "$boot_id" ]; then
		state="$boot_id tcg,thread=multi"
		if kvm_boots "$cache/kernels/6.12/vmlinuz"; then
			state="$boot_id kvm"
		fi
		if [ -s "$cache/kernels/6.12/vmlinuz" ]; then
			echo "$state" >"$cache/kvm"
		fi
	fi
	echo "${state#* }"
}
