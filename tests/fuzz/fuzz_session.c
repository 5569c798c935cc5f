// SPDX-License-Identifier: GPL-2.0
/*
 * A session whose peer is the fuzzer: header, side record and message ring hold
 * anything and change between our calls and between our reads.
 */
#include "fuzz.h"
#include "hypervisor/core/window.c"
#include "hypervisor/core/layout.c"
#include "hypervisor/core/session.c"

static struct {
	struct sluice_shm_header header;
	struct sluice_shm_side side;
	struct sluice_msg ring[SLUICE_SHM_MSG_RING];
} peer __aligned(4096);

static struct {
	struct sluice_shm_side side;
	struct sluice_msg ring[SLUICE_SHM_MSG_RING];
} own __aligned(4096);

static struct sluice_session s;
static u64 now;
static u32 generation;

enum { UP, DOWN, RECEIVED, SENT, ACCUSED, HEADER };
static const char * const names[FUZZ_COUNTERS] = {
	"up", "down", "received", "sent", "accused", "good header",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_shared = (u8 *)&peer;
	fuzz_shared_bytes = sizeof(peer);
	fuzz_names(names);
	return 0;
}

static void look_at_header(u32 mapped_bytes)
{
	static struct sluice_window win;
	struct sluice_shm_header_snap snap;
	const char *error = NULL;
	int err;

	memset(&snap, 0xee, sizeof(snap));
	err = sluice_header_read(&peer.header, mapped_bytes, &snap, &error);
	claim(err == 0 || err == -EPROTO || err == -EPROTONOSUPPORT);
	claim(!err == !error);
	if (err)
		return;
	REACHED(HEADER);
	claim(snap.ctrl_bytes <= mapped_bytes);
	claim(snap.max_pairs >= 1 && snap.max_pairs <= SLUICE_SHM_MAX_PAIRS);
	claim(snap.nr_doorbells > snap.max_pairs);
	claim(snap.nr_doorbells <= SLUICE_SHM_MAX_DOORBELLS);
	claim(!(snap.features & ~SLUICE_SHM_F_REGION));
	claim(!sluice_window_init(&win, snap.window_slots, snap.ctrl_bytes, &win));
	claim(win.ctrl_slots == snap.ctrl_slots);
}

static void poll(void)
{
	bool up = s.up;

	switch (sluice_session_poll(&s, now)) {
	case SLUICE_SESSION_UP:
		claim(!up && s.up);
		REACHED(UP);
		break;
	case SLUICE_SESSION_DOWN:
		claim(up && !s.up && !s.generation && s.error);
		REACHED(DOWN);
		break;
	case SLUICE_SESSION_NOTHING:
		claim(up == s.up);
		break;
	}
	claim(!s.up || (s.generation && s.echo));
}

static void receive(void)
{
	struct sluice_msg msg;
	bool up = s.up;
	int ret;

	memset(&msg, 0xee, sizeof(msg));
	ret = sluice_session_receive(&s, &msg);
	claim(up || ret == -ENOLINK);
	if (ret == -EPROTO) {
		claim(s.broken && s.error);
		REACHED(ACCUSED);
	} else if (ret == 1) {
		claim(msg.type <= SLUICE_MSG_RESPONSE);
		claim(le16_to_cpu(msg.msg_bytes) == SLUICE_MSG_BYTES);
		claim(!msg.dev_num && !msg.reserved && !s.broken);
		REACHED(RECEIVED);
	} else {
		claim(ret == 0 || ret == -ENOLINK);
	}
}

static void send(void)
{
	struct sluice_msg msg = {
		.msg_id = SLUICE_MSG_PING,
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};
	bool up = s.up;
	int ret;

	ret = sluice_session_send(&s, &msg);
	claim(ret == 0 || ret == -ENOLINK || ret == -EAGAIN || ret == -EPROTO);
	claim(up || ret == -ENOLINK);
	claim(ret != -EPROTO || (s.broken && s.error));
	if (!ret)
		REACHED(SENT);
}

/* What an honest peer would do next: answer, send, take. */
static void honest(u8 what)
{
	struct sluice_msg msg = {
		.msg_id = what,
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};

	switch (what & 3) {
	case 0:
		peer.side.generation = cpu_to_le32(1000 + what);
		peer.side.echo = own.side.generation;
		peer.side.msg_prod = 0;
		peer.side.msg_cons = 0;
		break;
	case 1:
		peer.ring[le32_to_cpu(peer.side.msg_prod) % SLUICE_SHM_MSG_RING] = msg;
		peer.side.msg_prod = cpu_to_le32(le32_to_cpu(peer.side.msg_prod) + 1);
		break;
	case 2:
		peer.side.msg_cons = own.side.msg_prod;
		break;
	case 3:
		peer.side.heartbeat = cpu_to_le32(le32_to_cpu(peer.side.heartbeat) + 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static const struct sluice_shm_header_snap offer = {
		.window_slots = 33, .ctrl_slots = 1, .ctrl_bytes = 1 << 20,
		.max_pairs = 1, .nr_doorbells = 2, .features = SLUICE_SHM_F_REGION,
	};

	fuzz_data = input;
	fuzz_left = bytes;
	fuzz_reads = 0;
	memset(&peer, 0, sizeof(peer));
	memset(&own, 0, sizeof(own));
	sluice_header_write(&peer.header, &offer);
	sluice_session_init(&s, &own.side, own.ring, &peer.side, peer.ring, 1000);
	now = 1;
	generation = 0;
	fuzz_racy = fuzz_u8() & 1;
	sluice_session_restart(&s, ++generation);

	while (fuzz_left) {
		u8 op = fuzz_u8();
		u32 at;

		switch (op & 7) {
		case 0:
			/* header and record, or anywhere in the ring */
			at = op & 8 ? fuzz_u16() % sizeof(peer) :
				      fuzz_u8() % (sizeof(peer.header) + sizeof(peer.side));
			fuzz_bytes((u8 *)&peer + at, min_t(u32, 1 + (op >> 4),
							   sizeof(peer) - at));
			break;
		case 1:
			honest(op >> 3);
			break;
		case 2:
			now += op >> 3 == 31 ? 1001 : op >> 3;
			poll();
			break;
		case 3:
			receive();
			break;
		case 4:
			send();
			break;
		case 5:
			if (op >> 3 == 31)
				sluice_session_detach(&s);
			else
				sluice_session_restart(&s, ++generation);
			break;
		case 6:
			sluice_session_beat(&s);
			break;
		case 7:
			look_at_header(fuzz_u32());
			break;
		}
	}
	return 0;
}
