/* SPDX-License-Identifier: GPL-2.0 */
/* Nothing: sort() is in os_native.h. */
