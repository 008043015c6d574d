# SPDX-License-Identifier: Apache-2.0
dist_sysconf_DATA = %D%/ecelerity.conf.sample

# Start scripts know where this build is installed.  Both go below the prefix:
# link or copy them to /etc/init.d and /etc/systemd/system.
initdir = $(sysconfdir)/init.d
unitdir = $(prefix)/lib/systemd/system
init_SCRIPTS = %D%/init.d/ecelerity
unit_DATA = %D%/ecelerity.service
EXTRA_DIST += %D%/init.d/ecelerity.in %D%/ecelerity.service.in
CLEANFILES += $(init_SCRIPTS) $(unit_DATA)
EC_SUBSTITUTE = $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@pidfile[@]|$(pidfile)|g'

%D%/init.d/ecelerity: $(srcdir)/%D%/init.d/ecelerity.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D%/init.d && \
	$(EC_SUBSTITUTE) $(srcdir)/%D%/init.d/ecelerity.in > $@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@
%D%/ecelerity.service: $(srcdir)/%D%/ecelerity.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	$(EC_SUBSTITUTE) $(srcdir)/%D%/ecelerity.service.in > $@.tmp && \
	mv $@.tmp $@
