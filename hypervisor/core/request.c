// SPDX-License-Identifier: GPL-2.0
/*
 * Sending messages, and requests that wait for their response.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/module.h>
#include "core.h"

#define SLUICE_SEND_WAIT_MS	1000

/**
 * struct sluice_request - somebody waits for a response
 * @list: in sluice_channel.requests
 * @done: completed by sluice_request_match() or sluice_requests_fail()
 * @resp: where the response goes, may be NULL
 * @token: of the request
 * @msg_id: of the request
 * @status: 0, a negative errno, or what the peer answered
 */
struct sluice_request {
	struct list_head list;
	struct completion done;
	struct sluice_msg *resp;
	u16 token;
	u8 msg_id;
	int status;
};

static int sluice_status_to_errno(u32 status)
{
	switch (status) {
	case SLUICE_OK:
		return 0;
	case SLUICE_EINVAL:
		return -EINVAL;
	case SLUICE_ESTATE:
		return -EBUSY;
	case SLUICE_ENOSUPP:
		return -EOPNOTSUPP;
	case SLUICE_ENOMEM:
		return -ENOMEM;
	default:	/* SLUICE_EIO, and whatever a peer makes up */
		return -EIO;
	}
}

/**
 * sluice_send_locked() - put one message into the ring
 * @ch: the channel, session_lock held
 * @msg: header fields other than type, msg_id, token and status are filled in
 *
 * Return: 0, -EAGAIN if the ring is full, -ENOLINK.
 */
int sluice_send_locked(struct sluice_channel *ch, struct sluice_msg *msg)
{
	int err;

	lockdep_assert_held(&ch->session_lock);

	msg->dev_num = 0;
	msg->reserved = 0;
	msg->msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES);
	err = sluice_session_send(&ch->session, msg);
	if (err == -EPROTO) {
		sluice_channel_break(ch, ch->session.error ?: "nonsense in msg_cons");
		return -ENOLINK;
	}
	if (!err)
		sluice_channel_ring(ch, 0);
	return err;
}

/* Sleeps while the ring is full: nothing tells when the peer took a message. */
static int sluice_send_wait(struct sluice_channel *ch, struct sluice_msg *msg)
{
	struct sluice_patience full;
	int err;

	sluice_patience_begin(&full, sluice_now_ms());
	for (;;) {
		mutex_lock(&ch->session_lock);
		err = sluice_send_locked(ch, msg);
		mutex_unlock(&ch->session_lock);
		if (err != -EAGAIN)
			return err;
		if (sluice_patience_over(&full, sluice_now_ms(), SLUICE_SEND_WAIT_MS))
			return -ETIMEDOUT;
		usleep_range(500, 2000);
	}
}

/**
 * sluice_channel_send() - send without waiting for an answer
 * @ch: the channel
 * @msg: msg_id and payload filled by the caller
 *
 * Context: process; sleeps while the ring is full, at most a second.
 * Return: 0, -ENOLINK if there is no session, -ETIMEDOUT.
 */
int sluice_channel_send(struct sluice_channel *ch, struct sluice_msg *msg)
{
	msg->type = 0;
	msg->token = 0;
	msg->status = 0;
	return sluice_send_wait(ch, msg);
}
EXPORT_SYMBOL_GPL(sluice_channel_send);

/**
 * sluice_channel_respond() - answer a request of the peer
 * @ch: the channel
 * @req: the request
 * @resp: payload filled by the caller
 * @status: enum sluice_msg_status
 *
 * Context: process; sleeps while the ring is full, at most a second.
 * Return: 0, -ENOLINK if there is no session, -ETIMEDOUT.
 */
int sluice_channel_respond(struct sluice_channel *ch, const struct sluice_msg *req,
			   struct sluice_msg *resp, u32 status)
{
	resp->type = SLUICE_MSG_RESPONSE;
	resp->msg_id = req->msg_id;
	resp->token = req->token;
	resp->status = cpu_to_le32(status);
	return sluice_send_wait(ch, resp);
}
EXPORT_SYMBOL_GPL(sluice_channel_respond);

static u16 sluice_new_token(struct sluice_channel *ch)
{
	struct sluice_request *r;
again:
	if (!++ch->next_token)
		ch->next_token = 1;
	list_for_each_entry(r, &ch->requests, list)
		if (r->token == ch->next_token)
			goto again;
	return ch->next_token;
}

/**
 * sluice_channel_request() - send and wait for the response
 * @ch: the channel
 * @msg: msg_id and payload filled by the caller
 * @resp: private copy of the response, or NULL
 * @timeout_ms: how long to wait for it
 *
 * Context: process, also from the client's callbacks; not under a lock that
 * these need.
 * Return: 0, -ENOLINK if there is no session or it ends meanwhile, -ETIMEDOUT, or
 * the status of the response as errno: -EINVAL, -EBUSY (ESTATE), -EOPNOTSUPP,
 * -ENOMEM, -EIO.
 */
int sluice_channel_request(struct sluice_channel *ch, struct sluice_msg *msg,
			   struct sluice_msg *resp, unsigned int timeout_ms)
{
	struct sluice_request req = {
		.resp = resp,
		.msg_id = msg->msg_id,
		.status = -ETIMEDOUT,
	};
	unsigned int i;
	int err;

	init_completion(&req.done);

	mutex_lock(&ch->session_lock);
	if (!sluice_session_is_up(&ch->session)) {
		mutex_unlock(&ch->session_lock);
		return -ENOLINK;
	}
	req.token = sluice_new_token(ch);
	list_add_tail(&req.list, &ch->requests);
	mutex_unlock(&ch->session_lock);

	msg->type = 0;
	msg->token = cpu_to_le16(req.token);
	msg->status = 0;
	err = sluice_send_wait(ch, msg);
	/*
	 * In quarters: a pause of the whole host is over with one of them, and the peer, which
	 * stood still as well, has the others for its answer.
	 */
	for (i = 0; !err && i < 4; i++)
		if (wait_for_completion_timeout(&req.done, msecs_to_jiffies(timeout_ms / 4)))
			break;

	/* whoever completed it took it off the list under this lock */
	mutex_lock(&ch->session_lock);
	if (!list_empty(&req.list))
		list_del_init(&req.list);
	mutex_unlock(&ch->session_lock);

	return err ?: req.status;
}
EXPORT_SYMBOL_GPL(sluice_channel_request);

/**
 * sluice_request_match() - find who waits for a response
 * @ch: the channel, session_lock held
 * @msg: private copy of the response
 *
 * A token that nobody waits for is the late answer to a request that timed out,
 * or an invention: it is counted and has no effect.
 */
void sluice_request_match(struct sluice_channel *ch, const struct sluice_msg *msg)
{
	struct sluice_request *r;

	lockdep_assert_held(&ch->session_lock);

	list_for_each_entry(r, &ch->requests, list) {
		if (r->token != le16_to_cpu(msg->token) || r->msg_id != msg->msg_id)
			continue;
		if (r->resp)
			*r->resp = *msg;
		r->status = sluice_status_to_errno(le32_to_cpu(msg->status));
		list_del_init(&r->list);
		complete(&r->done);
		return;
	}
	ch->nr_stray++;
}

/**
 * sluice_requests_fail() - the session is over, nobody will answer
 * @ch: the channel, session_lock held
 */
void sluice_requests_fail(struct sluice_channel *ch)
{
	struct sluice_request *r, *next;

	lockdep_assert_held(&ch->session_lock);

	list_for_each_entry_safe(r, next, &ch->requests, list) {
		r->status = -ENOLINK;
		list_del_init(&r->list);
		complete(&r->done);
	}
}
