/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words of a split virtqueue in shared memory, for both of its ends. Pure code.
 *
 * Little endian, as VIRTIO 1.2 has it. Each is read once into the caller's private
 * variable, so that a peer that changes it after the check changes nothing. Nothing
 * here orders: indices are published with release and read with acquire.
 */
#ifndef SLUICE_VRING_H
#define SLUICE_VRING_H

#include <sluice/os.h>

static inline u16 sluice_vring_read16(const __virtio16 *shared)
{
	return le16_to_cpu((__force __le16)READ_ONCE(*shared));
}

static inline u32 sluice_vring_read32(const __virtio32 *shared)
{
	return le32_to_cpu((__force __le32)READ_ONCE(*shared));
}

static inline u64 sluice_vring_read64(const __virtio64 *shared)
{
	return le64_to_cpu((__force __le64)READ_ONCE(*shared));
}

static inline void sluice_vring_write16(__virtio16 *shared, u16 val)
{
	WRITE_ONCE(*shared, (__force __virtio16)cpu_to_le16(val));
}

static inline void sluice_vring_write32(__virtio32 *shared, u32 val)
{
	WRITE_ONCE(*shared, (__force __virtio32)cpu_to_le32(val));
}

#endif /* SLUICE_VRING_H */
