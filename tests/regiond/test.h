/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of sluice-regiond share: TAP, a server under test, and a
 * client that speaks the ivshmem protocol by hand.
 */
#ifndef SLUICE_REGIOND_TEST_H
#define SLUICE_REGIOND_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/sluice_shm.h>

/* Generous: two cores under sanitizers and emulators. Nothing waits it out. */
#define WAIT_MS		60000
#define MAX_VECTORS	SLUICE_SHM_MAX_DOORBELLS
#define SERVER_PEER	1

/* tap.c */

void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *why, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void bail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
int tap_done(void);

/* server.c */

struct server {
	pid_t pid;
	int log_fd;
	char log[65536];
	size_t log_len;
	char ctl[128];
};

extern char test_dir[64];

void server_paths(const char *daemon, const char *ctl);
const char *in_dir(const char *name);
uint64_t now_ms(void);
int server_start(struct server *s, const char *json);
int server_start_kept(struct server *s, const char *json);
struct store;
int server_start_after(struct server *s, const char *json,
		       const struct store *store);
void server_configure(const char *json);
int server_start_limited(struct server *s, const char *json, long max_files);
bool server_says(struct server *s, const char *text);
int server_wait(struct server *s);
int server_stop(struct server *s);
bool server_answers(struct server *s, bool good, const char *expect,
		    const char *request);
bool request_gives(struct server *s, const char *request, const char *expect);
pid_t server_pid(struct server *s);
bool server_is_next(struct server *s, pid_t before);
long status_number(struct server *s, const char *dest, const char *key);
bool status_becomes(struct server *s, const char *dest, const char *key,
		    long value);
int run_ctl(struct server *s, char *out, size_t size, const char *args);

/* manager.c: a service manager's descriptor store, by hand */

#define STORE_ENTRIES	32

struct store {
	int sock;		/* that the server writes to */
	int nr;
	struct {
		char name[64];
		int fd;
	} kept[STORE_ENTRIES];
	int nr_puts;		/* of peers' sockets, ever */
	bool ready;
};

void store_open(struct store *st);
void store_hear(struct store *st);
bool store_holds(struct store *st, int nr);
void store_lose(struct store *st, const char *part);
void store_hand_out(const struct store *st);
void store_close(struct store *st);

/* client.c */

struct client {
	int sock;
	int64_t id;
	int memfd;
	uint64_t bytes;
	uint8_t *map;
	int own[MAX_VECTORS];
	int nr_own;
	int server_ring;
	int64_t other_id;	/* of the last peer introduced, -1 if none */
	int other[MAX_VECTORS];
	int nr_other;
	bool order_ok;		/* the handshake came as QEMU expects it */
};

int dial(const char *path);
int read_message(int sock, int64_t *number, int *fd);
bool at_end(int sock);
bool client_join(struct client *c, const char *path, int vectors);
bool client_sees_join(struct client *c, int vectors);
bool client_sees_leave(struct client *c, int64_t id);
bool client_is_silent(struct client *c);
bool client_catch_up(struct client *c);
bool client_rang(int fd);
void client_leave(struct client *c);
struct sluice_shm_host *client_host(struct client *c);

/* one file each */
void test_handshake(void);
void test_punch(void);
void test_bad_clients(void);
void test_control(void);
void test_config(void);
void test_lifecycle(void);
void test_handover(void);

#endif /* SLUICE_REGIOND_TEST_H */
