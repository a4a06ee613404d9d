#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Objects of the kernel's slabs, for tests that end with nothing left behind.
# A test sources this after lib.sh.

SLABS="nf_conntrack nfsync_state"

# What cannot be counted: a cache that shares its slabs with others has one
# folder for all of them
slab_is_shared()
{
	local dir

	dir=$(readlink -f "/sys/kernel/slab/$1")
	[ "$(find /sys/kernel/slab -maxdepth 1 -lname "${dir##*/}" |
		wc -l)" -gt 1 ]
}

# slab_objects NAME: in use; none when there is no such cache
slab_objects()
{
	local slab=/sys/kernel/slab/$1 n=0

	if [ -r "$slab/objects" ] && ! slab_is_shared "$1"; then
		# the processors' own ones count as in use without that
		echo 1 > "$slab/shrink"
		read -r n _ < "$slab/objects"
	fi
	echo "$n"
}

# objects_before: remember how many there are
declare -A OBJECTS=()

objects_before()
{
	local slab

	for slab in $SLABS; do
		OBJECTS[$slab]=$(slab_objects "$slab")
	done
}

objects_are_back()
{
	local slab now text='' bad=0

	for slab in $SLABS; do
		now=$(slab_objects "$slab")
		text+="$slab: $now objects, ${OBJECTS[$slab]} before; "
		[ "$now" -le "${OBJECTS[$slab]}" ] || bad=1
	done
	echo "$text"
	return $bad
}

# all_is_gone: the topology goes, and what it took with it; the module as well
all_is_gone()
{
	topo_down
	check "objects" wait_for "$WAIT" objects_are_back
	echo "# $(tail -n 1 "$TMP/wait")"
	check "module goes" timeout $((60 * NFSYNC_SLOW)) rmmod nfsync
	check "module comes" modprobe nfsync
}
