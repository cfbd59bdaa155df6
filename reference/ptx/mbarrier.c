/* The state of mbarriers. source: PTX ISA 9.0, "Parallel Synchronization and Communication Instructions: mbarrier":
 * contents, lifecycle, phases, tracking asynchronous operations.
 *
 *     a state    bits 0..19 arrivals missing before the one that made it   20..38 address / 8, rank included
 *                     39..63 phase
 */
#include "reference/ptx/barriers.h"

#include <stdlib.h>
#include <string.h>

enum { MBARRIER_BYTES = 8, PENDING_BITS = 20, NAME_BITS = 19, PHASE_AT = PENDING_BITS + NAME_BITS, PHASE_BITS = 25 };
enum { OFFSET_MASK = (1 << VM_RANK_SHIFT) - 1, OFFSET_BITS = 18 }; /* 2^18 bytes hold any block's shared memory */

/* splitmix64: an unlikely word, so that what a kernel writes is not taken for an mbarrier. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A new token in memory: whoever kept the bytes of before has no mbarrier any more. */
static void stamp(struct vm_block *b, struct vm_mbarrier *m)
{
    vm_barriers_changed(b);
    m->token = mix((uint64_t)m->offset << 32 ^ b->cluster->block[0].barriers->changes);
    memcpy(b->shared + m->offset, &m->token, sizeof m->token);
}

bool vm_mbarrier_find(struct vm_warp *w, const struct vm_instruction *i, enum vm_space space, uint64_t address,
                      bool own, uint32_t *at)
{
    uint64_t plain = address;
    if (space == VM_GENERIC && vm_address_space(address, &plain) != VM_SHARED) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier at 0x%llx, which is not in shared memory",
                 (unsigned long long)address);
        return false;
    }
    struct vm_block *b = NULL;
    if (plain > UINT32_MAX || !vm_shared_at(w->block, (uint32_t)plain, MBARRIER_BYTES, &b)) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier at 0x%llx, outside shared memory", (unsigned long long)plain);
        return false;
    }
    if (plain % MBARRIER_BYTES != 0) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier at 0x%llx, which is not aligned to 8 bytes",
                 (unsigned long long)plain);
        return false;
    }
    if (own && b != w->block) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier of block %u of the cluster, where only the own block's will do",
                 b->rank);
        return false;
    }
    *at = (uint32_t)plain;
    return true;
}

/* The block and the slot of an address that vm_mbarrier_find gave; NULL after vm_fault. */
static uint16_t *find_slot(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, struct vm_block **b)
{
    if (!vm_shared_at(w->block, at, MBARRIER_BYTES, b)) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier at 0x%x, outside shared memory", at);
        return NULL;
    }
    if (*b != w->block && (*b)->exited == (*b)->threads) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier of block %u of the cluster, which has ended", (*b)->rank);
        return NULL;
    }
    return &(*b)->barriers->mbarrier_of[(at & OFFSET_MASK) / MBARRIER_BYTES];
}

/* A living mbarrier whose bytes nobody touched; NULL after vm_fault. */
static struct vm_mbarrier *find_valid(struct vm_warp *w, const struct vm_instruction *i, uint32_t at,
                                      struct vm_block **b)
{
    uint16_t *slot = find_slot(w, i, at, b);
    if (!slot)
        return NULL;
    struct vm_mbarrier *m = *slot ? &(*b)->barriers->mbarrier[*slot - 1] : NULL;
    if (!m || !m->valid) {
        vm_fault(w, i, STATUS_SUBJECT, "there is no mbarrier at 0x%x of shared memory: it was not initialised", at);
        return NULL;
    }
    if (memcmp((*b)->shared + m->offset, &m->token, sizeof m->token) != 0) {
        vm_fault(w, i, STATUS_SUBJECT, "the mbarrier at 0x%x of shared memory was overwritten", at);
        return NULL;
    }
    return m;
}

/* A fresh place among the block's mbarriers; false for no memory. */
static bool add_mbarrier(struct vm_barriers *s, uint32_t offset, uint16_t *slot)
{
    if (s->mbarriers == s->mbarrier_room) {
        uint32_t room = s->mbarrier_room ? 2 * s->mbarrier_room : 16;
        struct vm_mbarrier *more = realloc(s->mbarrier, room * sizeof *more);
        if (!more)
            return false;
        s->mbarrier = more;
        s->mbarrier_room = room;
    }
    s->mbarrier[s->mbarriers++] = (struct vm_mbarrier){.offset = offset};
    *slot = (uint16_t)s->mbarriers;
    return true;
}

bool vm_mbarrier_init(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t count)
{
    struct vm_block *b;
    uint16_t *slot = find_slot(w, i, at, &b);
    if (!slot)
        return false;
    if (count < 1 || count > VM_MBARRIER_MOST) {
        vm_fault(w, i, STATUS_SUBJECT, "an mbarrier of %llu arrivals; 1 to %d can be", (unsigned long long)count,
                 VM_MBARRIER_MOST);
        return false;
    }
    if (!*slot && !add_mbarrier(b->barriers, at & OFFSET_MASK, slot)) {
        vm_fault(w, i, STATUS_NO_MEMORY, "no memory for an mbarrier");
        return false;
    }
    struct vm_mbarrier *m = &b->barriers->mbarrier[*slot - 1];
    if (m->valid && memcmp(b->shared + m->offset, &m->token, sizeof m->token) == 0)
        vm_hazard(w, i, "An mbarrier initialised twice", "the mbarrier at 0x%x is still in use (mbarrier.inval)", at);
    *m = (struct vm_mbarrier){
        .valid = true, .offset = m->offset, .expected = (uint32_t)count, .pending = (uint32_t)count};
    stamp(b, m);
    return true;
}

