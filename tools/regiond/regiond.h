/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sluice-regiond: makes the memory that a driver domain and one guest share
 * under QEMU, and hands it out over QEMU's ivshmem-server protocol.
 *
 * One thread runs one epoll loop and never blocks; giving memory back may take
 * long, so that runs in a thread of its own (punch.c). Everything a client can do
 * is bounded per destination, so that a bad one only harms its own.
 *
 * What depends on what:
 *
 *	main -> command -> destination -> peer, punch -> region -> util
 *	main -> config  -> util			all of them -> loop
 */
#ifndef SLUICE_REGIOND_H
#define SLUICE_REGIOND_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include <linux/sluice_shm.h>

struct json_object;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* util.c: what a person reads, and numbers that a person wrote */

struct error {
	char text[256];
};

int fail(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool parse_size(const char *text, uint64_t *bytes, struct error *err);
bool parse_mac(const char *text, uint8_t mac[6]);
void format_size(uint64_t bytes, char text[24]);
bool socket_is_gone(int fd);
int listen_unix(const char *path, int type, int backlog, gid_t group,
		struct error *err);

/* loop.c: one epoll set, timers in milliseconds */

struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events);
};

struct timer {
	struct timer *next;
	bool armed;
	uint64_t due;
	void (*expired)(struct timer *t);
};

int loop_init(void);
int loop_add(struct watch *w, uint32_t events);
void loop_change(struct watch *w, uint32_t events);
void loop_remove(struct watch *w);
uint64_t loop_now(void);
void timer_arm(struct timer *t, unsigned int ms);
void timer_cancel(struct timer *t);
void loop_run(const volatile sig_atomic_t *stop);
void loop_free(void);

/* config.c: what the operator wants, from the file or the command socket */

#define NAME_CHARS	31	/* struct sluice_shm_host.name less its NUL */
#define PATH_CHARS	(sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define NO_GROUP	((gid_t)-1)

struct dest_spec {
	char name[NAME_CHARS + 1];
	char socket[PATH_CHARS + 1];
	uint64_t window_bytes;	/* of the memfd: a power of two */
	uint64_t control_bytes;	/* at its start, never given back */
	uint64_t quota_bytes;	/* that data segments may fill */
	unsigned int pairs;
	uint8_t mac[6];		/* all zero: the backend chooses */
	gid_t group;		/* may connect beside the owner */
};

struct config {
	char control[PATH_CHARS + 1];
	char directory[PATH_CHARS + 1];
	gid_t group;
	uint64_t total_bytes;	/* that all windows together may take */
	unsigned int stuck_ms;	/* after which an unread handshake is given up */
	struct dest_spec *dests;
	size_t nr_dests;
};

int config_load(struct config *cfg, const char *path, struct error *err);
int config_parse(struct config *cfg, const char *text, size_t len,
		 const char *path, struct error *err);
void config_free(struct config *cfg);
int dest_spec_read(struct dest_spec *spec, struct json_object *obj,
		   const struct config *cfg, struct error *err);
int quota_check(const struct dest_spec *spec, uint64_t quota_bytes,
		struct error *err);
int json_only_keys(struct json_object *obj, const char *what,
		   const char *const *keys, size_t nr, struct error *err);
int json_size(struct json_object *obj, const char *what, uint64_t *bytes,
	      struct error *err);
const char *json_text(struct json_object *obj);

/* region.c: the memory of one destination */

struct region {
	atomic_uint refs;
	int memfd;
	uint64_t bytes;
	uint32_t ctrl_slots;
	uint32_t window_slots;
	void *map;		/* of its first pages */
	size_t map_bytes;
	struct sluice_shm_host *shared;	/* peers write all of it */
};

/* One request of the backend, copied out of the host page */
struct punch_request {
	uint32_t seq;
	uint32_t op;
	uint32_t first;
	uint32_t count;
};

struct region *region_new(const struct dest_spec *spec, uint32_t doorbell,
			  struct error *err);
void region_get(struct region *r);
void region_put(struct region *r);
void region_publish(struct region *r, const struct dest_spec *spec,
		    uint32_t doorbell, unsigned int peers);
void region_snapshot(const struct region *r, struct punch_request *snap);
int region_check(const struct region *r, const struct punch_request *snap);
void region_answer(struct region *r, uint32_t seq, uint32_t status);
uint64_t region_used(const struct region *r);

/* punch.c: gives slots back to the host, beside the loop */

struct punch;

struct punch *punch_start(struct region *r, const struct punch_request *snap,
			  int doorbell_fd, struct watch *finished);
void punch_cancel(struct punch *p);
void punch_abandon(struct punch *p);
int punch_finish(struct punch *p, uint32_t *seq, uint64_t *slots);

/* peer.c: one connected QEMU */

struct destination;

#define SERVER_ID	1u	/* the server's own id on every socket */
#define FIRST_ID	2u
#define LAST_ID		4095u	/* QEMU keeps a table as long as the largest id */

struct peer {
	struct destination *dest;
	struct watch sock;
	struct watch ring;	/* an eventfd: this peer rings the server */
	struct timer ring_rest;
	struct timer stuck;
	uint32_t id;
	unsigned int nr_vectors;
	int vectors[SLUICE_SHM_MAX_DOORBELLS];
	pid_t pid;
	uid_t uid;
	bool ring_pending;	/* rang while a punch was running */
	uint64_t rings;
};

struct peer *peer_new(struct destination *d, int fd, struct error *err);
int peer_introduce(struct peer *p, const struct peer *other);
int peer_handshake(struct peer *p, const struct peer *other);
int peer_tell_left(struct peer *p, uint32_t id);
bool peer_has_unread(const struct peer *p);
void peer_ring(const struct peer *p);
void peer_free(struct peer *p);
void peer_refuse(int fd, int reason);

/* destination.c: one socket, one region, at most two peers */

#define MAX_PEERS	2	/* the backend's QEMU and the guest's */

struct destination {
	struct destination *next;
	struct dest_spec spec;
	struct watch listener;
	struct timer listener_rest;
	unsigned int accept_tokens;
	uint64_t accept_refill;
	struct timer publish;	/* of the host page, again */
	struct region *region;
	bool region_stale;	/* by a pair that is gone: must be replaced */
	struct peer *peers[MAX_PEERS];
	uint32_t next_id;
	struct punch *punch;
	struct watch punched;	/* the running punch ended */
	uint32_t punch_peer;	/* id of who asked for it */
	uint32_t last_seq;	/* last request taken */
	unsigned int stuck_ms;
	uint64_t last_log;
	uint64_t nr_joined;
	uint64_t nr_left;
	uint64_t nr_refused;
	uint64_t nr_dropped;
	uint64_t nr_punches;
	uint64_t nr_punch_errors;
	uint64_t punched_slots;
};

struct destination *destination_first(void);
struct destination *destination_find(const char *name);
uint64_t destination_total(void);
int destination_add(const struct dest_spec *spec, const struct config *cfg,
		    struct error *err);
int destination_remove(struct destination *d, bool force, struct error *err);
int destination_set_quota(struct destination *d, uint64_t quota_bytes,
			  struct error *err);
void destination_remove_all(void);
void destination_peer_rang(struct peer *p);
void destination_drop(struct peer *p, const char *why);

/* command.c: the command socket */

int command_init(struct config *cfg, volatile sig_atomic_t *stop,
		 struct error *err);
void command_free(void);
struct json_object *command_run(const char *text, size_t len);

#endif /* SLUICE_REGIOND_H */
