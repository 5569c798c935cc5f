// SPDX-License-Identifier: GPL-2.0
/*
 * A server under test: started in a folder of its own, its log kept, its
 * command socket asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "test.h"

char test_dir[64];
static const char *daemon_path, *ctl_path;

void server_paths(const char *daemon, const char *ctl)
{
	daemon_path = daemon;
	ctl_path = ctl;
	strcpy(test_dir, "/tmp/sluice-regiond-test.XXXXXX");
	if (!mkdtemp(test_dir))
		bail("mkdtemp: %s", strerror(errno));
}

/* Valid until the eighth call after it */
const char *in_dir(const char *name)
{
	static char paths[8][128];
	static unsigned int n;

	n = (n + 1) % 8;
	snprintf(paths[n], sizeof(paths[n]), "%s/%s", test_dir, name);
	return paths[n];
}

/* "@" in the configuration stands for the test's folder. */
void server_configure(const char *json)
{
	char text[8192], *out = text;
	FILE *f = fopen(in_dir("config.json"), "w");

	for (; *json && out < text + sizeof(text) - 80; json++) {
		if (*json == '@')
			out = stpcpy(out, test_dir);
		else
			*out++ = *json;
	}
	*out = 0;
	if (!f || fputs(text, f) < 0 || fclose(f))
		bail("cannot write the configuration");
}

/* Read what the log has now; false at its end */
static bool read_log(struct server *s, int timeout_ms)
{
	struct pollfd pfd = { .fd = s->log_fd, .events = POLLIN };
	size_t room = sizeof(s->log) - 1 - s->log_len;
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) != 1)
		return true;
	if (!room) {
		/* keep the end: a sanitizer's report stands there */
		memmove(s->log, s->log + sizeof(s->log) / 2,
			sizeof(s->log) / 2);
		s->log_len -= sizeof(s->log) / 2;
		room = sizeof(s->log) - 1 - s->log_len;
	}
	n = read(s->log_fd, s->log + s->log_len, room);
	if (n <= 0)
		return false;
	s->log_len += n;
	s->log[s->log_len] = 0;
	return true;
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Does the log hold @text, or come to hold it? */
bool server_says(struct server *s, const char *text)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (read_log(s, 0) && !strstr(s->log, text) && now_ms() < end)
		if (!read_log(s, 100))
			break;
	return strstr(s->log, text);
}

static int start(struct server *s, const char *json, long max_files,
		 const char *option, const struct store *store)
{
	int fds[2];

	server_configure(json);
	memset(s, 0, sizeof(*s));
	strcpy(s->ctl, in_dir("ctl.sock"));
	if (pipe2(fds, O_CLOEXEC))
		bail("pipe: %s", strerror(errno));
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (max_files) {
			struct rlimit lim = { max_files, max_files };

			setrlimit(RLIMIT_NOFILE, &lim);
		}
		dup2(fds[1], 2);
		if (store)
			store_hand_out(store);
		execl(daemon_path, daemon_path, "-c", in_dir("config.json"),
		      "-s", s->ctl, option, NULL);
		_exit(127);
	}
	close(fds[1]);
	s->log_fd = fds[0];
	return server_says(s, "ready, ") ? 0 : -1;
}

/* Start and wait until it is ready or has given up */
int server_start(struct server *s, const char *json)
{
	return start(s, json, 0, NULL, NULL);
}

int server_start_limited(struct server *s, const char *json, long max_files)
{
	return start(s, json, max_files, NULL, NULL);
}

/* The process that was started is the parent, server_pid() is the server. */
int server_start_kept(struct server *s, const char *json)
{
	return start(s, json, 0, "--keep", NULL);
}

/* As the manager with @store does, with all that it has */
int server_start_after(struct server *s, const char *json,
		       const struct store *store)
{
	return start(s, json, 0, NULL, store);
}

