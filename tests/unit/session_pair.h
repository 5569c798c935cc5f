/* SPDX-License-Identifier: GPL-2.0 */
/* Two sessions that are each other's peer, and the memory that they share. */
#ifndef SLUICE_UNIT_SESSION_PAIR_H
#define SLUICE_UNIT_SESSION_PAIR_H

#include "test.h"
#include <sluice/session.h>

#define TIMEOUT	1000
#define RING	SLUICE_SHM_MSG_RING

struct session_shm {
	struct sluice_shm_side side[2];
	struct sluice_msg ring[2][RING];
};

extern struct session_shm shm;
extern struct sluice_session a, b;
extern u64 now;

/* Neither has begun; for cmocka, before each test of a pair. */
int setup(void **unused);
#define T(f)	cmocka_unit_test_setup(f, setup)

void start(struct sluice_session *s);
enum sluice_session_event poll(struct sluice_session *s);
/* Both keep polling, and start again when told so, until they are up. */
void settle(void);
/* Two sides that are up. */
void meet(void);
struct sluice_msg message(u16 token);
int send(struct sluice_session *s, u16 token);
void assert_receives(struct sluice_session *s, u16 token);
void assert_receives_nothing(struct sluice_session *s);

#endif /* SLUICE_UNIT_SESSION_PAIR_H */
