/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power_cut MOUNTPOINT: the power fails under a mounted ext4.
 *
 * The ext4 shutdown request without a flush of the log: what was not synced
 * never reaches the disk, and every later call on that mount fails.  The next
 * mount replays the journal as after a real cut.  Without a journal the file
 * system's dirty blocks survive the request: use fuse_disk there.
 */
#include "common/base/base.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_LOG_FLUSH 2u

int
main(int argc, char **argv)
{
	uint32_t how = SHUTDOWN_NO_LOG_FLUSH;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: power_cut MOUNTPOINT\n");
		return 64;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, EXT4_SHUTDOWN, &how) < 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
