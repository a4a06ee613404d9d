#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run each program as one KTAP test whose subtests are its own KTAP output.
# usage: run.sh PROGRAM...
set -u

fail=0
nr=0

printf 'KTAP version 1\n1..%d\n' $#
for prog; do
	nr=$((nr + 1))
	"$prog" 2>&1 | sed 's/^/  /'
	rc=${PIPESTATUS[0]}
	if [ "$rc" -eq 0 ]; then
		echo "ok $nr ${prog##*/}"
	else
		fail=1
		echo "# ${prog##*/} ended with status $rc"
		echo "not ok $nr ${prog##*/}"
	fi
done
exit $fail
