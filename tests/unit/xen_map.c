// SPDX-License-Identifier: GPL-2.0
/*
 * Grants mapped, against a grant table that refuses, or gives up on the way. Not pure code: what
 * it needs of a kernel stands here, as little of each as it uses.
 */
#include "test.h"

#define PAGE_SIZE		4096
#define PAGES_PER_SECTION	1024u
#define PAGES			(4 * PAGES_PER_SECTION)
#define HANDLES			8192

struct page {
	int refs;
};

static struct page all_pages[PAGES];

static unsigned long page_to_pfn(const struct page *page)
{
	return page - all_pages;
}

static void *page_address(const struct page *page)
{
	return (void *)((page_to_pfn(page) + 1) * PAGE_SIZE);
}

static int page_ref_count(const struct page *page)
{
	return page->refs;
}

/* Memory */
#define GFP_KERNEL			0
#define kzalloc(bytes, gfp)		calloc(1, bytes)
#define kvcalloc(nr, bytes, gfp)	calloc(nr, bytes)
#define kvmalloc_array(nr, bytes, gfp)	calloc(nr, bytes)
#define kfree(p)			free(p)
#define kvfree(p)			free(p)
#define ERR_PTR(err)			((void *)(long)(err))
#define PTR_ERR(p)			((int)(long)(p))
#define IS_ERR(p)			((unsigned long)(p) >= (unsigned long)-4095)

/* Lists */
struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD(name)		struct list_head name = { &(name), &(name) }
#define INIT_LIST_HEAD(l)	(*(l) = (struct list_head){ (l), (l) })
#define list_empty(l)		((l)->next == (l))
#define entry_of(p, type)	((type *)((char *)(p) - offsetof(type, list)))
#define list_for_each_entry_safe(at, after, head, member)			\
	for ((at) = entry_of((head)->next, __typeof__(*(at)));			\
	     (after) = entry_of((at)->member.next, __typeof__(*(at))),		\
	     &(at)->member != (head); (at) = (after))

static void list_add_tail(struct list_head *l, struct list_head *head)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static void list_del(struct list_head *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
}

/* One thread: locks do nothing, work is done when the test says so. */
struct mutex {
	int unused;
};

struct work_struct {
	int unused;
};

typedef struct {
	long n;
} atomic_long_t;

static bool work_waits;
#define DEFINE_MUTEX(name)		struct mutex name __maybe_unused
#define mutex_lock(m)			((void)(m))
#define mutex_unlock(m)			((void)(m))
#define DECLARE_DELAYED_WORK(name, f)	void (*name)(struct work_struct *) __maybe_unused = (f)
#define queue_delayed_work(q, w, t)	(work_waits = true)
#define mod_delayed_work(q, w, t)	(work_waits = true)
#define cancel_delayed_work_sync(w)	(work_waits = false)
#define ATOMIC_LONG_INIT(n)		{ n }
#define atomic_long_add(d, a)		((a)->n += (d))
#define atomic_long_sub(d, a)		((a)->n -= (d))
#define atomic_long_read(a)		((a)->n)
#define pr_warn(...)			((void)0)

/* The grant table */
typedef u16 domid_t;
typedef u32 grant_handle_t;

#define INVALID_GRANT_HANDLE	((grant_handle_t)~0U)
#define GNTST_okay		0
#define GNTST_general_error	-1
#define GNTST_bad_gntref	-3
#define GNTMAP_host_map		2
#define GNTMAP_readonly		4

struct gnttab_map_grant_ref {
	unsigned long addr;
	u32 ref;
	s16 status;
	grant_handle_t handle;
};

struct gnttab_unmap_grant_ref {
	unsigned long addr;
	s16 status;
	grant_handle_t handle;
};

#define BAD_REF		66u		/* is granted to somebody else */
#define OTHERS_HANDLE	0		/* another driver of this kernel has this one */

static struct page *stack[PAGES];
static unsigned int nr_stack, nr_mapped, give_up_after, nr_stolen;
static unsigned long mapped_at[HANDLES];

