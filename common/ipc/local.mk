# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += %D%/arena.c %D%/arena.h
libcommon_a_SOURCES += %D%/budget.c %D%/budget.h
libcommon_a_SOURCES += %D%/ipc.c %D%/ipc.h
libcommon_a_SOURCES += %D%/ipc_msgs.h
libcommon_a_SOURCES += %D%/process_state.h
libcommon_a_SOURCES += %D%/sandbox.c %D%/sandbox.h
libcommon_a_SOURCES += %D%/scoreboard.c %D%/scoreboard.h
libcommon_a_SOURCES += %D%/stage.c %D%/stage.h
libcommon_a_SOURCES += %D%/worker.c %D%/worker.h
