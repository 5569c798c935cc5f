// SPDX-License-Identifier: GPL-2.0
/*
 * The backend's virtio device, whose driver sends the fuzzer's messages.
 */
#include "fuzz.h"
#include "hypervisor/core/window.c"
#include "hypervisor/core/vq.c"
#include "backend/vdev.c"

#define CTRL_BYTES	SLUICE_SHM_CTRL_MIN

static u8 ctrl[CTRL_BYTES] __aligned(4096);
static struct sluice_window win;
static struct sluice_vdev v;
static struct sluice_vq vq[SLUICE_SHM_MAX_VQS];
static bool started, vq_started[SLUICE_SHM_MAX_VQS];
static u8 fail;				/* which call of the owner fails next */

enum { STARTED, STOPPED, QUEUE, FEATURES, CONFIG, PAIRS };
static const char * const names[FUZZ_COUNTERS] = {
	"start", "stop", "queue", "features", "config", "pairs",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_names(names);
	return 0;
}

static void open_queue(u32 index)
{
	const struct sluice_vdev_vq *q = &v.vq[index];

	claim(index < 2 * v.max_pairs && q->set && !vq_started[index]);
	claim(q->num <= v.max_ring);
	/* what the device accepted must make a queue */
	claim(!sluice_vq_init(&vq[index], &win, q->num, q->desc, q->avail, q->used, false));
	vq_started[index] = true;
}

static int on_start(struct sluice_vdev *dev)
{
	u32 i;

	claim(!started);
	if (fail & 1)
		return -ENOMEM;
	for (i = 0; i < SLUICE_SHM_MAX_VQS; i++)
		if (dev->vq[i].set)
			open_queue(i);
	started = true;
	REACHED(STARTED);
	return 0;
}

static void on_stop(struct sluice_vdev *dev)
{
	(void)dev;
	claim(started);
	started = false;
	memset(vq_started, 0, sizeof(vq_started));
	REACHED(STOPPED);
}

static int on_vq_start(struct sluice_vdev *dev, u32 index)
{
	(void)dev;
	claim(started);
	if (fail & 2)
		return -ENOMEM;
	open_queue(index);
	return 0;
}

static void on_vq_stop(struct sluice_vdev *dev, u32 index)
{
	(void)dev;
	claim(started && index < 2 * v.max_pairs && vq_started[index]);
	vq_started[index] = false;
}

static int on_set_pairs(struct sluice_vdev *dev, u32 pairs)
{
	u32 i;

	claim(started && pairs >= 1 && pairs <= dev->max_pairs);
	if (fail & 4)
		return -EIO;
	for (i = 0; i < pairs; i++)
		claim(vq_started[2 * i]);
	REACHED(PAIRS);
	return 0;
}

static const struct sluice_vdev_ops ops = {
	.start = on_start, .stop = on_stop, .vq_start = on_vq_start, .vq_stop = on_vq_stop,
	.set_pairs = on_set_pairs,
};

static void message(void)
{
	static const u8 ids[] = {
		SLUICE_MSG_DEVICE_INFO, SLUICE_MSG_GET_FEATURES, SLUICE_MSG_SET_FEATURES,
		SLUICE_MSG_GET_CONFIG, SLUICE_MSG_SET_CONFIG, SLUICE_MSG_GET_STATUS,
		SLUICE_MSG_SET_STATUS, SLUICE_MSG_GET_VQUEUE, SLUICE_MSG_SET_VQUEUE,
		SLUICE_MSG_RESET_VQUEUE, SLUICE_MSG_GET_SHM, SLUICE_MSG_SET_PAIRS,
		SLUICE_MSG_SEGMENT_ADD, SLUICE_MSG_PING, 0, 0xff,
	};
	u64 accepted = v.accepted;
	struct sluice_msg req = {}, resp;
	u8 op = fuzz_u8();
	u32 status;

	req.msg_id = ids[op & 15];
	/* with this bit: what an honest driver would say next */
	if (!(op & 0x10)) {
		fuzz_bytes(req.payload, 1 + (op >> 4) * 3);
	} else if (req.msg_id == SLUICE_MSG_SET_STATUS) {
		req.device_status.status = cpu_to_le32(v.status << 1 | v.status | 1);
	} else if (req.msg_id == SLUICE_MSG_SET_FEATURES) {
		req.features.features = cpu_to_le64(v.offered);
	} else if (req.msg_id == SLUICE_MSG_SET_VQUEUE) {
		req.vqueue.index = cpu_to_le32(op >> 5);
		req.vqueue.ring = cpu_to_le32(2u << (op >> 5));
		req.vqueue.desc = cpu_to_le64(0x4000);
		req.vqueue.avail = cpu_to_le64(0x8000);
		req.vqueue.used = cpu_to_le64(0xa000);
	} else {
		fuzz_bytes(req.payload, 4);
	}

	memset(&resp, 0xee, sizeof(resp));
	status = sluice_vdev_message(&v, &req, &resp);
	claim(status <= SLUICE_EIO);
	claim(!(v.accepted & ~v.offered));
	claim(v.running == started);
	claim(v.pairs >= 1 && v.pairs <= v.max_pairs);
	claim(!started || v.status & VIRTIO_CONFIG_S_DRIVER_OK);
	if (status == SLUICE_OK && req.msg_id == SLUICE_MSG_SET_FEATURES)
		REACHED(FEATURES);
	else
		claim(v.accepted == accepted || !v.accepted);
	if (status == SLUICE_OK && req.msg_id == SLUICE_MSG_SET_VQUEUE)
		REACHED(QUEUE);
	if (status == SLUICE_OK && req.msg_id == SLUICE_MSG_GET_CONFIG)
		REACHED(CONFIG);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	u8 flags;

	fuzz_data = input;
	fuzz_left = bytes;
	claim(!sluice_window_init(&win, 3, CTRL_BYTES, ctrl));
	memset(&v, 0, sizeof(v));
	memset(vq_started, 0, sizeof(vq_started));
	started = false;
	flags = fuzz_u8();
	fail = flags >> 5;
	v.ops = &ops;
	v.win = &win;
	v.max_pairs = 1 + (flags & 7);
	v.max_ring = 256;
	v.offered = fuzz_u32() | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM;
	if (flags & 8)
		v.offered |= 1ull << VIRTIO_F_RING_RESET;
	claim(!sluice_vdev_init(&v));
	while (fuzz_left) {
		if (flags & 16)
			fail = fuzz_u8() >> 5;
		message();
	}
	sluice_vdev_reset(&v);
	claim(!started);
	return 0;
}
