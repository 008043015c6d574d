# SPDX-License-Identifier: Apache-2.0
include common/base/local.mk
include common/ipc/local.mk
include common/mail/local.mk
include common/config/local.mk
include common/spool/local.mk
