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
 *	main -> command -> destination -> handover -> peer, store, region -> util
 *			   destination -> listener -> util
 *	main -> keep	   destination -> request -> punch -> region
 *	main -> config  -> util				all of them -> loop
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
bool socket_only_sends(int fd);
int close_elsewhere(int fd);
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
	bool by_command;	/* so no configuration knows it */
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
struct region *region_adopt(const struct dest_spec *spec, int memfd,
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
	struct timer keep;
	bool kept;		/* for the next server */
	bool ring_pending;	/* rang while a punch was running */
	uint64_t rings;
};

/* All that a peer has open with the server */
struct peer_fds {
	int sock;
	int ring;
	int vectors[SLUICE_SHM_MAX_DOORBELLS];
	unsigned int nr_vectors;
};

struct peer *peer_new(struct destination *d, int fd, struct error *err);
struct peer *peer_adopt(struct destination *d, uint32_t id,
			const struct peer_fds *fds, struct error *err);
void peer_fds_close(const struct peer_fds *fds);
int peer_introduce(struct peer *p, const struct peer *other);
int peer_handshake(struct peer *p, const struct peer *other);
int peer_tell_left(struct peer *p, uint32_t id);
bool peer_has_unread(const struct peer *p);
void peer_free(struct peer *p);
void peer_refuse(int fd, int reason);

/* listener.c: where clients connect, at a limited rate */

struct listener {
	struct watch watch;
	struct timer rest;
	unsigned int tokens;	/* connections that may come at once */
	uint64_t refill;	/* when the last token was earned */
	int tainted;		/* a client that may take long to close, -1: none */
	void (*joined)(struct listener *l, int fd);	/* takes over @fd */
	void (*refused)(struct listener *l);	/* one that sent data */
};

int listener_open(struct listener *l, const char *path, gid_t group,
		  struct error *err);
void listener_close(struct listener *l, const char *path);

/* destination.c: one socket, one region, at most two peers */

#define MAX_PEERS	2	/* the backend's QEMU and the guest's */

struct destination {
	struct destination *next;
	struct dest_spec spec;
	struct listener listener;
	struct timer publish;	/* of the host page, again */
	struct region *region;
	bool region_stale;	/* by a pair that is gone: must be replaced */
	struct peer *peers[MAX_PEERS];
	struct saved *saved;	/* what the next server has to know */
	struct punch *punch;
	struct watch punched;	/* the running punch ended */
	uint32_t punch_peer;	/* id of who asked for it */
	unsigned int stuck_ms;
	uint64_t keep_second;	/* in which nr_kept peers were put into the store */
	unsigned int nr_kept;
	bool memory_kept;	/* for the next server */
	uint64_t last_log;
};

struct destination *destination_first(void);
struct destination *destination_find(const char *name);
uint64_t destination_total(void);
int destination_add(const struct dest_spec *spec, const struct config *cfg,
		    struct error *err);
int destination_remove(struct destination *d, bool force, struct error *err);
int destination_set_quota(struct destination *d, uint64_t quota_bytes,
			  struct error *err);
void destination_stop_all(void);
void destination_drop(struct peer *p, const char *why);
bool destination_may_log(struct destination *d);

/* request.c: what a backend asks for in the host page */

void request_init(struct destination *d);
void request_rang(struct peer *p);

/* handover.c: what of a destination outlives the server */

struct saved {
	uint32_t layout;
	uint32_t mark;		/* in the names of what is kept */
	uint32_t next_id;
	uint32_t peers[MAX_PEERS];	/* ids in the order of destination.peers, 0: none */
	uint32_t nr_memory;	/* counts what memory the destination has had */
	uint32_t last_seq;	/* last request taken */
	struct dest_spec spec;
	uint64_t nr_joined;
	uint64_t nr_left;
	uint64_t nr_refused;
	uint64_t nr_dropped;
	uint64_t nr_punches;
	uint64_t nr_punch_errors;
	uint64_t punched_slots;
	uint64_t nr_handovers;
};

int handover_begin(struct destination *d, struct error *err);
void handover_end(struct destination *d);
bool handover_added(struct dest_spec *spec);
void handover_refuse(const char *dest);
void handover_forget(struct destination *d);
void handover_new_memory(struct destination *d);
void handover_put_peer(struct peer *p);
void handover_stayed(struct timer *t);
void handover_drop_peer(const struct destination *d, uint32_t id);

/* store.c: descriptors that the service manager keeps for the next server */

#define STORE_NAME_CHARS	64

void store_init(void);
void store_ready(void);
int store_put(const char *name, int fd);
void store_drop(const char *name);
int store_take(const char *name);
const char *store_find(const char *suffix, int *fd);
void store_drop_rest(const char *prefix);
void store_free(void);

/* keep.c: a manager for who has no systemd */

int keep_run(const char *config, const char *control);

/* command.c: the command socket */

int command_init(struct config *cfg, volatile sig_atomic_t *stop,
		 struct error *err);
void command_free(void);
struct json_object *command_run(const char *text, size_t len);

#endif /* SLUICE_REGIOND_H */
