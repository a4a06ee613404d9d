#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
#
# kcsan.awk - a kernel log without the data races that are not ours
#
# A report stands between two lines of "=". Of one by KCSAN in which no function
# of nfsync has a part, one line remains: "not in nfsync: data-race in ...".
# Everything else passes as it is.

function end_of_report()
{
	if (race && !ours)
		print "not in nfsync: " race
	else
		printf "%s", report
	inside = 0
}

/====================/ {
	if (inside) {
		report = report $0 "\n"
		end_of_report()
	} else {
		inside = 1
		race = ours = 0
		report = $0 "\n"
	}
	next
}

inside {
	report = report $0 "\n"
	if (match($0, /BUG: KCSAN: /))
		race = substr($0, RSTART + RLENGTH)
	if (/nfsync_|\[nfsync\]/)
		ours = 1
	next
}

{
	print
}

END {
	if (inside)
		printf "%s", report
}
