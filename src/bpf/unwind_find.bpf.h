/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the rule that holds at an address: mapping, page, row. Include unwind.bpf.h instead. */
#ifndef EB_UNWIND_FIND_BPF_H
#define EB_UNWIND_FIND_BPF_H

struct eb_chunk {
	__u32 words[EB_CHUNK_WORDS];
};

/* All tables. User space adds chunks as it needs them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, EB_CHUNKS_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_MMAPABLE);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(__u32));
			__uint(value_size, sizeof(struct eb_chunk));
		});
} unwind_chunks SEC(".maps");

/* Rules too rare to be in a row. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EB_RULES_MAX);
	__type(key, __u32);
	__type(value, struct eb_rule);
} unwind_rules SEC(".maps");

/* tgid to its mappings. Preallocated: before 6.1 the timer may use no other. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_PROCS_MAX);
	__type(key, __u32);
	__type(value, struct eb_proc);
} unwind_procs SEC(".maps");

enum eb_found {
	EB_FOUND_RULE,
	EB_FOUND_NOTHING, /* no mapping */
	EB_FOUND_BARE, /* code without a table, or a gap in one */
	EB_FOUND_JIT,
	EB_FOUND_PENDING,
};

static __always_inline struct eb_chunk *eb_chunk_of(__u32 at)
{
	__u32 slot = at / EB_CHUNK_WORDS, zero = 0;
	void *chunk = bpf_map_lookup_elem(&unwind_chunks, &slot);

	return chunk ? bpf_map_lookup_elem(chunk, &zero) : NULL;
}

/* The words from `at` on, for something whose size is a multiple of `align` words. */
static __always_inline void *eb_words(struct eb_chunk *chunk, __u32 at, __u32 align)
{
	return &chunk->words[at & (EB_CHUNK_WORDS - align)];
}

/* Sets up a walk from walk->regs. A process that did exec() or whose pid is another's now is not
 * known. */
static __always_inline void eb_walk_begin(struct eb_walk *walk)
{
	__u64 mm = (__u64)EB_CURRENT(mm);
	struct eb_proc *proc;
	__u32 tgid = walk->sample.tgid;

	walk->mapping.start = 0;
	walk->mapping.end = 0;
	walk->mappings = 0;
	walk->version = 0;
	walk->window_words = 0;
	walk->frames = 0;
	walk->exact = 1;
	walk->leap = 0;
	walk->doubt = 0;
	walk->guess = 0;
	proc = bpf_map_lookup_elem(&unwind_procs, &tgid);
	if (proc && proc->start_ns == walk->sample.start_ns) {
		if (!proc->mm)
			proc->mm = mm;
		if (proc->mm == mm) {
			walk->mappings_at = proc->mappings_at;
			walk->mappings = proc->mappings;
			walk->version = proc->version;
		}
	}
	if (!walk->mappings)
		walk->sample.miss = EB_MISS_PROCESS;
}

/* Makes walk->mapping the one that holds pc. */
static __always_inline bool eb_find_mapping(struct eb_walk *walk, __u64 pc)
{
	struct eb_chunk *chunk;
	struct eb_mapping *mapping;

	if (walk->mapping.start <= pc && pc < walk->mapping.end)
		return true;
	if (!walk->mappings)
		return false;
	chunk = eb_chunk_of(walk->mappings_at);
	if (!chunk)
		return false;
	/* low: the first that begins above pc. */
	walk->low = 0;
	walk->high = walk->mappings;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 14; i++) {
		__u32 low = walk->low, high = walk->high, middle = (low + high) / 2;

		if (low >= high)
			break;
		mapping = eb_words(chunk, walk->mappings_at + middle * 8, 8);
		if (mapping->start <= pc)
			walk->low = middle + 1;
		else
			walk->high = middle;
	}
	if (!walk->low)
		return false;
	mapping = eb_words(chunk, walk->mappings_at + (walk->low - 1) * 8, 8);
	if (pc >= mapping->end)
		return false;
	walk->mapping = *mapping;
	return true;
}

