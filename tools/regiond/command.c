// SPDX-License-Identifier: GPL-2.0
/*
 * The command socket: SOCK_SEQPACKET, so one packet is one request or one
 * answer. A request is {"command": VERB, ...}, the answer {"ok": true, ...} or
 * {"ok": false, "error": TEXT}. Whoever can open the socket may do everything;
 * its file mode is the access control.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>

#include "regiond.h"

#define BACKLOG		8
#define MAX_CLIENTS	16u	/* one more, and the oldest has to go */
#define REQUEST_BYTES	4096

struct client {
	struct client *next;	/* newest first */
	struct watch sock;
};

static struct watch listener = { .fd = -1 };
static struct client *clients;
static unsigned int nr_clients;
static struct config *config;
static volatile sig_atomic_t *stop_flag;

static void client_free(struct client *c)
{
	struct client **pos;

	for (pos = &clients; *pos != c; pos = &(*pos)->next)
		;
	*pos = c->next;
	nr_clients--;
	loop_remove(&c->sock);
	close(c->sock.fd);
	free(c);
}

static void put(struct json_object *obj, const char *key,
		struct json_object *value)
{
	json_object_object_add(obj, key, value);
}

static struct json_object *peer_object(const struct peer *p)
{
	struct json_object *obj = json_object_new_object();

	put(obj, "id", json_object_new_int64(p->id));
	put(obj, "pid", json_object_new_int64(p->pid));
	put(obj, "uid", json_object_new_int64(p->uid));
	put(obj, "rings", json_object_new_int64(p->rings));
	put(obj, "unread", json_object_new_boolean(peer_has_unread(p)));
	return obj;
}

static struct json_object *dest_object(const struct destination *d)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *peers = json_object_new_array();
	const uint8_t *m = d->spec.mac;
	uint64_t used = region_used(d->region);
	char mac[18];
	unsigned int i;

	put(obj, "name", json_object_new_string(d->spec.name));
	put(obj, "socket", json_object_new_string(d->spec.socket));
	put(obj, "window", json_object_new_int64(d->spec.window_bytes));
	put(obj, "control", json_object_new_int64(d->spec.control_bytes));
	put(obj, "quota", json_object_new_int64(d->spec.quota_bytes));
	put(obj, "pairs", json_object_new_int64(d->spec.pairs));
	put(obj, "vectors", json_object_new_int64(d->spec.pairs + 1));
	if (m[0] | m[1] | m[2] | m[3] | m[4] | m[5]) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
			 m[0], m[1], m[2], m[3], m[4], m[5]);
		put(obj, "mac", json_object_new_string(mac));
	}
	put(obj, "used", json_object_new_int64(used));
	/* the server cannot take memory from a VM that writes to all of it */
	put(obj, "over_quota",
	    json_object_new_boolean(used > d->spec.quota_bytes +
				    ((uint64_t)d->region->ctrl_slots <<
				     SLUICE_SHM_SEGMENT_SHIFT)));
	for (i = 0; i < MAX_PEERS; i++)
		if (d->peers[i])
			json_object_array_add(peers, peer_object(d->peers[i]));
	put(obj, "peers", peers);
	put(obj, "joined", json_object_new_int64(d->saved->nr_joined));
	put(obj, "left", json_object_new_int64(d->saved->nr_left));
	put(obj, "dropped", json_object_new_int64(d->saved->nr_dropped));
	put(obj, "refused", json_object_new_int64(d->saved->nr_refused));
	put(obj, "punches", json_object_new_int64(d->saved->nr_punches));
	put(obj, "punch_errors", json_object_new_int64(d->saved->nr_punch_errors));
	put(obj, "punched", json_object_new_int64(d->saved->punched_slots <<
						  SLUICE_SHM_SEGMENT_SHIFT));
	put(obj, "handovers", json_object_new_int64(d->saved->nr_handovers));
	return obj;
}

static struct destination *named(struct json_object *req, struct error *err)
{
	struct json_object *v = NULL;
	struct destination *d;
	const char *name;

	json_object_object_get_ex(req, "name", &v);
	name = json_text(v);
	if (!name) {
		fail(err, "the command needs the name of a destination");
		return NULL;
	}
	d = destination_find(name);
	if (!d)
		fail(err, "no destination '%.64s'", name);
	return d;
}

static int do_status(struct json_object *req, struct json_object *answer,
		     struct error *err)
{
	static const char *const keys[] = { "command", "name" };
	struct json_object *list;
	struct destination *d;

	if (json_only_keys(req, "status", keys, ARRAY_SIZE(keys), err))
		return -1;
	list = json_object_new_array();
	put(answer, "destinations", list);
	if (json_object_object_get_ex(req, "name", NULL)) {
		d = named(req, err);
		if (!d)
			return -1;
		json_object_array_add(list, dest_object(d));
		return 0;
	}
	put(answer, "pid", json_object_new_int64(getpid()));
	put(answer, "total", json_object_new_int64(config->total_bytes));
	put(answer, "windows", json_object_new_int64(destination_total()));
	for (d = destination_first(); d; d = d->next)
		json_object_array_add(list, dest_object(d));
	return 0;
}

static int do_add(struct json_object *req, struct json_object *answer,
		  struct error *err)
{
	static const char *const keys[] = { "command", "destination" };
	struct json_object *v = NULL;
	struct dest_spec spec;

	(void)answer;
	if (json_only_keys(req, "add", keys, ARRAY_SIZE(keys), err))
		return -1;
	json_object_object_get_ex(req, "destination", &v);
	if (dest_spec_read(&spec, v, config, err))
		return -1;
	spec.by_command = true;
	if (destination_add(&spec, config, err))
		return -1;
	say("%s: added at %s", spec.name, spec.socket);
	put(answer, "socket", json_object_new_string(spec.socket));
	put(answer, "vectors", json_object_new_int64(spec.pairs + 1));
	return 0;
}

