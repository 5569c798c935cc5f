// SPDX-License-Identifier: GPL-2.0
/* hypervisor/ivshmem/mailbox.c: asking the region server while the guest overwrites it all. */
#include "test.h"
#include "hypervisor/ivshmem/mailbox.c"

static struct sluice_shm_host page;
static struct ivshmem_mailbox m;
static u32 status;

/* What tools/regiond does when it is rung, in its order, a step at a time. */
static struct {
	bool rung;
	u32 last_seq, seq, slot, left;	/* left: steps until the answer */
	u32 nr_served;
} server;

static int setup(void **unused)
{
	(void)unused;
	memset(&page, 0, sizeof(page));
	memset(&server, 0, sizeof(server));
	ivshmem_mailbox_init(&m, &page);
	status = 77;
	return 0;
}

static void server_step(void)
{
	if (server.left) {
		if (--server.left)
			return;
		page.done_status = 0;
		page.done_seq = cpu_to_le32(server.seq);
		server.nr_served++;
	} else if (server.rung) {
		server.rung = false;
		server.seq = le32_to_cpu(page.req_seq);
		server.slot = le32_to_cpu(page.req_first);
		if (server.seq != server.last_seq)
			server.left = 3;
		server.last_seq = server.seq;
	}
}

static void server_runs(void)
{
	while (server.left || server.rung)
		server_step();
}

static void ask(u32 slot)
{
	ivshmem_mailbox_ask(&m, &page, slot);
	server.rung = true;
}

static void again(void)
{
	ivshmem_mailbox_again(&m, &page);
	server.rung = true;
}

static void an_answer(void **unused)
{
	u32 slot;

	(void)unused;
	for (slot = 1; slot < 5; slot++) {
		ask(slot);
		assert_int_equal(le32_to_cpu(page.req_op), SLUICE_SHM_HOST_PUNCH);
		assert_int_equal(le32_to_cpu(page.req_first), slot);
		assert_int_equal(le32_to_cpu(page.req_count), 1);
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_NONE);
		server_runs();
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
		assert_int_equal(status, 0);
	}
	assert_int_equal(server.nr_served, 4);
}

static void goes_on_from_an_earlier_driver(void **unused)
{
	(void)unused;
	ask(3);
	server_runs();
	ivshmem_mailbox_init(&m, &page);
	/* the server ignores a number that it has just seen */
	ask(4);
	server_runs();
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
	assert_int_equal(server.nr_served, 2);
}

static void errors_are_passed_on(void **unused)
{
	static const struct { u32 said, heard; } t[] = {
		{ EPERM, EPERM }, { 4095, 4095 }, { 4096, IVSHMEM_MAILBOX_FORGED },
		{ 0x80000000, IVSHMEM_MAILBOX_FORGED }, { U32_MAX, IVSHMEM_MAILBOX_FORGED },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		ask(1);
		server_runs();
		page.done_status = cpu_to_le32(t[i].said);
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
		assert_int_equal(status, t[i].heard);
	}
}

/* The answer came and was overwritten: nothing but a new request brings another. */
static void an_answer_overwritten(void **unused)
{
	static const u32 garbage[] = { 0, 1, 0xdeadbeef, U32_MAX, 0x80000001 };
	size_t i;

	(void)unused;
	ask(1);
	server_runs();
	ask(2);
	server_runs();
	for (i = 0; i < ARRAY_SIZE(garbage); i++) {
		ask(7);
		server_runs();
		page.done_seq = cpu_to_le32(garbage[i]);
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status),
				 IVSHMEM_MAILBOX_OVERWRITTEN);
		again();
		/* the same garbage is what stood there before now: not said twice */
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_NONE);
		server_runs();
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
	}
}

/* A slow server answers the first of two requests for a slot: not done before the second. */
static void a_late_answer_is_not_the_last(void **unused)
{
	(void)unused;
	ask(5);
	server_step();			/* it has read the request */
	page.done_seq = cpu_to_le32(0xbad);
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_OVERWRITTEN);
	again();
	while (server.left)
		server_step();		/* and answers that one */
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_NONE);
	server_runs();
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
	assert_int_equal(server.nr_served, 2);
}

/* The answer to a request that is not made yet stands there already. */
static void an_answer_in_advance(void **unused)
{
	(void)unused;
	ask(1);
	server_runs();
	page.done_seq = cpu_to_le32(m.seq + 1);
	ask(2);
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_NONE);
	server_runs();
	assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
	assert_int_equal(server.nr_served, 2);
}

static void numbers_go_round(void **unused)
{
	u32 i;

	(void)unused;
	page.req_seq = cpu_to_le32(U32_MAX - 3);
	ivshmem_mailbox_init(&m, &page);
	for (i = 0; i < 8; i++) {
		ask(i);
		server_runs();
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
		page.done_seq = cpu_to_le32(m.seq + 100);
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status),
				 IVSHMEM_MAILBOX_OVERWRITTEN);
		again();
		server_runs();
		assert_int_equal(ivshmem_mailbox_look(&m, &page, &status), IVSHMEM_MAILBOX_DONE);
	}
}

/*
 * A guest that writes any word of the mailbox at any time, for a while. As soon as it
 * stops, asking again a few times is enough; and as long as it writes no true
 * sequence number, the slot is not taken for done while the server works on it.
 */
static void whatever_the_guest_writes(void **unused)
{
	u32 seed = 1, round, step, slot, tries, overwritten = 0;
	bool forged;

	(void)unused;
	for (round = 0; round < 20000; round++) {
		slot = 1 + round % 30;
		forged = false;
		ask(slot);
		for (step = 0; step < 20; step++) {
			switch (test_random(&seed) % 5) {
			case 0:
				page.done_seq = cpu_to_le32(test_random(&seed));
				break;
			case 1:
				page.req_seq = cpu_to_le32(m.seq + test_random(&seed) % 3);
				forged = true;
				break;
			case 2:
				server.rung = true;
				break;
			default:
				server_step();
			}
			if (ivshmem_mailbox_look(&m, &page, &status) ==
			    IVSHMEM_MAILBOX_OVERWRITTEN) {
				overwritten++;
				again();
			}
		}
		for (tries = 0; ivshmem_mailbox_look(&m, &page, &status) != IVSHMEM_MAILBOX_DONE;
		     tries++) {
			assert_true(tries < 4);
			again();
			server_runs();
		}
		if (!forged && server.left)
			assert_int_not_equal(server.slot, slot);
		server_runs();
	}
	assert_true(overwritten > 1000);
}

#define T(f)	cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_answer), T(goes_on_from_an_earlier_driver), T(errors_are_passed_on),
		T(an_answer_overwritten), T(a_late_answer_is_not_the_last),
		T(an_answer_in_advance), T(numbers_go_round), T(whatever_the_guest_writes),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
