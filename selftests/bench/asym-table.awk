# SPDX-License-Identifier: GPL-2.0
#
# asym-table.awk - three tables of asym.awk's numbers

function both(m, d, key) {
	return value(m, d, "asym", key "_fw1") "/" \
		value(m, d, "asym", key "_fw2")
}

function again(m, d, phase) {
	return value(m, d, "asym", phase "_syn_again") "/" \
		value(m, d, "asym", phase "_synack_again")
}

# data packets a second
function packets(m, d) {
	return quotient(value(m, d, "asym", "bulk_data") * 1e6,
		value(m, d, "asym", "bulk_us"))
}

function sync_share(m, d, p) {
	if (value(m, d, p, "bulk_us") == "-")
		return "-"
	return quotient(v[m, d, p, "bulk_sync_out"] + \
		v[m, d, p, "bulk_sync_back"], v[m, d, p, "bulk_data"])
}

function ended(m, d, node) {
	return value(m, d, "asym", node "_TIME_WAIT") + 0
}

function bulk(m, d,   s, a) {
	s = goodput(m, d, "sym")
	a = goodput(m, d, "asym")
	printf "%-19s %5s %8s %8s %6s %9s %8s %8s %7s %9s\n",
		label[m], d, fmt("%.1f", s), fmt("%.1f", a),
		fmt("%.3f", gain(m, d)), fmt("%.0f", packets(m, d)),
		fmt("%.4f", sync_share(m, d, "sym")),
		fmt("%.4f", sync_share(m, d, "asym")),
		value(m, d, "asym", "bulk_again"),
		both(m, d, "bulk_invalid")
}

function conns(m, d,   s, a) {
	s = rate(m, d, "sym")
	a = rate(m, d, "asym")
	printf "%-19s %5s %8s %8s %6s %7s %9s %10s %10s\n",
		label[m], d, fmt("%.0f", s), fmt("%.0f", a),
		fmt("%.3f", pace(m, d)),
		value(m, d, "asym", "conns_failed"),
		again(m, d, "conns"), both(m, d, "conns_invalid"),
		ended(m, d, "fw1") "/" ended(m, d, "fw2")
}

function connect(m, d,   s, a) {
	s = value(m, d, "sym", "connect_us")
	a = value(m, d, "asym", "connect_us")
	printf "%-19s %5s %8s %8s %9s %7s %9s %10s\n",
		label[m], d, s, a, a == "-" || s == "-" ? "-" : a - s,
		value(m, d, "asym", "connect_failed"),
		again(m, d, "connect"), both(m, d, "connect_invalid")
}

function rows(what,   i, j) {
	for (i = 1; i <= modes; i++)
		for (j = 1; j <= delays; j++)
			if (what == "bulk")
				bulk(mode[i], delay[j])
			else if (what == "conns")
				conns(mode[i], delay[j])
			else
				connect(mode[i], delay[j])
}

END {
	print "One TCP flow, in MB/s from when it is connected (goal:" \
		" ratio >= 0.95); sync packets a"
	print "data packet (goal: <= 0.02). From \"packets/s\" on it is" \
		" asym, but for \"sync sym\"."
	print "delay: of the sync link, one way, ms. a/b: fw1/fw2, or" \
		" SYN/SYN-ACK. -: did not end."
	printf "%-19s %5s %8s %8s %6s %9s %8s %8s %7s %9s\n", "",
		"delay", "sym", "asym", "ratio", "packets/s", "sync sym",
		"sync", "resent", "invalid"
	rows("bulk")
	print "\nShort connections a second, some at a time (goal:" \
		" ratio >= 0.9, nothing invalid, all TIME_WAIT)"
	printf "%-19s %5s %8s %8s %6s %7s %9s %10s %10s\n", "", "delay",
		"sym", "asym", "ratio", "failed", "SYN again", "invalid",
		"TIME_WAIT"
	rows("conns")
	print "\nTime to connect, one at a time, median in us (goal:" \
		" <= 500 more at delay 0)"
	printf "%-19s %5s %8s %8s %9s %7s %9s %10s\n", "", "delay",
		"sym", "asym", "more", "failed", "SYN again", "invalid"
	rows("connect")
}
