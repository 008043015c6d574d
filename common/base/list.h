/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: intrusive doubly linked list.  A node is embedded in its object; a
 * node that is in no list points to itself, so removing twice is harmless.
 *
 *	struct list_node head; list_init(&head);
 *	list_push_back(&head, &obj->link);
 *	struct obj *o = list_entry(list_first(&head), struct obj, link);
 */
#ifndef EC_LIST_H
#define EC_LIST_H

#include "common/base/base.h"

struct list_node {
	struct list_node *prev, *next;
};

#define list_entry(node, type, member) container_of(node, type, member)
/* Safe against removal of it. */
#define list_each(it, tmp, head) \
	for (struct list_node *it = (head)->next, *tmp = it->next; \
	    it != (head); it = tmp, tmp = it->next)

static inline void
list_init(struct list_node *n)
{
	n->prev = n->next = n;
}

static inline bool
list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline void
list_insert_before(struct list_node *at, struct list_node *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void
list_push_back(struct list_node *head, struct list_node *n)
{
	list_insert_before(head, n);
}

static inline void
list_push_front(struct list_node *head, struct list_node *n)
{
	list_insert_before(head->next, n);
}

static inline void
list_remove(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

static inline struct list_node *
list_first(const struct list_node *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

static inline struct list_node *
list_pop_front(struct list_node *head)
{
	struct list_node *n = list_first(head);

	if (n != NULL) {
		list_remove(n);
	}
	return n;
}

#endif
