# SPDX-License-Identifier: Apache-2.0
# Drives one real worker process; a scripted DNS server.
check_LIBRARIES += %D%/libharness.a %D%/libfakedns.a
%C%_libharness_a_SOURCES = %D%/worker_harness.c %D%/worker_harness.h
%C%_libharness_a_CFLAGS = $(TEST_CFLAGS)
%C%_libfakedns_a_SOURCES = %D%/fake_dns.c %D%/fake_dns.h
%C%_libfakedns_a_CFLAGS = $(TEST_CFLAGS)
# An SMTP server in the test's loop.
check_LIBRARIES += %D%/libpeer.a
%C%_libpeer_a_SOURCES = %D%/scripted_peer.c %D%/scripted_peer.h
%C%_libpeer_a_CFLAGS = $(TEST_CFLAGS)
# A disk that loses power, for whatever works on spooler/fs.h.
check_LIBRARIES += %D%/libcrashfs.a
%C%_libcrashfs_a_SOURCES = %D%/crashfs.c %D%/crashfs.h %D%/crashfs_priv.h \
	%D%/crashfs_disk.c %D%/crashfs_image.c %D%/crashfs_names.c
%C%_libcrashfs_a_CFLAGS = $(TEST_CFLAGS)
