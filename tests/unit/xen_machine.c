// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a Xen device against each other, in every order.
 *
 * The world is what stands in xenstore, what each end knows, and whether it has been
 * told that something changed. From the beginning every order of steps is walked:
 * each end looks, acts, and writes its state at different moments; drivers go and
 * come; the toolstack takes the device away; a life is withdrawn; nodes are garbage;
 * the guest dies. Then:
 *
 *	no circle	without an event from outside the ends come to rest
 *	the right rest	both there and online: connected, each to the other's life
 *			offline or alone: nothing bound, nothing mapped
 *	no wrong pair	who is connected answers a life that was really written
 */
#include "test.h"
#include "hypervisor/xen/machine.c"

#define LIVES		6	/* numbers for lives before they start again */

struct store {
	bool exists;
	u32 state, life, echo;
};

/* One end: what it knows, and what it has decided but not yet written. */
struct end {
	struct sxen_side side;
	bool driver;		/* loaded */
	bool told;		/* that it shall look */
	bool writing;		/* nodes are written, the state is not */
};

struct world {
	struct end back, front;
	struct store bs, fs;	/* their folders */
	bool online;
	bool ready;		/* there is a control segment */
	bool garbage;		/* the frontend's nodes make no sense */
	u32 next_life;
	u32 budget;		/* events from outside that may still come */
};

/* The world as a key: every field, no padding. */
struct key {
	u8 byte[40];
};

static u8 life_byte(u32 life)
{
	assert_true(life <= LIVES);
	return life;
}

static struct key key_of(const struct world *w)
{
	const struct end *e[2] = { &w->back, &w->front };
	const struct store *s[2] = { &w->bs, &w->fs };
	struct key k = { };
	int i, n = 0;

	for (i = 0; i < 2; i++) {
		k.byte[n++] = e[i]->side.state;
		k.byte[n++] = life_byte(e[i]->side.life);
		k.byte[n++] = life_byte(e[i]->side.peer_life);
		k.byte[n++] = life_byte(e[i]->side.refused);
		k.byte[n++] = e[i]->side.gone | e[i]->driver << 1 | e[i]->told << 2 |
			      e[i]->writing << 3 | s[i]->exists << 4;
		k.byte[n++] = s[i]->state;
		k.byte[n++] = life_byte(s[i]->life);
		k.byte[n++] = life_byte(s[i]->echo);
	}
	k.byte[n++] = w->online | w->ready << 1 | w->garbage << 2;
	k.byte[n++] = w->next_life;
	k.byte[n++] = w->budget;
	return k;
}

/* Every world that was seen, by hash; a mark for the search of circles. */
#define TABLE	(1u << 22)
static struct {
	struct key key;
	u8 mark;		/* 0 free, 1 open, 2 done */
} *table;
static u32 nr_seen, nr_rests, nr_connected;

static u32 find(const struct key *k)
{
	u64 h = 1469598103934665603ull;
	size_t i;

	for (i = 0; i < sizeof(k->byte); i++)
		h = (h ^ k->byte[i]) * 1099511628211ull;
	h = (h ^ h >> 29) & (TABLE - 1);
	while (table[h].mark && memcmp(&table[h].key, k, sizeof(*k)))
		h = (h + 1) & (TABLE - 1);
	return h;
}

static u32 new_life(struct world *w)
{
	u32 life = w->next_life;

	w->next_life = life % LIVES + 1;
	return life;
}

static void write_state(struct end *e, struct store *s, struct end *other)
{
	e->writing = false;
	if (!s->exists || s->state == e->side.state)
		return;
	s->state = e->side.state;
	other->told = true;
}

static void write_nodes(struct end *e, struct store *s)
{
	if (!s->exists)
		return;
	s->life = e->side.life;
	s->echo = e->side.peer_life;
	e->writing = true;
}

