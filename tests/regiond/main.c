// SPDX-License-Identifier: GPL-2.0
/* regiond-test DAEMON CTL: all tests of sluice-regiond that need no QEMU */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

int main(int argc, char **argv)
{
	int ret;

	if (argc != 3) {
		fputs("usage: regiond-test DAEMON CTL\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server_paths(argv[1], argv[2]);
	test_handshake();
	test_punch();
	test_bad_clients();
	test_control();
	test_config();
	test_lifecycle();
	test_handover();
	ret = tap_done();
	unlink(in_dir("config.json"));
	rmdir(test_dir);
	return ret;
}
