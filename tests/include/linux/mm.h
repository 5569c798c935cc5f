/* SPDX-License-Identifier: GPL-2.0 */
/* Nothing: who needs it in a test brings its own, see tests/unit/xen_map.c. */