/* Wait for its end: the exit status, or 1000 + signal */
int server_wait(struct server *s)
{
	uint64_t end = now_ms() + WAIT_MS;
	int status;

	while (read_log(s, 1000) && now_ms() < end)
		;
	if (now_ms() >= end)
		kill(s->pid, SIGKILL);
	waitpid(s->pid, &status, 0);
	close(s->log_fd);
	if (WIFSIGNALED(status))
		return 1000 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* A sanitizer's finding ends in a status that is not 0, so is found here. */
int server_stop(struct server *s)
{
	int ret;

	kill(s->pid, SIGTERM);
	ret = server_wait(s);
	if (ret)
		printf("# the server's log:\n%s\n", s->log);
	return ret;
}

static int ask(struct server *s, const char *request, char *answer,
	       size_t size)
{
	struct timeval tv = { .tv_sec = WAIT_MS / 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	ssize_t n = -1;
	int fd;

	strcpy(addr.sun_path, s->ctl);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		bail("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
		n = recv(fd, answer, size - 1, 0);
	close(fd);
	answer[n > 0 ? n : 0] = 0;
	return n > 0 ? 0 : -1;
}

/* Is the answer good or bad as told, with @expect somewhere in it? */
bool server_answers(struct server *s, bool good, const char *expect,
		    const char *request)
{
	static char answer[1 << 16];
	struct json_object *obj, *v = NULL;
	bool right;

	if (ask(s, request, answer, sizeof(answer))) {
		printf("# no answer to %s\n", request);
		return false;
	}
	obj = json_tokener_parse(answer);
	json_object_object_get_ex(obj, "ok", &v);
	right = v && json_object_get_boolean(v) == good &&
		strstr(answer, expect);
	json_object_put(obj);
	if (!right)
		printf("# %s\n# answered %s\n", request, answer);
	return right;
}

/* A request that must fail, by a message with @expect in it */
bool request_gives(struct server *s, const char *request, const char *expect)
{
	return server_answers(s, false, expect, request);
}

/* A number in the status of a destination; of "peers" how many; -1 if missing */
long status_number(struct server *s, const char *dest, const char *key)
{
	static char answer[1 << 16];
	struct json_object *obj, *list = NULL, *v = NULL;
	char request[128];
	long ret = -1;

	snprintf(request, sizeof(request),
		 "{\"command\":\"status\",\"name\":\"%s\"}", dest);
	if (ask(s, request, answer, sizeof(answer)))
		return -1;
	obj = json_tokener_parse(answer);
	if (json_object_object_get_ex(obj, "destinations", &list) &&
	    json_object_object_get_ex(json_object_array_get_idx(list, 0), key,
				      &v))
		ret = json_object_is_type(v, json_type_array) ?
			(long)json_object_array_length(v) :
			(long)json_object_get_int64(v);
	json_object_put(obj);
	return ret;
}

/* Of the process that answers; 0 if none does */
pid_t server_pid(struct server *s)
{
	static char answer[1 << 16];
	struct json_object *obj, *v = NULL;
	pid_t pid = 0;

	if (ask(s, "{\"command\":\"status\"}", answer, sizeof(answer)))
		return 0;
	obj = json_tokener_parse(answer);
	if (json_object_object_get_ex(obj, "pid", &v))
		pid = json_object_get_int(v);
	json_object_put(obj);
	return pid;
}

/* Another one than @before answers, or comes to */
bool server_is_next(struct server *s, pid_t before)
{
	uint64_t end = now_ms() + WAIT_MS;
	pid_t pid;

	do {
		pid = server_pid(s);
		if (pid && pid != before)
			return true;
		read_log(s, 20);
	} while (now_ms() < end);
	printf("# no server follows %d; the log:\n%s\n", (int)before, s->log);
	return false;
}

bool status_becomes(struct server *s, const char *dest, const char *key,
		    long value)
{
	uint64_t end = now_ms() + WAIT_MS;
	long seen;

	do {
		seen = status_number(s, dest, key);
		if (seen == value)
			return true;
		read_log(s, 20);
	} while (now_ms() < end);
	printf("# %s of %s stays %ld, not %ld\n", key, dest, seen, value);
	return false;
}

/* Run sluice-regionctl, collect what it prints, return its status */
int run_ctl(struct server *s, char *out, size_t size, const char *args)
{
	char cmd[512];
	int status;
	size_t n;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "'%s' -s '%s' %s 2>&1", ctl_path, s->ctl,
		 args);
	f = popen(cmd, "re");
	if (!f)
		bail("popen: %s", strerror(errno));
	n = fread(out, 1, size - 1, f);
	out[n] = 0;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
