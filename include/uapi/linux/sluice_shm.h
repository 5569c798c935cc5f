/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * sluice shared-memory ABI, version 1.
 *
 * This header is the whole contract between a backend (in the driver domain),
 * a frontend (in one guest) and, where there is one, the host service that made
 * the memory. Everything is little endian and naturally aligned.
 *
 * THE WINDOW
 *
 * A destination's window is an array of slots of 1 << SLUICE_SHM_SEGMENT_SHIFT
 * bytes (2 MiB). An address in a descriptor is a window offset: offset >> 21 is
 * the window slot, offset & (2 MiB - 1) the place inside it. The first
 * ctrl_slots slots hold the control segment (of which only ctrl_bytes need to
 * exist); each later slot holds one data segment while that segment is ACTIVE,
 * and nothing otherwise. A buffer never crosses the edge of a slot.
 *
 * THE CONTROL SEGMENT
 *
 *   0x0000  backend page   only the backend writes it
 *   0x1000  frontend page  only the frontend writes it
 *   0x2000  host page      host service writes the first half, backend the second
 *   0x3000  provider page  the provider's own, e.g. lists of grant references
 *   0x4000  area           virtqueues and bounce slots, laid out by the frontend
 *                          and told to the backend by SET_VQUEUE
 *
 * A provider may not be able to enforce who writes where (ivshmem maps it all
 * writable on both sides), so every reader treats every word as hostile: one
 * read into a private copy, validation, and only the copy is used. A
 * side never reads back what it wrote itself.
 *
 * SESSION
 *
 * Each side owns a struct sluice_shm_side. It is attached when its generation is
 * not zero. The session is up for a side when
 *
 *	peer.generation != 0 && peer.echo == own.generation &&
 *	own.echo == peer.generation
 *
 * To start, a side zeroes its msg_prod and msg_cons, chooses a generation that
 * it did not use before (never 0) and publishes it, then publishes the peer's
 * generation in echo with release semantics. When a side that is up sees the
 * peer's generation or echo change, or the peer's heartbeat stand still for
 * longer than its timeout, the session is down: it stops all queues, forgets all
 * segments, and starts again with a new generation. The peer sees that change and does
 * the same. So no message or descriptor of one session is ever taken for one
 * of the next. An orderly end is the message BYE, then generation 0.
 *
 * MESSAGES
 *
 * Each side's page has a ring of SLUICE_SHM_MSG_RING fixed-size messages at
 * SLUICE_SHM_MSG_OFF. Only the owner writes the messages and msg_prod; the
 * reader publishes its progress in msg_cons of its *own* side record. Both are free
 * running u32. prod - cons > ring size means that the peer is broken. The
 * producer does not send into a full ring; it waits (process context) or drops.
 * After publishing msg_prod (release) the sender rings doorbell 0.
 *
 * The message format and ids below 0x80 follow the virtio-msg draft; those
 * from 0x80 on are sluice's. A response carries the id and token of its
 * request and the bit SLUICE_MSG_RESPONSE. A request that can't be served is
 * answered with a status other than SLUICE_OK; an unknown id likewise.
 *
 * VIRTQUEUES
 *
 * Split virtqueues of VIRTIO 1.2 2.7 whose addresses are window offsets. Queue
 * 2i is the receive queue and 2i + 1 the transmit queue of pair i (VIRTIO 1.2
 * 5.1.2); the control virtqueue never crosses the channel. No indirect
 * descriptors. Each virtqueue part lies inside the control area. Descriptors may point
 * into the control area (bounce) or into ACTIVE or RETIRING data
 * segments. A used length of 0 on a receive queue returns a buffer unused (done for
 * buffers in a segment that is being retired). It is never more than the bytes that the
 * device may write in that chain: 0 on a transmit queue.
 *
 * DOORBELLS
 *
 * nr_doorbells vectors each way: 0 means "look at the messages and the side
 * record", 1 + i means "look at queue pair i". Doorbells coalesce and may be
 * lost; both sides poll slowly as a backstop.
 */
#ifndef _UAPI_LINUX_SLUICE_SHM_H
#define _UAPI_LINUX_SLUICE_SHM_H

