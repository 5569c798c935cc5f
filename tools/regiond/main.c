// SPDX-License-Identifier: GPL-2.0
/*
 * sluice-regiond: options, signals, and the order of things.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regiond.h"

static volatile sig_atomic_t stop;

static void on_signal(int nr)
{
	(void)nr;
	stop = 1;
}

static void usage(FILE *f)
{
	fputs("usage: sluice-regiond [-c FILE] [-s SOCKET] [-k | -t]\n"
	      "\n"
	      "Makes the memory that a driver domain and a guest share under QEMU.\n"
	      "\n"
	      "  -c, --config FILE    read the configuration from FILE\n"
	      "  -s, --socket SOCKET  listen for sluice-regionctl on SOCKET\n"
	      "  -k, --keep           start the server again when it dies, and keep\n"
	      "                       its memory and connections until then\n"
	      "  -t, --test           check the configuration and exit\n"
	      "  -h, --help           show this\n", f);
}

/* Blocked everywhere but in the loop's wait, in threads as well */
static void init_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* What we hold is bounded per destination; the more room the more of them. */
static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

/* Started without them, a memfd would be the standard error that say() writes to. */
static void open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		close(fd);
}

static int serve(struct config *cfg, struct error *err)
{
	struct destination *d;
	struct dest_spec spec;
	size_t i, nr = 0;
	int ret = -1;

	if (loop_init())
		return fail(err, "epoll: %s", strerror(errno));
	store_init();
	if (cfg->control[0] && command_init(cfg, &stop, err))
		goto out;
	for (i = 0; i < cfg->nr_dests; i++)
		if (destination_add(&cfg->dests[i], cfg, err))
			goto out;
	while (handover_added(&spec)) {
		if (!destination_add(&spec, cfg, err))
			continue;
		say("%s: is not served any more: %s", spec.name, err->text);
		handover_refuse(spec.name);
	}
	store_drop_rest("");

	for (d = destination_first(); d; d = d->next)
		nr++;
	say("ready, %zu destination%s", nr, nr == 1 ? "" : "s");
	store_ready();
	loop_run(&stop);
	say("stopping");
	ret = 0;
out:
	destination_stop_all();
	command_free();
	store_free();
	loop_free();
	return ret;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "keep", no_argument, NULL, 'k' },
		{ "test", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = NULL, *control = NULL;
	struct error err = { "" };
	struct config cfg;
	bool keep = false, test = false;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "c:s:kth", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 's':
			control = optarg;
			break;
		case 'k':
			keep = true;
			break;
		case 't':
			test = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}

	/* also where it was started by another name, as --keep does */
	prctl(PR_SET_NAME, "sluice-regiond");
	open_standard();
	raise_file_limit();
	if (keep && !test)
		return keep_run(path, control);
	init_signals();
	ret = config_load(&cfg, path, &err);
	if (!ret && control) {
		if (strlen(control) > PATH_CHARS)
			ret = fail(&err, "%s: longer than %zu characters",
				   control, PATH_CHARS);
		else
			strcpy(cfg.control, control);
	}
	if (!ret && !cfg.control[0] && !cfg.nr_dests)
		ret = fail(&err, "nothing to do: neither a destination nor a control socket is configured");
	if (!ret && !test)
		ret = serve(&cfg, &err);
	if (ret)
		say("%s", err.text);
	config_free(&cfg);
	return ret ? 1 : 0;
}
