# SPDX-License-Identifier: Apache-2.0
include tests/base/local.mk
include tests/ipc/local.mk
include tests/mail/local.mk
include tests/config/local.mk
include tests/supervisor/local.mk
include tests/listener/local.mk
include tests/spooler/local.mk
include tests/deliverer/local.mk
include tests/resolver/local.mk
include tests/logger/local.mk
include tests/console/local.mk
include tests/fuzz/local.mk
include tests/crash/local.mk
include tests/system/local.mk
include tests/bench/local.mk
include tests/support/local.mk
include tests/tools/local.mk