#include <linux/types.h>

#define SLUICE_SHM_MAGIC		0x43554c53	/* "SLUC" */
#define SLUICE_SHM_ABI_MAJOR		1	/* must be equal on both sides */
#define SLUICE_SHM_ABI_MINOR		0	/* the smaller of the two is spoken */

#define SLUICE_SHM_SEGMENT_SHIFT	21
#define SLUICE_SHM_SEGMENT_BYTES	(1u << SLUICE_SHM_SEGMENT_SHIFT)
#define SLUICE_SHM_MAX_SLOTS		1024	/* window of at most 2 GiB */
#define SLUICE_SHM_MAX_PAIRS		8
#define SLUICE_SHM_MAX_VQS		(2 * SLUICE_SHM_MAX_PAIRS)
#define SLUICE_SHM_MAX_DOORBELLS	(1 + SLUICE_SHM_MAX_PAIRS)
#define SLUICE_SHM_MAX_RING		1024	/* descriptors of a virtqueue */

#define SLUICE_SHM_PAGE			4096	/* unit of this layout, on every architecture */
#define SLUICE_SHM_BACKEND_OFF		0x0000
#define SLUICE_SHM_FRONTEND_OFF		0x1000
#define SLUICE_SHM_HOST_OFF		0x2000
#define SLUICE_SHM_PROVIDER_OFF		0x3000
#define SLUICE_SHM_AREA_OFF		0x4000
#define SLUICE_SHM_CTRL_MIN		(256u << 10)
#define SLUICE_SHM_CTRL_MAX		(8u << 20)

#define SLUICE_SHM_MSG_OFF		0x800	/* of the ring, in each side's page */
#define SLUICE_SHM_MSG_RING		32

/**
 * struct sluice_shm_side - what one side publishes about itself
 * @generation: 0 while detached, else a number new for every session
 * @echo: the generation of the peer that this side answers, 0 if none
 * @heartbeat: changes at least once a second while the side is alive
 * @doorbell: provider's address of this side's doorbells (ivshmem: peer id)
 * @msg_prod: messages written to this side's ring
 * @msg_cons: messages taken from the peer's ring
 */
struct sluice_shm_side {
	__le32 generation;
	__le32 echo;
	__le32 heartbeat;
	__le32 doorbell;
	__le32 msg_prod;
	__le32 msg_cons;
	__le32 reserved[10];
};

/**
 * struct sluice_shm_header - start of the backend page
 * @magic: SLUICE_SHM_MAGIC
 * @abi_major: SLUICE_SHM_ABI_MAJOR
 * @abi_minor: SLUICE_SHM_ABI_MINOR
 * @header_bytes: sizeof(struct sluice_shm_header)
 * @segment_shift: SLUICE_SHM_SEGMENT_SHIFT
 * @window_slots: length of the window in slots, control segment included
 * @ctrl_slots: slots of the control segment, DIV_ROUND_UP(ctrl_bytes, 2 MiB)
 * @ctrl_bytes: bytes of the control segment, a multiple of SLUICE_SHM_PAGE
 * @max_pairs: queue pairs that the backend serves, 1 to SLUICE_SHM_MAX_PAIRS
 * @nr_doorbells: vectors in use each way
 * @features: SLUICE_SHM_F_*
 *
 * Written before the backend's generation is published and constant while it
 * stands.
 */
struct sluice_shm_header {
	__le32 magic;
	__le16 abi_major;
	__le16 abi_minor;
	__le16 header_bytes;
	__u8   segment_shift;
	__u8   reserved0;
	__le32 window_slots;
	__le32 ctrl_slots;
	__le32 ctrl_bytes;
	__le16 max_pairs;
	__le16 nr_doorbells;
	__le32 features;
	__le32 reserved[8];
};

/* Descriptors may point into data segments. Without it only the control area. */
#define SLUICE_SHM_F_REGION		(1u << 0)

struct sluice_shm_backend_page {
	struct sluice_shm_header header;
	struct sluice_shm_side side;
};

