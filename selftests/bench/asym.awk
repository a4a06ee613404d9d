# SPDX-License-Identifier: GPL-2.0
#
# asym.awk - what asym-cost.sh has printed, and what is computed of it, for
# asym-table.awk and asym-plot.awk
#
# v[MODE, DELAY, PATHS, KEY] is a number; "-" stands for what there is not.
# list_modes and list_delays say what is shown, and in which order.

BEGIN {
	label["nfsync"] = "nfsync"
	label["ftfw"] = "conntrackd FTFW"
	label["notrack"] = "conntrackd NOTRACK"
	label["ftfw-strict"] = "FTFW, windows kept"
	modes = split(list_modes, mode, " ")
	delays = split(list_delays, delay, " ")
}

$1 == "asym" { v[$2, $3, $4, $5] = $6 }

function value(m, d, p, key) {
	return (m, d, p, key) in v ? v[m, d, p, key] : "-"
}

function quotient(a, b) {
	return a == "-" || b == "-" || !b ? "-" : a / b
}

# MB/s of the flow
function goodput(m, d, p) {
	return quotient(value(m, d, p, "bulk_bytes"), value(m, d, p, "bulk_us"))
}

# connections a second
function rate(m, d, p) {
	return quotient(value(m, d, p, "conns_ok") * 1e6,
		value(m, d, p, "conns_us"))
}

# asym to sym, of both
function gain(m, d) {
	return quotient(goodput(m, d, "asym"), goodput(m, d, "sym"))
}

function pace(m, d) {
	return quotient(rate(m, d, "asym"), rate(m, d, "sym"))
}

function fmt(format, x) {
	return x == "-" ? x : sprintf(format, x)
}
