// SPDX-License-Identifier: GPL-2.0
/*
 * stamp - keep the time stamps of received packets on; for guests only
 *
 * The kernel takes them only while somebody wants them and patches its own
 * code when the first comes and when the last goes. Each ping and each tcpdump
 * is a first and a last one. An emulated processor may meet the breakpoint of
 * such a patch when the kernel has already forgotten it: "Oops: int3" in
 * __netif_receive_skb_core(), and the guest is dead. With a socket that wants
 * them all the time nothing is patched but once, before there is traffic.
 *
 * Returns when the kernel was told and leaves a process behind that waits to
 * be killed. It holds no standard file and no namespace but the first.
 */
#include <err.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)))
		err(1, "SO_TIMESTAMP");
	if (daemon(0, 0))
		err(1, "daemon");
	for (;;)
		pause();
}