/* One end looks and takes one step; it will look again until there is none. */
static void look(struct world *w, bool back)
{
	struct end *e = back ? &w->back : &w->front, *other = back ? &w->front : &w->back;
	struct store *own = back ? &w->bs : &w->fs, *peer = back ? &w->fs : &w->bs;
	struct sxen_view v = {
		.exists = peer->exists, .online = w->online, .state = peer->state,
		.life = peer->life, .echo = peer->echo,
		.own = own->exists ? own->state : SXEN_UNKNOWN,
	};
	struct sxen_order o;
	u32 life = 0;
	int err = 0;

	o = back ? sxen_back_next(&e->side, &v, w->ready) : sxen_front_next(&e->side, &v);
	switch (o.step) {
	case SXEN_STAY:
		e->told = false;
		return;
	case SXEN_OFFER:
		assert_true(back && w->ready && !e->side.life && !e->side.peer_life);
		life = new_life(w);
		break;
	case SXEN_MAP:
		assert_true(!back && !e->side.life && !e->side.peer_life);
		life = new_life(w);
		break;
	case SXEN_BIND:
		assert_true(back && !e->side.peer_life && e->side.life);
		if (w->garbage)
			err = -EINVAL;
		break;
	case SXEN_CONNECT:
		assert_true(!back && e->side.peer_life);
		if (w->garbage)
			err = -ENOMEM;
		break;
	case SXEN_UNBIND:
		assert_true(back && e->side.peer_life);
		break;
	case SXEN_LEAVE:
		assert_true(!back && e->side.peer_life);
		break;
	case SXEN_GONE:
		assert_true(back && !e->side.peer_life);
		own->exists = false;
		other->told = true;
		break;
	case SXEN_SAY:
		assert_true(o.state != e->side.state || o.state != own->state);
		break;
	}
	sxen_side_done(&e->side, &v, o, err, life);
	if (!err && o.step != SXEN_GONE)
		write_nodes(e, own);
	assert_true(e->side.state <= SXEN_CLOSED);
}

/* The n-th thing that an end can do now; false if there are fewer. */
static bool move(struct world *w, int n)
{
	struct end *e = n ? &w->front : &w->back;

	if (n > 1 || !e->driver)
		return false;
	if (e->writing)
		write_state(e, n ? &w->fs : &w->bs, n ? &w->back : &w->front);
	else if (e->told)
		look(w, !n);
	else
		return false;
	return true;
}

/* A driver that goes leaves its folder in order, as the remove functions do. */
static void unload(struct end *e, struct store *s, struct end *other, u32 state)
{
	memset(&e->side, 0, sizeof(e->side));
	e->driver = false;
	e->told = false;
	e->side.state = state;
	write_nodes(e, s);
	write_state(e, s, other);
}

static void load(struct end *e, struct store *s, struct end *other, u32 state)
{
	memset(e, 0, sizeof(*e));
	e->driver = true;
	e->told = true;
	e->side.state = state;
	write_nodes(e, s);
	write_state(e, s, other);
}

/* The n-th event from outside that is possible now. */
static bool outside(struct world *w, int n)
{
	switch (n) {
	case 0:
		if (w->back.driver)
			unload(&w->back, &w->bs, &w->front, SXEN_CLOSED);
		else
			load(&w->back, &w->bs, &w->front, SXEN_INITIALISING);
		return true;
	case 1:
		if (w->front.driver)
			unload(&w->front, &w->fs, &w->back, SXEN_CLOSED);
		else
			load(&w->front, &w->fs, &w->back, SXEN_CLOSED);
		return true;
	case 2:		/* a client comes, or wants another size */
		w->ready = true;
		w->back.side.life = 0;
		w->back.told = true;
		return w->back.driver;
	case 3:		/* detach, as a toolstack does it */
		if (!w->online || !w->bs.exists)
			return false;
		w->online = false;
		w->bs.state = SXEN_CLOSING;
		w->front.told = true;
		w->back.told = true;
		return true;
	case 4:		/* changed its mind */
		if (w->online)
			return false;
		w->online = true;
		w->back.told = true;
		return true;
	case 5:		/* the guest dies, its folder with it */
		if (!w->fs.exists)
			return false;
		memset(&w->front, 0, sizeof(w->front));
		memset(&w->fs, 0, sizeof(w->fs));
		w->back.told = true;
		return true;
	case 6:		/* the driver domain dies */
		if (!w->bs.exists)
			return false;
		memset(&w->back, 0, sizeof(w->back));
		memset(&w->bs, 0, sizeof(w->bs));
		w->front.told = true;
		return true;
	case 7:		/* a guest that shuts down says so */
		if (!w->front.driver || w->fs.state != SXEN_CONNECTED)
			return false;
		w->fs.state = SXEN_CLOSING;
		w->front.driver = false;
		w->back.told = true;
		return true;
	case 8:		/* the guest writes what it likes */
		if (!w->fs.exists || w->front.driver)
			return false;
		w->fs.state = SXEN_CONNECTED;
		w->fs.life = w->bs.life;
		w->fs.echo = w->bs.life;
		w->back.told = true;
		return true;
	case 9:
		if (w->garbage)
			return false;
		w->garbage = true;
		return true;
	}
	return false;
}

