// SPDX-License-Identifier: GPL-2.0
/*
 * The pure code is compiled natively too and cannot name its exports itself.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <sluice/constraint.h>
#include <sluice/headers.h>
#include <sluice/offload.h>
#include <sluice/session.h>
#include <sluice/vq.h>
#include <sluice/window.h>

EXPORT_SYMBOL_GPL(sluice_constraint_check);
EXPORT_SYMBOL_GPL(sluice_headers_plain);
EXPORT_SYMBOL_GPL(sluice_offload_segments);
EXPORT_SYMBOL_GPL(sluice_segment_may);
EXPORT_SYMBOL_GPL(sluice_segment_name);
EXPORT_SYMBOL_GPL(sluice_vq_avail);
EXPORT_SYMBOL_GPL(sluice_vq_disable_notify);
EXPORT_SYMBOL_GPL(sluice_vq_enable_notify);
EXPORT_SYMBOL_GPL(sluice_vq_init);
EXPORT_SYMBOL_GPL(sluice_vq_pop);
EXPORT_SYMBOL_GPL(sluice_vq_publish);
EXPORT_SYMBOL_GPL(sluice_vq_push);
EXPORT_SYMBOL_GPL(sluice_window_init);
EXPORT_SYMBOL_GPL(sluice_window_resolve);
EXPORT_SYMBOL_GPL(sluice_window_resolve_area);
EXPORT_SYMBOL_GPL(sluice_window_set_state);
