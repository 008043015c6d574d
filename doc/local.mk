# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += README HACKING NEWS bootstrap .ci/run .clang-format \
	.gitattributes .gitignore
EXTRA_DIST += doc/ARCHITECTURE.md doc/DEPENDENCIES doc/IPC.md \
	doc/PERFORMANCE.md doc/PREPARING.md doc/PROOFS.md doc/THREATS.md \
	doc/TODO.md doc/tour.md doc/adr