#define NR_OUTSIDE	10

static void explain(const struct world *w, const char *text)
{
	print_message("%s: back %u/%u life %u peer %u, store %u life %u echo %u; front %u life %u peer %u, store %u life %u echo %u; online %d ready %d\n",
		      text, w->back.driver, w->back.side.state, w->back.side.life,
		      w->back.side.peer_life, w->bs.state, w->bs.life, w->bs.echo,
		      w->front.side.state, w->front.side.life, w->front.side.peer_life,
		      w->fs.state, w->fs.life, w->fs.echo, w->online, w->ready);
	fail_msg("%s", text);
}

static void check_rest(const struct world *w)
{
	const struct sxen_side *b = &w->back.side, *f = &w->front.side;
	bool both = w->back.driver && w->front.driver && w->bs.exists && w->fs.exists;

	nr_rests++;
	if (w->back.driver && w->bs.exists && w->bs.state != b->state && !b->gone)
		explain(w, "the backend's state was not written");
	if (both && w->online && w->ready && !w->garbage) {
		if (b->state != SXEN_CONNECTED || f->state != SXEN_CONNECTED ||
		    b->peer_life != f->life || f->peer_life != b->life)
			explain(w, "not connected");
		nr_connected++;
		return;
	}
	/* whom a guest that is not there, or says nonsense, does not keep */
	if (w->back.driver && !w->fs.exists && (b->peer_life || !b->gone))
		explain(w, "the backend holds on to a guest that is gone");
	if (w->back.driver && !w->online && w->fs.exists &&
	    (b->peer_life || (b->state != SXEN_CLOSED && b->state != SXEN_CLOSING)))
		explain(w, "the backend is not closed");
	if (w->front.driver && (!w->bs.exists || !w->back.driver || !w->online) && f->peer_life)
		explain(w, "the frontend holds on to memory of a backend that is gone");
	if (w->back.driver && w->fs.exists && w->fs.state == SXEN_CLOSING &&
	    b->state != SXEN_CLOSING)
		explain(w, "a guest that shuts down waits in vain");
	if (both && !w->online && b->state != SXEN_CLOSED)
		explain(w, "the toolstack waits for ever");
}

/* Depth first over every order; a world that is open when it is met again is a circle. */
static void walk(const struct world *w)
{
	struct key k = key_of(w);
	u32 at = find(&k);
	bool rest = true;
	struct world next;
	int i;

	if (table[at].mark)
		return;
	assert_true(++nr_seen < TABLE / 2);
	table[at].key = k;
	table[at].mark = 1;
	for (i = 0; i < 2; i++) {
		next = *w;
		if (!move(&next, i))
			continue;
		rest = false;
		k = key_of(&next);
		if (table[find(&k)].mark == 1 && next.budget == w->budget)
			explain(w, "the ends run in a circle");
		walk(&next);
	}
	if (rest)
		check_rest(w);
	for (i = 0; w->budget && i < NR_OUTSIDE; i++) {
		next = *w;
		if (!outside(&next, i))
			continue;
		next.budget--;
		walk(&next);
	}
	/* the hash may have moved nothing: entries are never taken out */
	k = key_of(w);
	table[find(&k)].mark = 2;
}

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->bs = (struct store){ .exists = true, .state = SXEN_INITIALISING };
	w->fs = w->bs;
	w->online = true;
	w->next_life = 1;
}

