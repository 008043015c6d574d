# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += %D%/ecelerity.8 %D%/ecelerity.conf.5 %D%/ec_dump_config.1
dist_man_MANS += man/ec_console.1
dist_man_MANS += man/ec_show.1
dist_man_MANS += man/ec_spool_check.1
dist_man_MANS += man/ec_spool_import.1
dist_man_MANS += man/ec_check.8
