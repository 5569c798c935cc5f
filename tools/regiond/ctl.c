// SPDX-License-Identifier: GPL-2.0
/*
 * sluice-regionctl: talks to the command socket of sluice-regiond.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#define DEFAULT_SOCKET	"/run/sluice/regiond.sock"
#define ANSWER_BYTES	(1 << 20)
#define TIMEOUT_S	10

static void usage(FILE *f)
{
	fputs("usage: sluice-regionctl [-s SOCKET] [-j] COMMAND\n"
	      "\n"
	      "  status [NAME]         show all destinations, or one\n"
	      "  add NAME window SIZE [quota SIZE] [control SIZE] [pairs N]\n"
	      "      [mac ADDRESS] [socket PATH] [group GROUP]\n"
	      "  remove NAME [--force] --force: even with peers connected\n"
	      "  quota NAME SIZE       what data segments may fill\n"
	      "  qemu NAME             print the QEMU options that connect to it\n"
	      "  quit                  stop the server\n"
	      "\n"
	      "  -s, --socket SOCKET   default " DEFAULT_SOCKET "\n"
	      "  -j, --json            print the server's answer as JSON\n"
	      "  -h, --help            show this\n", f);
}

static int bad_usage(const char *text)
{
	fprintf(stderr, "sluice-regionctl: %s; see --help\n", text);
	return 2;
}

static int die(const char *what, const char *why)
{
	fprintf(stderr, "sluice-regionctl: %s: %s\n", what, why);
	return 1;
}

static int dial(const char *path)
{
	struct timeval tv = { .tv_sec = TIMEOUT_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One request, one answer; NULL after a message to the user */
static struct json_object *ask(const char *path, struct json_object *req)
{
	struct json_object *answer = NULL;
	const char *text;
	size_t len;
	ssize_t n;
	char *buf;
	int fd;

	fd = dial(path);
	if (fd < 0) {
		die(path, errno == ENOENT || errno == ECONNREFUSED ?
		    "no sluice-regiond listens there" : strerror(errno));
		return NULL;
	}
	buf = malloc(ANSWER_BYTES);
	if (!buf) {
		die(path, "out of memory");
		goto out;
	}
	text = json_object_to_json_string_length(req, JSON_C_TO_STRING_PLAIN,
						 &len);
	if (send(fd, text, len, MSG_NOSIGNAL) < 0) {
		die(path, strerror(errno));
		goto out;
	}
	n = recv(fd, buf, ANSWER_BYTES - 1, 0);
	if (n <= 0) {
		die(path, n < 0 ? strerror(errno) : "the server hung up");
		goto out;
	}
	buf[n] = 0;
	answer = json_tokener_parse(buf);
	if (!answer)
		die(path, "the server's answer is not JSON");
out:
	free(buf);
	close(fd);
	return answer;
}

static struct json_object *get(struct json_object *obj, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(obj, key, &v);
	return v;
}

static const char *text_of(struct json_object *obj, const char *key)
{
	struct json_object *v = get(obj, key);

	return v ? json_object_get_string(v) : "-";
}

static int64_t number_of(struct json_object *obj, const char *key)
{
	return json_object_get_int64(get(obj, key));
}

/* "12.5M": for people, so not exact */
static const char *human(int64_t bytes, char buf[16])
{
	static const char units[] = "KMGT";
	double v = bytes;
	int u = -1;

	while (v >= 1024 && u < 3) {
		v /= 1024;
		u++;
	}
	if (u < 0)
		snprintf(buf, 16, "%" PRId64, bytes);
	else
		snprintf(buf, 16, v == (int64_t)v ? "%.0f%c" : "%.1f%c", v,
			 units[u]);
	return buf;
}

static void show_dest(struct json_object *d)
{
	char a[16], b[16], c[16];
	struct json_object *peers = get(d, "peers"), *p;
	size_t i;

	printf("%s: window %s quota %s used %s%s pairs %" PRId64 " mac %s\n",
	       text_of(d, "name"), human(number_of(d, "window"), a),
	       human(number_of(d, "quota"), b), human(number_of(d, "used"), c),
	       json_object_get_boolean(get(d, "over_quota")) ?
	       " (over quota)" : "",
	       number_of(d, "pairs"), text_of(d, "mac"));
	printf("    socket %s vectors %" PRId64 "\n", text_of(d, "socket"),
	       number_of(d, "vectors"));
	printf("    joined %" PRId64 " left %" PRId64 " dropped %" PRId64
	       " refused %" PRId64 " punches %" PRId64 " (%s) failed %" PRId64 "\n",
	       number_of(d, "joined"), number_of(d, "left"),
	       number_of(d, "dropped"), number_of(d, "refused"),
	       number_of(d, "punches"), human(number_of(d, "punched"), a),
	       number_of(d, "punch_errors"));
	if (number_of(d, "handovers"))
		printf("    taken over from a server that ended: %" PRId64 " times\n",
		       number_of(d, "handovers"));
	for (i = 0; i < json_object_array_length(peers); i++) {
		p = json_object_array_get_idx(peers, i);
		printf("    peer %" PRId64 ": pid %" PRId64 " uid %" PRId64
		       " rings %" PRId64 "%s\n", number_of(p, "id"),
		       number_of(p, "pid"), number_of(p, "uid"),
		       number_of(p, "rings"),
		       json_object_get_boolean(get(p, "unread")) ?
		       " (has unread messages)" : "");
	}
}