bool vm_mbarrier_invalidate(struct vm_warp *w, const struct vm_instruction *i, uint32_t at)
{
    struct vm_block *b;
    struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m)
        return false;
    m->valid = false;
    return true;
}

/* Begin the next phase where nothing is missing in this one. */
static void settle(struct vm_block *b, struct vm_mbarrier *m)
{
    if (m->pending == 0 && m->tx == 0) {
        m->phase++;
        m->pending = m->expected;
    }
    stamp(b, m);
}

/* Add to the bytes that are missing. */
static bool move_tx(struct vm_warp *w, const struct vm_instruction *i, struct vm_mbarrier *m, uint32_t at, uint64_t by,
                    bool more)
{
    int64_t tx = by > VM_MBARRIER_MOST ? INT64_MAX : more ? m->tx + (int64_t)by : m->tx - (int64_t)by;
    if (tx > VM_MBARRIER_MOST || tx < -VM_MBARRIER_MOST) {
        vm_fault(w, i, STATUS_SUBJECT, "the mbarrier at 0x%x misses %d bytes and cannot count %llu %s", at, m->tx,
                 (unsigned long long)by, more ? "more" : "less");
        return false;
    }
    m->tx = (int32_t)tx;
    return true;
}

bool vm_mbarrier_expect(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t bytes)
{
    struct vm_block *b;
    struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m || !move_tx(w, i, m, at, bytes, true))
        return false;
    settle(b, m);
    return true;
}

bool vm_mbarrier_complete(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t bytes)
{
    struct vm_block *b;
    struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m || !move_tx(w, i, m, at, bytes, false))
        return false;
    settle(b, m);
    return true;
}

bool vm_mbarrier_owe(struct vm_warp *w, const struct vm_instruction *i, uint32_t at)
{
    struct vm_block *b;
    struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m)
        return false;
    if (m->pending == VM_MBARRIER_MOST) {
        vm_fault(w, i, STATUS_SUBJECT, "the mbarrier at 0x%x cannot count one more arrival", at);
        return false;
    }
    m->pending++;
    stamp(b, m);
    return true;
}

static uint64_t make_state(uint32_t at, const struct vm_mbarrier *m)
{
    uint64_t name = (at & OFFSET_MASK) / MBARRIER_BYTES;
    name |= (uint64_t)(at >> VM_RANK_SHIFT) << (OFFSET_BITS - 3);
    return m->phase << PHASE_AT | name << PENDING_BITS | m->pending;
}

uint32_t vm_mbarrier_state_pending(uint64_t state)
{
    return (uint32_t)state & VM_MBARRIER_MOST;
}

bool vm_mbarrier_arrive(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t count, bool drop,
                        uint64_t *state)
{
    struct vm_block *b;
    struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m)
        return false;
    if (count < 1 || count > m->pending) {
        vm_fault(w, i, STATUS_SUBJECT, "%llu arrivals at the mbarrier at 0x%x, which misses %u of %u in phase %llu",
                 (unsigned long long)count, at, m->pending, m->expected, (unsigned long long)m->phase);
        return false;
    }
    if (drop && count > m->expected) {
        vm_fault(w, i, STATUS_SUBJECT, "%llu arrivals dropped from the mbarrier at 0x%x, which expects %u",
                 (unsigned long long)count, at, m->expected);
        return false;
    }
    if (state)
        *state = make_state(at, m);
    if (drop)
        m->expected -= (uint32_t)count;
    m->pending -= (uint32_t)count;
    settle(b, m);
    return true;
}

bool vm_mbarrier_test_state(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t state, bool *done)
{
    struct vm_block *b;
    const struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m)
        return false;
    const uint64_t names = ((UINT64_C(1) << NAME_BITS) - 1) << PENDING_BITS;
    if (((state ^ make_state(at, m)) & names) != 0) {
        vm_fault(w, i, STATUS_SUBJECT, "a wait at the mbarrier at 0x%x for a state that it did not give", at);
        return false;
    }
    uint64_t ago = (m->phase - (state >> PHASE_AT)) & ((UINT64_C(1) << PHASE_BITS) - 1);
    if (ago > 1) {
        vm_fault(w, i, STATUS_SUBJECT, "a wait at the mbarrier at 0x%x for a state that is not of phase %llu or before",
                 at, (unsigned long long)m->phase);
        return false;
    }
    *done = ago == 1;
    return true;
}

bool vm_mbarrier_test_parity(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t parity,
                             bool *done)
{
    struct vm_block *b;
    const struct vm_mbarrier *m = find_valid(w, i, at, &b);
    if (!m)
        return false;
    if (parity > 1)
        vm_hazard(w, i, "A parity of a phase above 1", "%llu; its lowest bit is taken", (unsigned long long)parity);
    *done = (m->phase & 1) != (parity & 1);
    return true;
}
