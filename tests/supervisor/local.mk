# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/fake_worker
tests_supervisor_fake_worker_SOURCES = %D%/fake_worker.c
tests_supervisor_fake_worker_LDADD = $(COMMON_LIBS)
