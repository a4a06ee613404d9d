# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by what profile.sh runs in a guest.

# print_symbols: what the addresses in the kernel are called, for profile.sh
print_symbols()
{
	echo begin-symbols
	awk '$2 ~ /[tTwW]/' /proc/kallsyms | gzip -1 | base64
	echo end-symbols
}
