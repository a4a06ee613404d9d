// SPDX-License-Identifier: GPL-2.0
/*
 * seed - tell the kernel that its random numbers are ready; for guests only
 *
 * An emulated machine without a source of entropy never gets there, and every
 * random number then costs two hashes, 50,000 instructions a connection. The
 * seed is a constant: a benchmark that repeats to the bit must not have any
 * other.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	struct {
		struct rand_pool_info info;
		unsigned char data[64];
	} seed = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	for (unsigned int i = 0; i < sizeof(seed.data); i++)
		seed.data[i] = i * 37 + 11;
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) || ioctl(fd, RNDRESEEDCRNG))
		err(1, "/dev/urandom");
	close(fd);
	return 0;
}
