/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All of the kernel that the pure code may see.
 *
 * The protocol logic (virtqueue view, message rings, session, segments, layout,
 * validation, slots, bounce bitmap) is compiled into the modules and natively for unit tests,
 * sanitizers and fuzzers. It includes this file and other pure headers, nothing else.
 * tests/checks/deps enforces that. The native half lives in tests/include/os_native.h.
 */
#ifndef SLUICE_OS_H
#define SLUICE_OS_H

#ifdef __KERNEL__
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_config.h>
#include <uapi/linux/virtio_ids.h>
#include <uapi/linux/virtio_net.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#else
#include "os_native.h"
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#endif

/*
 * Ordering between the two sides of a channel, which may be different kernels,
 * of which one may be built without CONFIG_SMP. Never an atomic
 * read-modify-write: those do not work between two emulated machines that share memory.
 */
#ifdef __KERNEL__
#define sluice_load_acquire(p)		virt_load_acquire(p)
#define sluice_store_release(p, v)	virt_store_release(p, v)
/* between publishing an index and reading the peer's notify flag */
#define sluice_mb()			mb()
#endif

#endif /* SLUICE_OS_H */
