# SPDX-License-Identifier: Apache-2.0
# The whole server against real clients, servers and operators' mistakes.
EXTRA_DIST += %D%/lib.py %D%/dns.py %D%/demo %D%/check-road %D%/check-errors \
	%D%/check-preflight

.PHONY: demo check-road check-errors check-preflight
demo: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/demo --build $(abs_builddir) \
		$(MAIL)
check-road: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-road \
		--build $(abs_builddir)
check-errors: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-errors \
		--build $(abs_builddir)

EXTRA_DIST += %D%/check-faults
.PHONY: check-faults
check-faults: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-faults \
		--build $(abs_builddir)
EXTRA_DIST += %D%/check-spool-tools
.PHONY: check-spool-tools
check-spool-tools: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-spool-tools \
		--build $(abs_builddir)
check-preflight: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-preflight \
		--build $(abs_builddir)

EXTRA_DIST += %D%/check-engines
.PHONY: check-engines
check-engines: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-engines \
		--build $(abs_builddir)
# Large messages in little memory; LARGE_COUNT of LARGE_MIB MiB at once.
LARGE_COUNT = 100
LARGE_MIB = 50
EXTRA_DIST += %D%/check-large
.PHONY: check-large
check-large: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-large \
		--build $(abs_builddir) --count $(LARGE_COUNT) --mib $(LARGE_MIB)
