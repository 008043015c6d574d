# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += \
	%D%/ipc.c %D%/ipc.h %D%/ipc_msgs.h %D%/scoreboard.c %D%/scoreboard.h \
	%D%/budget.c %D%/budget.h %D%/stage.c %D%/stage.h %D%/sandbox.c %D%/sandbox.h \
	%D%/worker.c %D%/worker.h %D%/process_state.h
