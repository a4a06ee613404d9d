# SPDX-License-Identifier: GPL-2.0
#
# asym-plot.awk - asym.awk's numbers as an SVG: two panels of grouped bars, a
# group for each delay
#
# Colours of Okabe and Ito, which people who see few of them can tell apart.

function text(x, y, anchor, size, s) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"" \
		" font-size=\"%d\">%s</text>\n", x, y, anchor, size, s
}

function line(x1, y1, x2, y2, style) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"" \
		" %s/>\n", x1, y1, x2, y2, style
}

function box(x, y, w, h, fill) {
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\"" \
		" height=\"%.1f\" fill=\"%s\"/>\n", x, y, w, h, fill
}

function height(r) {
	return (r > top ? top : r) / top * high
}

# one bar; a word where there is none
function bar(x, w, r, fill) {
	if (r == "-") {
		text(x + w / 2, base - 4, "middle", 10, "none")
		return
	}
	box(x, base - height(r), w, height(r), fill)
	text(x + w / 2, base - height(r) - 4, "middle", 10,
		sprintf("%.2f", r))
}

function axes(left, title, goal,   i) {
	text(left + wide / 2, base - high - 24, "middle", 14, title)
	for (i = 0; i <= 5; i++) {
		line(left, base - height(i / 5), left + wide,
			base - height(i / 5), "stroke=\"#ddd\"")
		text(left - 6, base - height(i / 5) + 4, "end", 11,
			sprintf("%.1f", i / 5))
	}
	line(left, base, left + wide, base, "stroke=\"#222\"")
	line(left, base - height(goal), left + wide,
		base - height(goal),
		"stroke=\"#222\" stroke-dasharray=\"5 4\"")
	text(left + wide + 4, base - height(goal) + 4, "start", 11,
		"goal " goal)
	text(left + wide / 2, base + 38, "middle", 12,
		"one-way delay of the sync link")
	printf "<g transform=\"rotate(-90 %d %d)\">\n", left - 40,
		base - high / 2
	text(left - 40, base - high / 2, "middle", 12,
		"both firewalls / one firewall")
	print "</g>"
}

function panel(left, what, title, goal,   i, j, x, w, r) {
	axes(left, title, goal)
	w = wide / delays / (modes + 1)
	for (j = 1; j <= delays; j++) {
		x = left + (j - 1) * wide / delays + w / 2
		text(x + modes * w / 2, base + 18, "middle", 12,
			delay[j] " ms")
		for (i = 1; i <= modes; i++) {
			if (what == "goodput")
				r = gain(mode[i], delay[j])
			else
				r = pace(mode[i], delay[j])
			bar(x + (i - 1) * w + 1, w - 2, r, colour[i])
		}
	}
}

function legend(   i, x) {
	for (i = 1; i <= modes; i++) {
		x = 75 + (i - 1) * 215
		box(x, 372, 14, 14, colour[i])
		text(x + 20, 384, "start", 12, label[mode[i]])
	}
}

END {
	split("#0072b2 #e69f00 #cc79a7 #999999", colour, " ")
	top = 1.1; high = 220; base = 310; wide = 345
	print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
	print "<!-- SPDX-License-Identifier: GPL-2.0 -->"
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"950\"" \
		" height=\"400\" viewBox=\"0 0 950 400\"" \
		" font-family=\"sans-serif\" fill=\"#222\">"
	box(0, 0, 950, 400, "#ffffff")
	text(475, 28, "middle", 17, "A connection over both firewalls," \
		" relative to one over one firewall (higher is better)")
	panel(60, "goodput", "Goodput of one TCP flow", 0.95)
	panel(530, "rate", "Short connections a second", "0.90")
	legend()
	print "</svg>"
}