static void every_order(void **unused)
{
	struct world w;

	(void)unused;
	table = calloc(TABLE, sizeof(*table));
	assert_non_null(table);
	/* nobody is there yet: the drivers, the client and what goes wrong are all events */
	begin(&w);
	w.budget = 8;
	walk(&w);
	/* all are there: more can go wrong */
	begin(&w);
	w.ready = true;
	load(&w.back, &w.bs, &w.front, SXEN_INITIALISING);
	load(&w.front, &w.fs, &w.back, SXEN_CLOSED);
	w.budget = 6;
	walk(&w);
	print_message("# %u worlds, %u rests, %u of them connected\n", nr_seen, nr_rests,
		      nr_connected);
	assert_true(nr_seen > 10000);
	assert_true(nr_connected > 50);
	free(table);
}

/* Whatever the other end writes, in whatever state we are: the answer is a possible one. */
static void absurd_views(void **unused)
{
	static const u32 states[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 77, U32_MAX };
	static const u32 lives[] = { 0, 1, 2, U32_MAX };
	static const struct sxen_side sides[] = {
		{ .state = SXEN_INITIALISING },
		{ .state = SXEN_INIT_WAIT, .life = 1 },
		{ .state = SXEN_INIT_WAIT, .life = 1, .refused = 2 },
		{ .state = SXEN_INITIALISED, .life = 1, .peer_life = 2 },
		{ .state = SXEN_CONNECTED, .life = 1, .peer_life = 2 },
		{ .state = SXEN_CONNECTED, .life = 0, .peer_life = 2 },
		{ .state = SXEN_CLOSING, .life = 1 },
		{ .state = SXEN_CLOSED },
		{ .state = SXEN_CLOSED, .refused = 2 },
		{ .state = SXEN_INIT_WAIT, .life = 1, .gone = true },
	};
	struct sxen_view v;
	struct sxen_order o;
	size_t s, st, l, e, flags, back;

	(void)unused;
	for (s = 0; s < ARRAY_SIZE(sides); s++)
	for (st = 0; st < ARRAY_SIZE(states); st++)
	for (l = 0; l < ARRAY_SIZE(lives); l++)
	for (e = 0; e < ARRAY_SIZE(lives); e++)
	for (flags = 0; flags < 8; flags++)
	for (back = 0; back < 2; back++) {
		v = (struct sxen_view){ .exists = flags & 1, .online = flags & 2,
					.state = states[st], .life = lives[l], .echo = lives[e] };
		o = back ? sxen_back_next(&sides[s], &v, flags & 4) :
			   sxen_front_next(&sides[s], &v);
		assert_true(o.state >= SXEN_INITIALISING && o.state <= SXEN_CLOSED);
		/* bound means: to this life of the peer, and it to this one of ours */
		if (o.step == SXEN_BIND)
			assert_true(back && v.exists && v.online && v.life &&
				    v.echo == sides[s].life && v.life != sides[s].refused &&
				    !sides[s].peer_life);
		if (o.step == SXEN_MAP)
			assert_true(!back && v.exists && v.state == SXEN_INIT_WAIT && v.life &&
				    v.life != sides[s].refused && !sides[s].peer_life);
		if (o.step == SXEN_CONNECT)
			assert_true(!back && v.exists && v.state == SXEN_CONNECTED &&
				    v.echo == sides[s].life && v.life == sides[s].peer_life);
		/* nothing is kept that the peer does not have any more */
		if (o.step == SXEN_STAY && sides[s].peer_life && !sides[s].gone)
			assert_true(v.exists && v.life == sides[s].peer_life &&
				    (v.state >= SXEN_INIT_WAIT && v.state <= SXEN_CONNECTED));
		if (o.step == SXEN_STAY && sides[s].peer_life && !sides[s].gone &&
		    (back || sides[s].state == SXEN_CONNECTED))
			assert_int_equal(v.echo, sides[s].life);
		if (back && sides[s].gone)
			assert_int_equal(o.step, SXEN_STAY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),
		cmocka_unit_test(absurd_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