static void world(void)
{
	unsigned int i;

	memset(mapped_at, 0, sizeof(mapped_at));
	mapped_at[OTHERS_HANDLE] = 1;
	nr_mapped = 0;
	nr_stolen = 0;
	give_up_after = UINT_MAX;
	for (i = 0; i < PAGES; i++) {
		all_pages[i].refs = 1;
		stack[i] = &all_pages[PAGES - 1 - i];
	}
	nr_stack = PAGES;
	work_waits = false;
}

static int gnttab_alloc_pages(int nr, struct page **page)
{
	int i;

	if (nr_stack < (unsigned int)nr)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		page[i] = stack[--nr_stack];
	return 0;
}

static void gnttab_free_pages(int nr, struct page **page)
{
	int i;

	for (i = 0; i < nr; i++)
		stack[nr_stack++] = page[i];
}

static void gnttab_set_map_op(struct gnttab_map_grant_ref *op, unsigned long addr, u32 flags,
			      u32 ref, domid_t domid)
{
	(void)flags;
	(void)domid;
	op->addr = addr;
	op->ref = ref;
}

static void gnttab_set_unmap_op(struct gnttab_unmap_grant_ref *op, unsigned long addr, u32 flags,
				grant_handle_t handle)
{
	(void)flags;
	op->addr = addr;
	op->handle = handle;
}

/* As the hypercall: entries after the one at which it gives up are not touched. */
static int gnttab_map_refs(struct gnttab_map_grant_ref *op, void *kmap, struct page **page,
			   unsigned int nr)
{
	unsigned int i;

	(void)kmap;
	(void)page;
	for (i = 0; i < nr; i++) {
		if (i == give_up_after)
			return -EFAULT;
		if (op[i].ref == BAD_REF) {
			op[i].status = GNTST_bad_gntref;
			continue;
		}
		op[i].handle = 100 + op[i].ref;
		op[i].status = GNTST_okay;
		assert_int_equal(mapped_at[op[i].handle], 0);
		mapped_at[op[i].handle] = op[i].addr;
		nr_mapped++;
	}
	return 0;
}

static int gnttab_unmap_refs(struct gnttab_unmap_grant_ref *op, void *kmap, struct page **page,
			     unsigned int nr)
{
	unsigned int i;

	(void)kmap;
	(void)page;
	for (i = 0; i < nr; i++) {
		/* takes any handle that is in use, whoever made it */
		if (mapped_at[op[i].handle] != op[i].addr)
			nr_stolen++;
		mapped_at[op[i].handle] = 0;
		op[i].status = GNTST_okay;
		nr_mapped--;
	}
	return 0;
}

/* Instead of xen.h, which needs all of xenbus. */
#define SLUICE_XEN_H
#include "hypervisor/xen/nodes.h"

struct sxen_map {
	struct list_head list;
	domid_t domid;
	unsigned int nr;
	void *va;
	bool readonly;
	struct page **page;
	grant_handle_t *handle;
};

bool sxen_map_idle(const struct sxen_map *map);
int sxen_map_put(struct sxen_map *map);

int sxen_refs_read(const __le32 *shared, u32 nr, u32 *snap, u32 *work, const char **text)
{
	(void)shared;
	(void)nr;
	(void)snap;
	(void)work;
	(void)text;
	return -EINVAL;
}

#include "hypervisor/xen/map.c"

static u32 ref[SXEN_SEGMENT_REFS];

static void begin(void)
{
	u32 i;

	world();
	for (i = 0; i < ARRAY_SIZE(ref); i++)
		ref[i] = 1000 + i;
}

static void nothing_is_left(void)
{
	assert_int_equal(nr_mapped, 0);
	assert_int_equal(nr_stolen, 0);
	assert_int_equal(mapped_at[OTHERS_HANDLE], 1);
	assert_int_equal(nr_stack, PAGES);
	assert_int_equal(sxen_map_pages(), 0);
}

