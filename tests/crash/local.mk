# SPDX-License-Identifier: Apache-2.0
# kill -9 of any process under load.  ROUNDS and SEED can be set.
ROUNDS = 200
EXTRA_DIST += %D%/check-kill

.PHONY: check-kill
check-kill: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-kill \
		--build $(abs_builddir) --rounds $(ROUNDS) \
		$${SEED:+--seed $$SEED}