static void show_status(struct json_object *answer)
{
	struct json_object *list = get(answer, "destinations");
	char a[16], b[16];
	size_t i;

	if (get(answer, "total"))
		printf("windows %s of total %s\n",
		       human(number_of(answer, "windows"), a),
		       number_of(answer, "total") ?
		       human(number_of(answer, "total"), b) : "unlimited");
	for (i = 0; i < json_object_array_length(list); i++)
		show_dest(json_object_array_get_idx(list, i));
}

static void show_qemu(struct json_object *answer)
{
	struct json_object *d =
		json_object_array_get_idx(get(answer, "destinations"), 0);

	printf("-chardev socket,id=sluice-%s,path=%s "
	       "-device ivshmem-doorbell,chardev=sluice-%s,vectors=%" PRId64 "\n",
	       text_of(d, "name"), text_of(d, "socket"), text_of(d, "name"),
	       number_of(d, "vectors"));
}

static void put_text(struct json_object *obj, const char *key,
		     const char *text)
{
	json_object_object_add(obj, key, json_object_new_string(text));
}

/* KEY VALUE pairs; the server checks what they say */
static int add_request(struct json_object *req, int argc, char **argv)
{
	struct json_object *d = json_object_new_object();
	char *end;
	long n;
	int i;

	json_object_object_add(req, "destination", d);
	put_text(d, "name", argv[0]);
	for (i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return bad_usage("add: a value is missing at the end");
		if (get(d, argv[i]))
			return bad_usage("add: a key is given twice");
		n = strtol(argv[i + 1], &end, 10);
		if (!strcmp(argv[i], "pairs") && *argv[i + 1] && !*end)
			json_object_object_add(d, "pairs",
					       json_object_new_int64(n));
		else
			put_text(d, argv[i], argv[i + 1]);
	}
	return 0;
}

static int make_request(struct json_object *req, int argc, char **argv)
{
	const char *verb = argv[0];

	put_text(req, "command", strcmp(verb, "qemu") ? verb : "status");
	if (!strcmp(verb, "status") && argc <= 2) {
		if (argc == 2)
			put_text(req, "name", argv[1]);
	} else if (!strcmp(verb, "qemu") && argc == 2) {
		put_text(req, "name", argv[1]);
	} else if (!strcmp(verb, "add") && argc >= 2) {
		return add_request(req, argc - 1, argv + 1);
	} else if (!strcmp(verb, "remove") && argc >= 2 && argc <= 3) {
		put_text(req, "name", argv[1]);
		if (argc == 3 && strcmp(argv[2], "--force"))
			return bad_usage("remove: the only option is --force");
		if (argc == 3)
			json_object_object_add(req, "force",
					       json_object_new_boolean(1));
	} else if (!strcmp(verb, "quota") && argc == 3) {
		put_text(req, "name", argv[1]);
		put_text(req, "quota", argv[2]);
	} else if (strcmp(verb, "quit") || argc != 1) {
		return bad_usage("unknown command or wrong number of arguments");
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = DEFAULT_SOCKET;
	struct json_object *req, *answer;
	bool json = false;
	int opt, ret;

	/* '+': what follows the command is the command's */
	while ((opt = getopt_long(argc, argv, "+s:jh", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return 2;
	}

	req = json_object_new_object();
	ret = make_request(req, argc - optind, argv + optind);
	if (ret)
		goto out;
	ret = 1;
	answer = ask(path, req);
	if (!answer)
		goto out;
	ret = json_object_get_boolean(get(answer, "ok")) ? 0 : 1;
	if (json)
		puts(json_object_to_json_string_ext(answer,
						    JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (ret)
		fprintf(stderr, "sluice-regionctl: %s\n",
			text_of(answer, "error"));
	else if (!strcmp(argv[optind], "status"))
		show_status(answer);
	else if (!strcmp(argv[optind], "qemu"))
		show_qemu(answer);
	json_object_put(answer);
out:
	json_object_put(req);
	return ret;
}
