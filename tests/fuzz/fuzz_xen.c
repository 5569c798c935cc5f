// SPDX-License-Identifier: GPL-2.0
/*
 * What another domain writes for the Xen provider: lists of grant references, which
 * change between our reads, and the words of its xenstore folder, on which the two
 * state machines act.
 */
#include "fuzz.h"
#include "hypervisor/xen/nodes.c"
#include "hypervisor/xen/machine.c"

static __le32 shared[SXEN_DIRECTORY_REFS] __aligned(4096);

enum { LIST, REFUSED, PORTS, BOUND, CONNECTED, LEFT };
static const char * const names[FUZZ_COUNTERS] = {
	"good list", "refused list", "good ports", "bound", "connected", "left",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_shared = (u8 *)shared;
	fuzz_shared_bytes = sizeof(shared);
	fuzz_names(names);
	return 0;
}

/* A list that is good but for some words, or the fuzzer would never find one. */
static void look_at_list(void)
{
	static u32 snap[SXEN_DIRECTORY_REFS], work[SXEN_DIRECTORY_REFS];
	u32 nr = fuzz_u16() % (SXEN_DIRECTORY_REFS + 8), i, j;
	const char *text = NULL;
	u32 sum = 0;
	int err;

	for (i = 0; i < SXEN_DIRECTORY_REFS; i++)
		shared[i] = cpu_to_le32(SXEN_FIRST_REF + 7 * i);
	for (i = fuzz_u8() % 4; i; i--) {
		j = fuzz_u16() % SXEN_DIRECTORY_REFS;
		shared[j] = cpu_to_le32(fuzz_u32());
	}
	memset(snap, 0, sizeof(snap));
	err = sxen_refs_read(shared, nr, snap, work, &text);
	claim(err == 0 || err == -EINVAL);
	claim(!err == !text);
	REACHED(err ? REFUSED : LIST);
	if (err)
		return;
	/* the same values, in an order that shows that none is there twice */
	for (i = 0; i < nr; i++) {
		claim(snap[i] >= SXEN_FIRST_REF && snap[i] != U32_MAX);
		claim(!i || work[i] > work[i - 1]);
		sum += snap[i] - work[i];
	}
	claim(!sum);
}

static void look_at_numbers(void)
{
	u32 port[SLUICE_SHM_MAX_DOORBELLS], nr = fuzz_u8() % (SLUICE_SHM_MAX_DOORBELLS + 1), i;
	const char *text = NULL;
	u32 bytes = fuzz_u32(), bells = fuzz_u32();
	u64 window = (u64)fuzz_u32() << 12;
	u32 slots;

	for (i = 0; i < nr; i++)
		port[i] = fuzz_u16();
	if (!sxen_ports_check(port, nr, &text)) {
		REACHED(PORTS);
		for (i = 0; i < nr; i++)
			claim(port[i] && port[i] < SXEN_MAX_PORTS);
	}
	if (!sxen_offer_check(bytes, bells, &text))
		claim(bytes <= SLUICE_SHM_CTRL_MAX && bells <= SLUICE_SHM_MAX_DOORBELLS);
	slots = sxen_window_slots(window, SLUICE_SHM_CTRL_MAX);
	claim(slots <= SLUICE_SHM_MAX_SLOTS);
}

/* An end of which the fuzzer is the other one, and whose own steps fail now and then. */
static void play(bool back)
{
	struct sxen_side s = { .state = back ? SXEN_INITIALISING : SXEN_CLOSED };
	struct sxen_view v = { .exists = true, .online = true };
	unsigned int steps, quiet;
	struct sxen_order o;
	u32 life = 1;

	for (steps = 0; steps < 200 && fuzz_left; steps++) {
		u8 what = fuzz_u8();

		v.exists = what & 0x0f;
		v.online = what & 0x30;
		v.state = fuzz_u8() % 9;
		v.life = fuzz_u8() % 8;
		v.echo = fuzz_u8() & 1 ? s.life : fuzz_u8();
		/* without a control segment there is no offer either: sxen_ctrl_free() */
		if (back && what & 0x40)
			s.life = 0;
		for (quiet = 0; ; quiet++) {
			int err = what & 0x80 && fuzz_u8() & 1 ? -EIO : 0;

			v.own = s.state;
			o = back ? sxen_back_next(&s, &v, !(what & 0x40)) : sxen_front_next(&s, &v);
			if (o.step == SXEN_STAY)
				break;
			/* an offer that failed is made again later, not at once */
			if (o.step == SXEN_OFFER && err)
				break;
			/* nothing that another domain writes keeps us busy */
			claim(quiet < 8);
			if (o.step == SXEN_BIND || o.step == SXEN_MAP)
				claim(!s.peer_life && v.life && v.exists);
			if (o.step == SXEN_UNBIND || o.step == SXEN_LEAVE) {
				claim(s.peer_life);
				err = 0;
				REACHED(LEFT);
			}
			if (o.step == SXEN_CONNECT) {
				claim(v.echo == s.life && v.life == s.peer_life);
				REACHED(CONNECTED);
			}
			if (o.step == SXEN_SAY)
				err = 0;
			if (o.step == SXEN_BIND && !err)
				REACHED(BOUND);
			sxen_side_done(&s, &v, o, err, ++life);
			claim(s.state >= SXEN_INITIALISING && s.state <= SXEN_CLOSED);
		}
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	u8 what;

	fuzz_data = data;
	fuzz_left = bytes;
	fuzz_reads = 0;
	what = fuzz_u8();
	fuzz_racy = what & 1;
	look_at_list();
	look_at_numbers();
	play(what & 2);
	return 0;
}
