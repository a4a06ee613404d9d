# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# conntrackd.sh - the peer that nfsync is measured against: FTFW or NOTRACK on
# the sync link, states in the peer's kernel at once or with its daemon until a
# commit

# conntrackd_config NUMBER FROM TO LIVE MODE WINDOWS
conntrackd_config()
{
	cat <<-EOF
	Sync {
		Mode $5 {
			DisableExternalCache $4
			StartupResync no
		}
		UDP {
			IPv4_address $2
			IPv4_Destination_Address $3
			Port 3780
			Interface sync
			SndSocketBuffer 24985600
			RcvSocketBuffer 24985600
			Checksum on
		}
		Options {
			TCPWindowTracking $6
		}
	}
	General {
		Systemd off
		HashSize 32768
		HashLimit 131072
		LogFile $TMP/conntrackd.$1.log
		Syslog off
		LockFile $TMP/conntrackd.$1.lock
		UNIX {
			Path $TMP/conntrackd.$1.ctl
		}
		NetlinkBufferSize 8388608
		NetlinkBufferSizeMaxGrowth 16777216
		Filter From Kernelspace {
			Protocol Accept {
				TCP
				UDP
				ICMP
			}
			Address Ignore {
				IPv4_address 127.0.0.1
				IPv4_address $FW1_SYNC
				IPv4_address $FW2_SYNC
			}
		}
	}
	EOF
}

# shellcheck disable=SC2154 # the namespaces are lib.sh's
# conntrackd_up [LIVE=yes [MODE=FTFW [WINDOWS=On]]]: LIVE "no" for states that
# wait in the daemon; WINDOWS "Off" (the daemon's default) for TCP states that
# let everything through in the peer's kernel, whatever its sequence numbers
conntrackd_up()
{
	local how=("${1:-yes}" "${2:-FTFW}" "${3:-On}")

	conntrackd_config 1 "$FW1_SYNC" "$FW2_SYNC" "${how[@]}" \
		> "$TMP/conntrackd.1"
	conntrackd_config 2 "$FW2_SYNC" "$FW1_SYNC" "${how[@]}" \
		> "$TMP/conntrackd.2"
	modprobe nf_conntrack_netlink
	spawn "$fw1" conntrackd -C "$TMP/conntrackd.1"
	spawn "$fw2" conntrackd -C "$TMP/conntrackd.2"
	wait_file "$TMP/conntrackd.1.ctl" && wait_file "$TMP/conntrackd.2.ctl"
}