struct sluice_shm_frontend_page {
	__le16 abi_major;
	__le16 abi_minor;
	__le32 features;	/* subset of the backend's that the frontend uses */
	__le32 reserved[14];
	struct sluice_shm_side side;
};

/**
 * struct sluice_shm_host - host page, present if magic is SLUICE_SHM_HOST_MAGIC
 * @name: of the destination, NUL padded
 * @mac: for the frontend, all zero if the backend shall choose
 * @max_pairs: 0, or the operator's limit of queue pairs
 * @quota_bytes: what the operator allows the data segments to fill
 * @doorbell: ring vector 0 of this address after writing a request
 * @done_seq: sequence number of the last request that was handled
 * @done_status: 0 or a positive errno for it
 * @peers: machines that are connected to the region, the asking one included; 0 if
 *	the service does not say
 * @req_seq: incremented by the backend to make a request
 * @req_op: SLUICE_SHM_HOST_PUNCH
 * @req_first: first window slot
 * @req_count: number of window slots
 *
 * The host service writes what stands before @req_seq, the backend the rest. The
 * request gives the memory of retired segments back to the host. The host
 * validates: never the control segment, never outside the window.
 */
struct sluice_shm_host {
	__le32 magic;
	__le16 version;
	__le16 max_pairs;
	__u8   name[32];
	__u8   mac[6];
	__u8   reserved0[2];
	__le64 quota_bytes;
	__le32 doorbell;
	__le32 done_seq;
	__le32 done_status;
	__le32 peers;
	__u8   reserved1[2048 - 72];
	__le32 req_seq;
	__le32 req_op;
	__le32 req_first;
	__le32 req_count;
};

#define SLUICE_SHM_HOST_MAGIC		0x48554c53	/* "SLUH" */
#define SLUICE_SHM_HOST_VERSION		1
#define SLUICE_SHM_HOST_PUNCH		1

/**
 * struct sluice_shm_ivshmem - provider page under ivshmem
 * @mapped: a bit for each window slot that the frontend has in use; it alone writes it
 * @shared: a bit for each one that the frontend may begin to use; the backend's
 * @reserved0: fills up the frontend's half
 *
 * The window is mapped as a whole on both sides, and nobody can take a part of it
 * away. These bits stand in for it when no session does: whoever sets or clears
 * his own looks at the other's after a full barrier, and so a slot is never
 * given back to the host while the frontend's sockets hold pages of it.
 */
struct sluice_shm_ivshmem {
	__le32 mapped[SLUICE_SHM_MAX_SLOTS / 32];
	__u8   reserved0[2048 - SLUICE_SHM_MAX_SLOTS / 8];
	__le32 shared[SLUICE_SHM_MAX_SLOTS / 32];
};

/* Messages */

#define SLUICE_MSG_RESPONSE		0x01	/* bit of sluice_msg.type */

enum sluice_msg_id {
	/* frontend asks, backend answers */
	SLUICE_MSG_DEVICE_INFO		= 0x02,
	SLUICE_MSG_GET_FEATURES		= 0x03,
	SLUICE_MSG_SET_FEATURES		= 0x04,
	SLUICE_MSG_GET_CONFIG		= 0x05,
	SLUICE_MSG_SET_CONFIG		= 0x06,
	SLUICE_MSG_GET_STATUS		= 0x07,
	SLUICE_MSG_SET_STATUS		= 0x08,
	SLUICE_MSG_GET_VQUEUE		= 0x09,
	SLUICE_MSG_SET_VQUEUE		= 0x0a,
	SLUICE_MSG_RESET_VQUEUE		= 0x0b,
	SLUICE_MSG_GET_SHM		= 0x0c,
	/* backend tells, no answer */
	SLUICE_MSG_EVENT_CONFIG		= 0x40,
	/* backend asks, frontend answers when the segment is mapped and in use */
	SLUICE_MSG_SEGMENT_ADD		= 0x80,
	/* backend tells; the frontend sends SEGMENT_RETIRED when it has unmapped */
	SLUICE_MSG_SEGMENT_RETIRE	= 0x81,
	SLUICE_MSG_SEGMENT_RETIRED	= 0x82,
	/* either side, answered by the same message as response */
	SLUICE_MSG_PING			= 0x83,
	/* either side, before it detaches; no answer */
	SLUICE_MSG_BYE			= 0x84,
	/* frontend asks, backend answers: pairs it receives on */
	SLUICE_MSG_SET_PAIRS		= 0x85,
};