/* The last row at or before `offset` in a page that has any. */
static __always_inline __u32 eb_find_row(struct eb_walk *walk, struct eb_page *page, __u32 offset)
{
	__u32 rows_at = page->rows_at;
	struct eb_chunk *chunk = eb_chunk_of(rows_at);

	if (!chunk)
		return EB_ROW_RULE << 16;
	walk->low = 1;
	walk->high = page->rows;
#pragma clang loop unroll(disable)
	for (int i = 0; i < EB_PAGE_SHIFT + 1; i++) {
		__u32 low = walk->low, high = walk->high, middle = (low + high) / 2;

		if (low >= high)
			break;
		if ((chunk->words[(rows_at + middle) & (EB_CHUNK_WORDS - 1)] & 0xffff) <= offset)
			walk->low = middle + 1;
		else
			walk->high = middle;
	}
	return chunk->words[(rows_at + walk->low - 1) & (EB_CHUNK_WORDS - 1)];
}

/* Spells out what a row says. */
static __always_inline void eb_read_row(__u32 what, struct eb_rule *rule)
{
	__u32 number = what & (EB_ROW_RULE - 1), saved = (what >> EB_ROW_SAVED_SHIFT) & 7;
	struct eb_rule *rare;

	if (what & EB_ROW_RULE) {
		rare = bpf_map_lookup_elem(&unwind_rules, &number);
		if (rare)
			*rule = *rare;
		else
			rule->base = EB_BASE_NONE;
		return;
	}
	rule->base = what & EB_ROW_FP ? EB_BASE_FP : EB_BASE_SP;
	rule->cfa = (what & EB_ROW_WORDS_MASK) * 8;
	rule->add = 0;
#ifdef __TARGET_ARCH_arm64
	/* 0: nothing was saved; 1: the frame record is the lowest in the frame. */
	rule->saved = saved ? EB_SAVED_RA | EB_SAVED_FP : 0;
	rule->fp = -rule->cfa;
	rule->ra = rule->fp + 8;
#else
	/* 0: the frame pointer was not saved, else it is so many words below the return address. */
	rule->saved = saved ? EB_SAVED_RA | EB_SAVED_FP : EB_SAVED_RA;
	rule->ra = -8;
	rule->fp = -8 - (__s32)saved * 8;
#endif
}

/* The row that holds at pc, by the tables. */
static __always_inline enum eb_found eb_look_up(struct eb_walk *walk, __u64 pc, __u32 *what)
{
	struct eb_chunk *chunk;
	struct eb_page *page;
	__u64 offset;

	if (!eb_find_mapping(walk, pc))
		return EB_FOUND_NOTHING;
	if (walk->mapping.kind == EB_MAP_JIT)
		return EB_FOUND_JIT;
	if (walk->mapping.kind == EB_MAP_PENDING)
		return EB_FOUND_PENDING;
	if (walk->mapping.kind == EB_MAP_BARE)
		return EB_FOUND_BARE;
	offset = pc - walk->mapping.bias;
	chunk = eb_chunk_of(walk->mapping.pages_at);
	if (!chunk)
		return EB_FOUND_BARE;
	page = eb_words(chunk, walk->mapping.pages_at + (offset >> EB_PAGE_SHIFT) * 2, 2);
	if (!page->rows)
		return EB_FOUND_BARE;
	*what = eb_find_row(walk, page, offset & ((1 << EB_PAGE_SHIFT) - 1)) >> 16;
	return EB_FOUND_RULE;
}

/* What is known of the code at pc. Tables lie in eight lines of cache or so that other programs
 * have pushed out since the tick before; what they said lies in one. */
static __always_inline enum eb_found eb_find_rule(struct eb_walk *walk, __u64 pc,
						  struct eb_rule *rule)
{
	struct eb_known *known =
		&walk->known[(pc * 0x9e3779b97f4a7c15ULL) >> (64 - EB_KNOWN_SHIFT)];
	enum eb_found found;
	__u32 what;

	if (walk->version && known->version == walk->version && known->pc == pc) {
		what = known->what;
	} else {
		found = eb_look_up(walk, pc, &what);
		if (found != EB_FOUND_RULE)
			return found;
		known->pc = pc;
		known->version = walk->version;
		known->what = what;
	}
	eb_read_row(what, rule);
	return rule->base == EB_BASE_NONE ? EB_FOUND_BARE : EB_FOUND_RULE;
}

#endif
