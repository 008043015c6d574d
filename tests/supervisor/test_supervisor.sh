#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make check's way to test_supervisor.py: left out where there is no python3.
command -v python3 >/dev/null 2>&1 || exit 77
exec python3 "${srcdir:-.}/tests/supervisor/test_supervisor.py" "$(pwd)" "$@"
