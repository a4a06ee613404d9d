#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
#
# ktap-count.awk - count the results in a KTAP stream
#
# Prints "PASSED FAILED SKIPPED" and a line for each result that is missing.
# A test that has subtests is counted by them; it counts itself, as failed,
# only when it failed although none of them did. A result that the plan
# promises and the stream lacks has failed, and so has a stream with no plan.

BEGIN {
	deepest = 0
}

function start(depth)
{
	plan[depth] = -1
	seen[depth] = bad[depth] = 0
}

# Everything deeper than depth has ended: are all its results there?
function finish(depth,	d, lack)
{
	for (d = deepest; d > depth; d--) {
		if (!(d in plan))
			continue
		lack = plan[d] - seen[d]
		if (lack > 0) {
			failed += lack
			bad[d] += lack
			missing = missing sprintf("# %d of %d results missing\n",
						  lack, plan[d])
		}
		delete plan[d]
	}
	deepest = depth
}

{
	sub(/\r$/, "")
	match($0, /^ */)
	depth = int(RLENGTH / 2)
	line = substr($0, RLENGTH + 1)
}

line ~ /^1\.\.[0-9]+/ || line ~ /^(not )?ok [0-9]+/ {
	if (depth < deepest)
		nested = (depth + 1 in plan)
	else
		nested = 0
	if (nested && line !~ /^1\.\./) {
		finish(depth)
		inner = bad[depth + 1]
	} else if (line !~ /^1\.\./) {
		nested = 0
	}
	if (!(depth in plan))
		start(depth)
	if (depth > deepest)
		deepest = depth
}

line ~ /^1\.\.[0-9]+/ {
	plan[depth] = substr(line, 4) + 0
	if (plan[depth] == 0 && line ~ /# *SKIP/)
		skipped++
	planned = 1
	next
}

line ~ /^(not )?ok [0-9]+/ {
	seen[depth]++
	fail = line ~ /^not / && line !~ /# *(SKIP|XFAIL)/
	if (nested) {
		bad[depth] += inner
		if (!fail || inner)
			next
	}
	if (fail) {
		failed++
		bad[depth]++
	} else if (line ~ /# *SKIP/) {
		skipped++
	} else {
		passed++
	}
}

line ~ /^Bail out!/ {
	failed++
	missing = missing "# " line "\n"
}

END {
	finish(-1)
	if (!planned) {
		failed++
		missing = missing "# no plan\n"
	}
	printf "%d %d %d\n%s", passed, failed, skipped, missing
}
