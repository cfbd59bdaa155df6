#include "reference/ptx/pending.h"

#include <stdlib.h>
#include <string.h>

#include "reference/ptx/vm.h"

enum vm_step vm_pending_begin(const struct vm_pending *p, size_t bytes)
{
    struct vm_cluster *c = p->warp->block->cluster;
    struct vm_pending *copy = malloc(bytes);
    if (!copy)
        return vm_fault(p->warp, p->instruction, STATUS_NO_MEMORY, "no memory for an operation in flight");
    memcpy(copy, p, bytes);
    copy->next = NULL;
    if (c->vm->launch.order == VM_EARLY) {
        bool done = copy->complete(copy);
        free(copy);
        return done ? VM_NEXT : VM_FAULT;
    }
    if (c->pending_end)
        c->pending_end->next = copy;
    else
        c->pending = copy;
    c->pending_end = copy;
    return VM_NEXT;
}

/* Take `p`, which follows `before` (NULL: is the first), out of the list and do it. */
static bool complete_behind(struct vm_cluster *c, struct vm_pending *before, struct vm_pending *p)
{
    if (before)
        before->next = p->next;
    else
        c->pending = p->next;
    if (c->pending_end == p)
        c->pending_end = before;
    bool done = p->complete(p);
    free(p);
    return done;
}

bool vm_pending_complete(struct vm_cluster *c, bool (*chosen)(const struct vm_pending *p, const void *with),
                         const void *with)
{
    struct vm_pending *before = NULL, *p = c->pending;
    while (p) {
        struct vm_pending *next = p->next;
        if (!chosen(p, with))
            before = p;
        else if (!complete_behind(c, before, p))
            return false;
        p = next;
    }
    return true;
}

bool vm_pending_complete_one(struct vm_cluster *c)
{
    struct vm_pending *before = NULL, *p = c->pending;
    while (p && !p->on_mbarrier) {
        before = p;
        p = p->next;
    }
    if (!p) {
        before = NULL;
        p = c->pending;
    }
    return p && complete_behind(c, before, p);
}

void vm_pending_free(struct vm_cluster *c)
{
    while (c->pending) {
        struct vm_pending *next = c->pending->next;
        free(c->pending);
        c->pending = next;
    }
    c->pending_end = NULL;
}