static void all_of_them(void **unused)
{
	struct sxen_map *map;
	unsigned int i;

	(void)unused;
	begin();
	map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
	assert_false(IS_ERR(map));
	assert_int_equal(nr_mapped, SXEN_SEGMENT_REFS);
	assert_int_equal(sxen_map_pages(), SXEN_SEGMENT_REFS);
	for (i = 0; i < SXEN_SEGMENT_REFS; i++)
		assert_int_equal(mapped_at[100 + ref[i]],
				 (unsigned long)map->va + i * PAGE_SIZE);
	assert_int_equal(sxen_map_put(map), 0);
	nothing_is_left();
}

static void one_is_refused(void **unused)
{
	static const u32 at[] = { 0, 1, 300, SXEN_SEGMENT_REFS - 1 };
	struct sxen_map *map;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		begin();
		ref[at[i]] = BAD_REF;
		map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
		assert_true(IS_ERR(map));
		assert_int_equal(PTR_ERR(map), -ENXIO);
		nothing_is_left();
	}
}

/* What was not tried is not mapped, and no handle of anybody else is given back for it. */
static void given_up_on_the_way(void **unused)
{
	static const u32 after[] = { 0, 1, 300, SXEN_SEGMENT_REFS - 1 };
	struct sxen_map *map;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(after); i++) {
		begin();
		give_up_after = after[i];
		map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
		assert_true(IS_ERR(map));
		assert_int_equal(PTR_ERR(map), -EFAULT);
		nothing_is_left();
	}
}

/* The stack of free pages is in pieces: an aligned run is found all the same, or told not to be. */
static void pages_in_pieces(void **unused)
{
	struct page *swap;
	struct sxen_map *map;
	unsigned int i;

	(void)unused;
	begin();
	/* every other one of the first pages lies elsewhere in the stack */
	for (i = 1; i <= 400; i += 2) {
		swap = stack[PAGES - i];
		stack[PAGES - i] = stack[i];
		stack[i] = swap;
	}
	map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
	assert_false(IS_ERR(map));
	assert_int_equal(page_to_pfn(map->page[0]) % SXEN_SEGMENT_REFS, 0);
	for (i = 0; i < SXEN_SEGMENT_REFS; i++)
		assert_ptr_equal(map->page[i], map->page[0] + i);
	assert_int_equal(sxen_map_put(map), 0);
	nothing_is_left();

	/* no two neighbours at all */
	begin();
	for (i = 0; i < PAGES / 2; i++)
		stack[i] = &all_pages[2 * i];
	nr_stack = PAGES / 2;
	map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
	assert_true(IS_ERR(map));
	assert_int_equal(PTR_ERR(map), -ENOMEM);
	assert_int_equal(nr_stack, PAGES / 2);
}

static void orphans_wait_for_readers(void **unused)
{
	struct sxen_map *map;

	(void)unused;
	begin();
	map = sxen_map_get(1, ref, SXEN_SEGMENT_REFS, false);
	assert_false(IS_ERR(map));
	map->page[7]->refs = 2;
	sxen_map_orphan(map);
	assert_true(work_waits);
	work_waits = false;
	sxen_orphans_work(NULL);
	assert_true(work_waits);
	assert_int_equal(nr_mapped, SXEN_SEGMENT_REFS);
	map->page[7]->refs = 1;
	work_waits = false;
	sxen_orphans_work(NULL);
	assert_false(work_waits);
	nothing_is_left();
	sxen_map_exit();
}

static void lists_come_and_go(void **unused)
{
	u32 snap[4];
	const char *text;

	(void)unused;
	begin();
	assert_int_equal(sxen_refs_fetch(1, BAD_REF, 4, snap, &text), -ENXIO);
	assert_text(text, "the list of grant references cannot be mapped");
	assert_int_equal(sxen_refs_fetch(1, 1000, 4, snap, &text), -EINVAL);
	nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(one_is_refused),
		cmocka_unit_test(given_up_on_the_way),
		cmocka_unit_test(pages_in_pieces),
		cmocka_unit_test(orphans_wait_for_readers),
		cmocka_unit_test(lists_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
