# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The mailbox between the driver domain and the region server, in the hands of a
# guest: what it overwrites costs that guest's own memory at most.

# struct sluice_shm_host, in the host page
mailbox_magic=0x2000
mailbox_quota=0x2030
mailbox_doorbell=0x2038
mailbox_done_seq=0x203c
mailbox_done_status=0x2040
mailbox_req_seq=0x2800
mailbox_req_first=0x2808
mailbox_req_count=0x280c

punched_more() { # punched_more THAN
	(($(on_host guest1 punched) > $1))
}

# The garbage has to hit between one's write and the other's look: not each does.
came_and_went_until_said() { # came_and_went_until_said TEXT
	within 5 said driver "$1" && return
	set_size 8M
	set_size 0
	return 1
}

# While a word is garbage segments come and go.
mailbox_word() { # mailbox_word set|count WORD BYTES VALUE [TEXT]
	resized 8M 8388608
	attack "$1" "$2" "$3" "$4" 180000
	set_size 0
	if [[ ${5:-} ]]; then
		wait_for 50 came_and_went_until_said "$5"
	else
		wait_for 30 nothing_leaves
	fi
	let_off
}

# Afterwards memory is given back again, and never was another guest's.
mailbox_is_well() { # mailbox_is_well PUNCHED-OF-GUEST2
	local punched
	punched=$(on_host guest1 punched)
	resized 8M 8388608
	resized 0 0
	# the retry comes after 4 s at the latest by then
	wait_for 40 punched_more "$punched"
	(($(on_host guest2 punched) == $1))
}

# The answer, the one thing that the driver domain waits for.
mailbox_answer() {
	local other
	other=$(on_host guest2 punched)
	# another one each time: one that stood there before the request is no answer
	mailbox_word count $mailbox_done_seq 4 0xdeadbeef 'was overwritten, by the guest: asking again'
	mailbox_word set $mailbox_done_status 4 0xffffffff 'said of slot [0-9]+ was overwritten, by the guest'
	mailbox_word set $mailbox_done_seq 4 0
	mailbox_is_well "$other"
}

# Requests that the region server has to refuse, and the address at which it is rung.
mailbox_request() {
	local errors other
	other=$(on_host guest2 punched)
	errors=$(on_host guest1 punch_errors)
	mailbox_word set $mailbox_req_first 4 0 'could not free slot [0-9]+ .error 1.'
	mailbox_word set $mailbox_req_first 4 0xffffffff 'could not free slot [0-9]+ .error 34.'
	mailbox_word set $mailbox_req_count 4 0xffffffff 'could not free slot [0-9]+ .error 34.'
	mailbox_word set $mailbox_req_seq 4 0xdeadbeef
	mailbox_word set $mailbox_doorbell 4 0xffff
	mailbox_word set $mailbox_magic 4 0
	(($(on_host guest1 punch_errors) > errors))
	mailbox_is_well "$other"
}

# The quota is a word of that page too: more than the window is not to be had.
mailbox_quota_word() {
	local text
	poke set $mailbox_quota 8 0xffffffffffffffff 500
	if text=$(set_size 64M 2>&1); then
		return 1
	fi
	[[ $text == *"does not fit into the window"* ]]
	regionctl quota guest1 62M
	resized 8M 8388608
}
