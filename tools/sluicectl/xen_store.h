/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The xenstore as `sluicectl xen` sees it: domains, and sluice's devices between two
 * of them. The nodes are those of Documentation/xen.md. Guests write some of them: a
 * text is made printable and cut, a number is checked, before anybody sees it.
 */
#ifndef SLUICECTL_XEN_STORE_H
#define SLUICECTL_XEN_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#define XEN_TEXT	128
#define XEN_PATH	128
#define XEN_DOMID_MAX	0x7fefu	/* DOMID_FIRST_RESERVED - 1 */
#define XEN_DEST_NAME	31

struct store {
	struct xs_handle *xs;
	xs_transaction_t t;	/* XBT_NULL outside of a transaction */
};

struct xen_domain {
	uint32_t id;
	char name[XEN_TEXT];	/* the id if it has none */
};

struct xen_domains {
	struct xen_domain *domain;
	unsigned int nr;
};

/* One device: what the two folders say. */
struct xen_dev {
	uint32_t backend;
	uint32_t frontend;
	uint32_t nr;
	bool has_backend;	/* that side's folder exists */
	bool has_frontend;
	char name[XEN_TEXT];	/* empty: as the backend likes */
	char mac[XEN_TEXT];
	char error[XEN_TEXT];	/* what either side complains about */
	uint64_t size;		/* to begin with */
	uint64_t shared;	/* now, 0 if nothing is or nobody says */
	uint64_t max_size;	/* 0: not said */
	uint64_t ctrl_bytes;	/* 0 until the backend has offered a control segment */
	uint32_t pairs;
	uint32_t backend_state;	/* 0: none */
	uint32_t frontend_state;
};

/* The paths of a device's folders. */
void xen_backend_path(char to[XEN_PATH], const struct xen_dev *dev);
void xen_frontend_path(char to[XEN_PATH], const struct xen_dev *dev);

/* What it takes of the tables: what is shared, or what it begins with before that. */
uint64_t xen_dev_pages(const struct xen_dev *dev);
/*
 * The same of the guest's table: what its driver domain says counts up to what Xen lets that one
 * grant. It could take the guest's whole table otherwise, and with it the devices of others.
 */
struct xen_tables;
uint64_t xen_dev_mapped(const struct xen_dev *dev, const struct xen_tables *granting);

/* Exit status after telling what is wrong. */
int store_open(struct store *s);
/* The same without a word, and only if all domains can be seen. */
bool store_is_toolstack(struct store *s);
void store_close(struct store *s);
/* What errno says about @path, as an exit status; errno as the library left it. */
int store_fail(const char *what, const char *path);

/**
 * store_change() - one transaction
 * @s: outside of a transaction
 * @change: called, and called again if somebody else changed what it read; returns an
 *	exit status, after telling, and 0 to commit
 * @arg: for it
 *
 * Return: exit status. Unless it is 0 nothing has changed.
 */
int store_change(struct store *s, int (*change)(struct store *s, void *arg), void *arg);

bool store_exists(struct store *s, const char *path);
/* Text of a node, printable; false and an empty text if there is none. */
bool store_text(struct store *s, const char *dir, const char *key, char to[XEN_TEXT]);
/* A plain decimal number; @missing if there is none, or none that is a number. */
uint64_t store_number(struct store *s, const char *dir, const char *key, uint64_t missing);
int store_write(struct store *s, const char *dir, const char *key, const char *value);
/*
 * A folder of @owner, that @reader may read and nobody else; what is made in it later
 * inherits that.
 */
int store_folder(struct store *s, const char *path, uint32_t owner, uint32_t reader);
int store_remove(struct store *s, const char *path);
/* Removes a folder if nothing is in it. */
int store_remove_empty(struct store *s, const char *path);

/* All that the store knows, by id. They end the program when memory does. */
int store_domains(struct store *s, struct xen_domains *all);
const struct xen_domain *xen_domain_by_id(const struct xen_domains *all, uint32_t id);
/* A name, or an id, which must exist unless @any_id; tells what is wrong. */
int xen_domain_find(const struct xen_domains *all, const char *what, const char *word,
		    bool any_id, uint32_t *id);

/**
 * store_devices() - every device of sluice, whichever folder is left of it
 * @s: in or outside of a transaction
 * @all: the domains to look at
 * @devs: result, to be freed
 * @nr: their number
 */
int store_devices(struct store *s, const struct xen_domains *all, struct xen_dev **devs,
		  unsigned int *nr);

/* Decimal digits only, at most @max. */
bool xen_number(const char *text, uint64_t max, uint64_t *value);

#endif /* SLUICECTL_XEN_STORE_H */
