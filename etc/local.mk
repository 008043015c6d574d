# SPDX-License-Identifier: Apache-2.0
dist_sysconf_DATA = %D%/ecelerity.conf.sample