static int do_remove(struct json_object *req, struct json_object *answer,
		     struct error *err)
{
	static const char *const keys[] = { "command", "name", "force" };
	struct json_object *v = NULL;
	char name[NAME_CHARS + 1];
	struct destination *d;

	(void)answer;
	if (json_only_keys(req, "remove", keys, ARRAY_SIZE(keys), err))
		return -1;
	d = named(req, err);
	if (!d)
		return -1;
	json_object_object_get_ex(req, "force", &v);
	strcpy(name, d->spec.name);
	if (destination_remove(d, v && json_object_get_boolean(v), err))
		return -1;
	say("%s: removed", name);
	return 0;
}

static int do_quota(struct json_object *req, struct json_object *answer,
		    struct error *err)
{
	static const char *const keys[] = { "command", "name", "quota" };
	struct json_object *v = NULL;
	struct destination *d;
	uint64_t bytes;

	(void)answer;
	if (json_only_keys(req, "quota", keys, ARRAY_SIZE(keys), err))
		return -1;
	d = named(req, err);
	if (!d)
		return -1;
	json_object_object_get_ex(req, "quota", &v);
	if (json_size(v, "quota", &bytes, err))
		return -1;
	return destination_set_quota(d, bytes, err);
}

static int do_quit(struct json_object *req, struct json_object *answer,
		   struct error *err)
{
	static const char *const keys[] = { "command" };

	(void)answer;
	if (json_only_keys(req, "quit", keys, ARRAY_SIZE(keys), err))
		return -1;
	*stop_flag = 1;
	return 0;
}

static const struct command {
	const char *verb;
	int (*run)(struct json_object *req, struct json_object *answer,
		   struct error *err);
} commands[] = {
	{ "status", do_status },
	{ "add", do_add },
	{ "remove", do_remove },
	{ "quota", do_quota },
	{ "quit", do_quit },
};

static int dispatch(const char *text, size_t len, struct json_object *answer,
		    struct error *err)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *req, *v = NULL;
	const char *verb;
	size_t i;
	int ret = -1;

	if (!tok)
		return fail(err, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	req = json_tokener_parse_ex(tok, text, len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(req, json_type_object)) {
		fail(err, "the request is not one JSON object");
		goto out;
	}
	json_object_object_get_ex(req, "command", &v);
	verb = json_text(v);
	if (!verb) {
		fail(err, "the request has no command");
		goto out;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(verb, commands[i].verb))
			break;
	if (i == ARRAY_SIZE(commands))
		fail(err, "unknown command '%.64s'; there are status, add, remove, quota and quit",
		     verb);
	else
		ret = commands[i].run(req, answer, err);
out:
	json_object_put(req);
	json_tokener_free(tok);
	return ret;
}

/**
 * command_run() - serve one request
 * @text: JSON
 * @len: of @text
 *
 * Return: the answer; json_object_put() it.
 */
struct json_object *command_run(const char *text, size_t len)
{
	struct json_object *answer = json_object_new_object();
	struct error err;
	int ret;

	if (len > REQUEST_BYTES)
		ret = fail(&err, "the request is longer than %d bytes",
			   REQUEST_BYTES);
	else
		ret = dispatch(text, len, answer, &err);
	if (ret) {
		json_object_put(answer);
		answer = json_object_new_object();
		put(answer, "error", json_object_new_string(err.text));
	}
	put(answer, "ok", json_object_new_boolean(!ret));
	return answer;
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct client *c = (struct client *)((char *)w -
					     offsetof(struct client, sock));
	struct json_object *answer;
	char text[REQUEST_BYTES];
	const char *out;
	size_t len;
	ssize_t n;

	(void)events;
	n = recv(w->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}

	answer = command_run(text, n);
	out = json_object_to_json_string_length(answer,
						JSON_C_TO_STRING_PLAIN |
						JSON_C_TO_STRING_NOSLASHESCAPE,
						&len);
	/* a client that asks but doesn't read loses its connection */
	if (send(w->fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		client_free(c);
	json_object_put(answer);
}

static void accept_ready(struct watch *w, uint32_t events)
{
	struct client *c, *oldest;
	int fd;

	(void)events;
	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->sock.fd = fd;
	c->sock.ready = client_ready;
	if (loop_add(&c->sock, EPOLLIN)) {
		close(fd);
		free(c);
		return;
	}
	c->next = clients;
	clients = c;
	if (++nr_clients > MAX_CLIENTS) {
		for (oldest = clients; oldest->next; oldest = oldest->next)
			;
		client_free(oldest);
	}
}

/**
 * command_init() - listen on the command socket
 * @cfg: path, group, and the limits for new destinations; kept
 * @stop: set by the command "quit"
 * @err: message
 *
 * Return: 0 or -1.
 */
int command_init(struct config *cfg, volatile sig_atomic_t *stop,
		 struct error *err)
{
	config = cfg;
	stop_flag = stop;
	listener.ready = accept_ready;
	listener.fd = listen_unix(cfg->control, SOCK_SEQPACKET, BACKLOG,
				  cfg->group, err);
	if (listener.fd < 0)
		return -1;
	if (loop_add(&listener, EPOLLIN))
		return fail(err, "epoll: %s", strerror(errno));
	return 0;
}

void command_free(void)
{
	while (clients)
		client_free(clients);
	if (listener.fd < 0)
		return;
	loop_remove(&listener);
	close(listener.fd);
	unlink(config->control);
	listener.fd = -1;
}