enum sluice_msg_status {
	SLUICE_OK			= 0,
	SLUICE_EINVAL			= 1,	/* out of range or malformed */
	SLUICE_ESTATE			= 2,	/* not possible in this state */
	SLUICE_ENOSUPP			= 3,	/* unknown message or feature */
	SLUICE_ENOMEM			= 4,
	SLUICE_EIO			= 5,	/* the provider failed */
};

#define SLUICE_MSG_BYTES		64
#define SLUICE_MSG_PAYLOAD		48
#define SLUICE_MSG_CONFIG_BYTES		32	/* config space bytes per message */

struct sluice_msg_device_info {		/* response */
	__le32 device_id;		/* VIRTIO_ID_NET */
	__le32 vendor_id;
	__le32 config_bytes;
	__le16 nr_vqs;
	__le16 max_ring;
};

struct sluice_msg_features {		/* GET response, SET request */
	__le64 features;
};

struct sluice_msg_config {		/* GET request/response, SET request */
	__le32 offset;
	__le32 bytes;			/* at most SLUICE_MSG_CONFIG_BYTES */
	__le32 generation;		/* response: changes with the content */
	__u8   data[SLUICE_MSG_CONFIG_BYTES];
};

struct sluice_msg_device_status {	/* SET request; SET and GET response */
	__le32 status;			/* VIRTIO_CONFIG_S_*, 0 resets */
};

struct sluice_msg_vqueue {		/* GET request/response, SET and RESET request */
	__le32 index;
	__le32 ring;			/* GET response: maximum; SET: descriptors, power of two */
	__le64 desc;			/* window offsets */
	__le64 avail;
	__le64 used;
};

struct sluice_msg_shm {			/* GET_SHM response */
	__le32 window_slots;
	__le32 reserved;
};

struct sluice_msg_segment {		/* ADD, RETIRE, RETIRED */
	__le32 slot;			/* window slot, >= ctrl_slots */
	__le32 epoch;			/* of this life; never 0, not reused in a session */
	__le64 handle;			/* ADD: the provider's, see its documentation */
};

struct sluice_msg_pairs {		/* SET_PAIRS */
	__le32 pairs;
};

/**
 * struct sluice_msg - one message
 * @type: SLUICE_MSG_RESPONSE or 0
 * @msg_id: enum sluice_msg_id
 * @dev_num: 0
 * @token: chosen by the requester, echoed in the response
 * @msg_bytes: SLUICE_MSG_BYTES
 * @status: enum sluice_msg_status, in responses
 */
struct sluice_msg {
	__u8   type;
	__u8   msg_id;
	__le16 dev_num;
	__le16 token;
	__le16 msg_bytes;
	__le32 status;
	__le32 reserved;
	union {
		__u8 payload[SLUICE_MSG_PAYLOAD];
		struct sluice_msg_device_info device_info;
		struct sluice_msg_features features;
		struct sluice_msg_config config;
		struct sluice_msg_device_status device_status;
		struct sluice_msg_vqueue vqueue;
		struct sluice_msg_shm shm;
		struct sluice_msg_segment segment;
		struct sluice_msg_pairs pairs;
	};
};

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct sluice_shm_side) == 64, "ABI");
_Static_assert(sizeof(struct sluice_shm_header) == 64, "ABI");
_Static_assert(sizeof(struct sluice_shm_backend_page) == 128, "ABI");
_Static_assert(sizeof(struct sluice_shm_frontend_page) == 128, "ABI");
_Static_assert(sizeof(struct sluice_shm_host) == 2064, "ABI");
_Static_assert(sizeof(struct sluice_shm_ivshmem) == 2176, "ABI");
_Static_assert(sizeof(struct sluice_msg) == SLUICE_MSG_BYTES, "ABI");
#endif

#endif /* _UAPI_LINUX_SLUICE_SHM_H */
