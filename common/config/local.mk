# SPDX-License-Identifier: Apache-2.0
dist_noinst_HEADERS += %D%/config.h %D%/options.def \
	%D%/options_delivery.def %D%/options_listener.def \
	%D%/options_system.def %D%/scopes.def %D%/modules.def
